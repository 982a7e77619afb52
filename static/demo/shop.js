// The shop's own page code: it shows who is there, keeps the visitor's choices in the BlueConic profile, and logs in through
// the code that Websync generated. Without that code (goal off, Websync down) logging in works all the same.
import { createAuth0Client } from "./auth0_client.js";

const settings = JSON.parse(document.body.dataset.shop);
const find = (name) => document.querySelector(`[data-${name}]`);
const SENT_KEY = "shop.sent";
const OUTCOME_KEY = "shop.outcome";
const BLUECONIC_TIMEOUT_MS = 5_000;
const OBJECTIVE = "marketing"; // what the box of the page asks; a goal asks for it if its connection has this objective

const client = await createAuth0Client({
  domain: settings.domain,
  clientId: settings.clientId,
  authorizationParams: { redirect_uri: `${location.origin}/`, audience: settings.audience ?? undefined },
});

// What goes to the login is written down on its way, so that the panel can show it afterwards.
const watchedClient = {
  ...client,
  loginWithRedirect(options = {}) {
    const parameters = Object.entries(options.authorizationParams ?? {}).filter(([name]) => name.startsWith("ext-"));
    sessionStorage.setItem(SENT_KEY, JSON.stringify(parameters));
    sessionStorage.removeItem(OUTCOME_KEY);
    return client.loginWithRedirect(options);
  },
};

function blueConicProfile() {
  return new Promise((resolve) => {
    const ready = () => resolve(window.blueConicClient?.profile.getProfile() ?? null);
    if (window.blueConicClient) ready();
    window.addEventListener("onBlueConicLoaded", ready, { once: true });
    setTimeout(() => resolve(null), BLUECONIC_TIMEOUT_MS);
  });
}

const whenLoaded = (profile, ids) => new Promise((resolve) => profile.loadValues(ids, window, resolve));
const whenSaved = () => new Promise((resolve) => window.blueConicClient.profile.updateProfile(window, resolve));

async function enhancePreferences(profile) {
  const form = find("preferences");
  const { favourite_category: favourite, newsletter, consent } = form.elements;
  await whenLoaded(profile, ["favourite_category", "newsletter", "visits", "viewed_categories"]);
  favourite.value = profile.getValue("favourite_category") ?? "";
  newsletter.checked = profile.getValue("newsletter") === "yes";
  consent.checked = profile.getConsentedObjectives().includes(OBJECTIVE);
  profile.setPrivacyLegislation("GDPR"); // BlueConic takes it from the address; this shop's visitors are in Europe
  profile.incrementValue("visits", 1);
  const category = new URLSearchParams(location.search).get("category");
  if (category) profile.addValue("viewed_categories", category);
  await whenSaved();
  form.addEventListener("change", async ({ target }) => {
    if (target === favourite) profile.setValues("favourite_category", favourite.value ? [favourite.value] : []);
    if (target === newsletter) profile.setValue("newsletter", newsletter.checked ? "yes" : "no");
    if (target === consent && consent.checked) profile.addConsentedObjective(OBJECTIVE);
    else if (target === consent) profile.addRefusedObjective(OBJECTIVE);
    await whenSaved();
    find("saved").textContent = "Kept in your profile.";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}

function showProfile(profileId) {
  find("profile-id").textContent = profileId ?? "none: the BlueConic script is blocked";
  const link = find("profile-link");
  link.hidden = !profileId;
  if (profileId) link.href = `${settings.websyncUrl}/profiles/${encodeURIComponent(profileId)}`;
}

function showSnippets() {
  const missing = ["loginWithWebsync", "syncWithWebsync"].filter((name) => typeof window[name] !== "function");
  const text = {
    0: "both loaded from Websync",
    1: `missing: ${missing[0]}`,
    2: "missing: logging in works, but nothing is synced. Is the goal on, and Websync running?",
  };
  find("snippets").textContent = text[missing.length];
}

function showSent() {
  const sent = JSON.parse(sessionStorage.getItem(SENT_KEY));
  if (!sent) return;
  const list = document.createElement("ul");
  list.className = "sent";
  list.append(
    ...sent.map(([name, value]) => {
      const item = document.createElement("li");
      const code = document.createElement("code");
      code.textContent = `${name}=${value}`;
      item.append(code);
      return item;
    }),
  );
  find("sent").replaceChildren(sent.length ? list : "nothing: a plain login");
}

function showOutcome() {
  const outcome = JSON.parse(sessionStorage.getItem(OUTCOME_KEY));
  if (!outcome) return;
  const badge = document.createElement("span");
  badge.className = outcome.error ? "badge bad" : "badge good";
  badge.textContent = outcome.error ? "failed" : String(outcome.state);
  let text = "";
  if (outcome.error) text = typeof outcome.error === "string" ? outcome.error : (outcome.error.message ?? "");
  else if (outcome.state === "CONSENT_MISMATCH") text = "nothing is synced without your consent";
  else if (outcome.updated?.length) text = `updated: ${outcome.updated.join(", ")}`;
  else text = "nothing to change";
  for (const [property, reasons] of Object.entries(outcome.problems ?? {})) text += `; not ${property}: ${reasons.join(", ")}`;
  if (outcome.switchProfile) text += "; this browser switched to a profile of its own";
  find("outcome").replaceChildren(badge, ` ${text}`);
  if (outcome.profileId) showProfile(outcome.profileId);
}

function showMistake(error) {
  const mistake = find("mistake");
  mistake.textContent = `Logging in failed: ${error.message}`;
  mistake.hidden = false;
}

async function showAccount() {
  const user = await client.getUser();
  find("account").textContent = user ? `Hello, ${user.name ?? user.sub}` : "You are not logged in";
  find("log-in").hidden = Boolean(user);
  find("log-out").hidden = !user;
}

async function logIn() {
  try {
    if (typeof window.loginWithWebsync === "function") await window.loginWithWebsync(watchedClient);
    else await watchedClient.loginWithRedirect();
  } catch (error) {
    showMistake(error);
  }
}

async function finishLogin() {
  const query = new URLSearchParams(location.search);
  if (!query.has("state") || !(query.has("code") || query.has("error"))) return false;
  try {
    await client.handleRedirectCallback();
    return true;
  } catch (error) {
    showMistake(error);
    return false;
  } finally {
    history.replaceState(null, "", location.pathname);
  }
}

window.addEventListener("websync:synced", ({ detail }) => {
  const error = detail?.error instanceof Error ? detail.error.message : detail?.error;
  sessionStorage.setItem(OUTCOME_KEY, JSON.stringify({ ...detail, error }));
  showOutcome();
});
find("log-in").addEventListener("click", logIn);
find("log-out").addEventListener("click", () => client.logout({ logoutParams: { returnTo: `${location.origin}/` } }));
find("forget").addEventListener("click", () => {
  sessionStorage.removeItem(SENT_KEY);
  sessionStorage.removeItem(OUTCOME_KEY);
  window.blueConicClient?.profile.createProfile(window, () => location.assign("/"));
});

showSnippets();
const profile = await blueConicProfile();
showProfile(profile?.getId());
if (profile) await enhancePreferences(profile);
const hasJustLoggedIn = await finishLogin();
if (!hasJustLoggedIn) await client.checkSession().catch(showMistake);
await showAccount();
showSent();
showOutcome();
document.body.dataset.ready = "true";
if (hasJustLoggedIn && typeof window.syncWithWebsync === "function") await window.syncWithWebsync(watchedClient);
