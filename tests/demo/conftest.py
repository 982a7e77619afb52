"""A demo tenant over real HTTP, and a visitor who logs in as an application would."""

import hashlib
import re
import secrets
import socket
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from flask import Flask
from werkzeug.serving import make_server

from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET, SPA_CLIENT_ID
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant

ADA = "auth0|650a1f3c9d1e8b0012ab0001"
DANA = "auth0|650a1f3c9d1e8b0012ab0004"
REDIRECT_URI = "http://localhost:65000/"


@dataclass(frozen=True)
class RunningTenant:
    """A tenant that listens, with its state at hand."""

    base_url: str
    state: TenantState


def serve(make_app: Callable[[str], Flask]) -> Iterator[str]:
    """Serve the app that ``make_app`` returns for its own address; give that address, stop at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://localhost:{listener.getsockname()[1]}"
    server = make_server("127.0.0.1", 0, make_app(base_url), threaded=True, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield base_url
    server.shutdown()
    thread.join()
    server.server_close()
    listener.close()


@pytest.fixture
def tenant() -> Iterator[RunningTenant]:
    state = TenantState()
    for base_url in serve(lambda base_url: create_tenant(base_url, state)):
        yield RunningTenant(base_url, state)


@dataclass
class Visitor:
    """A browser with the shop in it: cookies, and PKCE done right unless a test says otherwise."""

    tenant: RunningTenant
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    http: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx2.Client(base_url=self.tenant.base_url)

    def parameters(self, **more: str) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "client_id": SPA_CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": "openid profile email",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        } | more

    def authorize(self, **more: str) -> httpx2.Response:
        return self.http.get("/authorize", params=self.parameters(**more))

    def choose(self, response: httpx2.Response, user_id: str) -> dict[str, str]:
        """Choose a user on the login page; return what the application is sent back."""
        page = self.http.get(response.headers["Location"])
        login_state = re.search(r'name="state" value="([^"]+)"', page.text)
        assert login_state is not None
        answer = self.http.post("/u/login", data={"state": login_state[1], "user_id": user_id})
        return sent_back(answer)

    def log_in(self, user_id: str = ADA, **more: str) -> dict[str, str]:
        return self.choose(self.authorize(**more), user_id)

    def exchange(self, authorization_code: str, **more: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": SPA_CLIENT_ID,
            "code": authorization_code,
            "code_verifier": self.verifier,
            "redirect_uri": REDIRECT_URI,
        }
        return self.http.post("/oauth/token", data=form | more)

    def tokens(self, user_id: str = ADA, **more: str) -> dict[str, Any]:
        """Log in and return the token response."""
        response = self.exchange(self.log_in(user_id, **more)["code"])
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def claims(self, user_id: str = ADA, **more: str) -> dict[str, Any]:
        """Log in and return the ID token's claims, verified as any application would."""
        return verified(self.tenant, self.tokens(user_id, **more)["id_token"], SPA_CLIENT_ID)


def sent_back(response: httpx2.Response) -> dict[str, str]:
    assert response.status_code == 302, response.text
    location = response.headers["Location"]
    assert location.startswith(REDIRECT_URI)
    parts = urlsplit(location)
    return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}


def verified(tenant: RunningTenant, token: str, audience: str) -> dict[str, Any]:
    """Return a token's claims after verifying it with the tenant's published keys."""
    keys = jwt.PyJWKSet.from_dict(httpx2.get(f"{tenant.base_url}/.well-known/jwks.json").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=audience, issuer=f"{tenant.base_url}/"
    )
    return claims


@pytest.fixture
def visitor(tenant: RunningTenant) -> Iterator[Visitor]:
    someone = Visitor(tenant)
    yield someone
    someone.http.close()


@pytest.fixture
def management(tenant: RunningTenant) -> Iterator[httpx2.Client]:
    """A client of the Management API with all scopes."""
    with management_client(tenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET) as client:
        yield client


def management_token(tenant: RunningTenant, client_id: str, client_secret: str) -> httpx2.Response:
    body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return httpx2.post(f"{tenant.base_url}/oauth/token", json=body | {"audience": f"{tenant.base_url}/api/v2/"})


def management_client(tenant: RunningTenant, client_id: str, client_secret: str) -> httpx2.Client:
    token = management_token(tenant, client_id, client_secret).json()["access_token"]
    return httpx2.Client(base_url=f"{tenant.base_url}/api/v2/", headers={"Authorization": f"Bearer {token}"})


def deploy(management: httpx2.Client, name: str, body: str) -> str:
    """Create, build, deploy and bind an Action whose handler has ``body``; return its id."""
    action = {
        "name": name,
        "supported_triggers": [{"id": "post-login", "version": "v3"}],
        "code": "exports.onExecutePostLogin = async (event, api) => {" + body + "};",
    }
    action_id: str = management.post("actions/actions", json=action).json()["id"]
    while management.get(f"actions/actions/{action_id}").json()["status"] != "built":
        pass
    assert management.post(f"actions/actions/{action_id}/deploy").status_code == 202
    bindings = management.get("actions/triggers/post-login/bindings").json()["bindings"]
    kept = [{"ref": {"type": "binding_id", "value": binding["id"]}} for binding in bindings]
    added = {"ref": {"type": "action_id", "value": action_id}, "display_name": name}
    response = management.patch("actions/triggers/post-login/bindings", json={"bindings": [*kept, added]})
    assert response.status_code == 200, response.text
    return action_id
