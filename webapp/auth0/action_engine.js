// The room in which action_engine.py runs an Action or a Rule. Everything goes in as one JSON text and comes out as one JSON
// text. What the harness itself needs is kept in constants before foreign code runs, so that code which replaces a global
// (JSON.parse, say) only fools itself.
(function () {
  "use strict";
  const { parse, stringify } = JSON;
  const { assign, create, defineProperty, freeze, values } = Object;
  // Called by another name it evaluates globally, and as a text of its own: code cannot close a wrapper and go on outside.
  const evaluate = eval;
  const text = String;
  const LONGEST_LINE = 256;

  const copy = (value) => {
    const json = stringify(value);
    return json === undefined ? undefined : parse(json);
  };

  const frozen = (value) => {
    if (value !== null && typeof value === "object") {
      for (const member of values(value)) frozen(member);
      freeze(value);
    }
    return value;
  };

  const shown = (value) => {
    if (typeof value === "string") return value;
    try {
      return value instanceof Error ? text(value) : (stringify(value) ?? text(value));
    } catch {
      return "[unprintable]";
    }
  };

  const makeConsole = (lines) => {
    const print = (...parts) => {
      let line = "";
      for (let index = 0; index < parts.length; index += 1) line += (index ? " " : "") + shown(parts[index]);
      if (lines.length < 100) lines[lines.length] = line.slice(0, LONGEST_LINE);
    };
    return freeze({ debug: print, error: print, info: print, log: print, trace: print, warn: print });
  };

  const describe = (error) => {
    try {
      if (error !== null && typeof error === "object") {
        return `${text(error.name || "Error")}: ${text(error.message)}`.slice(0, 500);
      }
      // When the memory is gone the engine may have none left for an error: then it throws null.
      return error === null ? "InternalError: out of memory (or null was thrown)" : `Error: ${text(error)}`.slice(0, 500);
    } catch {
      return "Error: unprintable";
    }
  };

  const require = (name) => {
    throw new Error(`Cannot find module '${text(name)}'`);
  };

  const provide = (globals) => {
    for (const name in globals) {
      defineProperty(globalThis, name, { configurable: true, value: globals[name], writable: true });
    }
  };

  // fetch, when the caller answers it: it takes what waits, and settles that later. How long an answer may take is the
  // caller's business too, so timers never fire and nothing is aborted.
  const makeNetwork = (waiting) => {
    const fetch = (url, options = {}) =>
      new Promise((resolve, reject) => {
        const { method = "GET", headers = {}, body = "" } = options;
        const request = { url: text(url), method: text(method), headers: copy(headers), body: text(body) };
        waiting[waiting.length] = { request, resolve, reject };
      });
    class AbortController {
      signal = freeze({ aborted: false });
      abort() {}
    }
    return { fetch, AbortController, setTimeout: () => 0, clearTimeout() {} };
  };

  const settle = ({ resolve, reject }, reply) => {
    if (reply.error_name) {
      reject(assign(new Error("fetch failed"), { name: reply.error_name }));
      return;
    }
    resolve(freeze({
      ok: reply.status >= 200 && reply.status < 300,
      status: reply.status,
      headers: freeze({ get: () => null }),
      json: async () => parse(reply.text),
      text: async () => reply.text,
    }));
  };

  function runAction(input, outcome, waiting) {
    const event = frozen(input.event);
    const put = (target) => (name, value) => {
      const kept = copy(value);
      if (kept !== undefined) target[text(name)] = kept;
      return api;
    };
    const cache = create(null);
    const api = frozen({
      access: {
        deny(reason) {
          outcome.denied = text(reason);
          return api;
        },
      },
      accessToken: { setCustomClaim: put(outcome.access_token_claims) },
      cache: {
        delete(key) {
          delete cache[text(key)];
          return { type: "success" };
        },
        get: (key) => (text(key) in cache ? { value: cache[text(key)] } : undefined),
        set(key, value) {
          cache[text(key)] = text(value);
          return { type: "success" };
        },
      },
      idToken: { setCustomClaim: put(outcome.id_token_claims) },
      redirect: { canRedirect: () => false },
      rules: { wasExecuted: (ruleId) => input.executed_rules.includes(text(ruleId)) },
      user: { setAppMetadata: put(outcome.app_metadata), setUserMetadata: put(outcome.user_metadata) },
    });
    (async () => {
      try {
        const module = { exports: {} };
        provide({ console: makeConsole(outcome.console), exports: module.exports, module, require });
        if (input.has_network) provide(makeNetwork(waiting));
        evaluate(input.code);
        const handler = module.exports.onExecutePostLogin;
        if (typeof handler !== "function") throw new TypeError("exports.onExecutePostLogin is not a function");
        await handler(event, api);
      } catch (error) {
        outcome.error = describe(error);
      }
      outcome.finished = true;
    })();
  }

  function runRule(input, outcome) {
    const { user, context } = input;
    context.idToken ??= {};
    context.accessToken ??= {};
    class UnauthorizedError extends Error {
      name = "UnauthorizedError";
    }
    const auth0 = freeze({
      users: freeze({
        async updateUserMetadata(userId, metadata) {
          if (userId !== input.user_id) throw new Error("The user does not exist.");
          outcome.user_metadata = copy(metadata);
        },
      }),
    });
    const callback = (error, changedUser, changedContext) => {
      outcome.called_back += 1;
      outcome.finished = true;
      if (error) {
        outcome.error = describe(error);
        return;
      }
      outcome.user = copy(changedUser);
      outcome.id_token_claims = copy(changedContext?.idToken ?? {});
      outcome.access_token_claims = copy(changedContext?.accessToken ?? {});
    };
    (async () => {
      try {
        const configuration = freeze(input.configuration);
        const console = makeConsole(outcome.console);
        provide({ auth0, configuration, console, global: {}, require, UnauthorizedError });
        // A Rule is a function expression, often without a name: alone it would be a broken declaration.
        const rule = evaluate(`0,\n${input.code}`);
        if (typeof rule !== "function") throw new TypeError("the Rule is not a function");
        await rule(user, context, callback);
      } catch (error) {
        outcome.error = describe(error);
      }
    })();
  }

  return function start(inputText) {
    const input = parse(inputText);
    const waiting = [];
    let taken;
    const outcome = {
      access_token_claims: create(null),
      app_metadata: create(null),
      called_back: 0,
      console: [],
      denied: null,
      error: null,
      finished: false,
      id_token_claims: create(null),
      user: null,
      user_metadata: input.kind === "rule" ? null : create(null),
    };
    if (input.kind === "rule") runRule(input, outcome);
    else runAction(input, outcome, waiting);
    // The caller's side: what came of it, the next request that waits (or null), and the answer to the one taken last.
    return (command, replyText) => {
      if (command === "outcome") return stringify(outcome);
      if (command === "take") {
        taken = waiting.shift();
        return taken ? stringify(taken.request) : "null";
      }
      settle(taken, parse(replyText));
      return "null";
    };
  };
})()
