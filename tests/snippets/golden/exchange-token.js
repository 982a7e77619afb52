// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// It goes into the page to which Auth0 sends visitors back after logging in. There call, once for each login,
//   await auth0Client.handleRedirectCallback(); syncWithWebsync(auth0Client);
// It is silent on failure; listen to "websync:synced" on window to see what came of it.
/** @param {import("@auth0/auth0-spa-js").Auth0Client} auth0Client */
async function syncWithWebsync(auth0Client) {
  const key = "websync:shop-goal";
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // BlueConic's client once its profile id is final, which its cookie tells who comes too late for the event.
  function whenBlueConic(timeout) {
    const ifConfirmed = () => {
      const client = window.blueConicClient;
      const id = client?.profile?.getProfile()?.getId();
      return id && document.cookie.includes("BCSessionID=" + id) ? client : undefined;
    };
    const loaded = new Promise((resolve) => {
      if (window.blueConicClient?.event?.subscribe) resolve(null);
      else window.addEventListener("onBlueConicLoaded", resolve, { once: true });
    });
    const ready = loaded.then(() => new Promise((resolve) => {
      const client = window.blueConicClient;
      client.event.subscribe(client.event.onReady || "onReady", window, () => resolve(client));
    }));
    return Promise.race([ready.catch(ifConfirmed), timeout.then(ifConfirmed)]).catch(() => undefined);
  }

  // The SDK keeps ID tokens that have expired.
  async function freshToken() {
    let claims = await auth0Client.getIdTokenClaims();
    if (claims && (claims.exp ?? 0) <= Date.now() / 1000 + 60) {
      await auth0Client.getTokenSilently({ cacheMode: "off" });
      claims = await auth0Client.getIdTokenClaims();
    }
    return claims?.__raw;
  }

  // Tells tokens apart without keeping one.
  async function digestOf(token) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
    return btoa(String.fromCharCode(...new Uint8Array(digest)));
  }

  // Without storage it is posted again, and applied once.
  function stored(use) {
    try {
      return use(localStorage);
    } catch {
      return null;
    }
  }

  // Up to four attempts.
  async function post(body) {
    const headers = { "content-type": "application/json" };
    for (let attempt = 1; ; attempt++) {
      const response = await fetch("https://websync.example/sync/shop-goal/token", {
        method: "POST", keepalive: true, credentials: "omit", headers, body,
      }).catch(() => undefined);
      if (attempt === 4 || (response && ![429, 503].includes(response.status))) return response;
      const seconds = Number(response?.headers.get("Retry-After"));
      await pause(seconds > 0 ? Math.min(seconds, 30) * 1000 : 500 * 2 ** attempt * (0.5 + Math.random()));
    }
  }

  try {
    const token = await freshToken();
    if (!token) return null;
    const digest = await digestOf(token).catch(() => null);
    if (digest && stored((storage) => storage.getItem(key)) === digest) return null;
    const client = await whenBlueConic(pause(2000));
    let profileId = null;
    try {
      if (client?.isInEditMode?.() || client?.isInSimulatorMode?.()) return null;
      profileId = client?.profile.getProfile()?.getId() || null;
    } catch {
      // The token will do.
    }
    const response = await post(JSON.stringify({ token, profileId }));
    const answer = (await response?.json().catch(() => null)) ?? {};
    const ok = response?.ok;
    const status = response?.status ?? 0;
    // Applied, or wrong in itself; anything else is tried again later.
    if (digest && (ok || [400, 409, 413].includes(status))) stored((storage) => storage.setItem(key, digest));
    const detail = ok ? answer : { error: answer.type || answer.title || "failed", status };
    window.dispatchEvent(new CustomEvent("websync:synced", { detail }));
    try {
      // This browser's profile is somebody else's.
      if (ok && answer.switchProfile === true) client?.profile.createProfile(window, function () {});
    } catch {}
    return detail;
  } catch {
    // Visitors need not see it.
    return null;
  }
}
