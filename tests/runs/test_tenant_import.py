"""All users of a tenant, imported by `websync worker` through an export job that the demo tenant really carries out.

Workers are killed at random moments. What they leave in the end is what an import leaves that nobody disturbs.
"""

import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from snippets.goals import IdentifierLink, MergeStrategy
from tests.conftest import TEST_KEY, wait_until
from tests.demo.conftest import RunningTenant, tenant  # noqa: F401, a fixture
from tests.factories import make_import_goal
from tests.importer.carrying import Runs, running
from tests.runs.workers import ask, read_run, wait_for
from webapp.cli import main
from webapp.connections.import_goals import ImportMapping
from webapp.connections.models import Connection, ImportGoalRow
from webapp.database import Database
from webapp.demo.faults import JobOutcome
from webapp.errors import NotFoundError
from webapp.importer.refusals import GoalChangedError, NotImportableError
from webapp.runs.importers import RunOrder
from webapp.runs.models import Run, RunState

USERS = 3_000
"""Generated ones, beside those whom the tenant always has: 150 chunks of tests/importer/small_chunks.py."""
KILLS = 10
GOAL = {
    "links": (IdentifierLink("user_id", "auth0_user_id"),),
    "mappings": (
        ImportMapping("user_id", "auth0_user_id"),
        ImportMapping("email", "email"),
        ImportMapping("logins_count", "logins", strategy=MergeStrategy.SUM),
        ImportMapping("app_metadata.points", "points", strategy=MergeStrategy.SUM),
    ),
    "databases": (),
}
NAME = make_import_goal().name


@pytest.fixture
def runs(make_sqlite: Callable[[], str], tenant: RunningTenant) -> Iterator[Runs]:  # noqa: F811
    """The import goal of a tenant with many users, on SQLite."""
    for each in running(make_sqlite(), tenant, USERS):
        each.save(**GOAL)
        yield each


@pytest.fixture
def goal(runs: Runs) -> ImportGoalRow:
    return goal_of(runs)


def goal_of(runs: Runs) -> ImportGoalRow:
    with runs.database.reading() as session:
        return session.scalars(select(ImportGoalRow)).one()


@pytest.fixture
def undisturbed(make_sqlite: Callable[[], str], tenant: RunningTenant) -> Iterator[Runs]:  # noqa: F811
    """The same, imported by nobody who is killed."""
    for each in running(make_sqlite(), tenant, USERS):
        each.save(**GOAL)
        yield each


def environment_of(runs: Runs, **more: str) -> dict[str, str]:
    return os.environ | {
        "WEBSYNC_MODE": "demo",
        "WEBSYNC_DATABASE_URL": runs.database.url,
        "WEBSYNC_SECRET_KEYS": TEST_KEY,
        "WEBSYNC_LOG_LEVEL": "ERROR",
        "WEBSYNC_WORKER_LOST_SECONDS": "3",
        **more,
    }


@contextmanager
def worker(runs: Runs, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `websync worker`, with chunks of few users."""
    command = [sys.executable, "-m", "tests.importer.small_chunks"]
    process = subprocess.Popen(command, env=environment_of(runs, **settings), start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)


def is_over(run: Run) -> bool:
    return run.ended_at is not None


@pytest.fixture
def dice() -> random.Random:
    """Chance, which can be had again."""
    seed = int(os.environ.get("WEBSYNC_TEST_SEED", random.SystemRandom().randrange(1_000_000)))
    sys.stderr.write(f"WEBSYNC_TEST_SEED={seed}\n")  # pytest shows it if the test fails
    return random.Random(seed)


def kill_at_random(runs: Runs, key: str, process: "subprocess.Popen[bytes]", dice: random.Random) -> None:
    """Kill a worker some chunks on, somewhere in the next one or between two."""
    wanted = read_run(runs.database, key).chunks + dice.randint(0, 3)
    wait_for(runs.database, key, lambda run: run.state == RunState.RUNNING and run.chunks >= wanted)
    threading.Event().wait(dice.uniform(0, 0.03))
    process.kill()
    process.wait(timeout=10)


def assert_same(runs: Runs, undisturbed: Runs, run: Run) -> None:
    expected = undisturbed.run()
    assert (run.state, run.problem) == (RunState.FINISHED, "")
    assert {name: count for name, count in run.counts.items() if count} == dict(expected.counts)
    assert run.counts["created"] == run.counts["read"] > USERS
    assert runs.profiles() == undisturbed.profiles()
    assert runs.profile_count() == undisturbed.profile_count()
    assert runs.remembered_chunks() == 0


def test_an_import_comes_to_the_same_though_its_worker_is_killed_ten_times(
    runs: Runs, undisturbed: Runs, dice: random.Random
) -> None:
    # given somebody who types the command
    command = [sys.executable, "-m", "webapp.cli", "import", NAME]
    typed = subprocess.Popen(command, env=environment_of(runs), stdout=subprocess.PIPE, text=True)
    key = wait_for_key(runs.database)
    # when its worker is killed ten times before the run is over
    for _ in range(KILLS):
        with worker(runs) as process:
            kill_at_random(runs, key, process, dice)
        assert not is_over(read_run(runs.database, key))
    with worker(runs):
        run = wait_for(runs.database, key, is_over)
        told, _ = typed.communicate(timeout=30)
        # then all is as if nothing had happened, and the command says so
        assert_same(runs, undisturbed, run)
        assert typed.returncode == 0
        assert f"{run.counts['read']:,}" in told
        # and the next run finds everybody unchanged: nothing is summed again
        again = wait_for(runs.database, ask(runs.database, goal_of(runs)), is_over)
    assert again.counts["unchanged"] == run.counts["read"]
    # and both say how many profiles were imported by them, and ever
    count = run.counts["created"]
    assert [(each.profiles, each.connection_profiles) for each in (run, again)] == [(count, count), (0, count)]
    assert runs.profiles() == undisturbed.profiles()


def test_an_import_comes_to_the_same_though_one_of_two_workers_is_killed(
    make_postgresql: Callable[[], str],
    tenant: RunningTenant,  # noqa: F811
    undisturbed: Runs,
    dice: random.Random,
) -> None:
    # given two workers, of which one has begun to import
    for runs in running(make_postgresql(), tenant, USERS):
        runs.save(**GOAL)
        key = ask(runs.database, goal_of(runs))
        with worker(runs, WEBSYNC_EXECUTOR_ID="a") as a, worker(runs, WEBSYNC_EXECUTOR_ID="b") as b:
            run = wait_for(runs.database, key, lambda run: run.chunks > 0)
            # when that one is killed
            kill_at_random(runs, key, {"a": a, "b": b}[run.executor_id], dice)
            first = run.executor_id
            # then the other one goes on, and all is as if nothing had happened
            run = wait_for(runs.database, key, is_over)
        assert run.executor_id != first
        assert_same(runs, undisturbed, run)


def test_some_users_are_tried_without_a_worker(runs: Runs, goal: ImportGoalRow) -> None:
    def typed(*words: str) -> Result:
        return CliRunner().invoke(main, ["import", goal.key, *words], env=environment_of(runs))

    # given no worker, when three users are only tried, then the table says what would happen, and nothing has
    tried = typed("--dry-run", "--limit", "3")
    assert tried.exit_code == 0
    assert "Nothing was written" in tried.stdout
    assert re.search(r"Created +3\n", tried.stdout)
    assert runs.profile_count() == 0
    # and when they are imported, then just these are
    assert typed("--limit", "3").exit_code == 0
    assert runs.profile_count() == 3
    # and a tenant that cannot export says why
    runs.fault(job_outcome=JobOutcome.FAILS)
    failed = typed("--dry-run")
    assert failed.exit_code == 2
    assert "The import failed" in failed.stderr


def wait_for_key(database: Database) -> str:
    keys: list[str] = []

    def is_there() -> bool:
        with database.reading() as session:
            keys[:] = session.scalars(select(Run.key))
        return bool(keys)

    wait_until(is_there, seconds=30)
    return keys[0]


def test_what_hinders_an_import_is_told(runs: Runs, goal: ImportGoalRow) -> None:
    # given a tenant whose jobs fail
    runs.fault(job_outcome=JobOutcome.FAILS)
    with worker(runs):
        # when it is imported, then the run has failed, and says why
        run = wait_for(runs.database, ask(runs.database, goal), is_over)
        assert (run.state, run.problem) == (RunState.FAILED, "export-failed")
        # given a connection without a secret, then that is told
        with runs.database.transaction() as session:
            session.get_one(Connection, goal.connection_id).sealed_client_secret = None
        run = wait_for(runs.database, ask(runs.database, goal), is_over)
    assert (run.state, run.problem, run.problem_detail) == (
        RunState.FAILED,
        "not-importable",
        "Give the connection a client id and a client secret.",
    )


def test_a_goal_that_is_saved_during_its_run_ends_it_before_it_reads_what_is_not_there(
    runs: Runs, goal: ImportGoalRow
) -> None:
    # given a run that has begun
    importer, database = runs.importer, runs.database
    order = RunOrder("run-1", goal.id, goal.connection_id, is_full=False)
    with runs.app.app_context():
        position = importer.begin(order).position
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
