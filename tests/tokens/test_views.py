"""Posting a token: what is answered, and that a refused one changes nothing."""

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from flask import Flask
from structlog.testing import capture_logs

from tests.tokens.conftest import NAMESPACE, ORIGIN, Shop
from tests.tokens.issuer import encoded, signing_key
from webapp.auth0.signing_keys import KeyCache
from webapp.connections.models import Goal
from webapp.settings import Mode

Forge = Callable[[Shop], str]


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """One database is enough for what never reaches it; test_sync.py goes through both."""
    return make_sqlite()


def forged_with_public_key(shop: Shop) -> str:
    pem = (
        signing_key("first")
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    header = encoded(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "first"}))
    text = f"{header}.{encoded(json.dumps(shop.issuer.claims()))}"
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{text}.{encoded(algorithm.sign(text.encode(), pem))}"


def unsigned(shop: Shop) -> str:
    return f"{encoded(json.dumps({'alg': 'none', 'typ': 'JWT'}))}.{encoded(json.dumps(shop.issuer.claims()))}."


def with_foreign_signature(shop: Shop) -> str:
    return shop.issuer.token(key="foreign", headers={"kid": "first"})


def with_changed_payload(shop: Shop) -> str:
    header, payload, signature = shop.issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{encoded(json.dumps(claims | {'sub': 'auth0|victim'}))}.{signature}"


REFUSED: list[tuple[str, Forge]] = [
    ("token-signature", with_foreign_signature),
    ("token-signature", with_changed_payload),
    ("token-issuer", lambda shop: shop.issuer.token(iss="https://evil.example/")),
    ("token-audience", lambda shop: shop.issuer.token(aud="another-client")),
    ("token-algorithm", unsigned),
    ("token-algorithm", forged_with_public_key),
    ("token-expired", lambda shop: shop.issuer.token(exp=int(shop.issuer.claims()["iat"]) - 60)),
    ("token-not-yet-valid", lambda shop: shop.issuer.token(nbf=int(shop.issuer.claims()["iat"]) + 600)),
    ("token-key-unknown", lambda shop: shop.issuer.token(key="foreign")),
    ("token-subject", lambda shop: shop.issuer.token(sub="robot@clients")),
    ("token-malformed", lambda _shop: "not.a.token"),
    ("token-opaque", lambda _shop: "an-opaque-access-token"),
    ("token-encrypted", lambda _shop: "a.b.c.d.e"),
]


@pytest.mark.parametrize(("slug", "forge"), REFUSED)
def test_a_token_that_fails_a_check_is_refused_with_its_own_problem_and_writes_nothing(
    shop: Shop, slug: str, forge: Forge
) -> None:
    # given a token with one fault
    token = forge(shop)
    # when a page posts it
    response = shop.post(token, "browser-1")
    # then the problem names the check, for the page too, and nothing is stored
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert response.get_json()["type"] == f"http://localhost:8000/problems/{slug}"
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert shop.count() == (0, 0)


@pytest.mark.parametrize(
    ("status", "slug", "request_options"),
    [
        (400, "malformed-request", {"data": "no JSON", "content_type": "application/json"}),
        (400, "malformed-request", {"json": {"profileId": None}}),
        (400, "malformed-request", {"json": {"token": 1}}),
        (400, "malformed-request", {"json": {"token": "a", "more": 1}}),
        (400, "malformed-request", {"json": {"token": "a", "profileId": "../x"}}),
        (400, "malformed-request", {"json": {"token": "a", "profileId": "x" * 65}}),
        (400, "malformed-request", {"json": ["token"]}),
        (413, "body-too-large", {"data": b"x" * 25_000, "content_type": "application/json"}),
        (413, "token-too-large", {"json": {"token": "a" * 16_385}}),
        (415, "not-json", {"data": "token=a", "content_type": "application/x-www-form-urlencoded"}),
        (415, "not-json", {"data": '{"token": "a"}', "content_type": "text/plain"}),
    ],
)
def test_a_body_that_is_not_as_documented_has_its_own_clear_error(
    shop: Shop, status: int, slug: str, request_options: dict[str, Any]
) -> None:
    # when a program posts it
    response = shop.app.test_client().post(shop.path, **request_options)
    # then
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.get_json()["type"].endswith(f"/problems/{slug}")
    assert shop.count() == (0, 0)


def test_a_malformed_body_is_not_repeated_in_the_answer(shop: Shop) -> None:
    # when a body with a secret in the wrong place comes
    response = shop.app.test_client().post(shop.path, json={"token": {"secret": "s3cret"}})
    # then the answer names the place only
    assert "token" in response.get_json()["detail"]
    assert "s3cret" not in response.text


def test_an_unknown_goal_is_not_found(shop: Shop) -> None:
    # when somebody posts to a goal that isn't there
    response = shop.app.test_client().post("/sync/no-such-goal/token", json={"token": shop.issuer.token()})
    # then
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
    assert response.get_json()["type"].endswith("/problems/not-found")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://shop.example", "https://shop.example:444", "null"])
def test_a_foreign_origin_is_refused_and_may_not_read_why(shop: Shop, origin: str) -> None:
    # when a page of another origin posts a good token
    response = shop.post(shop.issuer.token(), headers={"Origin": origin})
    # then
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/problems/origin-not-allowed")
    assert "Access-Control-Allow-Origin" not in response.headers
    assert shop.count() == (0, 0)


def test_a_program_without_an_origin_may_post(shop: Shop) -> None:
    # when a native app posts
    response = shop.app.test_client().post(shop.path, json={"token": shop.issuer.token()})
    # then
    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(("mode", "domain"), [(Mode.DEMO, ""), (Mode.PRODUCTION, "http://localhost:8001")])
def test_a_connection_without_a_tenant_that_may_be_used_takes_no_tokens(
    app: Flask, make_shop: Callable[..., Shop], mode: Mode, domain: str
) -> None:
    # given a connection without a domain, or (in production) with one of this computer
    shop = make_shop(domain=domain)
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"mode": mode})
    # when a token is posted
    response = shop.post(shop.issuer.token({}))
    # then it is refused, and the answer says why
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/problems/no-tenant")


@pytest.mark.parametrize("changes", [{"is_on": False}, {"enable_token": False}])
def test_a_goal_that_is_off_takes_nothing(make_shop: Callable[..., Shop], changes: dict[str, Any]) -> None:
    # given
    shop = make_shop(**changes)
    # when
    response = shop.post(shop.issuer.token())
    # then
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/problems/goal-off")
    assert shop.count() == (0, 0)


def test_a_switched_off_goal_takes_nothing_though_its_connection_is_on(shop: Shop) -> None:
    # given
    with shop.database.transaction() as session:
        session.query(Goal).one().is_on = False
    # when
    response = shop.post(shop.issuer.token())
    # then
    assert response.get_json()["type"].endswith("/problems/goal-off")


def test_a_browser_of_the_shop_may_post(shop: Shop) -> None:
    # when the browser asks first
    response = shop.app.test_client().options(
        shop.path, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    )
    # then it is told what it may do, and for how long it need not ask again
    assert response.status_code == 204
    allowed = {name.lower(): value for name, value in response.headers.items()}
    assert allowed["access-control-allow-origin"] == ORIGIN
    assert allowed["access-control-allow-methods"] == "POST"
    assert allowed["access-control-allow-headers"] == "content-type"
    assert allowed["access-control-max-age"] == "7200"
    assert "Origin" in response.headers["Vary"]


def test_a_browser_of_another_site_may_not_post(shop: Shop) -> None:
    # when
    response = shop.app.test_client().options(shop.path, headers={"Origin": "https://evil.example"})
    # then
    assert response.status_code == 403
    assert not [name for name in response.headers.keys() if name.lower().startswith("access-control")]  # noqa: SIM118


def test_a_good_post_leaves_no_cookie_and_is_not_cached(shop: Shop) -> None:
    # when
    response = shop.post(shop.issuer.token())
    # then
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_without_the_tenants_keys_the_browser_is_told_when_to_try_again(shop: Shop) -> None:
    # given a tenant that cannot be reached, and never was
    token = shop.issuer.token()
    shop.issuer.answer = lambda handler: handler.send_error(500)
    # when
    response = shop.post(token)
    # then
    assert response.status_code == 503
    assert response.get_json()["type"].endswith("/problems/keys-unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert shop.count() == (0, 0)
    # and when the tenant is back, and that time is over, the same token is applied
    shop.issuer.answer = None
    shop.app.extensions["signing_keys"] = KeyCache()
    assert shop.post(token).status_code == 200


def test_an_access_token_goes_where_the_goal_asks_for_one(make_shop: Callable[..., Shop]) -> None:
    # given a goal for access tokens of the API that stands for Websync
    shop = make_shop(token_kind="access_token", audiences=("https://websync.example/api",))
    audience = ["https://websync.example/api", f"{shop.issuer.tenant.issuer}userinfo"]
    email = {f"{NAMESPACE}email": "Ann@Example.org", f"{NAMESPACE}email_verified": True}
    claims = {"aud": audience, "azp": "shop-client", **email}
    # when
    answer = shop.log_in(claims)
    # then
    assert answer["state"] == "CREATED"
    assert shop.properties(answer["profileId"])["email"] == ["ann@example.org"]
    # and an ID token of the same application is refused
    response = shop.post(shop.issuer.token())
    assert response.get_json()["type"].endswith("/problems/token-audience")


def test_the_log_names_the_goal_and_no_person(shop: Shop) -> None:
    # given a visitor with personal data
    token = shop.issuer.token({"email": "ann@example.org", "name": "Ann Lee"})
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    # when a token is applied and another is refused
    with capture_logs() as lines:
        shop.post(token, "browser-1")
        shop.post(shop.issuer.token(aud="other", email="ann@example.org"))
    # then the log has constant events and facts, and nothing of the person
    applied, refused = lines
    assert (applied["event"], applied["goal"], applied["state"]) == ("token_applied", "shop-goal", "CREATED")
    assert (refused["event"], refused["slug"]) == ("token_refused", "token-audience")
    assert not [word for word in ("ann", "Ann", token, "browser-1") if word in str(lines)]
