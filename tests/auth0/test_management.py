import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, jsonify

from tests.auth0.scripted import TOKEN, Answer, ScriptedTenant, problem
from tests.demo.conftest import RunningTenant, serve
from webapp.auth0.answers import (
    MAX_ANSWER_BYTES,
    Auth0AnswerError,
    Auth0RefusedError,
    Auth0UnavailableError,
    MissingScopeError,
)
from webapp.auth0.management import MAX_RULES, PAGE_SIZE, ActionDraft, ActionTrigger, ManagementClient, Rule
from webapp.auth0.tenant import Tenant
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET, READER_CLIENT_ID, READER_CLIENT_SECRET

DRAFT = ActionDraft(
    "Websync shop", "exports.onExecutePostLogin = async () => {};", "node22", (ActionTrigger("post-login", "v3"),)
)
ACTION = {"id": "action-1", "name": "Websync shop", "status": "built"}


@pytest.fixture
def client(tenant: RunningTenant) -> Iterator[ManagementClient]:
    with ManagementClient(Tenant(tenant.base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET) as client:
        yield client


def test_an_action_is_made_found_changed_and_read(client: ManagementClient) -> None:
    # given a new Action
    made = client.create_action(DRAFT)
    # when its draft changes
    client.update_action(made.id, ActionDraft(DRAFT.name, "// other", DRAFT.runtime, DRAFT.supported_triggers))
    # then it is found by its whole name only, and has the new code
    found = client.find_action(DRAFT.name)
    assert found is not None
    assert (found.id, found.code) == (made.id, "// other")
    assert client.find_action("Websync") is None


def test_rules_come_in_the_order_in_which_they_run(client: ManagementClient, tenant: RunningTenant) -> None:
    # given more Rules than a page has, in no order
    numbers = [*range(60, PAGE_SIZE * 2), *range(60)]
    with tenant.state.change() as data:
        data["rules"] = [
            {"id": f"rul_{number:016}", "name": f"Rule {number}", "order": number, "enabled": number > 1, "script": "x"}
            for number in numbers
        ]
    # when they are read
    rules = client.rules()
    # then all are there, without their code
    assert [rule.id for rule in rules] == [f"rul_{number:016}" for number in range(PAGE_SIZE * 2)]
    assert (rules[1].name, rules[1].enabled, rules[2].enabled) == ("Rule 1", False, True)


@pytest.mark.parametrize(
    "wrap", [lambda rules: rules, lambda rules: {"start": 0, "limit": 50, "total": 1, "rules": rules}]
)
def test_both_documented_shapes_of_the_list_of_rules_are_read(wrap: Callable[[list[Any]], Any]) -> None:
    # given a tenant that answers with a bare list, or with totals
    answer = wrap([{"id": "rul_0123456789abcDEF", "name": "Sync", "order": 1.5}])
    with ScriptedTenant([lambda: jsonify(answer)]).client() as client:
        # then both are the same Rules
        assert client.rules() == (Rule("rul_0123456789abcDEF", "Sync", True, 1.5),)


def test_a_list_of_rules_without_an_end_is_read_to_a_bound() -> None:
    # given a tenant that gives the same full page for ever
    page = [{"id": "rul_0123456789abcDEF", "name": "Sync"}] * PAGE_SIZE
    tenant = ScriptedTenant([lambda: jsonify(page)])
    with tenant.client() as client:
        # when its Rules are read, then that ends
        assert len(client.rules()) == MAX_RULES
    assert len(tenant.requests) == 1 + MAX_RULES // PAGE_SIZE


@pytest.mark.parametrize("answer", [7, {"rules": 7}, [{"name": "no id"}], [{"id": 7}], {}, None])
def test_what_is_no_list_of_rules_is_refused(answer: object) -> None:
    with ScriptedTenant([lambda: jsonify(answer)]).client() as client, pytest.raises(Auth0AnswerError):
        client.rules()


def test_an_action_that_is_gone_is_none(client: ManagementClient) -> None:
    # given an empty tenant
    # when an Action is asked for
    # then there is none
    assert client.get_action("910b1053-577f-4d81-a8c8-020e7319a38a") is None


def test_an_id_cannot_leave_its_place_in_the_url(client: ManagementClient) -> None:
    # given an id that would lead elsewhere
    # when it is asked for
    # then it is just an id that there is none of
    assert client.get_action("../../users/x") is None


def test_scopes_are_those_that_the_tenant_granted(tenant: RunningTenant) -> None:
    # given a client that may only read users
    with ManagementClient(Tenant(tenant.base_url), READER_CLIENT_ID, READER_CLIENT_SECRET) as reader:
        # when its scopes are asked for
        # then it is that one
        assert reader.granted_scopes() == {"read:users"}


def test_a_missing_scope_is_named(tenant: RunningTenant) -> None:
    # given a client that may only read users
    with (
        ManagementClient(Tenant(tenant.base_url), READER_CLIENT_ID, READER_CLIENT_SECRET) as reader,
        pytest.raises(MissingScopeError, match=r"lacks the scope create:actions.*Auth0 Management API"),
    ):
        # when it makes an Action
        # then the error says which scope to grant, and where
        reader.create_action(DRAFT)


@pytest.mark.parametrize(("client_id", "secret"), [(M2M_CLIENT_ID, "wrong"), ("nobody", M2M_CLIENT_SECRET)])
def test_wrong_credentials_are_refused(tenant: RunningTenant, client_id: str, secret: str) -> None:
    # given credentials that the tenant does not know
    with (
        ManagementClient(Tenant(tenant.base_url), client_id, secret) as client,
        pytest.raises(Auth0RefusedError, match="Check the connection's domain, client id") as caught,
    ):
        # when they are used
        # then the error says what to check, without the secret
        client.bindings()
    assert M2M_CLIENT_SECRET not in str(caught.value)


def test_a_client_without_a_grant_is_told_to_get_one() -> None:
    # given an application that may not use the Management API
    def denied() -> Response:
        response = jsonify(error="access_denied", error_description="Client is not authorized")
        response.status_code = 403
        return response

    with (
        ScriptedTenant([], [denied]).client() as client,
        pytest.raises(Auth0RefusedError, match="Let the application use the Auth0 Management API"),
    ):
        # when it asks for a token, then the error says where the grant is made
        client.bindings()


def test_a_tenant_that_is_down_is_unavailable() -> None:
    # given an address where nothing listens any more
    for base_url in serve(lambda _: Flask(__name__)):
        tenant = Tenant(base_url)
    # when it is called
    # then the error says so
    with (
        ManagementClient(tenant, "client", "secret") as client,
        pytest.raises(Auth0UnavailableError, match="not answer"),
    ):
        client.bindings()


def test_one_token_serves_many_calls() -> None:
    # given a tenant
    scripted = ScriptedTenant([lambda: jsonify(ACTION)])
    with scripted.client() as client:
        # when it is called twice
        client.get_action("action-1")
        client.get_action("action-1")
    # then a token was fetched once
    assert scripted.requests.count("POST /oauth/token") == 1


def test_a_token_is_replaced_before_its_end() -> None:
    # given tokens that live for a minute and a half
    scripted = ScriptedTenant([lambda: jsonify(ACTION)], [lambda: jsonify(TOKEN | {"expires_in": 90})])
    with scripted.client() as client:
        # when there are two calls
        client.get_action("action-1")
        client.get_action("action-1")
    # then each had a token of its own
    assert scripted.requests.count("POST /oauth/token") == 2


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"X-RateLimit-Reset": str(int(time.time()))}, {}])
def test_a_limited_call_is_sent_again(headers: dict[str, str]) -> None:
    # given a tenant that is busy once
    scripted = ScriptedTenant([problem(429, "Global limit has been reached", **headers), lambda: jsonify(ACTION)])
    with scripted.client() as client:
        # when it is called, then the call succeeds
        assert client.get_action("action-1") is not None


def test_a_limited_token_endpoint_is_asked_again() -> None:
    # given a token endpoint that is busy once
    def busy() -> Response:
        response = jsonify(error="too_many_requests", error_description="Global limit")
        response.status_code = 429
        response.headers["Retry-After"] = "0"
        return response

    with ScriptedTenant([lambda: jsonify(ACTION)], [busy, lambda: jsonify(TOKEN)]).client() as client:
        # when the API is called, then the call succeeds
        assert client.get_action("action-1") is not None


def test_a_long_limit_is_not_waited_for() -> None:
    # given a tenant that is busy for an hour
    scripted = ScriptedTenant([problem(429, "Global limit has been reached", **{"Retry-After": "3600"})])
    with scripted.client() as client, pytest.raises(Auth0UnavailableError, match="Global limit has been reached"):
        # when it is called
        client.get_action("action-1")
    # then it was called once
    assert scripted.requests.count("GET /api/v2/actions/actions/action-1") == 1


def test_a_write_that_may_have_happened_is_not_sent_again() -> None:
    # given a tenant that breaks down while it makes an Action
    scripted = ScriptedTenant([problem(500, "Internal error")])
    with scripted.client() as client, pytest.raises(Auth0UnavailableError):
        # when one is made
        client.create_action(DRAFT)
    # then it was asked for once
    assert scripted.requests.count("POST /api/v2/actions/actions") == 1


def test_redirects_are_refused() -> None:
    # given a tenant that points elsewhere
    def elsewhere() -> Response:
        return Response(status=307, headers={"Location": "/stolen"})

    scripted = ScriptedTenant([elsewhere])
    with scripted.client() as client, pytest.raises(Auth0AnswerError, match="redirect"):
        # when it is called
        client.bindings()
    # then nobody followed
    assert not any("stolen" in line for line in scripted.requests)


def test_a_redirect_of_the_token_endpoint_is_refused() -> None:
    # given a token endpoint that points elsewhere
    def elsewhere() -> Response:
        return Response(status=307, headers={"Location": "/stolen"})

    scripted = ScriptedTenant([], [elsewhere])
    with scripted.client() as client, pytest.raises(Auth0AnswerError, match="redirect"):
        # when it is asked
        client.bindings()
    # then the secret went nowhere else
    assert scripted.requests == ["POST /oauth/token"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<!doctype html>", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b"[]", "lacks what Auth0 documents"),
        (b'{"id": 5}', "lacks what Auth0 documents: .*name"),
        (b" " * (MAX_ANSWER_BYTES + 1), "too long"),
    ],
    ids=["page", "deep", "list", "parts", "endless"],
)
def test_an_answer_that_is_no_answer_is_an_error(body: bytes, expected: str) -> None:
    # given a place that is no tenant
    with ScriptedTenant([lambda: Response(body)]).client() as client, pytest.raises(Auth0AnswerError, match=expected):
        # when it is asked for an Action, then the error says what is wrong with the answer
        client.get_action("action-1")


def test_a_compressed_answer_is_refused() -> None:
    # given a place that compresses unasked
    with (
        ScriptedTenant([lambda: Response(b"x", headers={"Content-Encoding": "gzip"})]).client() as client,
        pytest.raises(Auth0AnswerError, match="compressed"),
    ):
        # when it is called, then the answer is not unpacked
        client.get_action("action-1")


@pytest.mark.parametrize("answer", [b"{}", b"hello"])
def test_a_token_endpoint_without_a_token_is_an_error(answer: bytes) -> None:
    # given a place that gives no token
    with (
        ScriptedTenant([], [lambda: Response(answer)]).client() as client,
        pytest.raises(Auth0AnswerError, match="token"),
    ):
        # when it is called, then the error says so
        client.granted_scopes()


def test_what_auth0_says_is_passed_on_tidily() -> None:
    # given a refusal with a long text and line ends in it
    with (
        ScriptedTenant([problem(400, "Payload\nvalidation error" + "!" * 1000)]).client() as client,
        pytest.raises(Auth0AnswerError, match="Payload validation error!") as caught,
    ):
        # when something is asked
        client.get_action("action-1")
    # then the message is one short line
    assert len(caught.value.detail) < 400


def test_all_pages_of_bindings_are_read() -> None:
    # given more bindings than fit on a page
    def page(ids: list[int]) -> Answer:
        found: list[dict[str, Any]] = [{"id": f"b{number}", "action": {"id": f"a{number}"}} for number in ids]
        return lambda: jsonify(total=PAGE_SIZE + 2, page=0, per_page=PAGE_SIZE, bindings=found)

    answers = [page(list(range(PAGE_SIZE))), page([PAGE_SIZE, PAGE_SIZE + 1])]
    with ScriptedTenant(answers).client() as client:
        # when they are read, then all are there, in order
        assert [binding.id for binding in client.bindings()] == [f"b{number}" for number in range(PAGE_SIZE + 2)]


ADA_ID = "auth0|650a1f3c9d1e8b0012ab0001"


def test_a_user_is_read_by_id_and_by_address(client: ManagementClient) -> None:
    # given a user of the tenant, when they are asked for by id and by address
    by_id, by_email = client.get_user(ADA_ID), client.users_by_email("ada@shop.example")
    # then both are the whole user; another one has the same address
    assert by_id is not None
    assert by_id["user_metadata"]["plan"] == "gold"
    assert [user["user_id"] for user in by_email] == [ADA_ID, "twitter|5120478813"]
    assert by_email[0] == by_id


def test_a_user_who_is_not_there_is_none(client: ManagementClient) -> None:
    assert client.get_user("auth0|nobody") is None
    assert client.users_by_email("nobody@shop.example") == []


@pytest.mark.parametrize("user_id", ["../clients", "a/b", "a?fields=email", "a#b", "auth0|é %2F"])
def test_a_user_id_stays_one_part_of_the_path(user_id: str) -> None:
    # given an id that would lead elsewhere if it were pasted into a URL
    scripted = ScriptedTenant([problem(404, "The user does not exist.")])
    with scripted.client() as client:
        # when it is asked for
        assert client.get_user(user_id) is None
    # then the path has it as its one last part
    assert scripted.requests[-1] == f"GET /api/v2/users/{user_id}"


@pytest.mark.parametrize("user_id", ["", ".", ".."])
def test_a_user_id_that_is_a_path_is_not_asked_for(user_id: str) -> None:
    # given a tenant that would answer another question
    scripted = ScriptedTenant([lambda: jsonify(TOKEN)])
    with scripted.client() as client:
        # when it is asked for a user with such an id, then there is none
        assert client.get_user(user_id) is None
    # and nothing was sent
    assert scripted.requests == []


@pytest.mark.parametrize("body", [b"[]", b"5", b'"text"'])
def test_a_user_who_is_no_object_is_an_error(body: bytes) -> None:
    # given a place that is no tenant
    with ScriptedTenant([lambda: Response(body)]).client() as client, pytest.raises(Auth0AnswerError):
        # when it is asked for a user, then the answer is refused
        client.get_user(ADA_ID)
