// A stand-in for the part of @auth0/auth0-spa-js that the shop needs, so that the demo needs no npm. The names, parameters and
// answers are those of the real one: a site that uses it can be given this, and the other way round.
// Source: auth0-spa-js (Auth0Client); RFC 7636; OpenID Connect Core 1.0, 3.1.3.7.

const LEEWAY_SECONDS = 60;
const SILENT_TIMEOUT_MS = 10_000;
const PROTOCOL_CLAIMS = new Set(["iss", "aud", "exp", "nbf", "iat", "jti", "azp", "nonce", "auth_time", "at_hash", "sid"]);

export class AuthenticationError extends Error {
  constructor(error, description) {
    super(description || error);
    this.name = "AuthenticationError";
    this.error = error;
    this.error_description = description;
  }
}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const challengeOf = async (verifier) =>
  base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));

function decodeClaims(token) {
  const body = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function checkedClaims(token, { issuer, clientId, nonce }) {
  const claims = decodeClaims(token);
  const audiences = [claims.aud].flat();
  const now = Date.now() / 1000;
  if (claims.iss !== issuer) throw new AuthenticationError("invalid_token", "The issuer is another one");
  if (!audiences.includes(clientId)) throw new AuthenticationError("invalid_token", "The audience is another one");
  if (claims.nonce !== nonce) throw new AuthenticationError("invalid_token", "The nonce is another one");
  if (!(claims.exp + LEEWAY_SECONDS > now)) throw new AuthenticationError("invalid_token", "The ID token has expired");
  return claims;
}

export async function createAuth0Client({ domain, clientId, authorizationParams = {} }) {
  const base = (/^https?:\/\//.test(domain) ? domain : `https://${domain}`).replace(/\/$/, "");
  const issuer = `${base}/`;
  const transactionKey = `auth0-stand-in.${clientId}`;
  const hintKey = `auth0-stand-in.${clientId}.is.authenticated`;
  let tokens = null;
  let silentRun = null;

  async function prepare(callParams, protocolParams) {
    const [state, nonce, verifier] = [randomText(), randomText(), randomText()];
    const merged = {
      scope: "openid profile email",
      redirect_uri: location.origin,
      ...authorizationParams,
      ...callParams,
      client_id: clientId,
      response_type: "code",
      state,
      nonce,
      code_challenge: await challengeOf(verifier),
      code_challenge_method: "S256",
      ...protocolParams,
    };
    const given = Object.entries(merged).filter(([, value]) => value !== undefined);
    const url = `${base}/authorize?${new URLSearchParams(given)}`;
    return { url, transaction: { state, nonce, verifier, redirectUri: merged.redirect_uri } };
  }

  async function exchange(code, { nonce, verifier, redirectUri }) {
    const response = await fetch(`${base}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code",
        client_id: clientId,
        code,
        code_verifier: verifier,
        redirect_uri: redirectUri,
      }),
    });
    const answer = await response.json();
    if (!response.ok) throw new AuthenticationError(answer.error, answer.error_description);
    const claims = checkedClaims(answer.id_token, { issuer, clientId, nonce });
    tokens = { ...answer, claims, expiresAt: Date.now() / 1000 + answer.expires_in };
    localStorage.setItem(hintKey, "true");
  }

  async function renewSilently(callParams) {
    const { url, transaction } = await prepare(callParams, { prompt: "none", response_mode: "web_message" });
    const answer = await silentAnswer(url, base);
    if (answer.error) {
      if (answer.error === "login_required") {
        tokens = null;
        localStorage.removeItem(hintKey);
      }
      throw new AuthenticationError(answer.error, answer.error_description);
    }
    if (answer.state !== transaction.state) throw new AuthenticationError("state_mismatch", "Invalid state");
    await exchange(answer.code, transaction);
  }

  return {
    async loginWithRedirect({ authorizationParams: callParams, appState } = {}) {
      const { url, transaction } = await prepare(callParams);
      sessionStorage.setItem(transactionKey, JSON.stringify({ ...transaction, appState }));
      location.assign(url);
    },

    async handleRedirectCallback(url = location.href) {
      const answer = Object.fromEntries(new URL(url).searchParams);
      const transaction = JSON.parse(sessionStorage.getItem(transactionKey));
      sessionStorage.removeItem(transactionKey);
      if (!transaction || answer.state !== transaction.state) {
        throw new AuthenticationError("state_mismatch", "Invalid state");
      }
      if (answer.error) throw new AuthenticationError(answer.error, answer.error_description);
      await exchange(answer.code, transaction);
      return { appState: transaction.appState };
    },

    async checkSession() {
      if (!localStorage.getItem(hintKey)) return;
      try {
        await this.getTokenSilently();
      } catch (error) {
        if (!(error instanceof AuthenticationError)) throw error;
      }
    },

    async getTokenSilently({ cacheMode = "on", detailedResponse = false, authorizationParams: callParams } = {}) {
      const isFresh = tokens && tokens.expiresAt - LEEWAY_SECONDS > Date.now() / 1000;
      if (cacheMode === "cache-only" && !isFresh) return undefined;
      if (cacheMode === "off" || !isFresh) {
        // Callers at the same time share one iframe.
        silentRun ??= renewSilently(callParams).finally(() => (silentRun = null));
        await silentRun;
      }
      const { id_token, access_token, expires_in, scope } = tokens;
      return detailedResponse ? { id_token, access_token, expires_in, scope } : access_token;
    },

    isAuthenticated: async () => tokens !== null,

    getIdTokenClaims: async () => (tokens ? { ...tokens.claims, __raw: tokens.id_token } : undefined),

    async getUser() {
      if (!tokens) return undefined;
      return Object.fromEntries(Object.entries(tokens.claims).filter(([name]) => !PROTOCOL_CLAIMS.has(name)));
    },

    async logout({ logoutParams = {} } = {}) {
      tokens = null;
      localStorage.removeItem(hintKey);
      location.assign(`${base}/v2/logout?${new URLSearchParams({ client_id: clientId, ...logoutParams })}`);
    },
  };
}

/** Load `url` in a hidden frame and return the answer that it posts; only a message from that frame counts. */
function silentAnswer(url, origin) {
  return new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "Silent login";
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("message", listen);
      frame.remove();
    };
    const listen = (event) => {
      if (event.origin !== origin || event.source !== frame.contentWindow) return;
      if (event.data?.type !== "authorization_response") return;
      end();
      resolve(event.data.response);
    };
    const timer = setTimeout(() => {
      end();
      reject(new AuthenticationError("timeout", "Silent login took too long"));
    }, SILENT_TIMEOUT_MS);
    window.addEventListener("message", listen);
    frame.src = url;
    document.body.append(frame);
  });
}
