"""Logging in at the demo tenant over real HTTP."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.demo.conftest import ADA, REDIRECT_URI, RunningTenant, Visitor, sent_back, verified
from webapp.demo.seed import API_AUDIENCE, SPA_CLIENT_ID
from webapp.demo.state import utc_now
from webapp.demo.tokens import at_hash


def test_a_visitor_logs_in_with_pkce_and_gets_a_verifiable_id_token(visitor: Visitor) -> None:
    # when a visitor logs in and the code is exchanged
    answer = visitor.log_in()
    response = visitor.exchange(answer["code"])
    # then state came back, and the token has Auth0's claims
    assert answer["state"] == "state-1"
    assert response.json()["scope"] == "openid profile email"
    assert "refresh_token" not in response.json()
    claims = verified(visitor.tenant, response.json()["id_token"], SPA_CLIENT_ID)
    assert claims["exp"] - claims["iat"] == 36_000
    assert claims.pop("at_hash") == at_hash(response.json()["access_token"])
    del claims["exp"], claims["iat"], claims["sid"], claims["updated_at"]
    assert claims == {
        "iss": f"{visitor.tenant.base_url}/",
        "aud": SPA_CLIENT_ID,
        "sub": ADA,
        "nonce": "nonce-1",
        "name": "Ada Okafor",
        "given_name": "Ada",
        "family_name": "Okafor",
        "nickname": "ada",
        "picture": "https://cdn.shop.example/people/ada.png",
        "email": "ada@shop.example",
        "email_verified": True,
    }


def test_scopes_decide_which_claims_arrive(visitor: Visitor) -> None:
    claims = visitor.claims(scope="openid email")
    assert claims["email"] == "ada@shop.example"
    assert "name" not in claims


@pytest.mark.parametrize(
    ("change", "description"),
    [
        ({"code_verifier": "x" * 43}, "Failed to verify code verifier"),
        ({"code_verifier": ""}, "Failed to verify code verifier"),
        ({"redirect_uri": "http://localhost:1/"}, "Redirect URI mismatch"),
        ({"code": "unknown"}, "Invalid authorization code"),
    ],
)
def test_a_code_is_worth_nothing_to_someone_else(visitor: Visitor, change: dict[str, str], description: str) -> None:
    # given a code
    code = visitor.log_in()["code"]
    # when it is exchanged with something wrong
    response = visitor.exchange(code, **change)
    # then it is refused
    assert (response.status_code, response.json()["error"]) == (403, "invalid_grant")
    assert response.json()["error_description"] == description


@pytest.mark.parametrize(
    ("response_type", "answered"),
    [
        ("id_token", {"id_token"}),
        ("token", {"access_token", "expires_in", "scope", "token_type"}),
        ("token id_token", {"id_token", "access_token", "expires_in", "scope", "token_type"}),
    ],
)
def test_an_implicit_login_answers_with_tokens_in_the_fragment(
    visitor: Visitor, response_type: str, answered: set[str]
) -> None:
    # when an application without a code asks for tokens, also for one that it may not have
    answer = visitor.log_in(response_type=response_type, code_challenge="", scope="openid email offline_access")
    # then they come back beside the state, and none that lasts
    assert set(answer) == answered | {"state"}
    if "id_token" in answered:
        claims = verified(visitor.tenant, answer["id_token"], SPA_CLIENT_ID)
        assert (claims["sub"], claims["nonce"], claims["email"]) == (ADA, "nonce-1", "ada@shop.example")


@pytest.mark.parametrize("change", [{"nonce": ""}, {"response_mode": "query"}])
def test_an_implicit_login_that_is_not_safe_is_refused(visitor: Visitor, change: dict[str, str]) -> None:
    answer = sent_back(visitor.authorize(response_type="id_token", **change))
    assert answer["error"] == "invalid_request"


def test_a_code_serves_once(visitor: Visitor) -> None:
    code = visitor.log_in()["code"]
    assert visitor.exchange(code).status_code == 200
    assert visitor.exchange(code).status_code == 403


def test_a_code_expires(visitor: Visitor) -> None:
    code = visitor.log_in()["code"]
    visitor.tenant.state.clock = lambda: utc_now() + timedelta(seconds=61)
    assert visitor.exchange(code).status_code == 403


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"audience": "https://unknown.example"}, "access_denied"),
        ({"ext-a b": "x"}, "invalid_request"),
        ({"ext-list": '["a","b"]'}, "invalid_request"),
        ({"ext-long": "x" * 256}, "invalid_request"),
        ({f"ext-{letter}": "1" for letter in "abcdefghijk"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_to_the_application(visitor: Visitor, change: dict[str, str], error: str) -> None:
    answer = sent_back(visitor.authorize(**change))
    assert (answer["error"], answer["state"]) == (error, "state-1")


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "unknown"},
        {"client_id": "websync-demo"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://localhost@evil.example/"},
        {"redirect_uri": "http://localhost:1; script-src *"},
        {"redirect_uri": ""},
        {"response_mode": "form_post"},
    ],
)
def test_nobody_is_redirected_to_an_unknown_address(visitor: Visitor, change: dict[str, str]) -> None:
    response = visitor.authorize(**change)
    assert response.status_code == 400
    assert "Location" not in response.headers


def test_silent_login_without_a_session_asks_for_one_by_web_message(visitor: Visitor) -> None:
    # when the SDK asks in its iframe
    response = visitor.authorize(prompt="none", response_mode="web_message")
    # then the frame posts login_required to the application's origin, which alone may frame it
    assert response.status_code == 200
    assert "login_required" in response.text
    assert 'data-target-origin="http://localhost:65000"' in response.text
    assert "frame-ancestors http://localhost:65000" in response.headers["Content-Security-Policy"]
    assert "<script>" not in response.text


def test_silent_login_with_a_session_gives_a_code_and_counts_no_login(visitor: Visitor) -> None:
    # given a visitor with a session
    visitor.tokens()
    # when a new token is asked for silently
    answer = sent_back(visitor.authorize(prompt="none"))
    # then there is one, and the login count stays
    assert visitor.exchange(answer["code"]).status_code == 200
    with visitor.tenant.state.read() as data:
        assert data["users"][ADA]["logins_count"] == 1
        assert data["users"][ADA]["last_ip"] == "127.0.0.1"


def test_prompt_login_asks_again_in_spite_of_a_session(visitor: Visitor) -> None:
    visitor.tokens()
    assert visitor.authorize(prompt="login").headers["Location"].startswith("/u/login")
    assert "code" in sent_back(visitor.authorize())


def test_a_refresh_token_gives_new_tokens_and_rotates(visitor: Visitor) -> None:
    # given tokens with offline access
    first = visitor.tokens(scope="openid offline_access")
    form = {"grant_type": "refresh_token", "client_id": SPA_CLIENT_ID, "refresh_token": first["refresh_token"]}
    # when they are renewed, with the body as JSON
    second = visitor.http.post("/oauth/token", json=form)
    # then the new ID token is good, and the old refresh token is not
    assert verified(visitor.tenant, second.json()["id_token"], SPA_CLIENT_ID)["sub"] == ADA
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert visitor.http.post("/oauth/token", data=form).json()["error"] == "invalid_grant"


def test_a_refresh_token_stays_if_the_client_doesnt_rotate(visitor: Visitor) -> None:
    with visitor.tenant.state.change() as data:
        data["clients"][SPA_CLIENT_ID]["rotate_refresh_tokens"] = False
    token = visitor.tokens(scope="openid offline_access")["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": SPA_CLIENT_ID, "refresh_token": token}
    assert visitor.http.post("/oauth/token", data=form).json()["refresh_token"] == token


def test_an_access_token_for_an_api_is_a_jwt_and_others_are_opaque(visitor: Visitor) -> None:
    # when an API is asked for
    token = visitor.tokens(audience=API_AUDIENCE, scope="openid read:orders unknown:scope")["access_token"]
    # then the token is a JWT for it and for userinfo
    claims = verified(visitor.tenant, token, API_AUDIENCE)
    assert claims["aud"] == [API_AUDIENCE, f"{visitor.tenant.base_url}/userinfo"]
    assert (claims["azp"], claims["scope"]) == (SPA_CLIENT_ID, "openid read:orders")
    # and without one it is opaque
    assert "." not in visitor.tokens(prompt="login")["access_token"]


def test_userinfo_answers_the_bearer_only(visitor: Visitor) -> None:
    token = visitor.tokens()["access_token"]
    answer = visitor.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["email"] == "ada@shop.example"
    assert visitor.http.get("/userinfo").status_code == 401
    assert visitor.http.get("/userinfo", headers={"Authorization": "Bearer x"}).status_code == 401


def test_logging_out_ends_the_session_and_goes_nowhere_else(visitor: Visitor) -> None:
    visitor.tokens()
    assert visitor.http.get("/v2/logout", params={"returnTo": "https://evil.example/"}).status_code == 400
    response = visitor.http.get("/v2/logout", params={"returnTo": REDIRECT_URI})
    assert response.headers["Location"] == REDIRECT_URI
    assert sent_back(visitor.authorize(prompt="none"))["error"] == "login_required"


def test_a_blocked_user_is_denied(visitor: Visitor) -> None:
    with visitor.tenant.state.change() as data:
        data["users"][ADA]["blocked"] = True
    assert visitor.log_in()["error"] == "access_denied"
    assert sent_back(visitor.authorize(prompt="none"))["error"] == "login_required"


def test_discovery_leads_to_working_addresses(tenant: RunningTenant) -> None:
    document = httpx2.get(f"{tenant.base_url}/.well-known/openid-configuration").json()
    assert document["issuer"] == f"{tenant.base_url}/"
    keys = httpx2.get(document["jwks_uri"]).json()["keys"]
    assert [key["alg"] for key in keys] == ["RS256", "RS256"]
    assert not any(name in key for key in keys for name in ("d", "p", "q"))


@pytest.mark.parametrize(
    ("origin", "allowed"), [("http://localhost:65000", "http://localhost:65000"), ("https://evil.example", None)]
)
def test_only_pages_of_this_machine_may_call(tenant: RunningTenant, origin: str, allowed: str | None) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    response = httpx2.options(f"{tenant.base_url}/oauth/token", headers=headers)
    assert response.headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
        (["no", "object"], "invalid_request"),
        ({"grant_type": 1}, "invalid_request"),
        ({"grant_type": "authorization_code", "client_id": "unknown"}, "invalid_client"),
        ({"grant_type": "refresh_token", "client_id": SPA_CLIENT_ID, "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "client_credentials", "client_id": SPA_CLIENT_ID}, "unauthorized_client"),
    ],
)
def test_a_wrong_token_request_is_refused(tenant: RunningTenant, body: Any, error: str) -> None:
    response = httpx2.post(f"{tenant.base_url}/oauth/token", json=body)
    assert response.status_code in {400, 401, 403}
    assert response.json()["error"] == error
