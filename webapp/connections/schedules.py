"""Schedules of connections, as they are kept. The caller opens the transaction."""

from sqlalchemy.orm import Session

from webapp.connections.models import Connection, ConnectionSchedule
from webapp.connections.saving import Change, record_change
from webapp.connections.schedule import Schedule, plain_schedule, read_schedule


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
    """Return when a connection's imports run, None if nobody has said."""
    return session.get(ConnectionSchedule, connection.id)


def schedule_of(row: ConnectionSchedule) -> Schedule:
    """Return the schedule of a row."""
    return read_schedule(row.plain)
