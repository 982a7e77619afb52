"""Pages of profiles and profile properties."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from snippets.goals import Mapping, MergeStrategy
from tests.conftest import ADMIN_EMAIL, wait_until
from tests.connections.pages import add_goal, audit_entries
from tests.factories import write_profile
from webapp.accounts.models import AuditEntry
from webapp.connections.goals import to_web_goal
from webapp.connections.models import Goal
from webapp.connections.saving import Change, save_web_goal
from webapp.database import Database
from webapp.profiles.embedded import ensure_properties
from webapp.profiles.merging import Rule
from webapp.profiles.models import ProfileIdentity, PropertyDefinition
from webapp.profiles.values import PropertyType

HOSTILE = "<script>alert(1)</script>"
SOURCE = "Web goal Shop visitors, claim email"
SUMMING = {
    "mappings-0-auth0_field": "user_metadata.points",
    "mappings-0-direction": "to_profile",
    "mappings-0-profile_property": "points",
    "mappings-0-strategy": "sum",
}


@pytest.fixture
def database(app: Flask) -> Database:
    """The database of the test's app."""
    found: Database = app.extensions["database"]
    return found


@pytest.fixture
def store(database: Database, now: datetime) -> "Store":
    """A profile store with the properties ``email`` (a unique identifier), ``plan`` and ``last_login``."""
    store = Store(database, now)
    store.define("email", PropertyType.EMAIL, is_indexed=True)
    store.define("plan", PropertyType.TEXT)
    store.define("last_login", PropertyType.DATETIME)
    return store


class Store:
    """Puts profiles and properties into the database of a test."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        self.now = now

    def define(self, property_id: str, property_type: PropertyType, *, is_indexed: bool = False) -> None:
        """Define a property."""
        with self.database.transaction() as session:
            ensure_properties(session, {property_id: (property_type, is_indexed)}, self.now)

    def add(self, profile_id: str, at: datetime | None = None, **properties: list[str]) -> None:
        """Store a profile with these values of its properties."""
        moment = at or self.now
        with self.database.transaction() as session:
            kinds = {row.id: PropertyType(row.property_type) for row in session.scalars(select(PropertyDefinition))}
            rules = [make_rule(name, values, kinds[name]) for name, values in properties.items()]
            write_profile(session, profile_id, rules, source=SOURCE, now=moment)

    def definition(self, property_id: str) -> PropertyDefinition | None:
        """Return a property's definition."""
        with self.database.reading() as session:
            return session.get(PropertyDefinition, property_id)


def is_somebody_waiting(database: Database) -> bool:
    """Say if a transaction waits for a lock of another one. On SQLite every writer does: it has only one lock."""
    if database.is_sqlite:
        return True
    with database.reading() as session:
        waiting = (
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE NOT granted AND datname = "
        )
        return bool(session.scalar(text(f"{waiting}current_database()")))


def make_rule(name: str, values: list[str], property_type: PropertyType) -> Rule:
    """Return the rule that sets a property."""
    return Rule(property_id=name, values=values, strategy=MergeStrategy.SET, property_type=property_type)


def test_an_empty_list_says_how_a_profile_gets_here(admin_client: FlaskClient) -> None:
    page = admin_client.get("/profiles").text
    assert "No profiles yet" in page
    assert "when a visitor logs in" in page


def test_the_list_has_the_newest_change_first(admin_client: FlaskClient, store: Store, now: datetime) -> None:
    # given two profiles
    store.add("older", at=now - timedelta(days=1), email=["older@example.org"])
    store.add("newer", at=now, email=["newer@example.org"])
    # when the list is opened
    page = admin_client.get("/profiles").text
    # then the one that changed last comes first, with the address by which it is known
    assert page.index("newer@example.org") < page.index("older@example.org")


def test_paging_shows_every_profile_once(admin_client: FlaskClient, store: Store, now: datetime) -> None:
    # given more profiles than a page has lines, many of them changed at the same moment
    names = [f"p-{number:03}" for number in range(120)]
    for number, name in enumerate(names):
        store.add(name, at=now - timedelta(seconds=number // 30))
    # when all pages are read
    seen: list[str] = []
    link: str | None = "/profiles"
    while link:
        page = admin_client.get(link).text
        seen += [part.partition('"')[0] for part in page.split('href="/profiles/')[1:]]
        link = next(
            (
                part.partition('"')[0].replace("&amp;", "&")
                for part in page.split('href="')[1:]
                if 'rel="next"' in part[:200]
            ),
            None,
        )
    # then each profile was there once
    assert sorted(seen) == names


@pytest.mark.parametrize("text", ["ada-1", "ada@example.org", " ADA@Example.org "])
def test_a_profile_is_found_by_its_id_and_by_a_unique_identifier(
    admin_client: FlaskClient, store: Store, text: str
) -> None:
    # given two profiles
    store.add("ada-1", email=["ada@example.org"], plan=["gold"])
    store.add("bob-1", email=["bob@example.org"], plan=["gold"])
    # when one is searched for
    page = admin_client.get("/profiles", query_string={"q": text}).text
    # then it is found, and the other is not
    assert 'href="/profiles/ada-1"' in page
    assert "bob-1" not in page


@pytest.mark.parametrize("text", ["gold", "nobody@example.org", HOSTILE, "%", "a\0b", "x" * 5000])
def test_a_search_without_a_find_says_so(admin_client: FlaskClient, store: Store, text: str) -> None:
    # given a profile that has the text, if at all, in a property that identifies nobody
    store.add("ada-1", email=["ada@example.org"], plan=["gold"])
    # when it is searched for
    response = admin_client.get("/profiles", query_string={"q": text})
    # then nothing is found, and the text is text
    assert "No profile found" in response.text
    assert HOSTILE not in response.text


@pytest.mark.parametrize("place", ["", "~", "yesterday~x", "2026-11-22T12:00:00~x", "2026-11-22T12:00:00+00:00"])
def test_a_place_in_the_list_that_no_page_named_is_refused(admin_client: FlaskClient, place: str) -> None:
    assert admin_client.get("/profiles", query_string={"after": place}).status_code == 400


def test_a_profiles_page_says_what_is_known_and_where_it_comes_from(
    admin_client: FlaskClient, store: Store, database: Database, now: datetime
) -> None:
    # given a profile with values, linked to an Auth0 user
    login = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    store.add(
        "ada-1", email=["ada@example.org"], plan=["gold", "silver"], last_login=[str(int(login.timestamp() * 1000))]
    )
    with database.transaction() as session:
        session.add(ProfileIdentity(issuer="https://shop.eu.auth0.com/", subject="auth0|ada", profile_id="ada-1"))
    # when its page is opened
    page = admin_client.get("/profiles/ada-1").text
    # then each property is there with its values, source and time, dates as people write them
    for shown in ("<li>ada@example.org</li>", "<li>gold</li><li>silver</li>", SOURCE, "2026-11-20 08:30:00 UTC"):
        assert shown in page
    assert f'datetime="{now.isoformat()}"' in page
    # and the Auth0 user too
    assert "auth0|ada" in page
    assert "https://shop.eu.auth0.com/" in page


def test_a_profile_without_properties_says_so(admin_client: FlaskClient, store: Store) -> None:
    store.add("empty-1")
    page = admin_client.get("/profiles/empty-1").text
    assert "No properties yet" in page
    assert "No Auth0 user has logged in with this profile yet." in page


def test_hostile_values_are_text(admin_client: FlaskClient, store: Store) -> None:
    store.add("ada-1", plan=[HOSTILE])
    page = admin_client.get("/profiles/ada-1").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_an_unknown_profile_has_no_page(admin_client: FlaskClient) -> None:
    response = admin_client.get("/profiles/nobody", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert "There is no profile with this id. The first login that is synced makes it." in response.text


NEW_PROPERTY: dict[str, Any] = {"id": "shoe_size", "name": "Shoe size", "property_type": "number"}


def test_a_property_is_added(admin_client: FlaskClient, store: Store, database: Database) -> None:
    # when a property is added
    response = admin_client.post("/properties", data=NEW_PROPERTY | {"is_indexed": "y"}, follow_redirects=True)
    # then it is in the list, of its type, and on record
    assert "The property shoe_size is added." in response.text
    found = store.definition("shoe_size")
    assert found is not None
    assert (found.name, found.property_type, found.is_indexed) == ("Shoe size", "number", True)
    with database.reading() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.actor, entry.action, entry.object_key) == (ADMIN_EMAIL, "created", "shoe_size")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": ""}, "Enter an id."),
        ({"id": "shoe size"}, "Letters, digits, - and _ only"),
        ({"id": HOSTILE}, "Letters, digits, - and _ only"),
        ({"id": "x" * 101}, "Letters, digits, - and _ only"),
        ({"id": "profileId"}, "This id is reserved."),
        ({"id": "email"}, "There is a property with this id already."),
        ({"name": ""}, "Enter a name."),
        ({"property_type": "shoe"}, "Not a valid choice"),
    ],
)
def test_a_mistake_in_a_new_property_is_shown_at_its_field(
    admin_client: FlaskClient, store: Store, change: dict[str, str], words: str
) -> None:
    # when a property is added with a mistake
    response = admin_client.post("/properties", data=NEW_PROPERTY | change)
    # then the page says which, and keeps what was typed
    assert response.status_code == 422
    assert words in response.text
    if "name" not in change:
        assert 'value="Shoe size"' in response.text
    assert HOSTILE not in response.text
    assert store.definition("shoe_size") is None


def test_a_property_becomes_a_unique_identifier_of_profiles_that_have_it(
    admin_client: FlaskClient, store: Store
) -> None:
    # given a profile that cannot be found by its plan
    store.add("ada-1", plan=["gold"])
    assert "No profile found" in admin_client.get("/profiles?q=gold").text
    # when the property becomes a unique identifier
    admin_client.post("/properties/plan", data={"name": "Plan", "property_type": "text", "is_indexed": "y"})
    # then the profile is found by it
    assert 'href="/profiles/ada-1"' in admin_client.get("/profiles?q=gold").text


def test_a_unique_identifier_stays_one(admin_client: FlaskClient, store: Store) -> None:
    admin_client.post("/properties/email", data={"name": "Address", "property_type": "email"})
    found = store.definition("email")
    assert found is not None
    assert (found.name, found.is_indexed) == ("Address", True)


def test_a_type_changes_only_while_no_profile_has_a_value(admin_client: FlaskClient, store: Store) -> None:
    # given a property without values: its type changes
    form = {"name": "Plan", "property_type": "decimal"}
    assert admin_client.post("/properties/plan", data=form).status_code == 303
    assert admin_client.post("/properties/plan", data=form | {"property_type": "text"}).status_code == 303
    # when a profile has a value of it
    store.add("ada-1", plan=["gold"])
    response = admin_client.post("/properties/plan", data=form)
    # then the type has to stay, and the page says why
    assert response.status_code == 422
    assert "so it has to stay" in response.text
    found = store.definition("plan")
    assert found is not None
    assert found.property_type == "text"


def test_a_property_that_a_goal_sums_into_stays_a_number(admin_client: FlaskClient, store: Store) -> None:
    # given a goal that sums into a property which no profile has yet
    add_goal(admin_client, **SUMMING)
    assert (found := store.definition("points")) is not None
    assert found.property_type == "number"
    # when its type changes to another number, and then to text
    form = {"name": "Points", "property_type": "decimal"}
    assert admin_client.post("/properties/points", data=form).status_code == 303
    refused = admin_client.post("/properties/points", data=form | {"property_type": "text"})
    # then only the text is refused, with the goal's name
    assert refused.status_code == 422
    assert "this goal sums here: Shop visitors." in refused.text


def test_a_type_does_not_change_while_a_goal_that_sums_is_being_saved(
    app: Flask, admin_client: FlaskClient, store: Store, database: Database
) -> None:
    # given a goal, and a number that no goal uses
    add_goal(admin_client)
    store.define("points", PropertyType.NUMBER)
    form = {"name": "Points", "property_type": "text"}
    with database.transaction() as session, ThreadPoolExecutor() as pool:
        # when the goal is saved with a row that sums into it, and before the commit the type is to change
        goal = session.scalars(select(Goal)).one()
        web_goal = to_web_goal(goal, public_url="https://websync.example")
        mapping = Mapping("user_metadata.points", "points", strategy=MergeStrategy.SUM)
        change = Change(ADMIN_EMAIL, store.now)
        save_web_goal(
            session, goal, replace(web_goal, mappings=(mapping,)), change, is_on=True, expected_revision=goal.revision
        )
        answer = pool.submit(admin_client.post, "/properties/points", data=form)
        wait_until(lambda: is_somebody_waiting(database))
        session.commit()
        # then the change has waited, and is refused
        assert answer.result(timeout=30).status_code == 422
    assert (found := store.definition("points")) is not None
    assert found.property_type == "number"


def test_saving_a_property_as_it_is_leaves_no_entry(admin_client: FlaskClient, store: Store, app: Flask) -> None:
    # given a property
    form = {"name": "plan", "property_type": "text"}
    # when it is saved without a change, and then with one
    assert admin_client.post("/properties/plan", data=form).status_code == 303
    assert audit_entries(app, "property") == []
    admin_client.post("/properties/plan", data=form | {"name": "Plan"})
    # then only the change is on record
    assert [entry.action for entry in audit_entries(app, "property")] == ["saved"]


def test_an_unknown_property_has_no_page(admin_client: FlaskClient) -> None:
    assert admin_client.get("/properties/nothing").status_code == 404


def test_no_properties_says_where_they_come_from(admin_client: FlaskClient) -> None:
    assert "Save a web goal" in admin_client.get("/properties").text
