"""All users of a tenant, imported by `websync worker` through an export job that the demo tenant really carries out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select

from snippets.goals import IdentifierLink, MergeStrategy
from tests.conftest import TEST_KEY, wait_until
from tests.demo.conftest import RunningTenant, tenant  # noqa: F401, a fixture
from tests.factories import make_import_goal
from tests.runs.workers import ask, read_run, wait_for
from webapp.connections.import_goals import ImportMapping
from webapp.connections.import_saving import add_import_goal
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.saving import Change
from webapp.database import Database
from webapp.demo.faults import JobOutcome, set_faults
from webapp.demo.population import populate
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET
from webapp.errors import NotFoundError
from webapp.importer.models import AppliedChunk
from webapp.importer.tenant_import import GoalChangedError, NotImportableError, TenantImporter
from webapp.profiles.models import Profile
from webapp.runs.importers import RunOrder
from webapp.runs.models import Run, RunState
from webapp.sealing import Sealer

USERS = 4_200
"""Generated ones, beside those whom the tenant always has: five chunks."""
GOAL = make_import_goal(
    links=(IdentifierLink("user_id", "auth0_user_id"),),
    mappings=(
        ImportMapping("user_id", "auth0_user_id"),
        ImportMapping("email", "email"),
        ImportMapping("logins_count", "logins", strategy=MergeStrategy.SUM),
    ),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def goal(database: Database, tenant: RunningTenant) -> ImportGoalRow:  # noqa: F811
    """The import goal of a tenant with many users."""
    with tenant.state.change() as data:
        populate(data, "Customers", USERS)
    now = datetime.now(UTC)
    with database.transaction() as session:
        connection = Connection(
            key="shop",
            name="Shop",
            auth0_domain=tenant.base_url,
            auth0_client_id=M2M_CLIENT_ID,
            sealed_client_secret=Sealer([TEST_KEY]).seal(M2M_CLIENT_SECRET),
            created_at=now,
            updated_at=now,
        )
        session.add(connection)
        session.flush()
        return add_import_goal(session, connection, GOAL, Change("ada", now), is_on=True).goal


def environment_of(database: Database) -> dict[str, str]:
    return os.environ | {
        "WEBSYNC_MODE": "demo",
        "WEBSYNC_DATABASE_URL": database.url,
        "WEBSYNC_SECRET_KEYS": TEST_KEY,
        "WEBSYNC_LOG_LEVEL": "ERROR",
    }


@contextmanager
def worker(database: Database) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `websync worker`."""
    command = [sys.executable, "-m", "webapp.cli", "worker"]
    process = subprocess.Popen(command, env=environment_of(database), start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)


def is_over(run: Run) -> bool:
    return run.ended_at is not None


def imported(database: Database) -> tuple[int, int]:
    """Return how many profiles there are, and the sum of all their logins."""
    with database.reading() as session:
        profiles = session.scalars(select(Profile)).all()
    return len(profiles), sum(
        int(each.properties["logins"]["values"][0]) for each in profiles if "logins" in each.properties
    )


def test_all_users_of_a_tenant_are_imported_once_although_the_worker_is_killed(
    database: Database,
    goal: ImportGoalRow,
    tenant: RunningTenant,  # noqa: F811
) -> None:
    # given somebody who types the command, and a worker that is killed after the first chunk
    command = [sys.executable, "-m", "webapp.cli", "import", GOAL.name]
    typed = subprocess.Popen(command, env=environment_of(database), stdout=subprocess.PIPE, text=True)
    with worker(database) as first:
        key = wait_for_key(database)
        wait_for(database, key, lambda run: run.chunks >= 1)
        first.kill()
        first.wait(timeout=10)
    assert read_run(database, key).state == RunState.RUNNING
    # when another one goes on
    with worker(database):
        run = wait_for(database, key, is_over)
        told, _ = typed.communicate(timeout=30)
        once = imported(database)
        # then all users are there, the command says so, and nothing of the run is left to be remembered
        assert (run.state, run.problem) == (RunState.FINISHED, "")
        assert run.counts["read"] == run.counts["created"] == once[0] > USERS
        assert typed.returncode == 0
        assert f"{once[0]:,}" in told
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(AppliedChunk)) == 0
        # and the next run finds everybody unchanged: no login counts twice
        again = wait_for(database, ask(database, goal), is_over)
    assert again.counts["unchanged"] == once[0]
    assert imported(database) == once


def wait_for_key(database: Database) -> str:
    keys: list[str] = []

    def is_there() -> bool:
        with database.reading() as session:
            keys[:] = session.scalars(select(Run.key))
        return bool(keys)

    wait_until(is_there, seconds=30)
    return keys[0]


def test_what_hinders_an_import_is_told(database: Database, goal: ImportGoalRow, tenant: RunningTenant) -> None:  # noqa: F811
    # given a tenant whose jobs fail
    with tenant.state.change() as data:
        set_faults(data, job_outcome=JobOutcome.FAILS)
    with worker(database):
        # when it is imported, then the run has failed, and says why
        run = wait_for(database, ask(database, goal), is_over)
        assert (run.state, run.problem) == (RunState.FAILED, "export-failed")
        # given a connection without a secret, then that is told
        with database.transaction() as session:
            session.get_one(Connection, goal.connection_id).sealed_client_secret = None
        run = wait_for(database, ask(database, goal), is_over)
    assert (run.state, run.problem, run.problem_detail) == (
        RunState.FAILED,
        "not-importable",
        "Give the connection a client id and a client secret.",
    )


def test_a_goal_that_is_saved_during_its_run_ends_it_before_it_reads_what_is_not_there(
    app: Flask, database: Database, goal: ImportGoalRow
) -> None:
    # given a run that has begun
    importer, order = TenantImporter(database), RunOrder("run-1", goal.id, goal.connection_id, is_full=False)
    with app.app_context():
        position = importer.begin(order)
        # when the goal is saved with other mappings, and another worker goes on
        with database.transaction() as session:
            session.get_one(ImportGoalRow, goal.id).revision += 1
        # then the run is refused, since the file has not the fields of the new ones
        with pytest.raises(GoalChangedError), importer.open(order, position):
            pass
        # and so is one of a goal that is switched off, or gone
        with database.transaction() as session:
            session.get_one(ImportGoalRow, goal.id).is_on = False
        with pytest.raises(NotImportableError, match="switched off"):
            importer.begin(order)
        with database.transaction() as session:
            session.delete(session.get_one(ImportGoalRow, goal.id))
        with pytest.raises(NotFoundError):
            importer.begin(order)
