// Websync goal "Shop visitors", revision 1.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// It goes into the page to which Auth0 sends visitors back after logging in. There call, once for each login,
//   await auth0Client.handleRedirectCallback(); syncWithWebsync(auth0Client);
// It is silent on failure; listen to "websync:synced" on window to see what came of it.
async function syncWithWebsync(auth0Client) {
  const key = "websync:shop-goal";
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // BlueConic's client once its profile is ready (its id may change before); nothing if it takes too long. Not every version
  // says so to who asks late, but then the cookie has the final id.
  function whenBlueConic(timeout) {
    const ifConfirmed = () => {
      const client = window.blueConicClient;
      const id = client?.profile?.getProfile()?.getId();
      return id && document.cookie.includes("BCSessionID=" + id) ? client : undefined;
    };
    const loaded = new Promise((resolve) => {
      if (window.blueConicClient?.event?.subscribe) resolve();
      else window.addEventListener("onBlueConicLoaded", resolve, { once: true });
    });
    const ready = loaded.then(() => new Promise((resolve) => {
      const client = window.blueConicClient;
      client.event.subscribe(client.event.onReady || "onReady", window, () => resolve(client));
    }));
    return Promise.race([ready.catch(ifConfirmed), timeout.then(ifConfirmed)]).catch(() => undefined);
  }

  // The SDK keeps ID tokens without looking at their expiry.
  async function freshToken() {
    let claims = await auth0Client.getIdTokenClaims();
    if (claims && !(claims.exp > Date.now() / 1000 + 60)) {
      await auth0Client.getTokenSilently({ cacheMode: "off" });
      claims = await auth0Client.getIdTokenClaims();
    }
    return claims?.__raw;
  }

  // Tells tokens apart without keeping one; null where the browser has no digests.
  async function digestOf(token) {
    try {
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
      return btoa(String.fromCharCode(...new Uint8Array(digest)));
    } catch {
      return null;
    }
  }

  function remembered() {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  function remember(digest) {
    try {
      if (digest) localStorage.setItem(key, digest);
    } catch {
      // Without storage the token is posted again; Websync applies it once.
    }
  }

  // Up to four attempts; the last answer, or undefined if there was none.
  async function post(body) {
    const headers = { "content-type": "application/json" };
    for (let attempt = 1; ; attempt++) {
      const response = await fetch("https://websync.example/sync/shop-goal/token", {
        method: "POST", keepalive: true, credentials: "omit", headers, body,
      }).catch(() => undefined);
      if (attempt === 4 || (response && response.status !== 429 && response.status !== 503)) return response;
      const seconds = Number(response?.headers.get("Retry-After"));
      await pause(seconds > 0 ? Math.min(seconds, 30) * 1000 : 500 * 2 ** attempt * (0.5 + Math.random()));
    }
  }

  try {
    const token = await freshToken();
    if (!token) return null;
    const digest = await digestOf(token);
    if (digest && remembered() === digest) return null;
    const client = await whenBlueConic(pause(2000));
    let profileId = null;
    try {
      if (client?.isInEditMode?.() || client?.isInSimulatorMode?.()) return null;
      profileId = client?.profile.getProfile()?.getId() || null;
    } catch {
      // The token alone says who the visitor is.
    }
    const response = await post(JSON.stringify({ token, profileId }));
    const answer = (await response?.json().catch(() => null)) ?? {};
    const status = response?.status ?? 0;
    // Final: applied, or wrong in itself. What somebody can mend (a goal that is off) is tried again with the next call.
    if (response?.ok || [400, 409, 413].includes(status)) remember(digest);
    const detail = response?.ok ? answer : { error: answer.type || answer.title || "failed", status };
    window.dispatchEvent(new CustomEvent("websync:synced", { detail }));
    try {
      // This browser's profile is somebody else's.
      if (response?.ok && answer.switchProfile === true) client?.profile.createProfile(window, function () {});
    } catch {}
    return detail;
  } catch {
    // Nobody is logged in, or something is broken that the visitor need not see.
    return null;
  }
}
