"""The demo tenant's Management API: who may call it, and what its answers are."""

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest

from tests.demo.conftest import ADA, DANA, RunningTenant, deploy, management_client, management_token
from webapp.demo.seed import (
    M2M_CLIENT_ID,
    M2M_CLIENT_SECRET,
    MANAGEMENT_SCOPES,
    READER_CLIENT_ID,
    READER_CLIENT_SECRET,
)
from webapp.demo.state import utc_now

BINDINGS = "actions/triggers/post-login/bindings"
CHIDI = "google-oauth2|103912345678901234567"
DRAFT: dict[str, Any] = {"name": "Mine", "supported_triggers": [{"id": "post-login", "version": "v3"}], "code": "//"}


def test_client_credentials_give_the_granted_scopes(tenant: RunningTenant) -> None:
    answer = management_token(tenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET).json()
    assert answer["scope"].split() == MANAGEMENT_SCOPES
    assert (answer["expires_in"], answer["token_type"]) == (86_400, "Bearer")


@pytest.mark.parametrize(
    ("client_id", "secret", "audience", "status", "error"),
    [
        (M2M_CLIENT_ID, "wrong", "/api/v2/", 401, "invalid_client"),
        (M2M_CLIENT_ID, M2M_CLIENT_SECRET, "/other/", 403, "access_denied"),
        ("unknown", "x", "/api/v2/", 401, "invalid_client"),
    ],
)
def test_wrong_credentials_are_refused(
    tenant: RunningTenant, client_id: str, secret: str, audience: str, status: int, error: str
) -> None:
    form = {"grant_type": "client_credentials", "audience": tenant.base_url + audience}
    response = httpx2.post(f"{tenant.base_url}/oauth/token", data=form, auth=(client_id, secret))
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_without_the_scope_the_answer_names_it(tenant: RunningTenant) -> None:
    with management_client(tenant, READER_CLIENT_ID, READER_CLIENT_SECRET) as reader:
        assert reader.get("users").status_code == 200
        response = reader.get("connections")
    assert response.status_code == 403
    assert response.json() == {
        "statusCode": 403,
        "error": "Forbidden",
        "message": "Insufficient scope, expected any of: read:connections",
        "errorCode": "insufficient_scope",
    }


@pytest.mark.parametrize("header", [None, "Bearer x", "Bearer e30.e30.e30", "Basic eDp5"])
def test_without_a_good_token_nothing_is_told(tenant: RunningTenant, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    response = httpx2.get(f"{tenant.base_url}/api/v2/users", headers=headers)
    assert response.status_code == 401
    assert response.json()["error"] == "Unauthorized"


def test_an_expired_token_is_refused(management: httpx2.Client, tenant: RunningTenant) -> None:
    tenant.state.clock = lambda: utc_now() - timedelta(days=2)
    with management_client(tenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET) as late:
        tenant.state.clock = utc_now
        assert "Expired" in late.get("users").json()["message"]


def test_the_rate_limit_answers_429_with_its_headers(management: httpx2.Client, tenant: RunningTenant) -> None:
    # given one second that never ends, and a limit of one
    now = utc_now()
    tenant.state.clock = lambda: now
    with tenant.state.change() as data:
        data["management_requests_per_second"] = 1
    # when two requests come
    first, second = management.get("users"), management.get("users")
    # then the second has to wait
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("1", "0")
    answered = parsedate_to_datetime(second.headers["Date"]).timestamp()
    assert 0 <= int(second.headers["x-ratelimit-reset"]) - answered <= 1
    assert (second.status_code, second.json()["error"]) == (429, "Too Many Requests")


def test_users_are_listed_found_and_paged(management: httpx2.Client) -> None:
    assert len(management.get("users").json()) == 6
    page = management.get("users", params={"per_page": 2, "page": 2, "include_totals": "true"}).json()
    assert (page["start"], page["limit"], page["length"], page["total"]) == (4, 2, 2, 6)
    by_plan = management.get("users", params={"q": 'user_metadata.plan:"gold"', "fields": "user_id"}).json()
    assert by_plan == [{"user_id": ADA}]
    assert len(management.get("users", params={"q": "identities.connection:google-oauth2"}).json()) == 1
    assert len(management.get("users", params={"q": "email_verified:false"}).json()) == 2
    assert management.get("users-by-email", params={"email": "ada@shop.example"}).json()[0]["user_id"] == ADA
    assert management.get("users-by-email", params={"email": "ADA@shop.example"}).json() == []
    assert management.get("users-by-email").status_code == 400
    assert management.get("users", params={"per_page": "-1"}).json()["errorCode"] == "invalid_query_string"
    assert management.get("users/auth0%7Cnobody").json()["errorCode"] == "inexistent_user"


def test_metadata_are_merged_at_the_first_level(management: httpx2.Client) -> None:
    body = {"user_metadata": {"address": {"street": "Oude Gracht"}, "plan": None}, "app_metadata": {}}
    user = management.patch(f"users/{ADA.replace('|', '%7C')}", json=body).json()
    assert user["user_metadata"] == {"interests": ["running", "hiking"], "address": {"street": "Oude Gracht"}}
    assert user["app_metadata"] == {}


@pytest.mark.parametrize(
    ("user_id", "body", "code"),
    [
        (ADA, {"unknown": 1}, "invalid_body"),
        (ADA, {"user_metadata": "text"}, "invalid_body"),
        (ADA, {"blocked": "yes"}, "invalid_body"),
        (ADA, {"name": ""}, "invalid_body"),
        (ADA, ["no object"], "invalid_body"),
        (CHIDI, {"name": "Mine"}, "operation_not_supported"),
        ("auth0|nobody", {"name": "Mine"}, "inexistent_user"),
    ],
)
def test_a_wrong_change_of_a_user_is_refused(management: httpx2.Client, user_id: str, body: Any, code: str) -> None:
    before = management.get(f"users/{DANA}").json()
    assert management.patch(f"users/{user_id}", json=body).json()["errorCode"] == code
    assert management.get(f"users/{DANA}").json() == before


def test_connections_come_by_offset_and_by_checkpoint(management: httpx2.Client) -> None:
    assert len(management.get("connections").json()) == 5
    databases = management.get("connections", params={"strategy": "auth0"}).json()
    assert [entry["strategy"] for entry in databases] == ["auth0"] * 3
    first = management.get("connections", params={"take": 3}).json()
    second = management.get("connections", params={"take": 3, "from": first["next"]}).json()
    assert len({each["id"] for each in (*first["connections"], *second["connections"])}) == 5
    assert "next" not in second


def test_client_grants_name_this_tenants_audience(management: httpx2.Client, tenant: RunningTenant) -> None:
    grants = management.get("client-grants", params={"client_id": M2M_CLIENT_ID}).json()
    assert [(grant["audience"], grant["scope"]) for grant in grants] == [
        (f"{tenant.base_url}/api/v2/", MANAGEMENT_SCOPES)
    ]


def test_an_action_must_be_built_before_it_is_deployed(management: httpx2.Client) -> None:
    # given a new draft
    created = management.post("actions/actions", json=DRAFT)
    address = f"actions/actions/{created.json()['id']}"
    assert (created.status_code, created.json()["status"]) == (201, "pending")
    # when it is deployed at once, and again later
    early = management.post(f"{address}/deploy")
    late = management.post(f"{address}/deploy")
    # then only the later one works
    assert early.status_code == 400
    assert "must be in the 'built' state" in early.json()["message"]
    assert (late.status_code, late.json()["number"]) == (202, 1)
    shown = management.get(address).json()
    assert shown["all_changes_deployed"] is True
    assert shown["deployed_version"]["code"] == DRAFT["code"]
    versions = management.get(f"{address}/versions").json()["versions"]
    assert management.get(f"{address}/versions/{versions[0]['id']}").json()["deployed"] is True


def test_an_action_is_found_by_its_name(management: httpx2.Client) -> None:
    management.post("actions/actions", json=DRAFT)
    query = {"triggerId": "post-login", "actionName": "Mine"}
    assert management.get("actions/actions", params=query).json()["total"] == 1
    assert management.get("actions/actions", params=query | {"actionName": "Other"}).json()["actions"] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"unknown": 1}, 400),
        ({"id": "x"}, 400),
        ({"name": 1}, 400),
        ({"runtime": "node12"}, 400),
        ({"code": "x" * 100_001}, 400),
        ({"secrets": [{"name": "A"}]}, 400),
        ({"secrets": [{"name": "A", "value": "x", "updated_at": "now"}]}, 400),
        ({"secrets": "none"}, 400),
        ({"supported_triggers": [{"id": "pre-user-registration"}]}, 400),
        ({"name": "Taken"}, 409),
    ],
)
def test_a_wrong_draft_is_refused(management: httpx2.Client, change: dict[str, Any], status: int) -> None:
    management.post("actions/actions", json=DRAFT | {"name": "Taken"})
    response = management.post("actions/actions", json=DRAFT | change)
    assert response.status_code == status
    assert management.get("actions/actions").json()["total"] == 1


def test_a_new_binding_keeps_the_place_of_the_others(management: httpx2.Client) -> None:
    for name in ("One", "Two", "Three"):
        deploy(management, name, "")
    bindings = management.get(BINDINGS).json()["bindings"]
    assert [binding["display_name"] for binding in bindings] == ["One", "Two", "Three"]
    # and a list without one of them unbinds it
    kept = [{"ref": {"type": "binding_id", "value": binding["id"]}} for binding in bindings[:2]]
    management.patch(BINDINGS, json={"bindings": kept})
    assert [binding["id"] for binding in management.get(BINDINGS).json()["bindings"]] == [
        binding["id"] for binding in bindings[:2]
    ]


@pytest.mark.parametrize(
    "entry",
    [
        {"ref": {"type": "action_id", "value": "unknown"}},
        {"ref": {"type": "binding_id", "value": "unknown"}},
        {"ref": {"type": "other", "value": "x"}},
        {"ref": {"type": "action_name", "value": "Draft only"}},
        {"ref": {"type": "action_name", "value": "Bound", "more": 1}},
        {"ref": {"type": "action_name", "value": "Bound"}, "action": {}},
        {},
        "text",
    ],
)
def test_wrong_bindings_change_nothing(management: httpx2.Client, entry: Any) -> None:
    deploy(management, "Bound", "")
    management.post("actions/actions", json=DRAFT | {"name": "Draft only"})
    assert management.patch(BINDINGS, json={"bindings": [entry]}).status_code == 400
    assert len(management.get(BINDINGS).json()["bindings"]) == 1


def test_a_bound_action_is_deleted_only_by_force(management: httpx2.Client) -> None:
    action_id = deploy(management, "Bound", "")
    assert management.delete(f"actions/actions/{action_id}").status_code == 409
    assert management.delete(f"actions/actions/{action_id}", params={"force": "true"}).status_code == 204
    assert management.get(f"actions/actions/{action_id}").status_code == 404
    assert management.get(BINDINGS).json()["bindings"] == []


def test_other_triggers_and_methods_are_refused_in_the_same_shape(management: httpx2.Client) -> None:
    assert management.get("actions/triggers").json()["triggers"][0]["id"] == "post-login"
    assert management.get("actions/triggers/other/bindings").json()["statusCode"] == 404
    assert management.put("users").json()["statusCode"] == 405


def test_rules_can_only_be_read(management: httpx2.Client) -> None:
    # given the legacy Rule of the demo
    (rule,) = management.get("rules").json()
    assert rule["name"] == "BlueConic sync"
    # when a part of it is asked for, then it is that part
    assert management.get("rules", params={"fields": "id,name"}).json() == [{"id": rule["id"], "name": rule["name"]}]
    without = management.get("rules", params={"fields": "script", "include_fields": "false"}).json()
    assert set(rule) - set(without[0]) == {"script"}
    assert management.get("rules", params={"fields": "secret"}).status_code == 400
    # and nobody makes another
    assert management.post("rules", json={"name": "New", "script": "x"}).status_code == 405
