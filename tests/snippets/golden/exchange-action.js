// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// It goes to Auth0: Actions > Library > Create Action > Build from scratch, trigger "Login / Post Login", runtime Node 22.
// Give it the secret "WEBSYNC_SECRET", press Deploy, and drag the Action into Actions > Triggers > post-login.

// Names come from people: only an object's own properties count.
function own(object, name) {
  return object !== null && typeof object === "object" && Object.prototype.hasOwnProperty.call(object, name);
}

// The value at a path, or null if there is none.
function valueAt(start, path) {
  let value = start;
  for (const name of path) {
    if (!own(value, name)) return null;
    value = value[name];
  }
  return value === undefined ? null : value;
}

// The texts in a parameter of the login; none if it is absent or not written by the login call of the site.
function decodeValues(raw) {
  if (typeof raw !== "string" || !/^[\w.~*-]{1,255}$/.test(raw)) return [];
  try {
    const texts = raw.split("*").map((item) => decodeURIComponent(item.replace(/~/g, "%")));
    return texts.filter((text) => text !== "");
  } catch (error) {
    return [];
  }
}

// The profile id as a list of one, or none.
function decodeProfileId(raw) {
  return typeof raw === "string" && /^[A-Za-z0-9-]{1,64}$/.test(raw) ? [raw] : [];
}

function isEmpty(stored) {
  return stored === undefined || stored === null || stored === "" || (Array.isArray(stored) && stored.length === 0);
}

// One text is stored as a text, several as a list.
function set(stored, texts) {
  return texts.length === 1 ? texts[0] : texts;
}

function setIfEmpty(stored, texts) {
  return isEmpty(stored) ? set(stored, texts) : stored;
}

// At most 100 values: Auth0 keeps 10 KB for a user, and a longer list would crowd out the rest.
function add(stored, texts) {
  const list = isEmpty(stored) ? [] : [].concat(stored);
  const fresh = texts.filter((text, index) => !list.includes(text) && texts.indexOf(text) === index);
  return fresh.length === 0 || list.length + fresh.length > 100 ? stored : list.concat(fresh);
}

// Merge texts into one field of user_metadata. A login without the value is normal, so no text changes nothing.
function store(metadata, path, texts, merge) {
  if (texts.length === 0) return;
  const root = path[0];
  // Auth0 replaces a root key as a whole, so the change is made on a copy of it.
  const copy = own(metadata, root) ? JSON.parse(JSON.stringify({ [root]: metadata[root] })) : {};
  let parent = copy;
  for (const name of path.slice(0, -1)) {
    if (!own(parent, name) || parent[name] === null) parent[name] = {};
    parent = parent[name];
    // Something that is no object stands in the way: it is not ours to erase.
    if (typeof parent !== "object" || Array.isArray(parent)) return;
  }
  const last = path[path.length - 1];
  parent[last] = merge(own(parent, last) ? parent[last] : undefined, texts);
  metadata[root] = copy[root];
}

function differs(metadata, stored, root) {
  if (!own(metadata, root)) return false;
  return !own(stored, root) || JSON.stringify(metadata[root]) !== JSON.stringify(stored[root]);
}

// A redirect carries the parameters in its query, a refresh of the tokens in its body.
function parameter(event, name) {
  return event.request?.query?.[name] ?? event.request?.body?.[name];
}

// The texts that Websync answered for a profile property; none if it does not know any.
function answeredTexts(values, property) {
  const texts = own(values, property) ? values[property] : null;
  return Array.isArray(texts) ? texts.filter((text) => typeof text === "string" && text !== "") : [];
}

// Tells Websync of the login and returns the profile's values. After two seconds the login goes on without them.
async function exchange(secret, call) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 2000);
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  try {
    const body = JSON.stringify(call);
    for (let attempt = 1; ; attempt++) {
      let status = 0;
      try {
        const response = await fetch("https://websync.example/sync/shop-goal/login", {
          method: "POST", redirect: "error", signal: stop.signal, headers, body,
        });
        if (response.ok) return (await response.json())?.values;
        status = response.status;
      } catch (error) {
        if (attempt === 2 || stop.signal.aborted) throw error;
      }
      // Once more where that may help: Websync counts a login once, however often it hears of it.
      if (attempt === 2 || (status > 0 && status < 500)) {
        console.log("websync", status);
        return null;
      }
    }
  } catch (error) {
    console.log("websync", error?.name);
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {Event} event
 * @param {PostLoginAPI} api
 */
exports.onExecutePostLogin = async (event, api) => {
  try {
    // Logins of other applications are not this goal's business.
    if (!["shop-client"].includes(event.client?.client_id)) return;

    const secret = event.secrets?.["WEBSYNC_SECRET"];
    // A refresh of the tokens, or a look whether somebody is logged in, is no login: it is not told, and does not count.
    const isLogin =
      event.transaction?.protocol !== "oauth2-refresh-token" && !event.transaction?.prompt?.includes("none");
    const loginId = Date.now().toString(36) + Math.random().toString(36).slice(2, 12);
    let user = event.user;
    const profileIds = decodeProfileId(parameter(event, "ext-bc_profile_id"));
    const stored = user.user_metadata ?? {};
    const metadata = { ...stored };
    try {
      // What the login brought is the visitor's word: it goes to user_metadata only.
      store(metadata, ["bc_profile_id"], profileIds, set);
      store(metadata, ["newsletter"], decodeValues(parameter(event, "ext-bcp_newsletter")), set);
      store(metadata, ["interests", "categories"], decodeValues(parameter(event, "ext-bcp_favouritecategory_ucudav")), add);
      store(metadata, ["interests", "first"], decodeValues(parameter(event, "ext-bcp_first_visit")), setIfEmpty);
      user = { ...user, user_metadata: metadata };
    } catch (error) {
      console.log("websync", error?.name); // what follows does not depend on it
    }

    // The same fields, under the same names, as a token has them.
    const claims = {};
    const found = { ...event, user };
    send("email", valueAt(found, ["user", "email"]));
    send("email_verified", valueAt(found, ["user", "email_verified"]));
    send("https://shop.example/claims/user_metadata.plan", valueAt(found, ["user", "user_metadata", "plan"]));
    claims["https://shop.example/claims/nickname"] = valueAt(found, ["user", "nickname"]);
    send("https://shop.example/claims/authorization.roles", valueAt(found, ["authorization", "roles"]));
    send("https://shop.example/claims/logins_count", valueAt(found, ["stats", "logins_count"]));
    send("https://shop.example/claims/user_metadata.bc_profile_id", valueAt(found, ["user", "user_metadata", "bc_profile_id"]));
    function send(name, value) {
      if (value !== null) claims[name] = value;
    }
    const call = { loginId, sentAt: Date.now(), userId: user.user_id, profileId: profileIds[0] ?? null, claims };
    const values = secret && isLogin ? await exchange(secret, call) : null;

    // What Websync knows of the profile. For user_metadata the browser's own word is newer.
    const storedApp = user.app_metadata ?? {};
    const appMetadata = { ...storedApp };
    try {
      if (decodeValues(parameter(event, "ext-bcp_newsletter")).length === 0) {
        store(metadata, ["newsletter"], answeredTexts(values, "newsletter"), set);
      }
      if (decodeValues(parameter(event, "ext-bcp_favouritecategory_ucudav")).length === 0) {
        store(metadata, ["interests", "categories"], answeredTexts(values, "favouriteCategory"), add);
      }
      if (decodeValues(parameter(event, "ext-bcp_first_visit")).length === 0) {
        store(metadata, ["interests", "first"], answeredTexts(values, "first_visit"), setIfEmpty);
      }
      store(appMetadata, ["tier"], answeredTexts(values, "tier"), set);
    } catch (error) {
      console.log("websync", error?.name);
    }
    for (const root of ["tier"]) {
      if (differs(appMetadata, storedApp, root)) api.user.setAppMetadata(root, appMetadata[root]);
    }
    user = { ...user, app_metadata: appMetadata };
    for (const root of ["bc_profile_id", "newsletter", "interests"]) {
      if (differs(metadata, stored, root)) api.user.setUserMetadata(root, metadata[root]);
    }

    // By this the token says which login it is of, so that it does not count a second time.
    if (isLogin) api.idToken.setCustomClaim("https://shop.example/claims/.login", loginId);
    // The fields that the token would lack.
    const login = { ...event, user };
    const addClaim = (name, value) => {
      if (value !== null) api.idToken.setCustomClaim(name, value);
    };
    addClaim("https://shop.example/claims/user_metadata.plan", valueAt(login, ["user", "user_metadata", "plan"]));
    // null tells an empty field, which clears its property, from a login without this Action.
    api.idToken.setCustomClaim("https://shop.example/claims/nickname", valueAt(login, ["user", "nickname"]));
    addClaim("https://shop.example/claims/authorization.roles", valueAt(login, ["authorization", "roles"]));
    addClaim("https://shop.example/claims/logins_count", valueAt(login, ["stats", "logins_count"]));
    addClaim("https://shop.example/claims/user_metadata.bc_profile_id", valueAt(login, ["user", "user_metadata", "bc_profile_id"]));
  } catch (error) {
    // A login never fails because of Websync, and nothing about a person is logged.
    console.log("websync", error?.name);
  }
};
