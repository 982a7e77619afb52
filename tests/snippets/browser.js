// A page for generated code: a window, BlueConic, Auth0's SDK, a server and a clock, all told by `given` what to do.
// It is the body of a function (tests/javascript.py) and returns what was seen. Time is virtual: no test waits.
const vm = require("node:vm");
const seen = {
  results: [], logins: [], posts: [], waits: [], events: [], silentCalls: [], loaded: [], createdProfiles: 0,
  storage: { ...given.storage }, leaks: [], console: [], errors: [],
};
const onUnhandled = (error) => seen.errors.push(String(error));
process.on("unhandledRejection", onUnhandled);

// The clock: timers fire in order when nothing else is going on.
let now = given.now ?? 0;
let timers = [];
let busy = 0;
const setTimeout_ = (callback, ms = 0, ...values) => {
  timers.push({ at: now + ms, callback, values });
};
const turn = () => new Promise((resolve) => setImmediate(resolve));
async function settle(promise) {
  let settled = false;
  promise.then(() => { settled = true; }, () => { settled = true; });
  for (let rest = 0; rest < 5 || busy; rest += 1) await turn();
  while (!settled) {
    if (timers.length === 0) throw new Error("the code waits for something that never comes");
    timers.sort((one, other) => one.at - other.at);
    const timer = timers.shift();
    seen.waits.push(timer.at - now);
    now = timer.at;
    timer.callback(...timer.values);
    for (let rest = 0; rest < 5 || busy; rest += 1) await turn();
  }
}

const listeners = {};
const window = {
  addEventListener: (name, listener) => { (listeners[name] ??= []).push(listener); },
  dispatchEvent: (event) => {
    if (event.detail !== undefined) seen.events.push({ type: event.type, detail: event.detail });
    for (const listener of listeners[event.type] ?? []) listener(event);
  },
};

// BlueConic: there after `loadedAfter` ms, its profile ready after `readyAfter` ms (null: never).
function makeBlueConic(options) {
  const subscribers = [];
  let isReady = false;
  const after = (ms, callback) => {
    if (ms === 0) callback();
    else if (ms !== null) setTimeout_(callback, ms);
  };
  const fail = (name) => {
    if (options.failing === name) throw new Error(`BlueConic's ${name} is broken`);
  };
  // What the visitor says of objectives: `consent`, a list of answers of which each stands from its time on.
  const said = (name) => (options.consent ?? []).filter((each) => (each.from ?? 0) <= now).at(-1)?.[name];
  const profile = {
    getId: () => { fail("getId"); return isReady ? options.id ?? "p-1" : "temporary"; },
    loadValues: (ids, caller, callback) => { fail("loadValues"); seen.loaded.push(ids); after(options.valuesAfter ?? 0, callback); },
    getConsentedObjectives: () => { fail("getConsentedObjectives"); return said("consented"); },
    getRefusedObjectives: () => said("refused"),
    getPrivacyLegislation: () => said("legislation"),
    getValues: (id) => { fail("getValues"); return options.values?.[id] ?? []; },
  };
  const client = {
    event: {
      onReady: "onReady",
      subscribe: (name, handler, callback) => {
        fail("subscribe");
        if (isReady) callback.call(handler, name);
        else subscribers.push(() => callback.call(handler, name));
      },
    },
    profile: {
      getProfile: () => { fail("getProfile"); return options.profile === null ? null : profile; },
      createProfile: () => { seen.createdProfiles += 1; fail("createProfile"); },
    },
    isInEditMode: () => options.isInEditMode ?? false,
  };
  if (options.isInSimulatorMode !== undefined) client.isInSimulatorMode = () => options.isInSimulatorMode;
  after(options.loadedAfter ?? 0, () => {
    window.blueConicClient = client;
    window.dispatchEvent({ type: "onBlueConicLoaded" });
  });
  after(options.readyAfter === undefined ? options.loadedAfter ?? 0 : options.readyAfter, () => {
    isReady = true;
    subscribers.forEach((subscriber) => subscriber());
  });
}
if (given.blueConic) makeBlueConic(given.blueConic);

// Auth0's SDK: each call takes the next of `idTokens` (the last one stays) or of `accessTokens`.
const next = (list) => (list.length > 1 ? list.shift() : list[0]) ?? undefined;
const auth0Client = {
  loginWithRedirect: async (options) => { seen.logins.push(options); return given.loginResult; },
  getIdTokenClaims: async () => next(given.idTokens ?? []),
  getTokenSilently: async (options) => {
    seen.silentCalls.push(options ?? null);
    if (given.silentError) throw Object.assign(new Error(given.silentError), { error: given.silentError });
    return next(given.accessTokens ?? []);
  },
};

// Websync: each post takes the next answer; null is a network that failed.
const fetch = async (url, options) => {
  seen.posts.push({ url, ...options, body: JSON.parse(options.body), at: now });
  const answer = next(given.answers ?? []);
  if (!answer) throw new TypeError("Failed to fetch");
  const headers = new Headers(answer.headers);
  const text = answer.text ?? JSON.stringify(answer.json ?? {});
  return { ok: answer.status < 300, status: answer.status, headers, json: async () => JSON.parse(text) };
};

const storage = {
  getItem: (key) => { if (given.storageFails) throw new Error("no storage"); return seen.storage[key] ?? null; },
  setItem: (key, value) => { if (given.storageFails) throw new Error("no storage"); seen.storage[key] = value; },
};
const digest = async (...values) => {
  busy += 1;
  try {
    return await crypto.subtle.digest(...values);
  } finally {
    busy -= 1;
  }
};

class CustomEvent {
  constructor(type, options) {
    this.type = type;
    this.detail = options.detail;
  }
}
class PageDate extends Date {
  static now() { return now; }
}
const print = (...parts) => seen.console.push(parts.join(" "));
const sandbox = {
  window, auth0Client, fetch, CustomEvent, TextEncoder, btoa, setTimeout: setTimeout_, Date: PageDate, localStorage: storage,
  Response,
  crypto: given.hasNoDigests ? {} : { subtle: { digest } }, console: { log: print, warn: print, error: print },
};
sandbox.document = { cookie: given.cookie ?? "" };
const names = new Set(Object.keys(sandbox));
const page = vm.createContext(sandbox);
vm.runInContext(given.code, page);
for (const call of given.calls) {
  const result = vm.runInContext(call, page);
  await settle(result);
  seen.results.push(await result.then((value) => value ?? null, (error) => `threw ${error}`));
}
await turn();
process.off("unhandledRejection", onUnhandled);
seen.leaks = Object.keys(page).filter((name) => !names.has(name));
return JSON.parse(JSON.stringify(seen));
