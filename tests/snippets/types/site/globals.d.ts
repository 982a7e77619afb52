// What a site has beside the SDKs: BlueConic's client, and the SDKs whose own declarations are not installed.

interface Window {
  blueConicClient?: any;
}

// Source: auth0.js 10, WebAuth.
interface WebAuth {
  authorize(options: { [name: string]: unknown }): void;
}

// Source: express-openid-connect 3, RequestContext and ResponseContext.
interface OpenidRequest {
  query: { [name: string]: unknown };
  oidc: { idToken?: string; accessToken?: { access_token: string } };
}
interface OpenidResponse {
  set(name: string, value: string): OpenidResponse;
  json(body: unknown): OpenidResponse;
  oidc: { login(options: { returnTo?: string; authorizationParams?: { [name: string]: string } }): Promise<void> };
}
declare const module: { exports: unknown };

// Source: @auth0/nextjs-auth0 4, Auth0Client.
declare module "@/lib/auth0" {
  export const auth0: {
    getSession(): Promise<{ tokenSet: { idToken?: string } } | null>;
    getAccessToken(options?: { audience?: string }): Promise<{ token: string }>;
  };
}

// Source: @angular/core 22.
declare module "@angular/core" {
  export function inject<T>(token: new (...values: any[]) => T): T;
  export function Injectable(options: { providedIn: "root" }): (target: any) => void;
}

// Source: rxjs 7.
declare module "rxjs" {
  export interface Observable<T> {
    pipe<A>(one: (source: Observable<T>) => Observable<A>): Observable<A>;
    pipe<A, B>(one: (source: Observable<T>) => Observable<A>, two: (source: Observable<A>) => Observable<B>): Observable<B>;
    subscribe(next?: (value: T) => void): { unsubscribe(): void };
  }
  export function defer<T>(make: () => Promise<T>): Observable<T>;
  export function switchMap<T, R>(project: (value: T) => Observable<R>): (source: Observable<T>) => Observable<R>;
  export function filter<T>(condition: (value: T) => boolean): (source: Observable<T>) => Observable<T>;
  export function filter<T>(condition: BooleanConstructor): (source: Observable<T>) => Observable<T>;
  export function take<T>(count: number): (source: Observable<T>) => Observable<T>;
  export function firstValueFrom<T>(source: Observable<T>): Promise<T>;
}

// Source: @auth0/auth0-angular 2, AuthService.
declare module "@auth0/auth0-angular" {
  import type { GetTokenSilentlyOptions, IdToken } from "@auth0/auth0-spa-js";
  import type { Observable } from "rxjs";
  export interface RedirectLoginOptions {
    appState?: unknown;
    authorizationParams?: { [name: string]: any };
  }
  export class AuthService {
    loginWithRedirect(options?: RedirectLoginOptions): Observable<void>;
    readonly isAuthenticated$: Observable<boolean>;
    readonly idTokenClaims$: Observable<IdToken | null | undefined>;
    getAccessTokenSilently(options?: GetTokenSilentlyOptions): Observable<string>;
  }
}

// Source: react-native-auth0 5, types/common.ts.
declare module "react-native-auth0" {
  export type Credentials = { idToken: string; accessToken: string };
}
