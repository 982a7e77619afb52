"""The run history of a goal, a connection, or of all: what is under way, what has ended, and when more is due.

What the pages list and what the API answers. Lists go by the indexes of the table of runs, however long it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, TextClause, select, true
from sqlalchemy.orm import Session

from webapp.connections.models import Connection, ConnectionSchedule, ImportGoalRow
from webapp.connections.schedule import SHOWN_RUNS, Schedule, next_runs
from webapp.connections.schedules import find_schedule, is_readable, schedule_of
from webapp.runs.models import IS_ACTIVE, IS_QUEUED, Run, RunState
from webapp.runs.requesting import batch_goals, is_batch

PAGE_LENGTH = 25
_GOOD_ENDS = (RunState.FINISHED, RunState.FINISHED_WITH_ERRORS)

Scope = Connection | ImportGoalRow | None
"""Of whom the runs are: a connection's, a goal's, or all."""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run with its goal and connection."""

    run: Run
    goal: ImportGoalRow
    connection: Connection


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, the newest first. ``next_before`` is where the next page begins, None on the last."""

    runs: tuple[KnownRun, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Upcoming:
    """When a connection's imports run next. ``times`` are in the schedule's time zone; none if it is not active."""

    schedule: Schedule | None
    is_on: bool
    times: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """How many different profiles a connection's imports have reached: ever, and by the last run."""

    ever: int
    last_run: int
    run: KnownRun


def list_ended(session: Session, scope: Scope, *, before: int | None = None, length: int = PAGE_LENGTH) -> RunPage:
    """Return a page of the runs that are over, the newest first; those with an id below ``before``, if it is given."""
    query = _runs(scope).where(Run.ended_at.is_not(None)).order_by(Run.id.desc()).limit(length + 1)
    if before is not None:
        query = query.where(Run.id < before)
    found = _known(session, query)
    return RunPage(tuple(found[:length]), found[length - 1].run.id if len(found) > length else None)


def list_under_way(session: Session, scope: Scope) -> list[KnownRun]:
    """Return the runs that are carried now, and those that wait, in the order in which they are to start."""
    return [*_with_state(session, scope, IS_ACTIVE), *_with_state(session, scope, IS_QUEUED)]


def find_known_run(session: Session, run: Run) -> KnownRun:
    """Return a run with its goal and connection."""
    goal = session.get_one(ImportGoalRow, run.goal_id)
    return KnownRun(run, goal, goal.connection)


def upcoming(session: Session, connection: Connection, now: datetime) -> Upcoming:
    """Return when a connection's imports run next. Nothing is due while it is off, or has no goal that runs are for."""
    row = find_schedule(session, connection)
    if row is None:
        return Upcoming(None, is_on=False, times=())
    schedule = schedule_of(row)
    is_active = row.is_on and connection.is_on and bool(batch_goals(session, connection.id))
    return Upcoming(schedule, row.is_on, tuple(next_runs(schedule, now)) if is_active else ())


def upcoming_of_all(session: Session, now: datetime) -> list[tuple[Connection, datetime]]:
    """Return the next run time of the connections that run soonest, each once."""
    query = select(Connection, ConnectionSchedule).join(ConnectionSchedule)
    query = query.where(ConnectionSchedule.is_on, Connection.is_on)
    goals = session.scalars(select(ImportGoalRow).where(ImportGoalRow.is_on))
    running = {goal.connection_id for goal in goals if is_batch(goal)}
    found = [
        (connection, next_runs(schedule_of(row), now, 1)[0])
        for connection, row in session.execute(query)
        if connection.id in running and is_readable(row)
    ]
    return sorted(found, key=lambda each: each[1])[:SHOWN_RUNS]


def usual_duration(session: Session, connection: Connection) -> timedelta:
    """Return how long the last good runs of a connection's goals took, one after the other."""
    total = timedelta()
    for goal in batch_goals(session, connection.id):
        query = select(Run.started_at, Run.ended_at).where(Run.goal_id == goal.id, Run.state.in_(_GOOD_ENDS))
        last = session.execute(query.order_by(Run.id.desc()).limit(1)).one_or_none()
        if last is not None and last.started_at and last.ended_at:
            total += last.ended_at - last.started_at
    return total


def reached(session: Session, connection: Connection) -> Reached | None:
    """Return what was counted when the connection's last run ended, None if none has yet."""
    query = _runs(connection).where(Run.profiles.is_not(None)).order_by(Run.id.desc()).limit(1)
    for last in _known(session, query):
        return Reached(last.run.connection_profiles or 0, last.run.profiles or 0, last)
    return None


def _runs(scope: Scope) -> Select[Run, ImportGoalRow, Connection]:
    query = select(Run, ImportGoalRow, Connection)
    query = query.join(ImportGoalRow, ImportGoalRow.id == Run.goal_id)
    return query.join(Connection, Connection.id == Run.connection_id).where(_of(scope))


def _of(scope: Scope) -> ColumnElement[bool]:
    match scope:
        case Connection():
            return Run.connection_id == scope.id
        case ImportGoalRow():
            return Run.goal_id == scope.id
    return true()


def _with_state(session: Session, scope: Scope, state: TextClause) -> Sequence[KnownRun]:
    # First the few of all connections that have the state: asked for more at once, SQLite does not take their index.
    ids = session.scalars(select(Run.id).where(state)).all()
    return _known(session, _runs(scope).where(Run.id.in_(ids)).order_by(Run.id)) if ids else []


def _known(session: Session, query: Select[Run, ImportGoalRow, Connection]) -> list[KnownRun]:
    return [KnownRun(run, goal, connection) for run, goal, connection in session.execute(query)]
