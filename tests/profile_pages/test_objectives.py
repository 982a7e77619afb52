"""Pages of objectives and legislation zones, and what a change of them does to web goals."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from snippets.consent import ConsentRule
from tests.connections.pages import add_goal, audit_entries, read_form
from webapp.connections.goals import to_web_goal
from webapp.connections.models import Connection, Goal, GoalRevision
from webapp.connections.objectives import save_objective, save_opt_out_zones
from webapp.connections.saving import Change, ConnectionDetails, save_connection
from webapp.database import Database
from webapp.profiles.models import Profile, PropertyDefinition
from webapp.profiles.objectives import ObjectiveDetails, lock_objectives, rule_for

HOSTILE = "<script>alert(1)</script>"
MARKETING = {"id": "marketing", "name": "Marketing", "needs_consent": "y", "legislations": ["GDPR", "CCPA"]}


@pytest.fixture
def database(app: Flask) -> Database:
    """The database of the test's app."""
    found: Database = app.extensions["database"]
    return found


def add_objective(client: FlaskClient, **changes: Any) -> None:
    response = client.post("/objectives/new", data=MARKETING | changes)
    assert response.status_code == 303, response.text


def give_to_connection(client: FlaskClient, database: Database, *objectives: str) -> str:
    """Check the boxes of these objectives on the page of the one connection, and return the page's address."""
    with database.reading() as session:
        key = session.scalars(select(Connection.key)).one()
    address = f"/connections/{key}"
    fields: dict[str, Any] = {**read_form(client.get(address)), "objectives": list(objectives)}
    assert client.post(address, data=fields).status_code == 303
    return address


def rule_of(database: Database) -> tuple[int, ConsentRule | None]:
    """Return the one goal's revision and what its code knows of objectives."""
    with database.reading() as session:
        goal = to_web_goal(session.scalars(select(Goal)).one(), public_url="")
        return goal.revision, goal.consent


def test_an_empty_list_leads_to_the_first_objective(admin_client: FlaskClient) -> None:
    # when an admin looks for objectives while there are none
    page = admin_client.get("/objectives")
    # then the page says what they are for and leads on
    assert "No objective yet" in page.text
    assert 'href="/objectives/new"' in page.text
    # and the navigation leads here from everywhere
    assert 'href="/objectives" aria-current="page"' in page.text
    assert 'href="/objectives"' in admin_client.get("/connections").text


def test_a_stranger_sees_no_objectives(client: FlaskClient) -> None:
    for address in ("/objectives", "/objectives/new", "/objectives/zones", "/objectives/marketing"):
        assert client.get(address).location.startswith("/sign-in")


def test_a_new_objective_stands_in_the_list(admin_client: FlaskClient, app: Flask, database: Database) -> None:
    # when an objective is added
    add_objective(admin_client, name=f"Marketing {HOSTILE}", description="Letters that you like.")
    # then the list and its page show it, and the audit log knows who did it
    listed, page = admin_client.get("/objectives").text, admin_client.get("/objectives/marketing").text
    for text in ("Marketing &lt;script&gt;", "marketing", "GDPR (European Union)", "CCPA (California)"):
        assert text in listed
    assert HOSTILE not in listed + page
    assert "Letters that you like." in page
    assert [entry.action for entry in audit_entries(app, "objective")] == ["created"]
    # and profiles have places for what visitors say
    with database.reading() as session:
        ids = set(session.scalars(select(PropertyDefinition.id)))
    assert {"consented_objectives", "refused_objectives", "privacy_legislation"} <= ids


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("id", {"id": "my objective"}),
        ("id", {"id": ""}),
        ("id", {"id": "a" * 101}),
        ("id", {"id": "marketing\n"}),
        ("id", {"id": "zones"}),
        ("id", {"id": "new"}),
        ("name", {"name": " "}),
        ("name", {"name": "x" * 201}),
        ("legislations", {"legislations": []}),
        ("legislations", {"legislations": ["ATLANTIS"]}),
    ],
)
def test_a_mistake_stands_at_its_field(admin_client: FlaskClient, field: str, changes: dict[str, Any]) -> None:
    # when an objective is sent that cannot be
    response = admin_client.post("/objectives/new", data=MARKETING | changes)
    # then nothing is saved, and the message is tied to the field
    assert response.status_code == 422
    assert f'id="{field}-errors"' in response.text
    assert "No objective yet" in admin_client.get("/objectives").text


def test_an_id_is_given_once(admin_client: FlaskClient) -> None:
    # given an objective
    add_objective(admin_client)
    # when another takes its id
    response = admin_client.post("/objectives/new", data=MARKETING | {"name": "Other"})
    # then it is told so, and the first one stays
    assert response.status_code == 422
    assert "There is an objective with this id already." in response.text
    assert "Other" not in admin_client.get("/objectives").text


def test_a_nul_character_is_refused(admin_client: FlaskClient) -> None:
    assert admin_client.post("/objectives/new", data=MARKETING | {"name": "a\0b"}).status_code == 400


def test_an_objective_that_is_not_there_is_not_found(admin_client: FlaskClient) -> None:
    assert admin_client.get("/objectives/nobody").status_code == 404
    assert admin_client.post("/objectives/nobody", data=MARKETING).status_code == 404
    assert admin_client.post("/objectives/nobody/delete").status_code == 404


def test_a_goal_follows_its_connections_objectives(admin_client: FlaskClient, app: Flask, database: Database) -> None:
    # given a goal, and an objective
    goal = add_goal(admin_client)
    add_objective(admin_client)
    assert rule_of(database) == (1, None)
    # when its connection gets the objective
    address = give_to_connection(admin_client, database, "marketing")
    # then the page says what is to be done now
    assert "put the new token snippets of its web goals on your sites" in admin_client.get(address).text
    # and the goal has a new revision that knows it, which the history tells, and the connection's page shows
    assert rule_of(database) == (2, ConsentRule(("marketing",), opt_in=("CCPA", "GDPR")))
    assert "bjectives of the connection changed" in admin_client.get(f"{goal}/history").text
    changes = admin_client.get(f"{goal}/history/changes?from=1&to=2").text
    assert "Objectives of the connection" in changes
    assert "opt-in: CCPA, GDPR" in changes
    assert read_form(admin_client.get(address))["objectives"] == "marketing"
    assert "the code asks BlueConic on the page first" in admin_client.get(goal).text
    assert audit_entries(app, "goal")[-1].detail == {"revision": 2, "changed": ["consent"]}
    # and once more nothing changes
    give_to_connection(admin_client, database, "marketing")
    assert rule_of(database)[0] == 2


def test_a_goal_follows_a_changed_objective_and_a_changed_zone(admin_client: FlaskClient, database: Database) -> None:
    # given a goal of a connection with an objective
    add_goal(admin_client)
    add_objective(admin_client)
    give_to_connection(admin_client, database, "marketing")
    # when visitors opt out in California
    assert admin_client.post("/objectives/zones", data={"opt_out": ["CCPA"]}).status_code == 303
    # then the goal's next revision knows
    assert rule_of(database) == (3, ConsentRule(("marketing",), opt_in=("GDPR",), opt_out=("CCPA",)))
    assert "CCPA (California)</strong>" in admin_client.get("/objectives").text
    # and when the objective needs consent in the European Union only
    admin_client.post("/objectives/marketing", data=MARKETING | {"legislations": ["GDPR"]})
    assert rule_of(database) == (4, ConsentRule(("marketing",), opt_in=("GDPR",)))
    # and when only its name changes, the code does not
    admin_client.post("/objectives/marketing", data=MARKETING | {"legislations": ["GDPR"], "name": "Letters"})
    assert rule_of(database)[0] == 4
    # and when it needs no consent any more, nobody has to
    admin_client.post("/objectives/marketing", data={"name": "Letters", "legislations": ["GDPR"]})
    assert rule_of(database) == (5, None)


def test_editing_and_restoring_a_goal_leaves_the_objectives_alone(
    admin_client: FlaskClient, database: Database
) -> None:
    # given a goal at revision 2, whose connection has an objective since then
    goal = add_goal(admin_client)
    add_objective(admin_client)
    give_to_connection(admin_client, database, "marketing")
    rule = rule_of(database)[1]
    # when it is renamed, and then its first revision is restored
    admin_client.post(goal, data=read_form(admin_client.get(goal)) | {"name": "Renamed"})
    assert rule_of(database) == (3, rule)
    admin_client.post(f"{goal}/history/1/restore", data={"expected_revision": "3"})
    # then visitors are still asked, and every revision is kept as it was
    assert rule_of(database) == (4, rule)
    with database.reading() as session:
        kept = [row.plain["consent"] for row in session.scalars(select(GoalRevision).order_by(GoalRevision.revision))]
    assert [found is None for found in kept] == [True, False, False, False]


def test_a_new_goal_of_the_connection_knows_its_objectives(admin_client: FlaskClient, database: Database) -> None:
    # given a connection with an objective
    add_goal(admin_client)
    add_objective(admin_client)
    address = give_to_connection(admin_client, database, "marketing")
    # when a second goal is added
    fields = read_form(admin_client.get(f"{address}/goals/new")) | {
        "name": "Second",
        "client_ids": "shop-client",
        "allowed_origins": "https://shop.example",
    }
    assert admin_client.post(f"{address}/goals/new", data=fields).status_code == 303
    # then it begins with them
    with database.reading() as session:
        second = session.scalars(select(Goal).where(Goal.name == "Second")).one()
        assert second.consent == {"objectives": ["marketing"], "opt_in": ["CCPA", "GDPR"], "opt_out": []}
        assert second.revision == 1


def test_whoever_changes_objectives_at_once_the_goal_ends_with_what_they_come_to(
    admin_client: FlaskClient, database: Database, now: datetime
) -> None:
    # given a goal, and an objective
    add_goal(admin_client)
    add_objective(admin_client)
    with database.reading() as session:
        connection_id = session.scalars(select(Connection.id)).one()

    def give_and_take(number: int) -> None:
        with database.transaction() as session:
            lock_objectives(session)
            connection = session.get_one(Connection, connection_id)
            wanted = ["marketing"] if number % 3 else []
            details = ConnectionDetails(connection.name, connection.auth0_domain, objectives=wanted)
            save_connection(session, connection, details, Change("a", now), expected_version=connection.version)

    def change(number: int) -> None:
        zones = ("GDPR", "UK_GDPR", "CCPA")[: number % 3 + 1]
        with database.transaction() as session:
            save_objective(session, "marketing", ObjectiveDetails("Marketing", legislations=zones), Change("b", now))
        with database.transaction() as session:
            save_opt_out_zones(session, zones[:1], Change("c", now))

    # when several people change all of it at the same moment
    with ThreadPoolExecutor(4) as pool:
        for done in [*map(pool.submit, [give_and_take, change] * 6, range(12))]:
            done.result()
    # then the goal knows what it has come to
    with database.reading() as session:
        connection = session.get_one(Connection, connection_id)
        assert rule_of(database)[1] == rule_for(session, connection.objectives)


def test_an_objective_in_use_is_not_deleted(admin_client: FlaskClient, app: Flask, database: Database) -> None:
    # given an objective of a connection
    add_goal(admin_client)
    add_objective(admin_client)
    give_to_connection(admin_client, database, "marketing")
    # when somebody wants it gone
    page = admin_client.post("/objectives/marketing/delete", follow_redirects=True).text
    # then the page says which connection has it
    assert "is not deleted" in page
    assert "These connections have it: Shop." in page
    # and once it is taken out there, it goes
    give_to_connection(admin_client, database)
    assert "is deleted" in admin_client.post("/objectives/marketing/delete", follow_redirects=True).text
    assert [entry.action for entry in audit_entries(app, "objective")] == ["created", "deleted"]


def test_an_objective_that_went_while_the_page_was_open_is_told(admin_client: FlaskClient, database: Database) -> None:
    # given a connection's page with an objective to check
    add_goal(admin_client)
    add_objective(admin_client)
    # when the objective is deleted before the page is sent
    admin_client.post("/objectives/marketing/delete")
    with database.reading() as session:
        key = session.scalars(select(Connection.key)).one()
    address = f"/connections/{key}"
    fields: dict[str, Any] = {**read_form(admin_client.get(address)), "objectives": ["marketing"]}
    response = admin_client.post(address, data=fields)
    # then nothing is saved
    assert response.status_code == 422
    assert "marketing" in response.text
    assert rule_of(database) == (1, None)


def test_a_profile_shows_its_consent_in_words(admin_client: FlaskClient, database: Database, now: Any) -> None:
    # given an objective, and a profile whose visitor spoke of it
    add_objective(admin_client)
    stored = {"consented_objectives": ["marketing", "gone"], "privacy_legislation": ["GDPR"]}
    properties = {name: {"values": values, "source": "test", "changed": 0} for name, values in stored.items()}
    with database.transaction() as session:
        session.add(Profile(id="p1", properties=properties, created_at=now, modified_at=now))
        session.add(Profile(id="p2", properties={}, created_at=now, modified_at=now))
    # when the profile is opened
    page = admin_client.get("/profiles/p1").text
    # then names are told where there are some
    assert "<dt>Consented to</dt><dd>Marketing, gone</dd>" in page
    assert "<dt>Refused</dt><dd>nothing</dd>" in page
    assert "GDPR (European Union), where visitors consent first (opt-in)" in page
    # and of somebody who said nothing, nothing is told
    assert "Consented to" not in admin_client.get("/profiles/p2").text
