"""The durable workflow that carries a run, a step for each chunk.

DBOS remembers which steps were done, and hands the workflow of a dead worker to a living one. The position stands in
the run itself, and only the worker that has the run notes it. So a step that is done twice, by one worker after the
other or by two that each take the other for dead, counts once; and without DBOS's memory a run goes on at its position.

A commit that changes the steps says what becomes of runs under way. With another `WORKFLOW_VERSION` their workflows
would wait for a worker of the old one.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple

import structlog
from dbos import DBOS
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp.connections.models import Connection, ImportGoalRow
from webapp.database import Database, is_passing
from webapp.errors import NotFoundError, WebsyncError
from webapp.runs.importers import Importer, Later, NotNowError, OpenImport, Position, Reach
from webapp.runs.models import Run, RunState
from webapp.runs.progress import RunTakenError, end_run, keep_run, note_beginning, note_chunk, order_of, take_run
from webapp.runs.requesting import find_run

WORKFLOW_VERSION = "runs-1"
BUSY_SECONDS = 2.0
"""Before a step is done again that found the database busy or away."""
LOOK_SECONDS = 2.0
"""While a run waits, it is looked for a stop so often."""
INTERNAL_ERROR = "internal-error"

log = structlog.get_logger()


class WorkerStopping(BaseException):
    """Leaves a workflow between two steps, as a kill would: DBOS catches exceptions, and would take it for failed."""


class Step(NamedTuple):
    """What a step came to: is the run over, and if not, how long to wait before the next step."""

    is_over: bool
    wait_seconds: float = 0.0


_GO_ON = Step(is_over=False)
_OVER = Step(is_over=True)


class RunCarrier:
    """Carries the runs that a worker is handed. ``executor_id`` is the worker's; a thread of its own has each run."""

    def __init__(self, app: Flask, importer: Importer, executor_id: str) -> None:
        self._app, self._importer, self._executor_id = app, importer, executor_id
        self._database: Database = app.extensions["database"]
        self._stopping = threading.Event()
        self._open: dict[str, tuple[ExitStack, OpenImport]] = {}
        self._changed = threading.Condition()
        self._carried = 0

    def stop(self, *, seconds: float) -> bool:
        """Have every run left after its current step, and say if that was done within ``seconds``."""
        self._stopping.set()
        with self._changed:
            return self._changed.wait_for(lambda: self._carried == 0, seconds)

    def carry(self, run_key: str, step: Callable[[str], Step]) -> None:
        """Do the steps of a run, from the first that was not done yet, until it is over."""
        with self._changed:
            self._carried += 1
        try:
            if not self._take(run_key):
                return
            while not (done := step(run_key)).is_over:
                self._pause(run_key, done.wait_seconds)
        finally:
            self._close(run_key)
            with self._changed:
                self._carried -= 1
                self._changed.notify_all()

    def advance(self, run_key: str) -> Step:
        """Begin the run, or apply and note its next chunk, or end it: stopped, at the end of the users, or failed."""
        try:
            with self._app.app_context():
                return self._advance(run_key)
        except RunTakenError:
            return _OVER
        except NotNowError as error:
            self._close(run_key)
            return Step(is_over=False, wait_seconds=error.wait_seconds)
        except WebsyncError as error:
            return self._fail(run_key, error.slug, error.detail)
        except Exception as error:  # a bug of the importer ends its run, not the worker
            if isinstance(error, SQLAlchemyError) and is_passing(error):
                return self._wait_for_database(run_key, error)
            log.exception("run_failed", run=run_key)
            return self._fail(run_key, INTERNAL_ERROR, f"{type(error).__name__}: the log of the worker has it all.")

    def _take(self, run_key: str) -> bool:
        """Make the run this worker's. Not in a step: whoever goes on after a kill has to do it anew."""
        while True:
            try:
                with self._database.transaction() as session:
                    take_run(session, run_key, self._executor_id, now=_now())
            except RunTakenError:
                return False
            except SQLAlchemyError as error:
                if not is_passing(error):
                    raise
                if self._stopping.wait(self._wait_for_database(run_key, error).wait_seconds):
                    raise WorkerStopping from error
            else:
                return True

    def _pause(self, run_key: str, seconds: float) -> None:
        """Wait, unless the worker stops, or the run is to: who stops it need not wait for the tenant."""
        end = time.monotonic() + seconds
        while not self._stopping.wait(max(0.0, min(end - time.monotonic(), LOOK_SECONDS))):
            if time.monotonic() >= end or self._is_to_stop(run_key):
                return
        raise WorkerStopping

    def _is_to_stop(self, run_key: str) -> bool:
        try:
            with self._database.reading() as session:
                state = session.scalar(select(Run.state).where(Run.key == run_key))
        except SQLAlchemyError:
            return False  # the next step finds out
        return state == RunState.STOPPING

    def _advance(self, run_key: str) -> Step:
        with self._database.transaction() as session:
            run = keep_run(session, run_key, self._executor_id)
            is_open = _is_open(session, run)
        if run.state == RunState.STOPPING:
            return self._end(run_key, RunState.STOPPED)
        if not is_open:
            return self._end(run_key, RunState.STOPPED, detail="The goal or its connection was switched off.")
        if run.position is None:
            return self._begin(run)
        opened = self._opened(run, run.position)
        if (chunk := opened.next_chunk()) is None:
            return self._end(run_key, RunState.FINISHED)
        if isinstance(chunk, Later):
            return Step(is_over=False, wait_seconds=chunk.wait_seconds)
        applied = opened.apply(chunk, now=_now())
        with self._database.transaction() as session:
            kept = keep_run(session, run_key, self._executor_id)
            note_chunk(session, kept, applied, after=run.chunks, now=_now())
            kept.expected_users = opened.expected_users
        return _GO_ON

    def _begin(self, run: Run) -> Step:
        begun = self._importer.begin(order_of(run))
        with self._database.transaction() as session:
            kept = keep_run(session, run.key, self._executor_id)
            note_beginning(session, kept, begun, now=_now())
        return _GO_ON

    def _opened(self, run: Run, position: Position) -> OpenImport:
        if run.key not in self._open:
            stack = ExitStack()
            self._open[run.key] = stack, stack.enter_context(self._importer.open(order_of(run), position))
        return self._open[run.key][1]

    def _fail(self, run_key: str, slug: str, detail: str) -> Step:
        self._close(run_key)
        try:
            return self._end(run_key, RunState.FAILED, problem=slug, detail=detail)
        except RunTakenError:
            return _OVER
        except SQLAlchemyError as error:
            if not is_passing(error):
                raise
            return self._wait_for_database(run_key, error)

    def _end(self, run_key: str, state: RunState, *, problem: str = "", detail: str = "") -> Step:
        reach = self._reach(run_key)
        with self._database.transaction() as session:
            run = keep_run(session, run_key, self._executor_id)
            if reach is not None:
                run.profiles, run.connection_profiles = reach
            end_run(session, run, state, now=_now(), problem=problem, detail=detail)
        log.info("run_over", run=run_key, state=run.state, problem=problem, chunks=run.chunks)
        return _OVER

    def _reach(self, run_key: str) -> Reach | None:
        """Ask the importer how many profiles the run has imported. It takes long, so no transaction waits for it."""
        try:
            with self._app.app_context(), self._database.reading() as session:
                return self._importer.count_profiles(order_of(find_run(session, run_key)))
        except (SQLAlchemyError, NotFoundError) as error:  # a run does not fail for a number
            log.warning("run_not_counted", run=run_key, reason=type(error).__name__)
            return None

    def _wait_for_database(self, run_key: str, error: SQLAlchemyError) -> Step:
        log.warning("run_waits_for_database", run=run_key, reason=type(error).__name__)
        # Whatever was read but not noted is read again.
        self._close(run_key)
        return Step(is_over=False, wait_seconds=BUSY_SECONDS)

    def _close(self, run_key: str) -> None:
        if (opened := self._open.pop(run_key, None)) is None:
            return
        try:
            opened[0].close()
        except Exception:
            log.exception("run_not_closed", run=run_key)


class ThisProcess:
    """What the workflows of a worker process use, set by the worker: DBOS keeps the name of a function, no objects."""

    database: ClassVar[Database]
    carrier: ClassVar[RunCarrier]


@DBOS.step(name="advance_run")
def _advance_run(run_key: str) -> tuple[bool, float]:
    done = ThisProcess.carrier.advance(run_key)
    return done.is_over, done.wait_seconds


@DBOS.workflow(name="run_import", max_recovery_attempts=None)
def run_import(run_key: str) -> None:
    """Carry a run to its end, through any number of restarts."""
    ThisProcess.carrier.carry(run_key, lambda key: Step(*_advance_run(key)))


def _is_open(session: Session, run: Run) -> bool:
    """Say if goal and connection are switched on still: whoever switches one off wants no more of its users."""
    both = select(ImportGoalRow.id).join(Connection).where(ImportGoalRow.is_on, Connection.is_on)
    return session.scalar(both.where(ImportGoalRow.id == run.goal_id)) is not None


def _now() -> datetime:
    return datetime.now(UTC)
