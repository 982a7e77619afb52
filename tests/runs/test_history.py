"""The run history's queries, what people ask of runs, and how old runs go, on both databases."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from tests.conftest import make_settings
from tests.runs.summing import SummingImporter, make_tables, plan
from tests.runs.workers import store_goals
from webapp.accounts.models import AuditEntry
from webapp.app import create_app
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.saving import Change
from webapp.connections.schedule import Schedule
from webapp.connections.schedules import save_schedule
from webapp.database import Database
from webapp.runs import retention
from webapp.runs.asking import NothingToRunError, run_goal_now, run_now, stop
from webapp.runs.executor_locks import executor_locks
from webapp.runs.history import (
    PAGE_LENGTH,
    Scope,
    list_ended,
    list_under_way,
    reached,
    upcoming,
    upcoming_of_all,
    usual_duration,
)
from webapp.runs.models import Run, RunLogLine, RunProblem, RunState, RunTrigger
from webapp.runs.records import list_problems, newest_log_lines
from webapp.runs.requesting import find_run
from webapp.runs.retention import delete_old_runs
from webapp.runs.workflow import RunCarrier
from webapp.worker import Worker


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def store_run(database: Database, goal: ImportGoalRow, now: datetime, state: RunState, **fields: Any) -> Run:
    """Store a run that was asked for at ``now`` and, if it is over, took a minute."""
    with database.transaction() as session:
        run = Run(**run_fields(goal, now, state) | fields)
        session.add(run)
    return run


def run_fields(goal: ImportGoalRow, now: datetime, state: RunState) -> dict[str, Any]:
    is_over = state in {RunState.FINISHED, RunState.FINISHED_WITH_ERRORS, RunState.FAILED, RunState.STOPPED}
    return {
        "key": f"{goal.key}-{now.timestamp()}",
        "goal_id": goal.id,
        "connection_id": goal.connection_id,
        "trigger": RunTrigger.SCHEDULE,
        "requested_by": "",
        "is_full": False,
        "state": state,
        "requested_at": now,
        "started_at": now if state is not RunState.QUEUED else None,
        "ended_at": now + timedelta(minutes=1) if is_over else None,
    }


def connection_of(database: Database, goal: ImportGoalRow) -> Connection:
    with database.reading() as session:
        return session.get_one(Connection, goal.connection_id)


def keys_of_pages(database: Database, scope: Scope) -> list[list[str]]:
    pages, before = [], None
    while True:
        with database.reading() as session:
            page = list_ended(session, scope, before=before)
        pages.append([each.run.key for each in page.runs])
        if (before := page.next_before) is None:
            return pages


def test_every_run_stands_on_one_page_of_its_goal_and_its_connection(database: Database, now: datetime) -> None:
    # given two connections, one with two goals, whose runs come in turn
    first, second = store_goals(database, count=2)
    (other,) = store_goals(database, name="other")
    runs: dict[int, list[str]] = {goal.id: [] for goal in (first, second, other)}
    for number in range(40):
        for goal in (first, second, other):
            run = store_run(database, goal, now + timedelta(minutes=number), RunState.FINISHED)
            runs[goal.id].insert(0, run.key)
    waiting = store_run(database, first, now + timedelta(days=1), RunState.QUEUED)
    carried = store_run(database, second, now + timedelta(days=1), RunState.RUNNING)
    # when all pages of each are read
    of_goal, of_connection = keys_of_pages(database, first), keys_of_pages(database, connection_of(database, first))
    # then they have what is over, the newest first, and nothing of others
    assert [len(page) for page in of_goal] == [PAGE_LENGTH, 40 - PAGE_LENGTH]
    assert [*chain(*of_goal)] == runs[first.id]
    assert [*chain(*of_connection)] == [*chain(*zip(runs[second.id], runs[first.id], strict=True))]
    assert len([*chain(*keys_of_pages(database, None))]) == 120
    # and what is not over is under way: first what runs, then what waits
    with database.reading() as session:
        found = [
            [each.run.key for each in list_under_way(session, scope)]
            for scope in (connection_of(database, first), first, connection_of(database, other), None)
        ]
    assert found == [[carried.key, waiting.key], [waiting.key], [], [carried.key, waiting.key]]


def test_a_page_of_ten_thousand_runs_costs_what_one_of_a_hundred_does(
    make_sqlite: Callable[[], str], now: datetime
) -> None:
    # given a goal with a hundred runs
    database = Database(make_sqlite())
    (goal,) = store_goals(database)
    store_many(database, goal, now, 100)
    few = steps_of_pages(database, goal, middle=50)
    # when there are ten thousand
    store_many(database, goal, now + timedelta(days=1), 9_900)
    many = steps_of_pages(database, goal, middle=5_000)
    # then the database does hardly more for the pages, and for all else that they say
    assert many < 1.5 * few
    database.close()


def store_many(database: Database, goal: ImportGoalRow, now: datetime, count: int) -> None:
    with database.transaction() as session:
        rows = [run_fields(goal, now + timedelta(seconds=number), RunState.FINISHED) for number in range(count)]
        session.add_all(Run(**row, profiles=1) for row in rows)


def steps_of_pages(database: Database, goal: ImportGoalRow, *, middle: int) -> int:
    """Return how many hundreds of steps SQLite takes to read pages from the beginning and from the middle."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with database.reading() as session:
        connection = session.get_one(Connection, goal.connection_id)
        driver: Any = session.connection().connection.driver_connection
        driver.set_progress_handler(count, 100)
        for scope in (connection, goal, None):
            list_ended(session, scope)
            list_ended(session, scope, before=middle)
            list_under_way(session, scope)
        reached(session, connection)
        usual_duration(session, connection)
        driver.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize("off", ["nothing", "schedule", "connection", "goal", "batch"])
def test_next_runs_are_due_only_if_something_would_run(database: Database, now: datetime, off: str) -> None:
    # given a connection with a schedule, of which something is switched off
    (goal,) = store_goals(database)
    with database.transaction() as session:
        connection = session.get_one(Connection, goal.connection_id)
        assert upcoming(session, connection, now).schedule is None
        change = Change("ada", now)
        save_schedule(session, connection, Schedule(), change, is_on=off != "schedule", run_missed=True)
        connection.is_on = off != "connection"
        row = session.get_one(ImportGoalRow, goal.id)
        row.is_on, row.import_settings = off != "goal", {"enable_batch": off != "batch"}
    # when it is asked when it runs next
    with database.reading() as session:
        found = upcoming(session, connection_of(database, goal), now)
        soonest = [(connection.id, f"{when:%d %H:%M}") for connection, when in upcoming_of_all(session, now)]
    # then it says so only if it does
    assert (found.schedule, found.is_on) == (Schedule(), off != "schedule")
    assert [f"{when:%d %H:%M}" for when in found.times][:2] == (["23 03:00", "24 03:00"] if off == "nothing" else [])
    assert soonest == ([(goal.connection_id, "23 03:00")] if off == "nothing" else [])


def test_however_many_connections_there_are_the_soonest_take_two_queries(database: Database, now: datetime) -> None:
    # given six connections that run each day at another hour, of which the first to run have no goal that is on
    goals = [store_goals(database, name=f"shop {hour}")[0] for hour in range(6)]
    with database.transaction() as session:
        for hour, goal in enumerate(goals):
            session.get_one(ImportGoalRow, goal.id).is_on = hour != 0
            connection = session.get_one(Connection, goal.connection_id)
            schedule = Schedule(time_zone="UTC", at=time(hour))
            save_schedule(session, connection, schedule, Change("ada", now), is_on=True, run_missed=True)
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    # when it is asked which run soonest
    with database.reading() as session:
        found = [(connection.name, when.hour) for connection, when in upcoming_of_all(session, now)]
    # then it is those five
    assert found == [(f"shop {hour}", hour) for hour in range(1, 6)]
    assert sum(statement.lstrip().startswith("SELECT") for statement in statements) == 2


def test_what_was_reached_is_what_the_last_run_counted(database: Database, now: datetime) -> None:
    # given runs of a connection, of which the last has not been counted
    first, second = store_goals(database, count=2)
    with database.reading() as session:
        assert reached(session, connection_of(database, first)) is None
    store_run(database, first, now, RunState.FINISHED, profiles=5, connection_profiles=5)
    store_run(database, second, now, RunState.FINISHED, profiles=3, connection_profiles=7)
    store_run(database, first, now + timedelta(hours=1), RunState.RUNNING)
    # when it is asked what they reached, then the counts are those of the last that was
    with database.reading() as session:
        connection = connection_of(database, first)
        found = reached(session, connection)
        assert found is not None
        assert (found.ever, found.last_run, found.run.goal.key) == (7, 3, second.key)
        # and how long the goals take, one after the other
        assert usual_duration(session, connection) == timedelta(minutes=2)


def test_who_asks_for_runs_and_stops_them_is_in_the_audit_log(database: Database, now: datetime) -> None:
    # given a connection with two goals that are on, and one that is off
    goals = store_goals(database, count=3)
    change = Change("ada@example.org", now)
    with database.transaction() as session:
        session.execute(update(ImportGoalRow).where(ImportGoalRow.id == goals[2].id).values(is_on=False))
    # when they are run now, and then one of them again, everybody compared
    with database.transaction() as session:
        asked = run_now(session, session.get_one(Connection, goals[0].connection_id), change, is_full=False)
        again = run_goal_now(session, session.get_one(ImportGoalRow, goals[0].id), change, is_full=True)
    # then one of each goal that is on waits, and the second time that is said
    assert [(each.goal.id, each.was_queued) for each in asked] == [(goals[0].id, False), (goals[1].id, False)]
    assert (again.run.key, again.was_queued, again.run.is_full) == (asked[0].run.key, True, True)
    # when one is stopped, twice
    for _ in range(2):
        with database.transaction() as session:
            assert stop(session, again.run.key, change) is RunState.STOPPED
    # then the audit log says who did what, once each
    with database.reading() as session:
        entries = session.execute(select(AuditEntry.actor, AuditEntry.action, AuditEntry.object_key)).all()
    keys = [each.run.key for each in asked]
    assert {tuple(entry) for entry in entries} == {
        ("ada@example.org", "requested", keys[0]),
        ("ada@example.org", "requested", keys[1]),
        ("ada@example.org", "stopped", keys[0]),
    }
    assert len(entries) == 3


@pytest.mark.parametrize("off", ["connection", "goal", "batch"])
def test_what_is_switched_off_is_not_run(database: Database, now: datetime, off: str) -> None:
    # given a connection that is off, or whose only goal is
    (goal,) = store_goals(database)
    with database.transaction() as session:
        session.get_one(Connection, goal.connection_id).is_on = off != "connection"
        row = session.get_one(ImportGoalRow, goal.id)
        row.is_on, row.import_settings = off != "goal", {"enable_batch": off != "batch"}
    # when somebody wants to run it now, then nothing is queued
    with database.transaction() as session:
        change = Change("ada", now)
        with pytest.raises(NothingToRunError):
            run_now(session, session.get_one(Connection, goal.connection_id), change, is_full=False)
        with pytest.raises(NothingToRunError):
            run_goal_now(session, session.get_one(ImportGoalRow, goal.id), change, is_full=False)
        assert session.scalar(select(func.count()).select_from(Run)) == 0


def test_old_runs_go_step_by_step_but_never_the_newest_of_a_goal(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given old runs of two goals, one with a long error list, and a goal whose only run is old
    monkeypatch.setattr(retention, "STEP_LINES", 10)
    first, second = store_goals(database, count=2)
    old = now - timedelta(days=100)
    long = store_run(database, first, old, RunState.FAILED)
    short = store_run(database, first, old + timedelta(hours=1), RunState.FINISHED)
    kept = [
        store_run(database, first, now - timedelta(days=1), RunState.FINISHED),
        store_run(database, second, old, RunState.STOPPED),
        store_run(database, second, old + timedelta(hours=1), RunState.QUEUED),
    ]
    with database.transaction() as session:
        for run in (long, kept[0]):
            problems = [RunProblem(run_id=run.id, line=n, user_id="", auth0_field="", reason="x") for n in range(25)]
            session.add_all([*problems, RunLogLine(run_id=run.id, at=now, text="x")])
    # when they are swept until nothing is left to do
    steps = 0
    while True:
        with database.transaction() as session:
            if not delete_old_runs(session, now - timedelta(days=90)):
                break
        steps += 1
    # then no step was large, the old ones are gone with all that was theirs, and the newest of each goal are there
    assert steps == 3 + 1 + 1 + 1
    with database.reading() as session:
        assert {run.key for run in session.scalars(select(Run))} == {run.key for run in kept}
        assert session.scalar(select(func.count()).select_from(RunProblem)) == 25
        assert session.scalars(select(RunLogLine.run_id)).all() == [kept[0].id]
    assert short.key not in {run.key for run in kept}


@pytest.mark.parametrize(("days", "left"), [(90, 2), (0, 3)])
def test_a_worker_deletes_old_runs_as_the_setting_says(
    make_sqlite: Callable[[], str], now: datetime, days: int, left: int
) -> None:
    # given a worker that keeps runs for some days, or for ever, an old run, and two newer ones of its goal
    settings = make_settings(make_sqlite()).model_copy(update={"run_days": days})
    app = create_app(settings)
    database: Database = app.extensions["database"]
    (goal,) = store_goals(database)
    for days_ago in (100, 50, 1):
        store_run(database, goal, now - timedelta(days=days_ago), RunState.FINISHED)
    worker = Worker(app, RunCarrier(app, SummingImporter(database), "w"), executor_locks(database), "w")

    def count() -> int | None:
        with database.reading() as session:
            return session.scalar(select(func.count()).select_from(Run))

    # when it looks, again and again
    for _ in range(3):
        worker.sweep(now)
    # then the old one is gone, if the setting says so
    assert count() == left
    # and it does not look all the time: what becomes too old is deleted an hour later
    later = now + timedelta(days=40, hours=1)
    worker.sweep(now + timedelta(minutes=59))
    assert count() == left
    worker.sweep(later)
    assert count() == (1 if days else left)
    database.close()


@pytest.mark.parametrize("off", ["connection", "goal"])
def test_a_run_ends_when_its_goal_or_connection_is_switched_off(
    make_sqlite: Callable[[], str], now: datetime, off: str
) -> None:
    # given a run under way
    app = create_app(make_settings(make_sqlite()))
    database: Database = app.extensions["database"]
    make_tables(database)
    (goal,) = store_goals(database)
    plan(database, goal.id, chunks=4)
    key = store_run(database, goal, now, RunState.STARTING, executor_id="w").key
    carrier = RunCarrier(app, SummingImporter(database), "w")
    assert [carrier.advance(key).is_over for _ in range(3)] == [False] * 3
    # when its goal or connection is switched off
    with database.transaction() as session:
        row = session.get_one(ImportGoalRow, goal.id)
        (row.connection if off == "connection" else row).is_on = False
    # then it ends after the chunk that was applied, and its log says why
    assert carrier.advance(key).is_over
    with database.reading() as session:
        run = find_run(session, key)
        last = newest_log_lines(session, run)[-1].text
    assert (run.state, run.chunks, run.problem) == (RunState.STOPPED, 2, "")
    assert last == "The run is stopped: The goal or its connection was switched off."
    database.close()


def test_error_lists_are_read_page_by_page_and_logs_from_their_end(database: Database, now: datetime) -> None:
    # given a run with errors and a log
    (goal,) = store_goals(database)
    run = store_run(database, goal, now, RunState.FAILED)
    with database.transaction() as session:
        session.add_all(
            RunProblem(run_id=run.id, line=line, user_id="", auth0_field="", reason="x") for line in range(5)
        )
        session.add_all(RunLogLine(run_id=run.id, at=datetime.now(UTC), text=str(line)) for line in range(5))
    # when they are read, then pages follow each other, and of the log the last lines are there
    with database.reading() as session:
        found = find_run(session, run.key)
        page = list_problems(session, found, length=3)
        assert [each.line for each in page] == [0, 1, 2]
        assert [each.line for each in list_problems(session, found, after=page[-1].id, length=3)] == [3, 4]
        assert [each.text for each in newest_log_lines(session, found, length=2)] == ["3", "4"]
