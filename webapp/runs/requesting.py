"""Asking for runs, and for their stop: what the pages, the API, the commands and the schedules call."""

import secrets
from datetime import datetime
from http import HTTPStatus

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.connections.models import ImportGoalRow
from webapp.errors import NotFoundError, WebsyncError
from webapp.rows import Row, insert_missing
from webapp.runs.models import ACTIVE_STATES, Run, RunState, RunTrigger
from webapp.runs.progress import end_run

_COLUMNS = (
    "key",
    "goal_id",
    "connection_id",
    "trigger",
    "requested_by",
    "is_full",
    "state",
    "requested_at",
    "executor_id",
    "chunks",
    "counts",
    "newest",
    "reasons",
    "problem",
    "problem_detail",
)


class RunOverError(WebsyncError):
    """The run is over already, so it cannot be stopped.

    What to do: nothing; look at its outcome in the run history.
    """

    slug, title, status = "run-over", "The run is over", HTTPStatus.CONFLICT


def request_run(
    session: Session,
    goal: ImportGoalRow,
    trigger: RunTrigger,
    *,
    requested_by: str,
    now: datetime,
    is_full: bool = False,
) -> Run:
    """Queue a run of a goal, and return it: the one that is queued already, if there is one.

    That one becomes full if this is asked for: whoever wants everybody compared is not served by less. While a run is
    under way one more may wait, and never two. An index decides that, so it holds for any number of processes that ask
    at once.
    """
    while True:
        key = secrets.token_urlsafe(9)
        row: Row
        row = (
            key,
            goal.id,
            goal.connection_id,
            trigger,
            requested_by,
            is_full,
            RunState.QUEUED,
            now,
            "",
            0,
            {},
            [],
            {},
            "",
            "",
        )
        insert_missing(session, Run, _COLUMNS, [row])
        queued = select(Run).where(Run.goal_id == goal.id, Run.state == RunState.QUEUED).with_for_update()
        # Nobody's, if a worker has begun the queued one since the insert: then there is room again.
        if (found := session.scalar(queued)) is not None:
            found.is_full = found.is_full or is_full
            session.flush()
            return found


def batch_goals(session: Session, connection_id: int) -> list[ImportGoalRow]:
    """Return the import goals of a connection that runs are for: switched on, with batch import enabled."""
    query = select(ImportGoalRow).where(ImportGoalRow.connection_id == connection_id, ImportGoalRow.is_on)
    return [row for row in session.scalars(query.order_by(ImportGoalRow.id)) if is_batch(row)]


def is_batch(goal: ImportGoalRow) -> bool:
    """Say if runs are for this goal, whether it is switched on or not."""
    return bool((goal.import_settings or {}).get("enable_batch", True))


def record_request(session: Session, run: Run, goal: ImportGoalRow, *, actor: str, now: datetime) -> None:
    """Write to the audit log who asked for a run."""
    detail = {"goal": goal.key, "is_full": run.is_full}
    record(session, actor=actor, action="requested", object_type="run", object_key=run.key, now=now, **detail)


def find_run(session: Session, key: str) -> Run:
    """Return the run with this key. Raises NotFoundError."""
    run = session.scalar(select(Run).where(Run.key == key))
    if run is None:
        raise NotFoundError("There is no such run.")
    return run


def stop_run(session: Session, key: str, *, now: datetime) -> RunState:
    """Stop a run: at once while it waits, else when its chunk is done. Returns its state; asked again, the same.

    Raises:
        NotFoundError: there is no such run.
        RunOverError: it is over, and was not stopped.
    """
    run = session.scalar(select(Run).where(Run.key == key).with_for_update())
    if run is None:
        raise NotFoundError("There is no such run.")
    match run.state:
        case RunState.QUEUED:
            end_run(session, run, RunState.STOPPED, now=now)
        case RunState.STARTING | RunState.RUNNING:
            run.state = RunState.STOPPING
        case RunState.STOPPING | RunState.STOPPED:
            pass
        case _:
            raise RunOverError(f"It is {run.state.replace('_', ' ')}.")
    session.flush()
    return RunState(run.state)


def count_waiting(session: Session) -> int:
    """Return how many runs wait for a worker, or are under way."""
    states = (RunState.QUEUED, *ACTIVE_STATES)
    return session.scalar(select(func.count()).select_from(Run).where(Run.state.in_(states))) or 0


def start_next(session: Session, run_id: int, *, now: datetime) -> bool:
    """Make a queued run *starting*, and say if that was this call's doing.

    Raises IntegrityError if its connection has an active run: only one of several workers that try at once succeeds.
    """
    started = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.state == RunState.QUEUED)
        .values(state=RunState.STARTING, started_at=now)
        .returning(Run.id)
    )
    return started is not None
