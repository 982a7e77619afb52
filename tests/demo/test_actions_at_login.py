"""Deployed Actions really run at the demo tenant's logins."""

import httpx2
import pytest

from tests.demo.conftest import ADA, Visitor, deploy, verified
from webapp.auth0.claims import permitted_claims
from webapp.demo.seed import API_AUDIENCE, SPA_CLIENT_ID


def test_a_deployed_action_adds_claims_and_its_metadata_are_seen_at_the_next_login(
    visitor: Visitor, management: httpx2.Client
) -> None:
    # given an Action that tells the plan, and keeps what the login brought
    deploy(
        management,
        "Sync",
        """
        api.idToken.setCustomClaim("https://w.example/plan", event.user.user_metadata.plan);
        api.idToken.setCustomClaim("https://w.example/seen", event.user.user_metadata.seen);
        api.idToken.setCustomClaim("https://w.example/count", event.stats.logins_count);
        api.user.setUserMetadata("seen", event.request.query["ext-bc_profile_id"]);
        api.user.setUserMetadata("interests", null);
        """,
    )
    # when Ada logs in twice
    first = visitor.claims(**{"ext-bc_profile_id": "p-1"})
    second = visitor.claims(prompt="login")
    # then the second login sees what the first has written
    assert first["https://w.example/plan"] == second["https://w.example/plan"] == "gold"
    assert "https://w.example/seen" not in first
    assert second["https://w.example/seen"] == "p-1"
    assert (first["https://w.example/count"], second["https://w.example/count"]) == (1, 2)
    # and the other metadata stay as they were
    user = management.get(f"users/{ADA}").json()
    assert user["user_metadata"] == {"plan": "gold", "address": {"city": "Nijmegen"}, "seen": "p-1"}
    assert user["logins_count"] == 2


def test_actions_run_in_the_order_of_their_bindings(visitor: Visitor, management: httpx2.Client) -> None:
    for name in ("First", "Second"):
        deploy(management, name, f"api.idToken.setCustomClaim('https://w.example/last', '{name}');")
    assert visitor.claims()["https://w.example/last"] == "Second"
    bindings = management.get("actions/triggers/post-login/bindings").json()["bindings"]
    turned = [{"ref": {"type": "binding_id", "value": binding["id"]}} for binding in reversed(bindings)]
    management.patch("actions/triggers/post-login/bindings", json={"bindings": turned})
    assert visitor.claims(prompt="login")["https://w.example/last"] == "First"


def test_a_changed_draft_runs_only_after_its_deployment(visitor: Visitor, management: httpx2.Client) -> None:
    action_id = deploy(management, "Old", "api.idToken.setCustomClaim('https://w.example/v', 1);")
    code = "exports.onExecutePostLogin = async (e, api) => { api.idToken.setCustomClaim('https://w.example/v', 2) }"
    changed = management.patch(f"actions/actions/{action_id}", json={"code": code}).json()
    assert changed["all_changes_deployed"] is False
    assert visitor.claims()["https://w.example/v"] == 1
    management.get(f"actions/actions/{action_id}")
    management.post(f"actions/actions/{action_id}/deploy")
    assert visitor.claims(prompt="login")["https://w.example/v"] == 2


def test_an_action_that_throws_fails_the_login_and_is_logged(visitor: Visitor, management: httpx2.Client) -> None:
    deploy(management, "Broken", "console.log('here'); throw new TypeError('broken');")
    answer = visitor.log_in()
    assert answer["error"] == "access_denied"
    with visitor.tenant.state.read() as data:
        log = data["logs"][0]
    assert (log["action"], log["error"], log["console"]) == ("Broken", "TypeError: broken", ["here"])


def test_a_denied_login_tells_the_reason_and_keeps_the_queued_metadata(
    visitor: Visitor, management: httpx2.Client
) -> None:
    deploy(management, "Guard", "api.user.setUserMetadata('tried', true); api.access.deny('Not today');")
    deploy(management, "Later", "api.user.setUserMetadata('later', true);")
    assert visitor.log_in()["error_description"] == "Not today"
    metadata = management.get(f"users/{ADA}").json()["user_metadata"]
    assert metadata["tried"] is True
    assert "later" not in metadata


def test_claims_over_100_kb_fail_the_login(visitor: Visitor, management: httpx2.Client) -> None:
    deploy(management, "Large", "api.idToken.setCustomClaim('https://w.example/x', 'x'.repeat(100001));")
    assert visitor.log_in()["error"] == "access_denied"


def test_an_action_adds_claims_to_the_access_token_and_to_userinfo(visitor: Visitor, management: httpx2.Client) -> None:
    deploy(
        management,
        "Both",
        """
        api.idToken.setCustomClaim("https://w.example/id", 1);
        api.accessToken.setCustomClaim("https://w.example/access", event.resource_server.identifier);
        """,
    )
    token = visitor.tokens(audience=API_AUDIENCE)["access_token"]
    claims = verified(visitor.tenant, token, API_AUDIENCE)
    assert claims["https://w.example/access"] == API_AUDIENCE
    assert "https://w.example/id" not in claims
    user = visitor.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).json()
    assert user["https://w.example/id"] == 1


def test_a_refresh_runs_actions_without_query_and_without_the_secret_parts_of_the_body(
    visitor: Visitor, management: httpx2.Client
) -> None:
    deploy(
        management,
        "Look",
        """
        api.idToken.setCustomClaim("https://w.example/protocol", event.transaction.protocol);
        api.idToken.setCustomClaim("https://w.example/query", event.request.query);
        api.idToken.setCustomClaim("https://w.example/body", Object.keys(event.request.body).sort());
        """,
    )
    token = visitor.tokens(scope="openid offline_access", **{"ext-a": "1"})["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": SPA_CLIENT_ID, "refresh_token": token, "ext-a": "2"}
    answer = visitor.http.post("/oauth/token", data=form).json()
    claims = verified(visitor.tenant, answer["id_token"], SPA_CLIENT_ID)
    assert claims["https://w.example/protocol"] == "oauth2-refresh-token"
    assert claims["https://w.example/query"] == {}
    assert claims["https://w.example/body"] == ["client_id", "ext-a", "grant_type"]


def test_an_action_gets_its_secrets(visitor: Visitor, management: httpx2.Client) -> None:
    action = {
        "name": "Secretive",
        "supported_triggers": [{"id": "post-login"}],
        "code": "exports.onExecutePostLogin = async (e, api) => "
        "{ api.idToken.setCustomClaim('https://w.example/key', e.secrets.KEY) }",
        "secrets": [{"name": "KEY", "value": "hush"}],
        "deploy": True,
    }
    created = management.post("actions/actions", json=action).json()
    shown = management.get(f"actions/actions/{created['id']}")
    assert "hush" not in shown.text
    bindings = [{"ref": {"type": "action_name", "value": "Secretive"}}]
    management.patch("actions/triggers/post-login/bindings", json={"bindings": bindings})
    assert visitor.claims()["https://w.example/key"] == "hush"


@pytest.mark.parametrize(
    ("name", "scopes", "is_kept"),
    [
        ("https://w.example/plan", [], True),
        ("plan", [], True),
        ("sub", ["openid", "profile"], False),
        ("roles", [], False),
        ("nickname", ["profile"], True),
        ("nickname", ["email"], False),
        ("email", ["email"], True),
        ("https://auth0.com/plan", [], False),
        ("https://x.auth0.com/plan", [], False),
        ("https://notauth0.com/plan", [], True),
        ("http://[broken", [], True),
        ("urn:auth0:plan", [], False),
    ],
)
def test_claims_are_kept_by_the_rules_of_auth0(name: str, scopes: list[str], is_kept: bool) -> None:
    assert permitted_claims({name: 1}, scopes) == ({name: 1} if is_kept else {})
