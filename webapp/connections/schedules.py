"""Schedules of connections, as they are kept. The caller opens the transaction."""

import structlog
from sqlalchemy.orm import Session

from webapp.connections.models import Connection, ConnectionSchedule
from webapp.connections.saving import Change, record_change
from webapp.connections.schedule import InvalidScheduleError, Schedule, plain_schedule, read_schedule

log = structlog.get_logger()


def save_schedule(
    session: Session,
    connection: Connection,
    schedule: Schedule,
    change: Change,
    *,
    is_on: bool,
    run_missed: bool,
) -> bool:
    """Keep when a connection's imports run, and say if that is new. Times before now count as handled."""
    row = session.get(ConnectionSchedule, connection.id, with_for_update=True)
    wanted = plain_schedule(schedule), is_on, run_missed
    if row is not None and (row.plain, row.is_on, row.run_missed) == wanted:
        return False
    row = row or ConnectionSchedule(connection_id=connection.id)
    row.plain, row.is_on, row.run_missed = wanted
    row.handled_until = change.now
    session.add(row)
    record_change(session, change, "scheduled", connection, schedule=wanted[0], is_on=is_on, run_missed=run_missed)
    return True


def find_schedule(session: Session, connection: Connection) -> ConnectionSchedule | None:
    """Return when a connection's imports run, None if nobody has said, or what was said means nothing here."""
    row = session.get(ConnectionSchedule, connection.id)
    return row if row is not None and is_readable(row) else None


def is_readable(row: ConnectionSchedule) -> bool:
    """Say if the schedule is one. Time zones come and go: without its own, a schedule waits until it is saved anew."""
    try:
        read_schedule(row.plain)
    except InvalidScheduleError as error:
        log.warning("schedule_unreadable", connection=row.connection_id, field=error.field)
        return False
    return True


def schedule_of(row: ConnectionSchedule) -> Schedule:
    """Return the schedule of a row that is readable."""
    return read_schedule(row.plain)
