// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// For reference only: Auth0 made Rules read-only on 2024-11-18 and ended them on 2026-11-18. This shows what the Action
// replaces. It stood in Auth0 at Auth Pipeline > Rules; deploy the Action instead.
function (user, context, callback) {
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
  function parameter(name) {
    const request = context.request || {};
    const value = (request.query || {})[name];
    return value === undefined ? (request.body || {})[name] : value;
  }

  // What the login brought is the visitor's word: it goes to user_metadata only.
  async function keepValues() {
    const stored = user.user_metadata || {};
    const metadata = { ...stored };
    store(metadata, ["bc_profile_id"], decodeProfileId(parameter("ext-bc_profile_id")), set);
    store(metadata, ["newsletter"], decodeValues(parameter("ext-bcp_newsletter")), set);
    store(metadata, ["interests", "categories"], decodeValues(parameter("ext-bcp_favouritecategory_ucudav")), add);
    store(metadata, ["interests", "first"], decodeValues(parameter("ext-bcp_first_visit")), setIfEmpty);
    if (!["bc_profile_id", "newsletter", "interests"].some((root) => differs(metadata, stored, root))) return;
    await auth0.users.updateUserMetadata(user.user_id, metadata);
    user.user_metadata = metadata;
  }

  // The fields that the token would lack.
  function addClaims() {
    const token = context.idToken || {};
    context.idToken = token;
    const login = { user, context };
    const addClaim = (name, value) => {
      if (value !== null) token[name] = value;
    };
    addClaim("https://shop.example/claims/user_metadata.plan", valueAt(login, ["user", "user_metadata", "plan"]));
    // null tells an empty field, which clears its property, from a login without this Rule.
    token["https://shop.example/claims/nickname"] = valueAt(login, ["user", "nickname"]);
    addClaim("https://shop.example/claims/authorization.roles", valueAt(login, ["context", "authorization", "roles"]));
    addClaim("https://shop.example/claims/logins_count", valueAt(login, ["context", "stats", "loginsCount"]));
    addClaim("https://shop.example/claims/user_metadata.bc_profile_id", valueAt(login, ["user", "user_metadata", "bc_profile_id"]));
  }

  // A login never fails because of Websync, and nothing about a person is logged.
  function logName(error) {
    console.log("websync", error && error.name);
  }

  async function run() {
    // Logins of other applications are not this goal's business.
    if (!["shop-client"].includes(context.clientID)) return;
    await keepValues().catch(logName);
    addClaims();
  }

  run().catch(logName).then(() => callback(null, user, context));
}
