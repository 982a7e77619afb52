"""Revisions are kept, and can be read again."""

from datetime import datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from snippets.goals import InvalidGoalError
from tests.conftest import ADMIN_EMAIL
from tests.factories import make_full_goal, make_goal
from webapp.code_pages.models import Deployment
from webapp.connections.configuration import apply_configuration
from webapp.connections.configuration_file import read_configuration
from webapp.connections.goals import StaleRevisionError, add_goal, find_goal
from webapp.connections.history import PAGE_LENGTH, find_revision, list_history, read_revision
from webapp.connections.models import Connection, Goal, GoalRevision
from webapp.connections.saving import Change, add_web_goal, delete_web_goal, save_web_goal
from webapp.database import Database, alembic_config
from webapp.demo.first_goal import Ports, demo_configuration
from webapp.errors import NotFoundError
from webapp.sealing import Sealer
from webapp.settings import Settings

PUBLIC_URL = "https://websync.example"


@pytest.fixture
def goal(session: Session, now: datetime) -> Goal:
    """A stored goal at revision 1."""
    connection = Connection(key="connection-1", name="Shop", created_at=now, updated_at=now)
    session.add(connection)
    session.flush()
    return add_web_goal(session, connection, make_goal(), Change(ADMIN_EMAIL, now), is_on=True).goal


def kept(session: Session) -> list[GoalRevision]:
    return list(session.scalars(select(GoalRevision).order_by(GoalRevision.revision)))


def save(session: Session, goal: Goal, now: datetime, *, by: str = ADMIN_EMAIL, **changes: object) -> None:
    save_web_goal(session, goal, make_goal(**changes), Change(by, now), is_on=True, expected_revision=goal.revision)


def test_every_saved_revision_is_kept_as_it_was(session: Session, goal: Goal, now: datetime) -> None:
    # given a goal
    # when it is saved with changes, without any, and switched off
    full = make_full_goal(revision=2)
    save_web_goal(session, goal, full, Change("bea@example.org", now), is_on=True, expected_revision=1)
    save_web_goal(session, goal, full, Change("cleo@example.org", now), is_on=True, expected_revision=2)
    save_web_goal(session, goal, full, Change("dora@example.org", now), is_on=False, expected_revision=2)
    # then each revision can be read as it was, with who saved it
    rows = kept(session)
    assert [(row.revision, row.saved_by, row.is_on) for row in rows] == [
        (1, ADMIN_EMAIL, True),
        (2, "bea@example.org", True),
        (3, "dora@example.org", False),
    ]
    assert {row.saved_at for row in rows} == {now}
    assert read_revision(rows[0], public_url=PUBLIC_URL) == make_goal()
    assert read_revision(rows[1], public_url=PUBLIC_URL) == full


def test_what_is_not_saved_is_not_kept(session: Session, goal: Goal, now: datetime) -> None:
    # given a goal
    # when saving it fails
    with pytest.raises(StaleRevisionError):
        save_web_goal(session, goal, make_goal(name="x"), Change("a", now), is_on=True, expected_revision=7)
    # then there is no revision of it
    assert [row.revision for row in kept(session)] == [1]


def test_a_configuration_file_keeps_revisions_too(session: Session, settings: Settings, now: datetime) -> None:
    # given the demo's first goals
    wanted = read_configuration(demo_configuration(Ports()), public_url=PUBLIC_URL, allow_loopback=True)
    # when it is applied twice
    for _ in range(2):
        secrets = {"DEMO_CLIENT_SECRET": "s3cret"}
        apply_configuration(session, wanted, Change("demo", now), environment=secrets, sealer=Sealer(settings.keys))
    # then one revision of each is kept
    assert [(row.revision, row.saved_by) for row in kept(session)] == [(1, "demo")] * 2


def test_a_deleted_goal_leaves_no_revisions(session: Session, goal: Goal, now: datetime) -> None:
    delete_web_goal(session, goal, Change(ADMIN_EMAIL, now))
    session.flush()
    assert kept(session) == []


def test_the_list_has_the_newest_first_and_says_what_each_changed(session: Session, goal: Goal, now: datetime) -> None:
    # given a goal with three revisions
    save(session, goal, now, name="Renamed")
    save(session, goal, now, name="Renamed", mappings=())
    # when they are listed
    page = list_history(session, goal, before=None)
    # then each says what it changed
    assert [(line.row.revision, line.summary) for line in page.lines] == [
        (3, "1 mapping removed"),
        (2, "name changed"),
        (1, "created"),
    ]
    assert page.next_before is None


def test_a_long_history_comes_in_pages(session: Session, goal: Goal, now: datetime) -> None:
    # given more revisions than a page has
    for number in range(2, PAGE_LENGTH + 3):
        save(session, goal, now, name=f"Name {number}")
    # when they are listed page by page
    first = list_history(session, goal, before=None)
    second = list_history(session, goal, before=first.next_before)
    # then none is missing, and the last of a page too says what it changed
    revisions = [line.row.revision for line in (*first.lines, *second.lines)]
    assert revisions == list(range(PAGE_LENGTH + 2, 0, -1))
    assert len(first.lines) == PAGE_LENGTH
    assert first.lines[-1].summary == "name changed"
    assert second.next_before is None


def test_a_revision_that_is_not_kept_is_not_found(session: Session, goal: Goal) -> None:
    with pytest.raises(NotFoundError, match="Revision 2 of this goal is not kept"):
        find_revision(session, goal, 2)


def test_a_revision_that_is_no_goal_any_more_says_why(session: Session, goal: Goal) -> None:
    # given a revision as an older version may have kept it
    row = find_revision(session, goal, 1)
    row.plain = {**row.plain, "token_kind": "opaque"}
    # when it is read, then what is wrong is told
    with pytest.raises(InvalidGoalError, match="token_kind: Must be one of"):
        read_revision(row, public_url=PUBLIC_URL)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_goals_from_before_begin_with_the_revision_that_they_are_at(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, now: datetime
) -> None:
    # given a database without the table of revisions, and a goal in it at revision 7
    url = f"sqlite:///{tmp_path / 'older.db'}" if kind == "sqlite" else request.getfixturevalue("empty_postgresql_url")
    database = Database(url)
    database.upgrade()
    web_goal = make_full_goal()
    store_as_before(database, web_goal.key, now)
    migrate(database, "0002", down=True)
    # when it is brought up to date
    database.upgrade()
    # then that revision is kept, by nobody knows whom
    with database.transaction() as session:
        goal = find_goal(session, web_goal.key)
        row = find_revision(session, goal, 7)
        assert (row.saved_by, row.saved_at, row.is_on) == ("", now, True)
        assert read_revision(row, public_url=web_goal.public_url) == web_goal
        assert [line.summary for line in list_history(session, goal, before=None).lines] == [
            "the first revision that was kept"
        ]
        # and nobody knows what code was deployed
        assert session.scalar(text("SELECT code FROM deployments")) == ""
        # and the next one joins it
        save_web_goal(session, goal, make_goal(), Change(ADMIN_EMAIL, now), is_on=True, expected_revision=7)
        assert [row.revision for row in kept(session)] == [7, 8]
    # and the way back is open
    migrate(database, "0002", down=True)
    database.close()


def migrate(database: Database, revision: str, *, down: bool = False) -> None:
    with database.engine.connect() as connection:
        config = alembic_config(database.url)
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)
        connection.commit()


def store_as_before(database: Database, key: str, now: datetime) -> None:
    """Store `make_full_goal` as a program does that keeps no revisions."""
    with database.transaction() as session:
        connection = Connection(key="connection-1", name="Shop", created_at=now, updated_at=now)
        session.add(connection)
        session.flush()
        goal = add_goal(session, connection, make_full_goal(key=key), is_on=True, now=now)
        goal.revision = 7
        session.flush()
        texts = dict.fromkeys(("auth0_domain", "action_id", "action_name", "code_digest", "deployed_by"), "x")
        session.add(Deployment(goal_id=goal.id, revision=7, deployed_at=now, **texts))
