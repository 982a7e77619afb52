"""What odd posts are answered, to the letter: status, every header, and the body."""

import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from snippets.goals import IdentifierLink
from tests.tokens.conftest import ORIGIN, Shop
from webapp.app import create_app

Json = dict[str, Any]

PATH = "/sync/shop-goal/token"
OF_PROGRAMS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
FOR_ALL = OF_PROGRAMS | {"Vary": "Origin", "Cache-Control": "no-store"}
FOR_THE_SHOP = {"Access-Control-Allow-Origin": ORIGIN, "Access-Control-Expose-Headers": "Retry-After"}
UNVERIFIED = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
TYPE = {"content_type": "application/json"}
NOT_JSON = "Send the body with the content type application/json."
TOO_LARGE = "A body has at most 24576 bytes."
OPAQUE = "The token does not have the three parts of a JWT."
BAD_MEMBERS = (
    "token: Input should be a valid string; profileId: String should match pattern '^[A-Za-z0-9-]{1,64}$'; "
    "consent.consented.0: String should match pattern '^[A-Za-z0-9_-]{1,100}$'; more: Extra inputs are not permitted"
)
NO_TEXT = "body: Invalid JSON: EOF while parsing a value at line 1 column 0"


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


def send(shop: Shop, path: str = PATH, **options: Any) -> TestResponse:
    headers = {"Origin": ORIGIN} | options.pop("headers", {})
    headers = {name: value for name, value in headers.items() if value is not None}
    return shop.app.test_client().open(path, method=options.pop("method", "POST"), headers=headers, **options)


def wsgi(body: bytes, **environ: Any) -> Json:
    """Return the options of a request with just this body and these entries of its environment."""
    return TYPE | {"environ_overrides": {"wsgi.input": io.BytesIO(body)} | environ}


def assert_problem(
    response: TestResponse, status: int, slug: str, title: str, detail: str, *, check: str = "", headers: Json
) -> None:
    """Compare all of an answer."""
    kind = f"http://localhost:8000/problems/{slug}" if slug else "about:blank"
    body = {"type": kind, "title": title, "status": status, "detail": detail} | ({"check": check} if check else {})
    assert response.status_code == status
    assert response.get_json() == body
    found = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    assert found == {"Content-Type": "application/problem+json"} | headers
    assert response.headers["Content-Length"] == str(len(response.data))


@pytest.mark.parametrize(
    ("options", "status", "slug", "title", "detail"),
    [
        ({"data": '{"token": "a"}', "content_type": "text/plain"}, 415, "not-json", "The body is not JSON", NOT_JSON),
        ({"data": '{"token": "a"}'}, 415, "not-json", "The body is not JSON", NOT_JSON),
        (TYPE, 400, "malformed-request", "The request is malformed", NO_TEXT),
        (TYPE | {"data": b"x" * 25_000}, 413, "body-too-large", "The body is too large", TOO_LARGE),
        (
            wsgi(b"x" * 25_000, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True}),
            413,
            "body-too-large",
            "The body is too large",
            TOO_LARGE,
        ),
        (
            wsgi(b'{"token": "x"}', CONTENT_LENGTH="50"),
            400,
            "malformed-request",
            "The request is malformed",
            "The body ended before its Content-Length.",
        ),
        (
            TYPE | {"data": "{"},
            400,
            "malformed-request",
            "The request is malformed",
            "body: Invalid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            {"json": {"token": 1, "more": 2, "profileId": "../x", "consent": {"consented": ["a b"]}}},
            400,
            "malformed-request",
            "The request is malformed",
            BAD_MEMBERS,
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_so(
    shop: Shop, options: Json, status: int, slug: str, title: str, detail: str
) -> None:
    assert_problem(send(shop, **options), status, slug, title, detail, headers=FOR_ALL | FOR_THE_SHOP)


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"token": "x"}},
        {"data": '{"token": "x"}', "content_type": "Application/JSON ; charset=utf-8"},
        wsgi(b'{"token": "x"}', HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True}),
        wsgi(b'{"token": "x"}', CONTENT_LENGTH="-5"),
    ],
)
def test_a_body_may_come_in_many_ways(shop: Shop, options: Json) -> None:
    # given no token; when it comes in this way
    response = send(shop, **options)
    # then it was read, and is refused for what it is
    headers = FOR_ALL | FOR_THE_SHOP | UNVERIFIED
    assert_problem(response, 401, "token-opaque", "The token is opaque", OPAQUE, check="form", headers=headers)


NO_GOAL = (404, "not-found", "Not found", "There is no goal with this key.")
NOTHING = (404, "not-found", "Not found", "There is nothing at this address.")
FOREIGN = (
    403,
    "origin-not-allowed",
    "The origin is not allowed",
    "The goal does not take tokens from pages of this origin.",
)


@pytest.mark.parametrize(
    ("path", "origin", "problem"),
    [
        ("/sync/made-up/token", ORIGIN, NO_GOAL),
        ("/sync/%C3%BC/token", ORIGIN, NO_GOAL),
        (f"/sync/{'a' * 99}/token", None, NO_GOAL),
        ("/sync/a%00b/token", ORIGIN, NOTHING),
        (PATH, "https://evil.example", FOREIGN),
        (PATH, "null", FOREIGN),
        (PATH, "", FOREIGN),
    ],
)
def test_who_is_not_expected_may_not_read_why(
    shop: Shop, path: str, origin: str | None, problem: tuple[int, str, str, str]
) -> None:
    response = send(shop, path, headers={"Origin": origin}, json={"token": "x"})
    assert_problem(response, *problem, headers=FOR_ALL)


@pytest.mark.parametrize("path", ["/sync//token", "/sync/token", "/sync/a/b/token"])
def test_what_names_no_goal_is_at_no_address(shop: Shop, path: str) -> None:
    detail = "The requested URL was not found on the server. If you entered the URL manually please check your spelling"
    response = send(shop, path, json={"token": "x"})
    assert_problem(response, 404, "not-found", "Not Found", f"{detail} and try again.", headers=OF_PROGRAMS)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_hear_which_there_are(shop: Shop, method: str) -> None:
    response = send(shop, method=method)
    allowed = response.headers["Allow"]  # in any order
    assert sorted(allowed.split(", ")) == ["OPTIONS", "POST"]
    headers = OF_PROGRAMS | {"Allow": allowed}
    detail = "The method is not allowed for the requested URL."
    assert_problem(response, 405, "", "Method Not Allowed", detail, headers=headers)


def test_a_goal_that_is_off_tells_its_pages(make_shop: Callable[..., Shop]) -> None:
    response = send(make_shop(enable_token=False), json={"token": "x"})
    detail, headers = "The goal does not take tokens now.", FOR_ALL | FOR_THE_SHOP
    assert_problem(response, 403, "goal-off", "The goal is switched off", detail, headers=headers)


@pytest.mark.parametrize(
    ("forged", "slug", "title", "detail", "check"),
    [
        (
            {"key": "foreign", "headers": {"kid": "first"}},
            "token-signature",
            "The token's signature is wrong",
            "The signature does not fit the token.",
            "signature",
        ),
        (
            {"key": "foreign"},
            "token-key-unknown",
            "The token's signing key is unknown",
            "The tenant has no key with the id that the token names.",
            "kid",
        ),
        (
            {"aud": "another-client"},
            "token-audience",
            "The token is for somebody else",
            "The token is for another application.",
            "aud",
        ),
    ],
)
def test_a_token_that_is_refused_is_refused_so(
    shop: Shop, forged: Json, slug: str, title: str, detail: str, check: str
) -> None:
    response = send(shop, json={"token": shop.issuer.token(**forged)})
    headers = FOR_ALL | FOR_THE_SHOP | UNVERIFIED
    assert_problem(response, 401, slug, title, detail, check=check, headers=headers)


def test_a_token_that_is_too_large_is_refused_so(shop: Shop) -> None:
    response = send(shop, json={"token": "a" * 16_385})
    detail, headers = "A token has at most 16384 bytes.", FOR_ALL | FOR_THE_SHOP
    assert_problem(response, 413, "token-too-large", "The token is too large", detail, check="size", headers=headers)


@pytest.mark.parametrize(
    ("limit", "path", "origin", "more_headers"),
    [
        ("goal", PATH, ORIGIN, FOR_THE_SHOP),
        ("address", PATH, ORIGIN, FOR_THE_SHOP),
        ("address", PATH, "https://evil.example", {}),
        ("address", "/sync/made-up/token", ORIGIN, {}),
    ],
)
def test_one_that_is_too_many_is_refused_before_its_type_is_looked_at(
    shop: Shop, limit: str, path: str, origin: str, more_headers: Json
) -> None:
    # given a limit that is used up
    settings = shop.app.extensions["settings"]
    shop.app.extensions["settings"] = settings.model_copy(update={f"{limit}_posts_per_minute": 1})
    outside: Json = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}}
    send(shop, json={"token": "x"}, **outside)
    # when no JSON comes
    response = send(shop, path, headers={"Origin": origin}, data="x", **outside)
    # then
    headers = FOR_ALL | more_headers | {"Retry-After": response.headers["Retry-After"]}
    detail = "Try again later."
    assert_problem(response, 429, "too-many-requests", "Too many requests", detail, headers=headers)


def test_a_good_one_and_its_repeat_are_answered_alike(shop: Shop) -> None:
    # given a token
    token = shop.issuer.token()
    # when it comes twice
    answers = [send(shop, json={"token": token}) for _ in range(2)]
    # then
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].data == answers[1].data
    body = answers[0].get_json()
    assert body == {"state": "CREATED", "profileId": body["profileId"], "updated": ["auth0_user_id"]}
    for answer in answers:
        length = {"Content-Length": str(len(answer.data))}
        assert dict(answer.headers) == FOR_ALL | FOR_THE_SHOP | length | {"Content-Type": "application/json"}


def test_one_that_points_at_somebody_elses_profile_is_refused_so(make_shop: Callable[..., Shop]) -> None:
    # given a goal that takes an address without proof, and its owner
    shop = make_shop(links=(IdentifierLink("email", "email", require_verified=False),))
    owner = {"sub": "auth0|ann", "email": "ann@example.org"}
    shop.log_in(owner)
    # when somebody else brings it
    response = send(shop, json={"token": shop.issuer.token(owner | {"sub": "auth0|bob"})})
    # then
    title = "The profile belongs to somebody else"
    detail = "The profile that the token points at belongs to another user."
    assert_problem(response, 409, "identity-conflict", title, detail, headers=FOR_ALL | FOR_THE_SHOP)


def test_behind_https_all_answers_say_so(shop: Shop) -> None:
    # given a service with an https address
    settings = shop.app.extensions["settings"].model_copy(update={"public_url": "https://websync.example"})
    app = create_app(settings)
    # when a token comes
    response = app.test_client().post(PATH, json={"token": shop.issuer.token()})
    # then
    assert response.status_code == 200
    assert response.headers["Strict-Transport-Security"] == "max-age=31556926; includeSubDomains"
    app.extensions["item_keeper"].flush()
    app.extensions["database"].close()


BUSY = (503, "database-busy", "The database is busy", "Try again in a moment.")
BUG = (500, "", "Internal Server Error", "Something went wrong. It is not your fault, and it has been logged.")


@pytest.mark.parametrize(
    ("error", "problem", "more_headers", "event"),
    [
        (PoolTimeoutError(), BUSY, {"Retry-After": "2"}, "database_busy"),
        (RuntimeError("bug"), BUG, {}, "unexpected_error"),
    ],
    ids=["busy", "bug"],
)
def test_what_fails_here_is_answered_and_logged_so(
    shop: Shop, error: Exception, problem: tuple[int, str, str, str], more_headers: Json, event: str
) -> None:
    # given a service whose transactions fail
    def fail(*_: object) -> None:
        raise error

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with pytest.MonkeyPatch.context() as patch, capture_logs() as lines:
        patch.setattr("webapp.tokens.sync.hold_definitions", fail)
        # when a token comes
        response = send(shop, json={"token": shop.issuer.token()})
    # then
    assert_problem(response, *problem, headers=FOR_ALL | FOR_THE_SHOP | more_headers)
    assert [(line["event"], line["path"]) for line in lines] == [(event, "/sync/<goal_key>/token")]
    # and the next one is applied
    assert send(shop, json={"token": shop.issuer.token()}).status_code == 200
