from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tests.runs.workers import store_goals
from webapp.connections.models import ImportGoalRow
from webapp.database import Database
from webapp.errors import NotFoundError
from webapp.runs import progress
from webapp.runs.importers import Applied, Problem
from webapp.runs.models import Run, RunLogLine, RunProblem, RunState, RunTrigger
from webapp.runs.progress import RunTakenError, end_run, keep_run, note_chunk, take_run
from webapp.runs.requesting import RunOverError, count_waiting, find_run, request_run, start_next, stop_run


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def ask(database: Database, goal: ImportGoalRow, now: datetime) -> Run:
    with database.transaction() as session:
        return request_run(session, goal, RunTrigger.MANUAL, requested_by="ada@example.org", now=now)


def start(database: Database, run: Run, now: datetime) -> bool:
    with database.transaction() as session:
        return start_next(session, run.id, now=now)


def test_while_a_run_is_under_way_one_more_waits_and_never_two(database: Database, now: datetime) -> None:
    # given a run under way
    (goal,) = store_goals(database)
    first = ask(database, goal, now)
    assert start(database, first, now)
    # when eight people ask for one at once
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: ask(database, goal, now).key, range(8)))
    # then they have all asked for the same one
    assert len(set(asked)) == 1
    assert asked[0] != first.key
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Run)) == count_waiting(session) == 2


def test_a_run_that_waits_becomes_full_when_somebody_asks_for_that(database: Database, now: datetime) -> None:
    # given a run that waits
    (goal,) = store_goals(database)
    first = ask(database, goal, now)
    # when a full one is asked for, and then any
    with database.transaction() as session:
        request_run(session, goal, RunTrigger.CLI, requested_by="", now=now, is_full=True)
    last = ask(database, goal, now)
    # then it is the same run, and it is full
    assert (first.key, first.is_full) == (last.key, False)
    assert last.is_full


def test_of_workers_that_start_runs_of_a_connection_at_once_one_succeeds(database: Database, now: datetime) -> None:
    # given queued runs of four goals of one connection
    runs = [ask(database, goal, now) for goal in store_goals(database, count=4)]

    def succeeds(run: Run) -> bool:
        try:
            return start(database, run, now)
        except IntegrityError:
            return False

    # when four workers each start another one
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(succeeds, runs))
    # then one has been started, and the others wait
    assert sum(started) == 1
    with database.reading() as session:
        states = sorted(session.scalars(select(Run.state)))
    assert states == [RunState.QUEUED] * 3 + [RunState.STARTING]


def test_a_run_that_waits_is_stopped_at_once_and_never_starts(database: Database, now: datetime) -> None:
    # given a queued run
    (goal,) = store_goals(database)
    run = ask(database, goal, now)
    # when it is stopped, twice
    for _ in range(2):
        with database.transaction() as session:
            assert stop_run(session, run.key, now=now) == RunState.STOPPED
    # then no worker starts it, its log says what became of it, once, and there is room for another
    assert not start(database, run, now)
    with database.reading() as session:
        assert list(session.scalars(select(RunLogLine.text))) == ["The run is stopped."]
    assert ask(database, goal, now).key != run.key


def test_a_run_under_way_is_stopping_until_its_worker_says_so(database: Database, now: datetime) -> None:
    # given a run that a worker has
    (goal,) = store_goals(database)
    run = ask(database, goal, now)
    start(database, run, now)
    with database.transaction() as session:
        take_run(session, run.key, "worker-1", now=now)
    # when it is stopped, twice
    for _ in range(2):
        with database.transaction() as session:
            assert stop_run(session, run.key, now=now) == RunState.STOPPING
    # then it is the worker who ends it
    with database.transaction() as session:
        end_run(session, keep_run(session, run.key, "worker-1"), RunState.STOPPED, now=now + timedelta(seconds=1))
    with database.reading() as session:
        assert find_run(session, run.key).ended_at == now + timedelta(seconds=1)


def test_what_is_over_or_unknown_cannot_be_stopped(database: Database, now: datetime) -> None:
    # given a run that is finished
    (goal,) = store_goals(database)
    run = ask(database, goal, now)
    start(database, run, now)
    with database.transaction() as session:
        end_run(session, take_run(session, run.key, "worker-1", now=now), RunState.FINISHED, now=now)
    # when it is stopped, or one that nobody knows is, then the answer says why not
    with pytest.raises(RunOverError, match="It is finished"), database.transaction() as session:
        stop_run(session, run.key, now=now)
    with pytest.raises(NotFoundError), database.transaction() as session:
        stop_run(session, "nobody's", now=now)
    with pytest.raises(NotFoundError), database.reading() as session:
        find_run(session, "nobody's")


def test_a_worker_that_has_lost_a_run_notes_nothing(database: Database, now: datetime) -> None:
    # given a run that a second worker has taken over from a first one
    (goal,) = store_goals(database)
    run = ask(database, goal, now)
    start(database, run, now)
    for executor_id in ("worker-1", "worker-2"):
        with database.transaction() as session:
            take_run(session, run.key, executor_id, now=now)
    # when the first one wakes up and has a chunk to note, then it hears that the run is not its own
    with pytest.raises(RunTakenError), database.transaction() as session:
        keep_run(session, run.key, "worker-1")
    # and a chunk that has been noted is not noted again by the second
    problem = Problem(2, "auth0|ann", "email", "no e-mail address")
    applied = Applied({"next": 1}, {"read": 5}, has_errors=True, problems=[problem], newest=["p2", "p1"])
    with database.transaction() as session:
        note_chunk(session, keep_run(session, run.key, "worker-2"), applied, after=0, now=now)
    with pytest.raises(RunTakenError), database.transaction() as session:
        note_chunk(session, keep_run(session, run.key, "worker-2"), applied, after=0, now=now)
    with database.reading() as session:
        found = find_run(session, run.key)
        problems = session.execute(select(RunProblem.line, RunProblem.user_id, RunProblem.auth0_field)).all()
        lines = session.scalars(select(RunLogLine.text).order_by(RunLogLine.id)).all()
    assert (found.chunks, found.counts["read"], found.newest) == (1, 5, ["p2", "p1"])
    assert (found.reasons, found.first_chunk_at) == ({"no e-mail address": 1}, now)
    assert problems == [(2, "auth0|ann", "email")]
    assert lines == [
        "worker-1 takes the run.",
        "worker-2 takes the run.",
        "Chunk 1: 5 read.",
    ]


def test_an_error_list_ends_at_its_limit_and_says_so(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a run whose error list has room for three lines
    monkeypatch.setattr(progress, "MAX_LISTED_PROBLEMS", 3)
    (goal,) = store_goals(database)
    run = ask(database, goal, now)
    start(database, run, now)
    with database.transaction() as session:
        take_run(session, run.key, "worker-1", now=now)
    # when three chunks have two problems each
    for chunk in range(3):
        problems = [Problem(line, "auth0|ann", "email", "no e-mail address") for line in (chunk * 2, chunk * 2 + 1)]
        applied = Applied({}, {"read": 5, "problems": 2}, has_errors=True, problems=problems)
        with database.transaction() as session:
            note_chunk(session, keep_run(session, run.key, "worker-1"), applied, after=chunk, now=now)
    # then it has the first three, counts all, and says once that there are more
    with database.reading() as session:
        found = find_run(session, run.key)
        assert session.scalars(select(RunProblem.line).order_by(RunProblem.id)).all() == [0, 1, 2]
        lines = session.scalars(select(RunLogLine.text).order_by(RunLogLine.id)).all()
    assert found.counts == {"read": 15, "problems": 6, "problems_not_listed": 3, "errors": 3}
    assert [line for line in lines if "full" in line] == ["The error list is full: it keeps 3, the others are counted."]
