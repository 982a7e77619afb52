"""Real worker processes, killed for real: what a run applies counts once, and every run comes to its end."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dbos import DBOSClient
from sqlalchemy import delete, func, select

from tests.conftest import make_settings, wait_until
from tests.runs.summing import PEOPLE, applied_once, make_tables, plan
from tests.runs.workers import ask, living, read_run, store_goals, wait_for, working
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.saving import Change
from webapp.connections.schedule import Schedule
from webapp.connections.schedules import save_schedule
from webapp.database import Database
from webapp.runs.models import Run, RunState, RunTrigger
from webapp.runs.requesting import stop_run
from webapp.worker import dbos_config


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    make_tables(database)
    yield database
    database.close()


def is_over(run: Run) -> bool:
    return run.ended_at is not None


def test_a_run_applies_every_chunk_once_however_often_its_worker_is_killed(
    database: Database, database_url: str
) -> None:
    # given a run of many chunks
    (goal,) = store_goals(database)
    plan(database, goal.id, chunks=120)
    key = ask(database, goal)
    # when its worker is killed at moments that nobody foresees, and started again each time
    dice, pause, killed_at = random.Random(7), threading.Event(), []
    for _ in range(3):
        with working(database_url) as worker:
            begun = read_run(database, key).chunks
            wait_for(database, key, lambda run, begun=begun: run.chunks >= begun + 10)  # type: ignore[misc]
            pause.wait(dice.uniform(0, 0.05))
            worker.kill()
        killed_at.append(read_run(database, key).chunks)
    with working(database_url):
        run = wait_for(database, key, is_over)
    # then it has gone on each time, and nothing is lost and nothing counted twice
    assert run.state == RunState.FINISHED
    assert 0 < killed_at[0] < killed_at[1] < killed_at[2] < 120
    assert run.counts == {"read": 120 * PEOPLE, "errors": 0}
    assert applied_once(database, key, 120)


def test_another_worker_goes_on_when_one_is_gone_for_good(make_postgresql: Callable[[], str]) -> None:
    # given two workers, and a run that one of them has
    database_url = make_postgresql()
    database = Database(database_url)
    make_tables(database)
    (goal,) = store_goals(database)
    plan(database, goal.id, chunks=40, gate=10)
    names = {"WEBSYNC_EXECUTOR_ID": "first"}, {"WEBSYNC_EXECUTOR_ID": "second"}
    with working(database_url, **names[0]) as first, working(database_url, **names[1]) as second:
        wait_until(lambda: living(database) == {"first", "second"}, seconds=30)
        key = ask(database, goal)
        holder = wait_for(database, key, lambda run: run.chunks == 10).executor_id
        # when that one is killed and never comes back
        workers = {"first": first, "second": second}
        workers.pop(holder).kill()
        plan(database, goal.id, chunks=40)
        run = wait_for(database, key, is_over)
        # then the other has taken the run over, and nothing is lost and nothing counted twice
        (left,) = workers
        assert (run.state, run.executor_id) == (RunState.FINISHED, left)
        assert applied_once(database, key, 40)
        assert living(database) == {left}
    database.close()


def test_a_worker_that_is_told_to_stop_leaves_its_run_after_the_chunk(database: Database, database_url: str) -> None:
    # given a run under way
    (goal,) = store_goals(database)
    plan(database, goal.id, chunks=10, gate=5)
    key = ask(database, goal)
    with working(database_url) as worker:
        wait_for(database, key, lambda run: run.chunks == 5)
        # when its worker is told to stop
        complaints = worker.stop()
        # then it ends without complaint, says that it has left, and the run waits where it is
        assert (worker.process.returncode, complaints) == (0, "")
    assert living(database) == set()
    assert (read_run(database, key).state, read_run(database, key).chunks) == (RunState.RUNNING, 5)
    # and the next one goes on
    plan(database, goal.id, chunks=10)
    with working(database_url):
        assert wait_for(database, key, is_over).state == RunState.FINISHED
    assert applied_once(database, key, 10)


def test_a_run_goes_on_at_its_chunk_also_if_the_file_of_jobs_is_lost(make_sqlite: Callable[[], str]) -> None:
    # given a run under way, whose worker has stopped
    database_url = make_sqlite()
    database = Database(database_url)
    make_tables(database)
    (goal,) = store_goals(database)
    plan(database, goal.id, chunks=10, gate=5)
    key = ask(database, goal)
    with working(database_url) as worker:
        wait_for(database, key, lambda run: run.chunks == 5)
        worker.stop()
    # when the file beside the database is gone
    file = Path(database_url.removeprefix("sqlite:///"))
    for each in file.parent.glob(f"{file.stem}-jobs.db*"):
        each.unlink()
    plan(database, goal.id, chunks=10)
    # then the run ends as if it were there
    with working(database_url):
        assert wait_for(database, key, is_over).state == RunState.FINISHED
    assert applied_once(database, key, 10)
    database.close()


def test_every_way_in_which_a_run_can_end(database: Database, database_url: str) -> None:
    # given goals of eight connections, of which each has another fate
    fates = ("", "busy", "errors", "problem", "bug", "stopped", "asleep", "deleted")
    gated = fates[5:]
    goals = {fate: store_goals(database, name=f"shop {fate}")[0] for fate in fates}
    for fate, goal in goals.items():
        plan(database, goal.id, chunks=4, gate=2 if fate in gated else 4, trouble=fate)
    keys = {fate: ask(database, goal) for fate, goal in goals.items()}
    # when a worker carries their runs, one is stopped after two chunks, and the goal of one is deleted
    with working(database_url) as worker:
        for fate in gated:
            wait_for(database, keys[fate], lambda run: run.chunks == 2)
        with database.transaction() as session:
            for fate in ("stopped", "asleep"):
                assert stop_run(session, keys[fate], now=datetime.now(UTC)) == RunState.STOPPING
            session.execute(delete(ImportGoalRow).where(ImportGoalRow.id == goals["deleted"].id))
        runs = {fate: wait_for(database, keys[fate], is_over) for fate in fates[:7]}
        # then each ends in its state, at the chunk where it stood, with what is to be told of it
        assert worker.process.poll() is None
    outcome = {fate: (run.state, run.chunks, run.problem) for fate, run in runs.items()}
    assert outcome == {
        "": (RunState.FINISHED, 4, ""),
        "busy": (RunState.FINISHED, 4, ""),
        "errors": (RunState.FINISHED_WITH_ERRORS, 4, ""),
        "problem": (RunState.FAILED, 3, "test-trouble"),
        "bug": (RunState.FAILED, 3, "internal-error"),
        "stopped": (RunState.STOPPED, 2, ""),
        "asleep": (RunState.STOPPED, 2, ""),
    }
    assert runs["problem"].problem_detail == "It does not answer."
    assert "secret" not in runs["bug"].problem_detail
    assert runs[""].expected_users == 4 * PEOPLE


def test_a_connection_has_one_run_at_a_time_and_others_do_not_wait_for_it(
    database: Database, database_url: str
) -> None:
    # given a connection with two goals, a run of the first that waits at a gate, and another connection
    first, second = store_goals(database, count=2)
    (other,) = store_goals(database, name="other")
    for goal in (second, other):
        plan(database, goal.id, chunks=2)
    plan(database, first.id, chunks=4, gate=2)
    with working(database_url):
        early = ask(database, first)
        wait_for(database, early, lambda run: run.chunks == 2)
        # when more runs of all are asked for
        late, beside, apart = ask(database, first), ask(database, second), ask(database, other)
        wait_for(database, apart, is_over)
        # then only the other connection's has run, until the gate is open
        assert {read_run(database, key).state for key in (late, beside)} == {RunState.QUEUED}
        plan(database, first.id, chunks=4)
        runs = [wait_for(database, key, is_over) for key in (early, late, beside)]
    # then they have run one after the other, in the order in which they were asked for
    assert [run.state for run in runs] == [RunState.FINISHED] * 3
    times = [moment for run in runs for moment in (run.started_at, run.ended_at) if moment]
    assert times == sorted(times)


def test_an_executor_id_that_a_living_worker_has_is_refused(database: Database, database_url: str) -> None:
    # given a worker with an executor id
    with working(database_url, WEBSYNC_EXECUTOR_ID="mine"):
        wait_until(lambda: living(database) == {"mine"}, seconds=30)
        # when another one is to have it too
        with working(database_url, WEBSYNC_EXECUTOR_ID="mine") as second:
            complaints = second.wait()
            # then it says so and ends
            assert second.process.returncode == 2
            assert "A living worker has the executor id 'mine' already." in complaints
        # and one without any gets one of its own
        with working(database_url):
            wait_until(lambda: living(database) == {"mine", "worker-1"}, seconds=30)


def test_schedules_follow_the_connections_and_missed_times_get_one_run(database: Database, database_url: str) -> None:
    # given a connection whose import runs at each hour, of which three passed while no worker was there
    (goal,) = store_goals(database)
    plan(database, goal.id, chunks=1)
    hourly = Schedule(times_per_day=24, time_zone="Europe/Amsterdam")
    missed_since = datetime.now(UTC) - timedelta(hours=3)
    with database.transaction() as session:
        connection = session.get_one(Connection, goal.connection_id)
        save_schedule(session, connection, hourly, Change("ada", missed_since), is_on=True, run_missed=True)
    with working(database_url):
        # when a worker starts, then there is one run for all of them, and DBOS has the schedule
        wait_until(lambda: states_of_runs(database) == [RunState.FINISHED], seconds=30)
        wait_until(lambda: dbos_schedules(database) == [("0 * * * *", "Europe/Amsterdam", "ACTIVE")])
        # when the connection is switched off, then DBOS's schedule pauses
        switch(database, connection.id, is_on=False)
        wait_until(lambda: dbos_schedules(database) == [("0 * * * *", "Europe/Amsterdam", "PAUSED")], seconds=20)
        # when it is switched on with another schedule, then DBOS has that one
        with database.transaction() as session:
            change = Change("ada", datetime.now(UTC))
            save_schedule(session, connection, Schedule(), change, is_on=True, run_missed=True)
        switch(database, connection.id, is_on=True)
        wait_until(lambda: dbos_schedules(database) == [("0 3 * * *", "UTC", "ACTIVE")], seconds=20)
        # when the connection is deleted, then its schedule is too
        with database.transaction() as session:
            session.execute(delete(Connection).where(Connection.id == connection.id))
        wait_until(lambda: dbos_schedules(database) == [], seconds=20)


def test_a_time_that_comes_is_a_run_unless_the_connection_is_paused(make_sqlite: Callable[[], str]) -> None:
    # given two connections whose imports run in each second, of which one is paused
    database_url = make_sqlite()
    database = Database(database_url)
    make_tables(database)
    goals = [*store_goals(database), *store_goals(database, name="paused")]
    change = Change("ada", datetime.now(UTC))
    with database.transaction() as session:
        for goal in goals:
            connection = session.get_one(Connection, goal.connection_id)
            save_schedule(session, connection, Schedule(), change, is_on=True, run_missed=False)
    for goal in goals:
        plan(database, goal.id, chunks=1)
    first, paused = goals
    switch(database, paused.connection_id, is_on=False)
    with working(database_url, "every-second"):
        # when DBOS says that a time has come, then the first one runs, and again
        wait_until(lambda: finished(database, first) >= 2, seconds=40)
        assert finished(database, paused) == 0
        # when they change places, then only the other one does
        switch(database, first.connection_id, is_on=False)
        wait_until(lambda: [each[2] for each in dbos_schedules(database)] == ["PAUSED"], seconds=20)
        before = finished(database, first)
        switch(database, paused.connection_id, is_on=True)
        wait_until(lambda: finished(database, paused) >= 2, seconds=40)
        assert finished(database, first) <= before + 1  # one may have waited
    database.close()


def finished(database: Database, goal: ImportGoalRow) -> int:
    """Return how many scheduled runs of a goal have finished."""
    query = select(func.count()).select_from(Run).where(Run.goal_id == goal.id, Run.state == RunState.FINISHED)
    with database.reading() as session:
        return session.scalar(query.where(Run.trigger == RunTrigger.SCHEDULE)) or 0


def states_of_runs(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Run.state).order_by(Run.id)))


def dbos_schedules(database: Database) -> list[tuple[str, str | None, str]]:
    config = dbos_config(make_settings(database.url), "test")
    client = DBOSClient(
        system_database_url=config["system_database_url"],
        dbos_system_schema=config.get("dbos_system_schema", "dbos"),
    )
    try:
        found = client.list_schedules()
    finally:
        client.destroy()
    return [(each["schedule"], each["cron_timezone"], each["status"]) for each in found]


def switch(database: Database, connection_id: int, *, is_on: bool) -> None:
    with database.transaction() as session:
        session.get_one(Connection, connection_id).is_on = is_on
