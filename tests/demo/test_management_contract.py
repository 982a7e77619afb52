"""What the demo tenant takes and answers is what Auth0's OpenAPI document says."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.demo.conftest import ADA, RunningTenant, Visitor, deploy
from webapp.demo.faults import JobOutcome, set_faults
from webapp.demo.population import populate
from webapp.demo.seed import CUSTOMERS

DOCUMENT = Path(__file__).parents[3] / "shared" / "reference" / "auth0-management-openapi.yml"


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip(f"Auth0's OpenAPI document is not at {DOCUMENT}")
    with DOCUMENT.open("rb") as file:
        loaded: dict[str, Any] = yaml.load(file, Loader=yaml.CSafeLoader)
    return loaded


def validate(document: dict[str, Any], value: object, *path: str) -> None:
    """Validate ``value`` against the schema at ``path`` below the document's paths."""
    registry: Registry[Any] = Registry().with_resource("urn:auth0", Resource.from_contents(document, DRAFT202012))
    steps = ("paths", *path, "content", "application/json", "schema")
    pointer = "/".join(quote(step.replace("/", "~1"), safe="~") for step in steps)
    schema = {"$ref": f"urn:auth0#/{pointer}"}
    errors = [error.message for error in OAS31Validator(schema, registry=registry).iter_errors(value)]
    assert errors == []


READS = [
    ("users", "/users"),
    ("users?include_totals=true", "/users"),
    (f"users/{ADA}", "/users/{id}"),
    ("users-by-email?email=ada%40shop.example", "/users-by-email"),
    ("connections", "/connections"),
    ("connections?include_totals=true", "/connections"),
    ("connections?take=1", "/connections"),
    ("client-grants", "/client-grants"),
    ("client-grants?take=1", "/client-grants"),
    ("rules", "/rules"),
    ("rules?include_totals=true&per_page=50&page=0", "/rules"),
    ("rules?fields=id,name,enabled,order", "/rules"),
    ("actions/actions", "/actions/actions"),
    ("actions/triggers", "/actions/triggers"),
    ("actions/triggers/post-login/bindings", "/actions/triggers/{triggerId}/bindings"),
]


@pytest.mark.parametrize(("address", "path"), READS)
def test_answers_follow_the_document(
    document: dict[str, Any], visitor: Visitor, management: httpx2.Client, address: str, path: str
) -> None:
    # given a tenant in use
    deploy(management, "Sync", "api.user.setUserMetadata('seen', 1)")
    visitor.tokens()
    # when something is read
    response = management.get(address)
    # then it is of the documented form
    assert response.status_code == 200
    validate(document, response.json(), path, "get", "responses", "200")


def test_the_life_of_an_action_follows_the_document(document: dict[str, Any], management: httpx2.Client) -> None:
    # given a draft as the document wants it
    draft = {
        "name": "Sync",
        "supported_triggers": [{"id": "post-login", "version": "v3"}],
        "runtime": "node22",
        "code": "exports.onExecutePostLogin = async () => {};",
        "dependencies": [],
        "secrets": [{"name": "KEY", "value": "x"}],
        "deploy": False,
    }
    validate(document, draft, "/actions/actions", "post", "requestBody")
    # when it lives
    created = management.post("actions/actions", json=draft)
    address = f"actions/actions/{created.json()['id']}"
    shown = management.get(address)
    changed = management.patch(address, json={"code": "// other"})
    management.get(address)
    deployed = management.post(f"{address}/deploy")
    versions = management.get(f"{address}/versions")
    bindings = {"bindings": [{"ref": {"type": "action_id", "value": created.json()["id"]}, "display_name": "Sync"}]}
    bound = management.patch("actions/triggers/post-login/bindings", json=bindings)
    # then each answer is of the documented form
    validate(document, created.json(), "/actions/actions", "post", "responses", "201")
    validate(document, shown.json(), "/actions/actions/{id}", "get", "responses", "200")
    validate(document, changed.json(), "/actions/actions/{id}", "patch", "responses", "200")
    validate(document, deployed.json(), "/actions/actions/{id}/deploy", "post", "responses", "202")
    validate(document, versions.json(), "/actions/actions/{actionId}/versions", "get", "responses", "200")
    validate(document, bindings, "/actions/triggers/{triggerId}/bindings", "patch", "requestBody")
    validate(document, bound.json(), "/actions/triggers/{triggerId}/bindings", "patch", "responses", "200")


def test_a_changed_user_follows_the_document(document: dict[str, Any], management: httpx2.Client) -> None:
    change = {"user_metadata": {"plan": "free"}, "blocked": False}
    validate(document, change, "/users/{id}", "patch", "requestBody")
    answer = management.patch(f"users/{ADA}", json=change).json()
    validate(document, answer, "/users/{id}", "patch", "responses", "200")


def test_an_export_job_follows_the_document(
    document: dict[str, Any], management: httpx2.Client, tenant: RunningTenant
) -> None:
    # given jobs that take no time
    with tenant.state.change() as data:
        populate(data, CUSTOMERS, 3)
        set_faults(data, job_seconds=0)
    order = {
        "connection_id": "con_DemoCustomers001",
        "format": "json",
        "limit": 2,
        "fields": [{"name": "user_id"}, {"name": "user_metadata.plan", "export_as": "plan"}],
    }
    validate(document, order, "/jobs/users-exports", "post", "requestBody")
    # when one is made, looked at, and fails
    created = management.post("jobs/users-exports", json=order).json()
    shown = management.get(f"jobs/{created['id']}").json()
    with tenant.state.change() as data:
        set_faults(data, job_outcome=JobOutcome.FAILS)
    failed = management.get(f"jobs/{created['id']}").json()
    errors = management.get(f"jobs/{created['id']}/errors").json()
    # then each answer is of the documented form
    validate(document, created, "/jobs/users-exports", "post", "responses", "200")
    validate(document, shown, "/jobs/{id}", "get", "responses", "200")
    validate(document, failed, "/jobs/{id}", "get", "responses", "200")
    validate(document, errors, "/jobs/{id}/errors", "get", "responses", "200")


def test_generated_users_follow_the_document(
    document: dict[str, Any], management: httpx2.Client, tenant: RunningTenant
) -> None:
    # given a hundred generated users
    with tenant.state.change() as data:
        populate(data, CUSTOMERS, 100)
    # when they are searched, then the answer is of the documented form
    query = {"q": f"identities.connection:{CUSTOMERS}", "per_page": "100", "include_totals": "true"}
    validate(document, management.get("users", params=query).json(), "/users", "get", "responses", "200")
