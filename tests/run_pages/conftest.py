"""A connection with import goals, and runs of any fate."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.connections.pages import add_connection
from tests.factories import make_import_goal
from webapp.connections.goals import find_connection
from webapp.connections.import_saving import add_import_goal, find_import_goal
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.saving import Change
from webapp.database import Database
from webapp.runs.models import Run, RunState, RunTrigger

MakeRun = Callable[..., Run]


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """SQLite: the queries of these pages are tested on both databases beside them."""
    return make_sqlite()


@pytest.fixture
def database(app: Flask) -> Database:
    """The app's database."""
    found: Database = app.extensions["database"]
    return found


@pytest.fixture
def connection(admin_client: FlaskClient, database: Database) -> Connection:
    """A connection that was added through its page, without goals."""
    key = add_connection(admin_client).rpartition("/")[2]
    with database.reading() as session:
        return find_connection(session, key)


@pytest.fixture
def goal(database: Database, connection: Connection, now: datetime) -> ImportGoalRow:
    """Its import goal."""
    return add_goal(database, connection, now)


@pytest.fixture
def make_run(database: Database, goal: ImportGoalRow, now: datetime) -> MakeRun:
    """Return a function that stores a run, which was asked for a number of minutes ago. The newest comes last."""

    def make(state: RunState = RunState.FINISHED, *, minutes_ago: float = 60, of: Any = goal, **fields: Any) -> Run:
        asked_at = now - timedelta(minutes=minutes_ago)
        is_started = state is not RunState.QUEUED
        is_ended = state in {RunState.FINISHED, RunState.FINISHED_WITH_ERRORS, RunState.FAILED, RunState.STOPPED}
        with database.transaction() as session:
            run = Run(
                **{
                    "goal_id": of.id,
                    "connection_id": of.connection_id,
                    "trigger": RunTrigger.MANUAL,
                    "requested_by": "ada@example.org",
                    "is_full": False,
                    "state": state,
                    "requested_at": asked_at,
                    "started_at": asked_at + timedelta(seconds=1) if is_started else None,
                    "ended_at": asked_at + timedelta(minutes=5, seconds=1) if is_ended else None,
                    "key": f"run-{asked_at.timestamp():.0f}-{of.id}",
                }
                | fields
            )
            session.add(run)
        return run

    return make


def add_goal(database: Database, connection: Connection, now: datetime, **changes: Any) -> ImportGoalRow:
    """Store an import goal."""
    goal = make_import_goal(**changes)
    with database.transaction() as session:
        add_import_goal(session, find_connection(session, connection.key), goal, Change("ada", now), is_on=True)
    with database.reading() as session:
        row = find_import_goal(session, goal.key)
        assert row.connection.id == connection.id
        return row
