// What a token does to the properties of a profile: the eight mappings of the bench's goal.
const { CLAIM_NAMESPACE } = process.env;

export const RECEIPT_MARGIN_SECONDS = 120;

export function identifiersOf(claims) {
  return { userId: claims.sub, email: claims.email_verified === true ? claims.email : null };
}

// Returns {properties, updated}: the properties after the merge, and the sorted names of those that changed.
export function merge(before, claims) {
  const claim = (name) => claims[CLAIM_NAMESPACE + name];
  const properties = { ...before };
  const updated = [];

  function set(name, value) {
    if (value === undefined || properties[name] === value) return;
    properties[name] = value;
    updated.push(name);
  }
  function setIfEmpty(name, value) {
    if (properties[name] === undefined) set(name, value);
  }
  function add(name, values = []) {
    const old = properties[name] ?? [];
    const missing = values.filter((value) => !old.includes(value));
    if (missing.length > 0) set(name, [...old, ...missing]);
  }
  function sum(name, value) {
    if (Number.isFinite(value) && value !== 0) set(name, (properties[name] ?? 0) + value);
  }

  set("auth0_user_id", claims.sub);
  set("email", claims.email);
  setIfEmpty("first_name", claims.given_name);
  setIfEmpty("last_name", claims.family_name);
  set("plan", claim("user_metadata.plan"));
  add("interests", claim("user_metadata.interests"));
  add("segments", claim("app_metadata.segments"));
  sum("points", claim("app_metadata.points"));
  return { properties, updated: updated.sort() };
}
