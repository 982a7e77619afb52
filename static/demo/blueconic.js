// A stand-in for BlueConic's browser script: the documented part of its client object that a site and Websync's code use.
// The profile lives in this browser only. Unlike the real one it never talks to a server.
// Source: BlueConic JavaScript API reference (client, profile, events).
(() => {
  "use strict";
  if (window.blueConicClient) return; // as the real script, when it is loaded twice
  const KEY = "blueconic-stand-in";
  const READY_AFTER_MS = 50;

  const read = () => {
    try {
      const stored = JSON.parse(localStorage.getItem(KEY));
      return stored && typeof stored.id === "string" ? stored : null;
    } catch {
      return null;
    }
  };
  const newRecord = () => ({ id: crypto.randomUUID(), values: {}, consented: [], refused: [], legislation: "NONE" });
  const call = (caller, callback, ...values) => {
    if (typeof callback === "function") setTimeout(() => callback.apply(caller, values), 0);
  };
  const save = () => {
    try {
      localStorage.setItem(KEY, JSON.stringify(record));
    } catch {
      // Storage is full or forbidden: the profile then lasts as long as the page.
    }
  };
  const texts = (values) =>
    values
      .filter((value) => value !== null && value !== undefined)
      .map((value) => String(value instanceof Date ? value.getTime() : value));

  let record = read() ?? newRecord();
  let loaded = new Set(); // values are there only once they were loaded, as with the real client

  // What is consented is refused no longer, and the other way round.
  const member = (name, opposite) => ({
    get: () => [...record[name]],
    set(ids) {
      record[name] = texts(ids);
      record[opposite] = record[opposite].filter((id) => !record[name].includes(id));
    },
    add: (id) => member(name, opposite).set([...new Set([...record[name], String(id)])]),
  });
  const consented = member("consented", "refused");
  const refused = member("refused", "consented");

  const profile = {
    getId: () => record.id,
    loadValues(ids, caller, onSuccess) {
      for (const id of ids) loaded.add(id);
      call(caller, onSuccess);
    },
    getValues: (id) => (loaded.has(id) ? [...(record.values[id] ?? [])] : []),
    getValue: (id) => profile.getValues(id)[0] ?? null,
    getPropertyNames: () => Object.keys(record.values).filter((id) => loaded.has(id)),
    setValues(id, values) {
      loaded.add(id);
      record.values[id] = texts(values);
    },
    setValue(id, value) {
      if (value !== null && value !== undefined) profile.setValues(id, [value]);
    },
    addValue(id, value) {
      loaded.add(id);
      record.values[id] = [...new Set([...(record.values[id] ?? []), ...texts([value])])];
    },
    addValues: (id, values) => values.forEach((value) => profile.addValue(id, value)),
    incrementValue(id, amount) {
      profile.setValues(id, [(Number(record.values[id]?.[0]) || 0) + Number(amount)]);
    },
    getPrivacyLegislation: () => record.legislation,
    setPrivacyLegislation: (zone) => (record.legislation = String(zone)),
    getConsentedObjectives: consented.get,
    setConsentedObjectives: consented.set,
    addConsentedObjective: consented.add,
    getRefusedObjectives: refused.get,
    setRefusedObjectives: refused.set,
    addRefusedObjective: refused.add,
  };

  const published = new Map();
  const subscribers = [];
  const event = {
    onReady: "onReady",
    onEventReady: "onEventReady",
    onUrlChange: "onUrlChange",
    PAGEVIEW: "PAGEVIEW",
    publish(name, context) {
      published.set(name.toLowerCase(), { name, context });
      for (const subscriber of subscribers) {
        if (subscriber.name === name.toLowerCase()) subscriber.handler.call(subscriber.object, name, context);
      }
    },
    subscribe(name, object, handler) {
      subscribers.push({ name: name.toLowerCase(), object, handler });
      const earlier = published.get(name.toLowerCase());
      if (earlier) handler.call(object, earlier.name, earlier.context);
    },
  };

  const client = {
    event,
    profile: {
      getProfile: () => profile,
      updateProfile(caller, onSuccess) {
        save();
        call(caller, onSuccess);
      },
      createProfile(caller, onSuccess) {
        record = newRecord();
        loaded = new Set();
        save();
        call(caller, onSuccess);
      },
      deleteProfile(caller, onSuccess) {
        localStorage.removeItem(KEY);
        record = newRecord();
        loaded = new Set();
        call(caller, onSuccess);
      },
    },
    createEvent: (type, _interactionId, caller, onSuccess) => {
      event.publish(type, {});
      call(caller, onSuccess);
    },
    getSegments: () => [],
    handlePageView: () => event.publish(event.PAGEVIEW, {}),
    isInEditMode: () => false,
    isInSimulatorMode: () => false,
  };

  // The real script comes from a content network and is there later than the page.
  setTimeout(() => {
    save();
    window.blueConicClient = client;
    event.publish(event.onReady, {});
    event.publish(event.PAGEVIEW, {});
    window.dispatchEvent(new Event("onBlueConicLoaded"));
  }, READY_AFTER_MS);
})();
