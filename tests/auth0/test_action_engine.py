"""The Action engine: what Actions and Rules may do here, and where they are stopped."""

import pytest

from webapp.auth0.action_engine import ActionEffects, FetchAnswer, Fetched, run_action, run_rule

EVENT = {"user": {"user_id": "auth0|1", "user_metadata": {"plan": "gold"}}, "request": {"query": {"ext-x": "1"}}}


def action(body: str) -> str:
    return "exports.onExecutePostLogin = async (event, api) => {" + body + "};"


def test_an_action_sets_claims_and_metadata() -> None:
    # given an Action that uses the api
    code = action(
        """
        api.idToken.setCustomClaim("https://x.example/plan", event.user.user_metadata.plan);
        await null;
        api.accessToken.setCustomClaim("https://x.example/none", null);
        api.idToken.setCustomClaim("https://x.example/missing", event.user.nickname);
        api.user.setUserMetadata("colour", {"dark": ["blue"]});
        api.user.setAppMetadata("old", null);
        console.log("done", {a: 1});
        """
    )
    # when it runs
    effects = run_action(code, EVENT)
    # then exactly that is reported: null is kept, undefined ignored
    assert effects == ActionEffects(
        id_token_claims={"https://x.example/plan": "gold"},
        access_token_claims={"https://x.example/none": None},
        user_metadata={"colour": {"dark": ["blue"]}},
        app_metadata={"old": None},
        console=['done {"a":1}'],
    )


def test_secrets_and_text_of_any_kind_arrive_unchanged() -> None:
    # given values that would end a literal, a script or a string
    hostile = "\"'`${1}\\\u2028</script>\ud800\x00é"
    # when the Action hands them back
    effects = run_action(action("api.idToken.setCustomClaim('a', event.secrets.KEY)"), {}, secrets={"KEY": hostile})
    # then they are the same
    assert effects.id_token_claims == {"a": hostile}


@pytest.mark.parametrize(
    "change",
    [
        "event.user.user_metadata.plan = 'x'",
        "event.user = {}",
        "delete event.user.user_id",
        "event.more = 1",
        "api.user.setUserMetadata = null",
    ],
)
def test_the_event_and_the_api_are_read_only(change: str) -> None:
    # given strict code that writes to what it was given
    effects = run_action('"use strict";' + action(change), EVENT)
    # then it fails
    assert effects.error is not None
    assert effects.error.startswith("TypeError: ")


def test_an_error_reports_its_name_and_drops_the_effects() -> None:
    # given an Action that throws after it asked for something
    effects = run_action(action("api.idToken.setCustomClaim('a', 1); throw new RangeError('no')"), EVENT)
    # then only the error is left
    assert effects == ActionEffects(error="RangeError: no")


def test_a_denied_login_says_why() -> None:
    effects = run_action(action("api.access.deny('Not today'); api.user.setUserMetadata('a', 1)"), EVENT)
    assert (effects.denied, effects.user_metadata) == ("Not today", {"a": 1})


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("exports.onExecutePostLogin = (", "SyntaxError"),
        ("}); globalThis.out = 1; (() => {", "SyntaxError"),
        ("exports.other = 1", "TypeError: exports.onExecutePostLogin is not a function"),
        (action("require('fs')"), "Error: Cannot find module 'fs'"),
        (action("await fetch('http://localhost')"), "ReferenceError"),
        (action("await new Promise(() => {})"), "Error: the Action never finished"),
        (action("throw null"), "InternalError: out of memory (or null was thrown)"),
    ],
)
def test_code_that_cannot_run_is_reported(code: str, error: str) -> None:
    effects = run_action(code, EVENT)
    assert effects.error is not None
    assert effects.error.startswith(error)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("for (;;);", "InternalError: interrupted"),
        (action("try { for (;;); } catch {}"), "InternalError: interrupted"),
        (action("for (;;) await null"), "TimeoutError"),
        (action("const all = []; for (;;) all.push(new Array(1000).fill(1))"), "InternalError: out of memory"),
        (action("const deep = () => deep() + 1; deep()"), "RangeError: Maximum call stack size exceeded"),
        (action("/(a+)+$/.test('a'.repeat(50) + 'b')"), "InternalError: interrupted"),
    ],
)
def test_greedy_code_is_stopped(code: str, error: str) -> None:
    # when it runs with little time
    effects = run_action(code, EVENT, time_limit_seconds=0.2)
    # then it ends, and says why
    assert effects.error is not None
    assert effects.error.startswith(error)


def test_there_is_no_host_to_reach() -> None:
    # given an Action that looks for ways out
    names = ["process", "std", "os", "fetch", "XMLHttpRequest", "setTimeout", "scriptArgs", "print", "Deno", "global"]
    code = action(f"api.idToken.setCustomClaim('found', {names}.filter((name) => name in globalThis))")
    # then there are none
    assert run_action(code, EVENT).id_token_claims == {"found": []}


def test_an_action_cannot_forge_the_outcome_by_replacing_globals() -> None:
    code = action("JSON.stringify = () => '{}'; JSON.parse = () => 1; api.idToken.setCustomClaim('a', 1)")
    assert run_action(code, EVENT).id_token_claims == {"a": 1}


def test_one_run_leaves_nothing_for_the_next() -> None:
    run_action(action("globalThis.kept = 1"), EVENT)
    effects = run_action(action("api.idToken.setCustomClaim('kept', typeof globalThis.kept)"), EVENT)
    assert effects.id_token_claims == {"kept": "undefined"}


def test_a_rule_changes_metadata_and_claims() -> None:
    # given the classic form of a Rule
    code = """
    function (user, context, callback) {
      user.user_metadata = user.user_metadata || {};
      user.user_metadata.seen = configuration.SEEN;
      auth0.users.updateUserMetadata(user.user_id, user.user_metadata).then(function () {
        context.idToken["https://x.example/seen"] = true;
        callback(null, user, context);
      }).catch(callback);
    };
    """
    # when it runs for a user without metadata and a context without a request
    effects = run_rule(code, {"user_id": "auth0|1"}, {}, configuration={"SEEN": "yes"})
    # then all of it is reported
    assert effects.called_back == 1
    assert effects.error is None
    assert effects.user_metadata == {"seen": "yes"}
    assert effects.user == {"user_id": "auth0|1", "user_metadata": {"seen": "yes"}}
    assert effects.id_token_claims == {"https://x.example/seen": True}


def test_an_async_rule_works_too() -> None:
    code = (
        "async function (user, context, callback) { context.accessToken.a = await 1; callback(null, user, context); }"
    )
    effects = run_rule(code, {"user_id": "auth0|1"}, {})
    assert (effects.access_token_claims, effects.called_back) == ({"a": 1}, 1)


@pytest.mark.parametrize(
    ("body", "error", "called_back"),
    [
        ("callback(new UnauthorizedError('go away'));", "UnauthorizedError: go away", 1),
        ("throw new Error('oops');", "Error: oops", 0),
        ("", None, 0),
        ("callback(null, user, context); callback(null, user, context);", None, 2),
        ("context.request.query.x;", "TypeError", 0),
    ],
)
def test_a_rule_that_fails_or_forgets_is_reported(body: str, error: str | None, called_back: int) -> None:
    effects = run_rule("function (user, context, callback) {" + body + "}", {"user_id": "auth0|1"}, {})
    assert effects.called_back == called_back
    assert (effects.error or "").startswith(error or "")
    assert (effects.error is None) == (error is None)


FETCHING = action(
    """
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 10);
    try {
      const response = await fetch("https://websync.example/x", {
        method: "POST", signal: stop.signal, headers: { authorization: "Bearer s" }, body: JSON.stringify({ a: 1 }),
      });
      console.log(response.ok, response.status, (await response.json()).b);
    } catch (error) {
      console.log(error.name);
    } finally {
      clearTimeout(timer);
    }
    """
)


def test_what_an_action_fetches_is_answered_by_the_caller() -> None:
    # given somebody who answers
    seen: list[Fetched] = []

    def answer(fetched: Fetched) -> FetchAnswer:
        seen.append(fetched)
        return FetchAnswer(201, '{"b": "two"}')

    # when an Action fetches
    effects = run_action(FETCHING, EVENT, answer=answer)
    # then it gets the answer, and the caller the request
    assert (effects.error, effects.console) == (None, ["true 201 two"])
    assert seen == [Fetched("https://websync.example/x", "POST", {"authorization": "Bearer s"}, '{"a":1}')]


def test_an_answer_may_be_that_there_is_none() -> None:
    effects = run_action(FETCHING, EVENT, answer=lambda _fetched: FetchAnswer(error_name="AbortError"))
    assert (effects.error, effects.console) == (None, ["AbortError"])


def test_without_somebody_who_answers_there_is_no_network() -> None:
    assert run_action(FETCHING, EVENT).error == "ReferenceError: AbortController is not defined"


def test_an_action_that_fetches_without_an_end_is_left() -> None:
    # given an Action that fetches for ever
    greedy = action("for (;;) await fetch('https://websync.example/x')")
    # when it runs, then it is given up after a few
    effects = run_action(greedy, EVENT, answer=lambda _fetched: FetchAnswer(200, "{}"))
    assert effects.error == "Error: the Action never finished"
