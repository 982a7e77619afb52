"""The secret of a server exchange: given to the Action, shown once, never again."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.code_pages.conftest import GOAL_KEY, SaveGoal
from tests.code_pages.test_pages import NOWHERE, PAGE, deployed, text_of
from tests.connections.pages import read_form
from tests.demo.conftest import RunningTenant
from webapp.accounts.models import AuditEntry
from webapp.connections.exchange_secrets import is_secret
from webapp.connections.goals import find_goal
from webapp.sealing import Sealer


@pytest.fixture
def deployable(connect: Callable[..., None], save: SaveGoal, tenant: RunningTenant) -> None:
    """A goal with server exchange whose connection may deploy."""
    connect(tenant.base_url)
    save(server_exchange=True)


def secrets_in(tenant: RunningTenant) -> list[dict[str, str]]:
    """Return what the running Action has as its secrets."""
    with tenant.state.read() as data:
        [action] = data["actions"].values()
        return [{"name": each["name"], "value": each["value"]} for each in action["secrets"]]


def is_good(app: Flask, secret: str) -> bool:
    sealer: Sealer = app.extensions["sealer"]
    with app.extensions["database"].reading() as session:
        return is_secret(secret, find_goal(session, GOAL_KEY).sealed_exchange_secrets, sealer)


def make_secret(client: FlaskClient) -> str:
    page = client.post(f"{PAGE}/exchange-secret").text
    found = re.search(r"<code>([A-Za-z0-9_-]{43})</code>", page)
    assert found, page
    return found[1]


@pytest.mark.usefixtures("deployable")
def test_deploying_gives_the_action_a_secret(app: Flask, admin_client: FlaskClient, tenant: RunningTenant) -> None:
    # when a goal without a secret is deployed
    page = deployed(admin_client)
    # then the Action has one that the goal knows, and no page shows it
    [secret] = secrets_in(tenant)
    assert secret["name"] == "WEBSYNC_SECRET"
    assert is_good(app, secret["value"])
    assert secret["value"] not in page
    assert "up to date" in text_of(page)
    # and deploying once more changes nothing
    assert "nothing to do" in text_of(deployed(admin_client))
    assert secrets_in(tenant) == [secret]


@pytest.mark.usefixtures("deployable")
def test_a_new_secret_asks_for_a_new_deployment(app: Flask, admin_client: FlaskClient, tenant: RunningTenant) -> None:
    # given a deployed goal
    deployed(admin_client)
    [before] = secrets_in(tenant)
    # when a new secret is made
    secret = make_secret(admin_client)
    # then the page says that the Action has another, which still works; nothing but that one page has shown it
    page = admin_client.get(PAGE).text
    assert "deploy again" in text_of(page)
    assert secret not in page
    assert is_good(app, before["value"])
    # and deploying brings the new one
    deployed(admin_client)
    assert secrets_in(tenant) == [{"name": "WEBSYNC_SECRET", "value": secret}]


@pytest.mark.usefixtures("deployable")
def test_making_a_secret_is_on_record_without_it(app: Flask, admin_client: FlaskClient) -> None:
    secret = make_secret(admin_client)
    with app.extensions["database"].reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "made a secret")).one()
    assert entry.object_key == GOAL_KEY
    assert secret not in repr(entry.detail)


def test_a_goal_without_exchange_gets_no_secret(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal without server exchange
    connect(NOWHERE)
    save()
    # when a secret is asked for, then the page says what to do first
    refused = admin_client.post(f"{PAGE}/exchange-secret", headers={"Accept": "text/html"})
    assert refused.status_code == 409
    assert "Switch on Server exchange" in refused.text


def test_the_secret_of_the_past_goes_when_the_exchange_ends(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, tenant: RunningTenant
) -> None:
    # given a deployed goal with exchange
    connect(tenant.base_url)
    save(server_exchange=True)
    deployed(admin_client)
    # when the exchange is switched off, and the goal deployed again
    save(revision=2)
    deployed(admin_client)
    # then the Action has no secret any more
    assert secrets_in(tenant) == []


def test_making_a_secret_needs_the_form_s_token(csrf_admin_client: FlaskClient) -> None:
    assert csrf_admin_client.post(f"{PAGE}/exchange-secret").status_code == 400


@pytest.mark.usefixtures("deployable")
def test_secrets_end_when_the_connection_moves_to_another_tenant(app: Flask, admin_client: FlaskClient) -> None:
    # given a deployed goal
    secret = make_secret(admin_client)
    # when its connection is given another tenant
    form = read_form(admin_client.get("/connections/connection-1"))
    moved = form | {"auth0_domain": "other.eu.auth0.com", "client_secret": "another"}
    assert admin_client.post("/connections/connection-1", data=moved).status_code == 303
    # then the Action of the tenant before cannot speak for it
    assert not is_good(app, secret)


@pytest.mark.usefixtures("deployable")
def test_a_secret_made_by_deploying_is_on_record_too(app: Flask, admin_client: FlaskClient) -> None:
    deployed(admin_client)
    with app.extensions["database"].reading() as session:
        actions = session.scalars(select(AuditEntry.action)).all()
    assert "made a secret" in actions
