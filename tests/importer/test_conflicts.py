"""Users who point at somebody else's profile by their own word: people decide."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from snippets.goals import IdentifierLink
from tests.importer.conftest import CHANGE, ISSUER, Tenant, a_user
from webapp.conflicts.models import IdentityConflict
from webapp.connections.import_saving import LiveImportGoal
from webapp.connections.models import Connection
from webapp.connections.objectives import save_objective
from webapp.connections.saving import ConnectionDetails, save_connection
from webapp.importer.planning import CONFLICT
from webapp.profiles.objectives import ObjectiveDetails
from webapp.profiles.store import ProfileState

EVE = {"user_id": "auth0|eve", "user_metadata": {"card": "7", "plan": "none"}}


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


@pytest.fixture
def tenant(app: Flask, now: datetime) -> Tenant:
    return Tenant(app.extensions["database"], now)


@pytest.fixture
def goal(tenant: Tenant) -> LiveImportGoal:
    """A goal that links by the user's own word, and has imported Ann with card 7."""
    goal = tenant.save(links=(IdentifierLink("user_metadata.card", "card"),))
    tenant.run(goal, a_user(user_metadata={"card": "7", "plan": "gold"}))
    return goal


def conflicts(tenant: Tenant) -> list[IdentityConflict]:
    with tenant.database.reading() as session:
        return list(session.scalars(select(IdentityConflict)))


def test_a_conflict_is_kept_shown_and_decided_and_the_next_import_goes_by_that(
    tenant: Tenant, goal: LiveImportGoal, admin_client: FlaskClient
) -> None:
    # given another user who names the same card, and is imported twice
    for _ in range(2):
        assert tenant.run(goal, EVE).problem_count == {CONFLICT: 1}
    # when somebody looks at the conflicts, then it is there once, with the goal and both sides
    (conflict,) = conflicts(tenant)
    assert (conflict.visitor, conflict.owners) == ((ISSUER, "auth0|eve"), [[ISSUER, "auth0|ann"]])
    assert (conflict.auth0_field, conflict.post_count) == ("user_metadata.card", 2)
    assert "auth0|eve" in admin_client.get("/conflicts").text
    assert "auth0|eve" in admin_client.get(f"/conflicts?goal={goal.goal.key}").text
    page = admin_client.get(f"/conflicts/{conflict.key}").text
    assert goal.goal.name in page
    # and when the user gets a profile of her own
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    assert admin_client.post(f"/conflicts/{conflict.key}/split", data={"seen": seen}).status_code == 303
    # then the next import fills it
    assert tenant.run(goal, EVE).problems == []
    assert tenant.values("auth0|eve") == {"plan": ["none"]}
    assert tenant.values("auth0|ann")["plan"] == ["gold"]


def test_of_a_dry_run_nothing_is_kept(tenant: Tenant, goal: LiveImportGoal) -> None:
    # when the other user is only tried
    assert tenant.run(goal, EVE, is_dry=True).invalid == 1
    # then nobody has to decide
    assert conflicts(tenant) == []


def test_of_who_has_not_consented_nothing_is_kept(tenant: Tenant, goal: LiveImportGoal) -> None:
    # given an objective that needs consent also where no law says so
    with tenant.database.transaction() as session:
        save_objective(session, "marketing", ObjectiveDetails("Marketing", legislations=("NONE",)), CHANGE)
        connection = session.scalars(select(Connection)).one()
        wanted = ConnectionDetails("Shop", "acme.eu.auth0.com", objectives=["marketing"])
        save_connection(session, connection, wanted, CHANGE, expected_version=connection.version)
    # when the other user is imported without having consented
    result = tenant.run(goal, EVE)
    # then she is skipped for that reason
    assert (result.problem_count, result.states) == ({}, {ProfileState.CONSENT_MISMATCH: 1})
    assert conflicts(tenant) == []


def test_a_conflict_that_cannot_be_kept_stops_nothing(tenant: Tenant, goal: LiveImportGoal) -> None:
    # given a database in which no conflict can be kept
    with tenant.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE identity_conflicts")
    # when the other user is imported, then she is left out and told all the same
    assert tenant.run(goal, EVE).problem_count == {CONFLICT: 1}
