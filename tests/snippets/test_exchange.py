"""The Action of a server exchange in Node: what it sends, what it writes, and what cannot stop a login."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from snippets.claims import added_claims, claim_name, fields_to_read
from snippets.exchange import login_claim
from snippets.goals import Mapping, MergeStrategy, TokenKind, WebGoal
from snippets.rendering import SnippetKind, render
from tests.factories import make_full_goal, make_goal, to_auth0
from tests.javascript import NodeProcess

NAMESPACE = "https://shop.example/claims/"
GOAL = make_goal(
    server_exchange=True,
    mappings=(
        Mapping("email", "email"),
        Mapping("user_metadata.newsletter", "newsletter_at_login"),
        Mapping("nickname", "nickname", strategy=MergeStrategy.SET_OR_CLEAR),
        to_auth0("user_metadata.newsletter", "newsletter"),
        to_auth0("app_metadata.tier", "tier"),
        to_auth0("app_metadata.segments", "segments", MergeStrategy.ADD),
    ),
)
USER = {"user_id": "auth0|1", "email": "ada@shop.example", "email_verified": True}
VALUES = {"newsletter": ["weekly"], "tier": ["gold"], "segments": ["a", "b"]}
OK = {"status": 200, "json": {"state": "MODIFIED", "values": VALUES}}

# `answers` are what fetch gives, one after the other; a text is the name of an error. Time is virtual.
RUN = """
const { code, event, answers } = given;
const seen = { id: {}, access: {}, user: {}, app: {}, console: [], calls: [], cleared: 0 };
const put = (target) => (name, value) => { target[name] = value; };
const api = {
  idToken: { setCustomClaim: put(seen.id) }, accessToken: { setCustomClaim: put(seen.access) },
  user: { setUserMetadata: put(seen.user), setAppMetadata: put(seen.app) },
};
const fetch = async (url, options) => {
  seen.calls.push({ url, ...options, signal: undefined, body: JSON.parse(options.body) });
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  if (typeof answer === "string") throw Object.assign(new Error("no"), { name: answer });
  return { ok: answer.status < 300, status: answer.status, json: async () => answer.json ?? JSON.parse("{") };
};
const module = { exports: {} };
const log = (...parts) => seen.console.push(parts.join(" "));
const names = ["exports", "module", "console", "fetch", "clearTimeout"];
const clear = (timer) => { seen.cleared += 1; clearTimeout(timer); };
new Function(...names, code)(module.exports, module, { log }, fetch, clear);
await module.exports.onExecutePostLogin(event, api);
return seen;
"""


def an_event(user: dict[str, Any] | None = None, query: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "user": {"user_metadata": {}, "app_metadata": {}, **(user or USER)},
        "client": {"client_id": "shop-client"},
        "request": {"query": query or {}},
        "stats": {"logins_count": 3},
        "secrets": {"WEBSYNC_SECRET": "s3cret"},
    } | more


def log_in(
    node: NodeProcess, *answers: object, goal: WebGoal = GOAL, event: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Run the Action with these answers to its calls."""
    code = render(goal, SnippetKind.ACTION).code
    seen: dict[str, Any] = node.run(RUN, {"code": code, "event": event or an_event(), "answers": answers or (OK,)})
    return seen


def test_the_action_sends_what_a_token_would_carry(node: NodeProcess) -> None:
    # given a visitor whose browser brings a profile id and a value
    query = {"ext-bc_profile_id": "p-1", "ext-bcp_newsletter": "daily"}
    # when they log in
    seen = log_in(node, event=an_event(query=query))
    # then Websync hears of it once, with the secret, and with the fields under their claims' names
    [call] = seen["calls"]
    assert (call["url"], call["method"], call["redirect"]) == (
        "https://websync.example/sync/shop-goal/login",
        "POST",
        "error",
    )
    assert call["headers"] == {"authorization": "Bearer s3cret", "content-type": "application/json"}
    body = call["body"]
    assert (body["userId"], body["profileId"]) == ("auth0|1", "p-1")
    # what the browser brought is in it already
    assert body["claims"] == {
        f"{NAMESPACE}nickname": None,
        f"{NAMESPACE}user_metadata.newsletter": "daily",
        "email": "ada@shop.example",
        "email_verified": True,
    }
    # and the token names the login, so that it does not count again
    assert seen["id"][login_claim(GOAL)] == body["loginId"]
    assert (seen["console"], seen["cleared"]) == ([], 1)


def test_what_websync_answers_goes_to_the_metadata(node: NodeProcess) -> None:
    seen = log_in(node)
    assert seen["user"] == {"newsletter": "weekly"}
    assert seen["app"] == {"tier": "gold", "segments": ["a", "b"]}
    # and the claims tell of it
    assert seen["id"][f"{NAMESPACE}user_metadata.newsletter"] == "weekly"


def test_the_browser_s_own_word_is_newer_than_the_stored_one(node: NodeProcess) -> None:
    seen = log_in(node, event=an_event(query={"ext-bcp_newsletter": "daily", "ext-bcp_tier": "platinum"}))
    assert seen["user"] == {"newsletter": "daily"}
    # but never for app_metadata
    assert seen["app"]["tier"] == "gold"


def test_what_is_there_already_is_not_written(node: NodeProcess) -> None:
    user = USER | {
        "user_metadata": {"newsletter": "weekly"},
        "app_metadata": {"tier": "gold", "segments": ["a", "b"], "other": 1},
    }
    seen = log_in(node, event=an_event(user))
    assert (seen["user"], seen["app"]) == ({}, {})


@pytest.mark.parametrize(
    ("answers", "calls", "console"),
    [
        (["TypeError", OK], 2, []),
        ([{"status": 503}, OK], 2, []),
        (["TypeError"], 2, ["websync TypeError"]),
        ([{"status": 500}], 2, ["websync 500"]),
        ([{"status": 429}], 1, ["websync 429"]),
        ([{"status": 401}], 1, ["websync 401"]),
        ([{"status": 403}], 1, ["websync 403"]),
        ([{"status": 409}], 1, ["websync 409"]),
        ([{"status": 413}], 1, ["websync 413"]),
        ([{"status": 200}], 2, ["websync SyntaxError"]),
        ([{"status": 200, "json": []}], 1, []),
        ([{"status": 200, "json": {"values": {"tier": "gold", "segments": [1, "", None]}}}], 1, []),
    ],
)
def test_no_answer_stops_a_login_and_one_more_try_is_made_where_it_may_help(
    node: NodeProcess, answers: list[object], calls: int, console: list[str]
) -> None:
    # when Websync is away, broken, or refuses
    seen = log_in(node, *answers)
    # then the login goes on; what was told twice is one login
    assert len(seen["calls"]) == calls
    assert len({call["body"]["loginId"] for call in seen["calls"]}) == 1
    assert seen["console"] == console
    assert seen["id"][f"{NAMESPACE}nickname"] is None
    if OK not in answers:
        assert (seen["user"], seen["app"]) == ({}, {})


def test_without_the_secret_no_call_is_made(node: NodeProcess) -> None:
    seen = log_in(node, event=an_event(secrets={}))
    assert (seen["calls"], seen["app"], seen["console"]) == ([], {}, [])
    assert f"{NAMESPACE}nickname" in seen["id"]


@pytest.mark.parametrize(
    "transaction", [{"protocol": "oauth2-refresh-token"}, {"protocol": "oidc-basic-profile", "prompt": ["none"]}]
)
def test_a_refresh_or_a_silent_look_is_no_login(node: NodeProcess, transaction: dict[str, Any]) -> None:
    # given somebody who is logged in already
    seen = log_in(node, event=an_event(transaction=transaction))
    # when the SDK renews its tokens, then nothing is told, and the token names no login
    assert seen["calls"] == []
    assert login_claim(GOAL) not in seen["id"]
    assert f"{NAMESPACE}nickname" in seen["id"]


def test_without_the_token_option_no_claims_are_added(node: NodeProcess) -> None:
    # given a goal whose site posts no token
    goal = make_goal(server_exchange=True, enable_token=False)
    # when somebody logs in, then Websync is told, and the token carries nothing for nobody
    seen = log_in(node, goal=goal)
    assert (len(seen["calls"]), seen["id"]) == (1, {})


def test_logins_of_other_applications_are_left_alone(node: NodeProcess) -> None:
    seen = log_in(node, event=an_event(client={"client_id": "other"}))
    assert (seen["calls"], seen["id"]) == ([], {})


@pytest.mark.parametrize(
    "event",
    [
        {"user": {"user_id": "sms|1"}, "client": {"client_id": "shop-client"}, "secrets": {"WEBSYNC_SECRET": "s"}},
        an_event({"user_id": "google-oauth2|1"}, request={"body": {"ext-bc_profile_id": "p-1"}}),
        an_event(request=None, stats=None),
        an_event(organization={"id": "org_1"}, authorization={"roles": ["buyer"]}),
    ],
)
def test_a_user_of_any_kind_logs_in(node: NodeProcess, event: dict[str, Any]) -> None:
    # given a passwordless or social user, a refresh without a query, an organization
    seen = log_in(node, event=event)
    # then the exchange works with what is there
    assert len(seen["calls"]) == 1
    assert seen["app"]["tier"] == "gold"
    assert seen["console"] == []


def test_the_call_and_the_token_carry_exactly_what_the_service_reads(node: NodeProcess) -> None:
    # given a goal with everything, for access tokens
    goal = make_full_goal(
        server_exchange=True, token_kind=TokenKind.ACCESS_TOKEN, audiences=("https://api.shop.example",)
    )
    user = USER | {"nickname": "a", "user_metadata": {"plan": "gold", "bc_profile_id": "p-1"}}
    event = an_event(
        user, resource_server={"identifier": "https://api.shop.example"}, authorization={"roles": ["buyer"]}
    )
    # when somebody logs in
    seen = log_in(node, goal=goal, event=event)
    # then call and token have the same claims, and the token also names the login
    names = {claim_name(goal, field) for field in fields_to_read(goal)} - {"sub"}
    assert set(seen["calls"][0]["body"]["claims"]) == names
    assert set(seen["access"]) == {claim.name for claim in added_claims(goal)} | {login_claim(goal)}


class _Slow(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.released.wait()  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def a_server_that_never_answers() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    server.released = Event()  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.released.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


# The same with Node's own fetch.
REAL_FETCH = RUN[: RUN.index("const fetch =")] + RUN[RUN.index("const module =") :]


def test_a_service_that_hangs_holds_a_login_up_for_a_moment_only() -> None:
    # given a Websync that takes the call and never answers, and Node's own fetch
    with a_server_that_never_answers() as url, NodeProcess() as node:
        code = render(make_goal(server_exchange=True, public_url=url), SnippetKind.ACTION).code
        seen = node.run(REAL_FETCH, {"code": code, "event": an_event(), "answers": []})
    # then the Action gave up by itself, once
    assert seen["console"] == ["websync AbortError"]
    assert seen["id"]


def test_a_service_that_is_away_does_not_hold_a_login_up(node: NodeProcess) -> None:
    # given no Websync where it should be
    code = render(make_goal(server_exchange=True, public_url="http://127.0.0.1:9"), SnippetKind.ACTION).code
    seen = node.run(REAL_FETCH, {"code": code, "event": an_event(), "answers": []})
    # then the login goes on
    assert seen["console"] == ["websync TypeError"]
    assert seen["id"]
