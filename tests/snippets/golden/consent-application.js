// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// It goes into the pages of your site that log visitors in. There replace
//   auth0Client.loginWithRedirect(options)
// by
//   loginWithWebsync(auth0Client, options)
/** @param {import("@auth0/auth0-spa-js").Auth0Client} auth0Client */
async function loginWithWebsync(auth0Client, options = {}) {
  // The parameters that carry BlueConic's values through the login. Without BlueConic (blocked, slow) there are none.
  async function websyncParameters() {
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

    // Texts in the alphabet that Auth0 lets through ("~" for "%", "*" between texts); null if there is nothing to send.
    function encodeValues(values) {
      const texts = values.map((value) => String(value ?? "")).filter((text) => text !== "");
      const escape = (character) => "%" + character.charCodeAt(0).toString(16).toUpperCase();
      try {
        const encoded = texts
          .map((text) => encodeURIComponent(text).replace(/[!~*'()]/g, escape).replace(/%/g, "~"))
          .join("*");
        return encoded !== "" && encoded.length <= 255 ? encoded : null;
      } catch {
        return null; // half of a surrogate pair is no text
      }
    }

    const parameters = {};
    try {
      const timeout = new Promise((resolve) => setTimeout(resolve, 800));
      const client = await whenBlueConic(timeout);
      const profile = client?.profile.getProfile();
      const profileId = profile?.getId();
      if (/^[A-Za-z0-9-]{1,64}$/.test(profileId ?? "")) parameters["ext-bc_profile_id"] = profileId;
      if (profile) {
        // Profile property and the login parameter that carries it.
        const properties = [
          ["newsletter", "ext-bcp_newsletter"],
          ["favouriteCategory", "ext-bcp_favouritecategory_ucudav"],
          ["first_visit", "ext-bcp_first_visit"],
        ];
        const ids = properties.map(([id]) => id);
        await Promise.race([new Promise((resolve) => profile.loadValues(ids, window, resolve)), timeout]);
        for (const [id, parameter] of properties) {
          const value = encodeValues([].concat(profile.getValues(id)));
          if (value !== null) parameters[parameter] = value;
        }
      }
    } catch {
      // What BlueConic did not tell is left out.
    }
    return parameters;
  }

  const parameters = await websyncParameters();
  return auth0Client.loginWithRedirect({
    ...options,
    authorizationParams: { ...parameters, ...options?.authorizationParams },
  });
}
