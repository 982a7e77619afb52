"""Schedules of connections turned into runs, when a time has come."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.connections.models import Connection, ConnectionSchedule
from webapp.connections.schedule import Schedule, is_run, next_runs
from webapp.connections.schedules import is_readable, schedule_of
from webapp.runs.models import RunTrigger
from webapp.runs.requesting import batch_goals, record_request, request_run

MISSED_AFTER = timedelta(minutes=1)
"""A time that passed so long ago has been missed: workers make the runs of a time within about ten seconds."""


@dataclass(frozen=True, slots=True)
class PlannedConnection:
    """A connection's schedule as the worker sees it. It is active while schedule and connection are switched on."""

    connection_id: int
    schedule: Schedule
    is_active: bool


def planned_connections(session: Session) -> Iterator[PlannedConnection]:
    """Yield each connection that has a schedule."""
    query = select(ConnectionSchedule, Connection.is_on).join(Connection)
    for row, connection_is_on in session.execute(query):
        if is_readable(row):
            yield PlannedConnection(row.connection_id, schedule_of(row), is_active=row.is_on and connection_is_on)


def run_on_schedule(session: Session, connection_id: int, scheduled_at: datetime, *, now: datetime) -> None:
    """Queue the runs of a time that has come, unless somebody has, or connection or schedule are switched off."""
    row = session.get(ConnectionSchedule, connection_id)
    if row is not None and is_readable(row) and is_run(schedule_of(row), scheduled_at):
        _run_once(session, row, scheduled_at, now)


def run_missed(session: Session, *, now: datetime) -> None:
    """Queue the runs of connections of which times passed while no worker was there: once, however many they were."""
    for row in session.scalars(select(ConnectionSchedule).where(ConnectionSchedule.run_missed)).all():
        missed = next_runs(schedule_of(row), row.handled_until, 1) if is_readable(row) else []
        if missed and missed[0] <= now - MISSED_AFTER:
            _run_once(session, row, now, now)


def _run_once(session: Session, row: ConnectionSchedule, until: datetime, now: datetime) -> None:
    is_on = select(Connection.id).where(Connection.id == row.connection_id, Connection.is_on).exists()
    moved = session.scalar(
        update(ConnectionSchedule)
        .where(ConnectionSchedule.connection_id == row.connection_id, ConnectionSchedule.handled_until < until)
        .where(ConnectionSchedule.is_on, is_on)
        .values(handled_until=until)
        .returning(ConnectionSchedule.connection_id)
        .execution_options(synchronize_session=False)
    )
    if moved is None:
        return
    for goal in batch_goals(session, row.connection_id):
        run = request_run(session, goal, RunTrigger.SCHEDULE, requested_by="", now=now)
        record_request(session, run, goal, actor=RunTrigger.SCHEDULE, now=now)
