"""Import goals: what can be one, how they are stored beside web goals, and their YAML."""

from collections.abc import Callable
from datetime import datetime

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from snippets.goals import IdentifierLink, InvalidGoalError, MergeStrategy
from tests.factories import make_goal, make_import_goal
from webapp.accounts.models import AuditEntry
from webapp.connections.configuration import Applied, apply_configuration, export_configuration
from webapp.connections.configuration_file import InvalidConfigurationError, read_configuration, read_yaml
from webapp.connections.goals import StaleRevisionError
from webapp.connections.import_goals import (
    DeletionPolicy,
    ImportGoal,
    ImportMapping,
    ImportMode,
    plain_import_goal,
    read_import_goal,
)
from webapp.connections.import_saving import (
    add_import_goal,
    delete_import_goal,
    find_import_goals,
    save_import_goal,
    to_import_goal,
)
from webapp.connections.models import Connection, Goal, GoalRevision, ImportGoalRow, MappingRow
from webapp.connections.saving import Change, ConnectionDetails, add_connection, add_web_goal, goals_that_sum
from webapp.connections.transforms import Transform, TransformKind
from webapp.database import Database, alembic_config
from webapp.profiles.models import PropertyDefinition
from webapp.sealing import Sealer
from webapp.settings import Settings

PUBLIC_URL = "https://websync.example.com"
YAML = """\
connections:
  - name: Web shop
    auth0: {domain: acme.eu.auth0.com}
    goals:
      - kind: import
        name: Nightly import
        databases: [Username-Password-Authentication, google-oauth2]
        database_property: auth0_database
        mappings:
          - {auth0_field: email, profile_property: email}
          - {auth0_field: last_login, profile_property: last_login}
          - auth0_field: user_metadata.interests
            profile_property: interests
            strategy: add
            transforms: [{split: ","}, trim, lower]
          - {auth0_field: user_metadata.points, profile_property: points, strategy: sum}
          - {auth0_field: user_metadata.since, profile_property: since, transforms: [{date: "%d.%m.%Y"}]}
          - {auth0_field: "", profile_property: origin, transforms: [{constant: auth0}]}
        links:
          - {auth0_field: user_id, profile_property: auth0_user_id}
          - {auth0_field: email, profile_property: email}
        allow_creation: false
        mode: incremental
        deletion_policy: clear
"""


@pytest.fixture
def change(now: datetime) -> Change:
    return Change("ada@example.org", now)


@pytest.fixture
def connection(session: Session, change: Change) -> Connection:
    return add_connection(session, ConnectionDetails("Shop", "acme.eu.auth0.com"), change)


def apply_text(session: Session, text: str, settings: Settings, now: datetime) -> list[Applied]:
    wanted = read_configuration(read_yaml(text), public_url=PUBLIC_URL, allow_loopback=False)
    return apply_configuration(session, wanted, Change("cli", now), environment={}, sealer=Sealer(settings.keys))


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"name": " "}, "name", "Give the goal a name."),
        ({"key": "x"}, "key", "6 to 64"),
        ({"links": ()}, "links", "Add an identifier link"),
        ({"databases": ("a b",)}, "databases", "is no name of an Auth0 database"),
        ({"database_property": "lastvisitdate"}, "database_property", "read-only"),
        ({"database_property": "a b"}, "database_property", "letters, digits"),
        ({"mappings": (ImportMapping("email", "email"),) * 2}, "mappings", "the same as row 1"),
        ({"links": (IdentifierLink("organization.name", "org"),)}, "links", "at login only"),
    ],
)
def test_an_import_goal_that_cannot_be_says_why(changes: dict[str, object], place: str, message: str) -> None:
    with pytest.raises(InvalidGoalError) as caught:
        make_import_goal(**changes)
    assert caught.value.problems[0].place[0] == place
    assert message in str(caught.value)


@pytest.mark.parametrize("field", ["last_login", "last_ip", "blocked", "logins_count", "identities[0].provider", "upn"])
def test_an_import_maps_what_a_login_does_not_tell(field: str) -> None:
    assert ImportMapping(field, "x").auth0_field == field


def test_all_problems_of_plain_data_are_told_at_their_places() -> None:
    # given a goal with a mistake in each part
    plain = {
        "key": "import-goal",
        "name": "",
        "mode": "often",
        "mappings": [
            {"auth0_field": "email", "profile_property": "a b"},
            {"auth0_field": "email", "profile_property": "x", "transforms": ["shout"]},
            {"auth0_field": "email", "profile_property": "x", "transforms": [{"split": 1}]},
            {"auth0_field": "", "profile_property": "x"},
            {"auth0_field": "email", "profile_property": "x", "direction": "to_auth0"},
        ],
        "links": [{"auth0_field": "user_id", "profile_property": "id"}],
    }
    # when it is read
    with pytest.raises(InvalidGoalError) as caught:
        read_import_goal(plain)
    # then each is told
    places = [problem.place for problem in caught.value.problems]
    assert [place for place in places if place[0] == "mappings"] == [
        ("mappings", 0, "profile_property"),
        ("mappings", 1, "transforms"),
        ("mappings", 2, "transforms"),
        ("mappings", 3, "auth0_field"),
        ("mappings", 4, "direction"),
    ]
    assert ("mode",) in places
    assert ("name",) in places


_transforms = st.sampled_from(
    [
        Transform(TransformKind.LOWER),
        Transform(TransformKind.SPLIT, ","),
        Transform(TransformKind.DEFAULT, "none"),
        Transform(TransformKind.DATE, "%Y-%m-%d"),
    ]
)
_names = st.text("abcdefgh_", min_size=1, max_size=8)
import_goals = st.builds(
    ImportGoal,
    key=st.just("import-goal"),
    name=_names,
    databases=st.lists(st.sampled_from(["db-1", "db-2", "google-oauth2"]), unique=True).map(tuple),
    database_property=st.just("") | _names,
    enable_batch=st.booleans(),
    enable_webhook=st.booleans(),
    mappings=st.lists(
        st.builds(
            ImportMapping,
            _names,
            _names,
            st.sampled_from(MergeStrategy),
            st.lists(_transforms, max_size=3).map(tuple),
        ),
        unique=True,
        max_size=5,
    ).map(tuple),
    links=st.just((IdentifierLink("user_id", "auth0_user_id"),)),
    allow_creation=st.booleans(),
    mode=st.sampled_from(ImportMode),
    deletion_policy=st.sampled_from(DeletionPolicy),
)


@given(import_goals)
def test_any_import_goal_comes_back_from_its_plain_data(goal: ImportGoal) -> None:
    assert read_import_goal(plain_import_goal(goal)) == goal


def test_a_stored_import_goal_comes_back_with_its_properties_defined(
    session: Session, connection: Connection, change: Change
) -> None:
    # given a goal with everything
    (wanted,) = read_configuration(read_yaml(YAML), public_url=PUBLIC_URL, allow_loopback=False).connections
    goal = make_import_goal(**vars(wanted.import_goals[0].import_goal) | {"key": "import-1"})
    # when it is stored and read anew
    saved = add_import_goal(session, connection, goal, change, is_on=True)
    session.flush()
    session.expire_all()
    (row,) = find_import_goals(session, "Nightly import")
    # then nothing is lost, and its properties have types that suit the rows
    assert to_import_goal(row) == goal
    assert row.connection is connection
    types = {each.id: each.property_type for each in session.scalars(select(PropertyDefinition))}
    assert types == {
        "auth0_database": "text",
        "auth0_user_id": "text",
        "email": "email",
        "interests": "text",
        "last_login": "datetime",
        "origin": "text",
        "points": "number",
        "since": "datetime",
    }
    assert set(saved.new_properties) == set(types)
    assert goals_that_sum(session, "points") == ["Nightly import"]


def test_each_saved_change_is_a_revision(session: Session, connection: Connection, change: Change) -> None:
    # given a stored goal
    row = add_import_goal(session, connection, make_import_goal(), change, is_on=True).goal
    # when it is saved unchanged, then with other mappings, then by somebody who saw the first revision only
    unchanged = save_import_goal(session, row, make_import_goal(), change, is_on=True, expected_revision=1)
    other = make_import_goal(mappings=(ImportMapping("email", "email"),))
    changed = save_import_goal(session, row, other, change, is_on=False, expected_revision=1)
    with pytest.raises(StaleRevisionError):
        save_import_goal(session, row, make_import_goal(), change, is_on=True, expected_revision=1)
    # then only the change counts, and both revisions are kept
    assert (unchanged.is_changed, changed.is_changed, row.revision) == (False, True, 2)
    kept = list(session.scalars(select(GoalRevision).order_by(GoalRevision.revision)))
    assert [(each.revision, each.is_on, each.saved_by) for each in kept] == [
        (1, True, "ada@example.org"),
        (2, False, "ada@example.org"),
    ]
    assert read_import_goal({**kept[1].plain, "revision": 2}) == to_import_goal(row)
    details = [entry.detail for entry in session.scalars(select(AuditEntry)) if entry.action == "saved"]
    assert details == [{"revision": 2, "changed": ["mappings", "is_on"]}]


def test_a_row_that_does_not_suit_its_property_is_refused(
    session: Session, connection: Connection, change: Change
) -> None:
    # given a property that holds texts
    add_import_goal(session, connection, make_import_goal(), change, is_on=True)
    # when another goal wants to sum into it
    summing = make_import_goal(key="summing", mappings=(ImportMapping("x", "plan", MergeStrategy.SUM),))
    with pytest.raises(InvalidGoalError, match="only numbers can be summed"):
        add_import_goal(session, connection, summing, change, is_on=True)


def test_the_two_kinds_of_goals_do_not_meet(session: Session, connection: Connection, change: Change) -> None:
    # given a goal of each kind
    add_web_goal(session, connection, make_goal(), change, is_on=True)
    row = add_import_goal(session, connection, make_import_goal(), change, is_on=True).goal
    session.flush()
    session.expire_all()
    # when each kind is asked for, then each finds its own
    assert [goal.key for goal in session.scalars(select(Goal))] == ["shop-goal"]
    assert [goal.key for goal in connection.goals] == ["shop-goal"]
    assert [goal.key for goal in connection.import_goals] == ["import-goal"]
    assert session.get(Goal, row.id) is None
    # and deleting one leaves the other
    delete_import_goal(session, row, change)
    session.flush()
    assert session.scalars(select(ImportGoalRow)).all() == []
    assert [goal.key for goal in session.scalars(select(Goal))] == ["shop-goal"]


def test_a_file_is_applied_once_and_exported(session: Session, settings: Settings, now: datetime) -> None:
    # given a file with an import goal
    first = apply_text(session, YAML, settings, now)
    # when it is applied again, exported, and the export applied
    again = apply_text(session, YAML, settings, now)
    exported = export_configuration(session, public_url=PUBLIC_URL)
    from_export = apply_text(session, exported, settings, now)
    changed = apply_text(session, exported.replace("mode: incremental", "mode: full"), settings, now)
    # then
    assert [each.state for each in first] == ["created", "created"]
    assert {each.state for each in (*again, *from_export)} == {"unchanged"}
    assert [each.state for each in changed] == ["unchanged", "updated"]
    assert "kind: import" in exported
    assert "- split: ','" in exported


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name: Nightly import", "name: ''"), "connections[1].goals[1].name: Give the goal a name."),
        (("mode: incremental", "mode: sometimes"), "connections[1].goals[1].mode: Must be one of full, incremental."),
        (("databases:", "tables:"), "connections[1].goals[1].tables: Unknown"),
        (("{constant: auth0}", "{constant: 1}"), "connections[1].goals[1].mappings[6].transforms: constant: must be"),
    ],
)
def test_mistakes_of_a_file_are_told_at_their_place(change: tuple[str, str], message: str) -> None:
    with pytest.raises(InvalidConfigurationError) as caught:
        read_configuration(read_yaml(YAML.replace(*change)), public_url=PUBLIC_URL, allow_loopback=False)
    assert message in str(caught.value)


def test_a_key_of_the_other_kind_is_refused(
    session: Session, connection: Connection, change: Change, settings: Settings
) -> None:
    # given a web goal
    add_web_goal(session, connection, make_goal(), change, is_on=True)
    # when a file gives its key to an import goal
    text_of_file = YAML.replace("name: Web shop", "name: Shop").replace(
        "kind: import", "kind: import\n        key: shop-goal"
    )
    with pytest.raises(InvalidConfigurationError, match=r"goals\[1\]\.key: Names no single goal"):
        apply_text(session, text_of_file, settings, change.now)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_web_goals_of_before_stay_what_they_are(kind: str, request: pytest.FixtureRequest, now: datetime) -> None:
    # given a database from before import goals, with a web goal
    make: Callable[[], str] = request.getfixturevalue(f"make_{kind}")
    url = make()
    database = Database(url)
    with database.transaction() as session:
        connection = add_connection(session, ConnectionDetails("Shop", "acme.eu.auth0.com"), Change("ada", now))
        add_web_goal(session, connection, make_goal(), Change("ada", now), is_on=True)
        add_import_goal(session, connection, make_import_goal(), Change("ada", now), is_on=True)
    database.close()
    with database.engine.connect() as engine_connection:
        config = alembic_config(url)
        config.attributes["connection"] = engine_connection
        command.downgrade(config, "0010")  # deletes import goals, which that version cannot read
        engine_connection.commit()
        assert engine_connection.scalar(text("SELECT count(*) FROM goals")) == 1
        engine_connection.rollback()
    # when it is brought up to date
    database.upgrade()
    # then the goal is a web goal, with its row
    with database.reading() as session:
        (goal,) = session.scalars(select(Goal))
        assert (goal.key, goal.kind, len(goal.mappings)) == ("shop-goal", "web", 1)
        assert [row.transforms for row in session.scalars(select(MappingRow))] == [[]]
        assert session.scalars(select(ImportGoalRow)).all() == []
    database.close()
