// The parts of a post-login Action's world that generated code uses, as Auth0 documents them.
// Source: Auth0 docs, actions/reference/post-login (event object, api object); customize/rules.

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type Metadata = { [name: string]: any };

interface Event {
  user: {
    user_id: string;
    email?: string;
    email_verified: boolean;
    user_metadata: Metadata;
    app_metadata: Metadata;
    identities: { connection: string; provider: string; user_id: string; isSocial: boolean }[];
  };
  request: {
    query: { [name: string]: string | undefined };
    body: { [name: string]: any };
    ip: string;
    method: string;
    geoip: { countryCode?: string; cityName?: string };
  };
  client: { client_id: string; name: string; metadata: { [name: string]: string } };
  connection: { id: string; name: string; strategy: string };
  authorization?: { roles: string[] };
  organization?: { id: string; name: string; display_name: string };
  resource_server?: { identifier: string };
  transaction?: { protocol?: string; prompt?: string[] };
  stats: { logins_count: number };
  secrets: { [name: string]: string | undefined };
}

interface PostLoginAPI {
  idToken: { setCustomClaim(name: string, value: any): PostLoginAPI };
  accessToken: { setCustomClaim(name: string, value: any): PostLoginAPI };
  user: { setUserMetadata(name: string, value: any): PostLoginAPI; setAppMetadata(name: string, value: any): PostLoginAPI };
  rules: { wasExecuted(ruleId: string): boolean };
}

declare const exports: { onExecutePostLogin: (event: Event, api: PostLoginAPI) => Promise<void> };
// Node 22, as far as an Action of ours goes.
declare function setTimeout(callback: () => void, ms: number): unknown;
declare function clearTimeout(timer: unknown): void;
declare class AbortController { readonly signal: { readonly aborted: boolean }; abort(): void; }
declare function fetch(url: string, options: {
  method: string; redirect: "error"; signal: AbortController["signal"]; headers: { [name: string]: string }; body: string;
}): Promise<{ ok: boolean; status: number; json(): Promise<any> }>;
declare const console: { log(...values: unknown[]): void };

// A Rule's: the restricted client of the Management API.
declare const auth0: { users: { updateUserMetadata(userId: string, metadata: Metadata): Promise<unknown> } };
declare function checkRule(rule: (user: any, context: any, callback: (error: null, user: any, context: any) => void) => void): void;
