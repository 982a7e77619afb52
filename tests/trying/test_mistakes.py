"""What is mistyped, what the service would refuse, and what tries to be more than text."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from snippets.goals import Mapping, TokenKind
from tests.factories import to_auth0
from tests.tokens.conftest import NAMESPACE, Shop
from tests.trying.conftest import TryPage, changes, text_of, typed

OpenPage = Callable[[Shop], TryPage]
API = "https://api.shop.example"


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("user", '{\n  "user_id": "a",\n  "email" "b"\n}', "Line 3, column 11: Expecting ':' delimiter."),
        ("around", "", "Line 1, column 1: Expecting value."),
        ("user", "[]", "Line 1, column 1: An object in braces is needed."),
        ("user", '{"user_id": "a", "points": NaN}', "A number is not one that JSON can carry."),
        ("user", '{"user_id": "a", "points": 1e999}', "A number is not one that JSON can carry."),
        ("user", f'{{"user_id": "a", "points": {"9" * 5000}}}', "A number is not one that JSON can carry."),
        ("user", '{"user_id": "a", "b": ' + "[" * 60 + "]" * 60 + "}", "Nested more than 50 levels deep."),
        ("user", "[" * 60_000, "Nested more than 50 levels deep."),
        ("user", '{"user_id": "' + "ä" * 33_000 + '"}', "At most 64 KiB."),
        ("user", "{}", "user_id has to be a text"),
        ("user", '{"user_id": ""}', "user_id has to be a text"),
        ("user", '{"user_id": "a", "user_metadata": []}', "user_metadata has to be an object."),
        ("around", '{"request": {"query": "ext-a=b"}}', "request.query has to be an object."),
        ("around", '{"client": {"client_id": 5}}', "client.client_id has to be a text"),
        ("profile_id", "no/profile", "Letters, digits and - only (at most 64)."),
        ("code", "shell", "Not a valid choice"),
        ("login_kind", "", "Not a valid choice"),
    ],
)
def test_a_mistake_is_shown_at_its_field_and_what_was_typed_stays(
    page: TryPage, field: str, text: str, message: str
) -> None:
    # when something is mistyped
    response = page.send(**{field: text})
    # then nothing is run, the field says what is wrong and where, and keeps what was typed
    assert response.status_code == 422
    assert "Nothing was run." in text_of(response.text)
    assert message in text_of(response.text)
    assert 'id="result-title"' not in response.text
    if field in {"user", "around"}:
        assert typed(response.text, field) == text


def test_both_objects_may_be_as_bare_as_can_be(page: TryPage) -> None:
    # when a login has nothing but a user id and the application
    bare = {"client": {"client_id": "shop-client"}, "request": None, "transaction": None}
    response = page.send(user={"user_id": "auth0|1", "user_metadata": None}, around=bare)
    # then it is run; without scopes there is no ID token
    assert response.status_code == 200
    assert "The login does not ask for the scope openid" in text_of(response.text)


@pytest.mark.parametrize(
    ("around", "message"),
    [
        ({"client": {"client_id": "another"}}, "The token is for somebody else."),
        ({"transaction": {"requested_scopes": ["profile"]}}, "There is no token."),
    ],
)
def test_a_token_that_the_service_refuses_is_refused_here(page: TryPage, around: dict[str, Any], message: str) -> None:
    # when a login ends with a token that this goal does not take
    shown = page.run(around=page.sample()[1] | around)
    # then the page says why, and shows no change of a profile
    assert message in text_of(shown)
    assert changes(shown) == {}


@pytest.mark.parametrize("user_id", ["client@clients", "a" * 256, "\0", "\ud800"])
def test_a_user_id_that_is_no_subject_is_refused(page: TryPage, user_id: str) -> None:
    assert "The token is not about a person." in text_of(page.run({"user_id": user_id}))


def test_an_access_token_needs_an_api(make_shop: Callable[..., Shop], open_page: OpenPage) -> None:
    # given a goal that takes access tokens
    page = open_page(make_shop(token_kind=TokenKind.ACCESS_TOKEN, audiences=(API,)))
    # when a login asks for its API, then the token is read
    shown = page.run({"email_verified": True})
    assert changes(shown)["email"][1] == ["ann@example.com"]
    assert f"{NAMESPACE}email" in shown
    # when it asks for none, then there is nothing to read
    bare = {name: value for name, value in page.sample()[1].items() if name != "resource_server"}
    assert "The token is opaque." in text_of(page.run(around=bare))


@pytest.mark.parametrize("code", ["action", "rule"])
@pytest.mark.parametrize(("kilobytes", "message"), [(15, "The token is too large."), (60, "Auth0 fails such a login")])
def test_claims_that_are_too_large_are_told(
    make_shop: Callable[..., Shop], open_page: OpenPage, code: str, kilobytes: int, message: str
) -> None:
    # given a goal that maps all metadata, and a part of them once more
    mappings = (Mapping("user_metadata", "everything"), Mapping("user_metadata.note", "note"))
    page = open_page(make_shop(mappings=mappings))
    # when somebody with a long note logs in
    shown = page.run({"user_metadata": {"note": "x" * kilobytes * 1000}}, code=code)
    # then the page says what would fail
    assert message in text_of(shown)
    assert changes(shown) == {}


def test_a_scope_that_was_not_asked_for_is_named_at_the_mapping(page: TryPage) -> None:
    # when the application does not ask for the scope email
    scopes = {"transaction": {"requested_scopes": ["openid"]}}
    shown = text_of(page.run(around=page.sample()[1] | scopes))
    # then the mapping says why it has no value
    assert "Mapping 1 ( email → email ): the token has no email: the login does not ask for the scope" in shown


def test_values_too_long_for_the_login_are_named_at_the_mapping(
    make_shop: Callable[..., Shop], open_page: OpenPage
) -> None:
    # given a goal that sends a property to Auth0
    page = open_page(make_shop(mappings=(to_auth0("user_metadata.newsletter", "newsletter"),)))
    # when its value does not fit into a parameter
    values: dict[str, Any] = {"value-newsletter": "x" * 256}
    shown = text_of(page.run(**values))
    # then the mapping says that it was not sent
    assert "Mapping 1 ( user_metadata.newsletter ← newsletter ): longer than 255 characters when encoded" in shown


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "</textarea><b>", "</pre><i>"],
)
def test_hostile_values_are_shown_as_text(make_shop: Callable[..., Shop], open_page: OpenPage, hostile: str) -> None:
    # given a goal and a login in which everything that people write is hostile
    mappings = (to_auth0("user_metadata.news", "news"), Mapping("user_metadata.plan", "plan"))
    page = open_page(make_shop(name=hostile, mappings=mappings))
    user = {"name": hostile, "email": hostile, "user_metadata": {"plan": hostile, hostile: hostile}}
    # when it is tried
    shown = page.run(user, **{"value-news": hostile, "lookup": hostile})
    # then it stands there as text, and nowhere as markup
    assert changes(shown)["plan"][1] == [hostile]
    assert f"Try it: {hostile}" in unescape(shown)
    assert "<" not in hostile or hostile not in shown


def test_a_goal_that_takes_no_tokens_says_so(make_shop: Callable[..., Shop], open_page: OpenPage) -> None:
    # given a goal whose connection is off, and whose Rule option is off
    page = open_page(make_shop(is_on=False, enable_rule=False))
    # when it is tried
    shown = text_of(page.run())
    # then the page says so, and shows what would happen all the same
    assert "The goal takes no tokens now" in shown
    assert "The Rule option is switched off" in shown
    assert "Answer CREATED" in shown


def test_a_connection_without_a_tenant_says_so(make_shop: Callable[..., Shop], open_page: OpenPage) -> None:
    # given a connection that nobody finished
    shown = text_of(open_page(make_shop(domain="")).run())
    # then the code is run, and the page says why no token can follow
    assert "The connection has no Auth0 tenant." in shown
    assert f"{NAMESPACE}user_metadata.plan" in shown


def test_the_page_is_for_admins(shop: Shop, client: FlaskClient) -> None:
    # given somebody who has not signed in
    path = f"/goals/{shop.goal.key}/try"
    # then they are sent to the sign-in page, and can run nothing
    assert "/sign-in" in client.get(path).location
    assert client.post(path, data={"do": "run"}).status_code in {302, 303, 401, 403}


def test_a_post_without_the_token_of_the_page_is_refused(csrf_admin_client: FlaskClient) -> None:
    assert csrf_admin_client.post("/goals/shop-goal/try", data={"do": "run"}).status_code == 400


def test_a_goal_that_does_not_exist_cannot_be_tried(admin_client: FlaskClient) -> None:
    assert admin_client.get("/goals/nothing-1/try").status_code == 404
