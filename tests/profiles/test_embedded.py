"""The embedded store, on both databases."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from snippets.goals import PROFILE_ID, IdentifierLink, Mapping, MergeStrategy
from tests.factories import make_goal, to_auth0, write_profile
from webapp.database import Database
from webapp.profiles.embedded import (
    ensure_properties,
    find_profiles,
    get_profile,
    lock_identifiers,
    newest_profiles,
    property_types,
    set_indexed,
    suggested_type,
    wanted_properties,
)
from webapp.profiles.merging import Rule
from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity, PropertyDefinition
from webapp.profiles.values import PropertyType
from webapp.profiles.writing import link_identities

EMAIL = {"email": (PropertyType.EMAIL, True)}
FINDING = ProfileIdentifier.profile_id, ProfileIdentity.profile_id


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def write(session: Session, profile_id: str, now: datetime, **values: list[str]) -> tuple[str, ...]:
    rules = [Rule(name, given, MergeStrategy.SET_OR_CLEAR) for name, given in values.items()]
    return write_profile(session, profile_id, rules, now=now)


def found(session: Session, value: str, property_id: str = "email") -> list[str]:
    return [profile.id for profile in find_profiles(session, property_id, value)]


def test_all_that_finds_a_profile_goes_with_it(database: Database, now: datetime) -> None:
    # given two profiles with an address and a user each
    with database.transaction() as session:
        ensure_properties(session, EMAIL, now)
        for name in ("p1", "p2"):
            write(session, name, now, email=[f"{name}@example.org"])
            link_identities(session, {("https://acme.eu.auth0.com/", name): name})
    # when somebody deletes one, in the database itself
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM profiles WHERE id = 'p1'"))
    # then nothing is left of it, and all of the other
    with database.reading() as session:
        left = [set(session.scalars(select(each))) for each in (Profile.id, *FINDING)]
    assert left == [{"p2"}, {"p2"}, {"p2"}]


def test_a_change_is_kept_with_its_source_and_moment(database: Database, now: datetime) -> None:
    # given a profile of yesterday
    with database.transaction() as session:
        write(session, "p1", now - timedelta(days=1), plan=["silver"], city=["Graz"])
    # when one property changes today
    with database.transaction() as session:
        rules = [Rule("plan", ["gold"], MergeStrategy.SET), Rule("city", ["Graz"], MergeStrategy.SET)]
        updated = write_profile(session, "p1", rules, source="Web goal Shop", now=now)
    # then only that one has a new source and moment
    assert updated == ("plan",)
    with database.reading() as session:
        stored = get_profile(session, "p1")
    assert stored is not None
    today, yesterday = (int(moment.timestamp() * 1000) for moment in (now, now - timedelta(days=1)))
    assert stored.properties == {
        "plan": {"values": ["gold"], "source": "Web goal Shop", "changed": today},
        "city": {"values": ["Graz"], "source": "Test", "changed": yesterday},
    }
    assert (stored.created_at, stored.modified_at) == (now - timedelta(days=1), now)


def test_nothing_different_leaves_the_moment_alone(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        # given
        write(session, "p1", now, plan=["gold"])
        # when
        updated = write(session, "p1", now + timedelta(days=1), plan=["gold"])
        # then
        assert updated == ()
        profile = get_profile(session, "p1")
        assert profile is not None
        assert profile.modified_at == now


def test_identifiers_follow_the_values(database: Database, now: datetime) -> None:
    # given an indexed property with two values
    with database.transaction() as session:
        ensure_properties(session, EMAIL, now)
        write(session, "p1", now, email=["a@x.org", "b@x.org"], plan=["gold"])
        assert found(session, "a@x.org") == found(session, "b@x.org") == ["p1"]
        # when one goes and one comes
        write(session, "p1", now, email=["b@x.org", "c@x.org"])
        # then
        assert found(session, "a@x.org") == []
        assert found(session, "b@x.org") == found(session, "c@x.org") == ["p1"]
        # and a property that is no identifier finds nobody
        assert found(session, "gold", "plan") == []
        # when it is cleared
        write(session, "p1", now, email=[])
        assert found(session, "b@x.org") == []
        profile = get_profile(session, "p1")
        assert profile is not None
        assert "email" not in profile.properties


def test_a_very_long_value_identifies_nobody(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        ensure_properties(session, EMAIL, now)
        write(session, "p1", now, email=["x" * 501, "ä" * 500, "c", "c"])
        assert found(session, "x" * 501) == []
        assert found(session, "ä" * 500) == found(session, "c") == ["p1"]


def test_the_last_modified_of_several_comes_first(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        ensure_properties(session, EMAIL, now)
        for number, profile_id in enumerate(["p1", "p3", "p2"]):
            write(session, profile_id, now + timedelta(seconds=number), email=["a@x.org"])
        assert found(session, "a@x.org") == ["p2", "p3", "p1"]


def test_a_property_that_becomes_an_identifier_finds_the_profiles_of_before(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        # given profiles with a property that is none
        ensure_properties(session, {"customer": (PropertyType.TEXT, False)}, now)
        for number in range(1005):
            session.add(
                Profile(
                    id=f"p{number:04}",
                    properties={"customer": {"values": [f"c{number}"], "source": "Test", "changed": 1}},
                    created_at=now,
                    modified_at=now,
                )
            )
        session.add(Profile(id="without", properties={}, created_at=now, modified_at=now))
        session.flush()
        # when a goal links by it
        created = ensure_properties(session, {"customer": (PropertyType.NUMBER, True)}, now)
        # then it is found, and keeps its type
        assert created == []
        assert found(session, "c1004", "customer") == ["p1004"]
        assert property_types(session, ["customer", "unknown"]) == {"customer": PropertyType.TEXT}
        # and when it is none any more, nothing is left
        set_indexed(session, session.get_one(PropertyDefinition, "customer"), is_indexed=False)
        assert session.scalars(select(ProfileIdentifier)).all() == []


def test_missing_properties_are_defined_once(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        wanted = {"plan": (PropertyType.TEXT, False), "email": (PropertyType.EMAIL, True)}
        assert ensure_properties(session, wanted, now) == ["email", "plan"]
        assert ensure_properties(session, wanted, now) == []
        assert property_types(session, wanted) == {"plan": PropertyType.TEXT, "email": PropertyType.EMAIL}


def test_pages_of_profiles_follow_each_other_without_gaps(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        # given profiles, some of the same moment
        for number in range(7):
            write(session, f"p{number}", now + timedelta(seconds=number // 3))
        # when they are read page by page
        pages, after = [], None
        while page := newest_profiles(session, after, 3):
            pages.append([profile.id for profile in page])
            after = (page[-1].modified_at, page[-1].id)
    # then
    assert pages == [["p6", "p5", "p4"], ["p3", "p2", "p1"], ["p0"]]


def test_identifiers_can_be_locked_twice_and_in_any_number(database: Database) -> None:
    with database.transaction() as session:
        lock_identifiers(session, [("email", "a@x.org"), ("email", "ä\U0001f600"), ("email", "a@x.org")])
        lock_identifiers(session, [("email", "a@x.org")])
        lock_identifiers(session, [])


@pytest.mark.parametrize(
    ("field", "strategy", "suggested"),
    [
        ("logins_count", MergeStrategy.SUM, PropertyType.NUMBER),
        ("email", MergeStrategy.SET, PropertyType.EMAIL),
        ("created_at", MergeStrategy.SET, PropertyType.DATETIME),
        ("updated_at", MergeStrategy.ADD, PropertyType.DATETIME),
        ("last_password_reset", MergeStrategy.SET_OR_CLEAR, PropertyType.DATETIME),
        ("user_metadata.email", MergeStrategy.SET, PropertyType.TEXT),
        ("logins_count", MergeStrategy.SET, PropertyType.TEXT),
    ],
)
def test_a_new_property_gets_the_type_that_fits(field: str, strategy: MergeStrategy, suggested: PropertyType) -> None:
    assert suggested_type(field, strategy) is suggested


def test_a_goal_wants_its_properties_and_indexes_what_links_point_at() -> None:
    # given
    goal = make_goal(
        mappings=(
            Mapping("email", "email"),
            Mapping("logins_count", "logins", strategy=MergeStrategy.SUM),
            to_auth0("user_metadata.news", "newsletter"),
        ),
        links=(
            IdentifierLink("user_metadata.id", PROFILE_ID),
            IdentifierLink("email", "email"),
            IdentifierLink("user_id", "auth0_user_id"),
        ),
    )
    # then
    assert wanted_properties(goal) == {
        "email": (PropertyType.EMAIL, True),
        "logins": (PropertyType.NUMBER, False),
        "newsletter": (PropertyType.TEXT, False),
        "auth0_user_id": (PropertyType.TEXT, True),
    }
