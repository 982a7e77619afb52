"""Turning what the database says into DBOS's work: queued runs become workflows, kept schedules DBOS schedules.

The database is the word: it is written in the transaction of whoever asks, and looked at here every second. So nobody
who asks needs DBOS, and nothing is lost between the two.
"""

from datetime import UTC, datetime
from typing import Any

import structlog
from dbos import DBOS, SetWorkflowID
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from webapp.connections.models import Connection
from webapp.database import Database
from webapp.runs.models import ACTIVE_STATES, Run, RunState
from webapp.runs.progress import RunTakenError, end_run, take_run
from webapp.runs.requesting import start_next
from webapp.runs.scheduling import PlannedConnection, planned_connections, run_missed, run_on_schedule
from webapp.runs.workflow import INTERNAL_ERROR, ThisProcess, run_import

QUEUE = "imports"
RUNS_PER_WORKER = 4
"""Runs of different connections that one worker carries at once: they wait for Auth0 most of the time."""
_SCHEDULE = "connection-"
_ENDED = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})

log = structlog.get_logger()


def start_queued_runs(database: Database) -> None:
    """Start what waits and may start, the oldest first: one of each connection that is switched on."""
    with database.reading() as session:
        busy = select(Run.connection_id).where(Run.state.in_(ACTIVE_STATES))
        query = (
            select(Run.id, Run.key)
            .join(Connection)
            .where(Run.state == RunState.QUEUED, Connection.is_on, Run.connection_id.not_in(busy))
            .order_by(Run.id)
        )
        waiting = session.execute(query).all()
    for run_id, key in waiting:
        try:
            with database.transaction() as session:
                if start_next(session, run_id, now=datetime.now(UTC)):
                    log.info("run_starts", run=key)
        except IntegrityError:
            # Another worker was quicker, or an older one of the same connection has just been started.
            continue


def hand_out_active_runs(database: Database) -> None:
    """See to it that each run under way has a workflow, and end those whose workflow ended without them."""
    with database.reading() as session:
        keys = session.scalars(select(Run.key).where(Run.state.in_(ACTIVE_STATES)).order_by(Run.id)).all()
    for key in keys:
        status = DBOS.get_workflow_status(_workflow_id(key))
        if status is None:
            with SetWorkflowID(_workflow_id(key)):  # the same id again is the same workflow
                DBOS.enqueue_workflow(QUEUE, run_import, key)
        elif status.status in _ENDED:
            _end_orphan(database, key)


def align_schedules(database: Database) -> None:
    """Make, change, pause, resume and delete DBOS schedules as the connections say, and catch up with missed times."""
    with database.reading() as session:
        planned = {f"{_SCHEDULE}{each.connection_id}": each for each in planned_connections(session)}
    found = {each["schedule_name"]: each for each in DBOS.list_schedules(schedule_name_prefix=_SCHEDULE)}
    for name in found.keys() - planned.keys():
        DBOS.delete_schedule(name)
    for name, plan in planned.items():
        _align(name, plan, found.get(name))
    with database.transaction() as session:
        run_missed(session, now=datetime.now(UTC))


def _align(name: str, plan: PlannedConnection, found: Any) -> None:
    wanted = plan.schedule.cron, plan.schedule.time_zone
    is_right = found is not None and (found["schedule"], found["cron_timezone"]) == wanted
    if found is not None and not is_right:
        DBOS.delete_schedule(name)
    if not is_right:
        if not plan.is_active:
            return
        DBOS.create_schedule(
            schedule_name=name,
            workflow_fn=run_scheduled,
            schedule=wanted[0],
            cron_timezone=wanted[1],
            context=plan.connection_id,
        )
    elif (found["status"] == "ACTIVE") != plan.is_active:
        (DBOS.resume_schedule if plan.is_active else DBOS.pause_schedule)(name)


@DBOS.step(name="queue_scheduled_runs")
def _queue_scheduled_runs(scheduled_at: datetime, connection_id: int) -> None:
    with ThisProcess.database.transaction() as session:
        run_on_schedule(session, connection_id, scheduled_at, now=datetime.now(UTC))


@DBOS.workflow(name="run_scheduled")
def run_scheduled(scheduled_at: datetime, connection_id: Any) -> None:
    """Queue the runs of a connection whose time has come."""
    _queue_scheduled_runs(scheduled_at, connection_id)


def _end_orphan(database: Database, key: str) -> None:
    try:
        with database.transaction() as session:
            now = datetime.now(UTC)
            run = take_run(session, key, "", now=now)
            detail = "Its workflow ended before the run did: the log of the worker has it all."
            end_run(session, run, RunState.FAILED, now=now, problem=INTERNAL_ERROR, detail=detail)
        log.error("run_orphaned", run=key)
    except RunTakenError:
        return


def _workflow_id(run_key: str) -> str:
    return f"run:{run_key}"
