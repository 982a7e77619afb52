"""The calls about connections and schedules."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from webapp.accounts.api_keys import Scope
from webapp.api.calls import call, change, read_body
from webapp.api.shapes import (
    ConnectionAnswer,
    ConnectionsAnswer,
    ScheduleAnswer,
    ScheduleFields,
    ScheduleRequest,
)
from webapp.connections.goals import find_connection
from webapp.connections.models import Connection
from webapp.connections.schedule import InvalidScheduleError, plain_schedule, read_schedule
from webapp.connections.schedules import find_schedule, save_schedule, schedule_of
from webapp.database import reading, transaction
from webapp.errors import MalformedRequestError
from webapp.runs.history import upcoming


@call("GET /connections", Scope.READ_CONNECTIONS, ConnectionsAnswer)
def list_connections() -> ConnectionsAnswer:
    """List the connections with their import goals."""
    with reading() as session:
        query = select(Connection).options(selectinload(Connection.import_goals)).order_by(Connection.id)
        return ConnectionsAnswer(connections=[ConnectionAnswer.of(row) for row in session.scalars(query)])


@call("GET /connections/<key>", Scope.READ_CONNECTIONS, ConnectionAnswer)
def show_connection(key: str) -> ConnectionAnswer:
    """Return a connection with its import goals."""
    with reading() as session:
        return ConnectionAnswer.of(find_connection(session, key))


@call("GET /connections/<key>/schedule", Scope.READ_CONNECTIONS, ScheduleAnswer)
def show_schedule(key: str) -> ScheduleAnswer:
    """Return when a connection's imports run, and the next times."""
    with reading() as session:
        return _schedule_answer(session, find_connection(session, key))


@call("PUT /connections/<key>/schedule", Scope.WRITE_SCHEDULES, ScheduleAnswer, body=ScheduleRequest)
def change_schedule(key: str) -> ScheduleAnswer:
    """Say when a connection's imports run, in place of what was said before."""
    wanted = read_body(ScheduleRequest)
    try:
        schedule = read_schedule(wanted.schedule.model_dump(exclude_none=True))
    except InvalidScheduleError as error:
        field = "cron" if error.field == "cron_text" else error.field
        raise MalformedRequestError(f"schedule.{field}: {error}") from error
    with transaction() as session:
        connection = find_connection(session, key)
        save_schedule(session, connection, schedule, change(), is_on=wanted.enabled, run_missed=wanted.run_missed)
        session.flush()
        return _schedule_answer(session, connection)


def _schedule_answer(session: Session, connection: Connection) -> ScheduleAnswer:
    row = find_schedule(session, connection)
    if row is None:
        return ScheduleAnswer(enabled=False, run_missed=True, schedule=None, next_runs=[])
    return ScheduleAnswer(
        enabled=row.is_on,
        run_missed=row.run_missed,
        schedule=ScheduleFields.model_validate(plain_schedule(schedule_of(row))),
        next_runs=list(upcoming(session, connection, datetime.now(UTC)).times),
    )
