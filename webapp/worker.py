"""The worker process: carries runs that others ask for, and takes over those of workers that are gone."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from dbos import DBOS, DBOSConfig
from dbos._error import DBOSException
from flask import Flask
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from webapp import garbage
from webapp.app import create_app
from webapp.database import Database
from webapp.importer.tenant_import import TenantImporter
from webapp.notifications.sending import Notifier
from webapp.runs import dispatching
from webapp.runs.executor_locks import ExecutorLocks, executor_locks
from webapp.runs.heartbeats import beat, begin_beating, forget_worker, leave, lost_workers
from webapp.runs.importers import Importer
from webapp.runs.retention import delete_old_runs
from webapp.runs.workflow import WORKFLOW_VERSION, RunCarrier, ThisProcess
from webapp.settings import Settings

SCHEMA = "websync_jobs"
"""PostgreSQL schema of DBOS's tables, in Websync's own database."""
TICK_SECONDS = 0.5
"""Between two looks for queued runs."""
ALIGN_EVERY_SECONDS = 5.0
SWEEP_EVERY = timedelta(hours=1)
"""Between two looks for runs that have become too old, of which each tick deletes a little."""
STOP_SECONDS = 60.0
"""For the steps under way when the worker is told to stop. Then it ends all the same, and a kill loses nothing."""

log = structlog.get_logger()


class WorkerRefusedError(Exception):
    """The worker does not start, or cannot go on. The message says why and what to do."""


def run_worker(
    settings: Settings, stopping: threading.Event, *, make_importer: Callable[[Database], Importer] = TenantImporter
) -> None:
    """Carry runs until ``stopping`` is set; then leave each run after its current chunk.

    Raises:
        WorkerRefusedError: another living worker has the executor id.
    """
    app = create_app(settings)
    database: Database = app.extensions["database"]
    database.upgrade()
    garbage.look_seldom(garbage.OBJECTS_OF_AN_IMPORT)
    locks = executor_locks(database)
    try:
        executor_id = _take_executor_id(settings, locks)
        worker = Worker(app, RunCarrier(app, make_importer(database), executor_id), locks, executor_id)
        worker.start()
        try:
            worker.work(stopping)
        finally:
            worker.stop()
    finally:
        locks.close()
        database.close()


def _take_executor_id(settings: Settings, locks: ExecutorLocks) -> str:
    """Take the id of the settings, or the first free number: after a restart that is the one it had before."""
    if not settings.executor_id:
        return next(name for number in range(1, 10_000) if locks.take(name := f"worker-{number}"))
    if not locks.take(settings.executor_id):
        raise WorkerRefusedError(
            f"A living worker has the executor id {settings.executor_id!r} already. Give each worker its own "
            "WEBSYNC_EXECUTOR_ID, or none."
        )
    return settings.executor_id


class Worker:
    """A worker that has its executor id."""

    def __init__(self, app: Flask, carrier: RunCarrier, locks: ExecutorLocks, executor_id: str) -> None:
        settings: Settings = app.extensions["settings"]
        self._database: Database = app.extensions["database"]
        self._carrier, self._locks, self._executor_id = carrier, locks, executor_id
        self._notifier = Notifier(app)
        self._run_days = settings.run_days
        self._lost_after = timedelta(seconds=settings.worker_lost_seconds)
        self._config = dbos_config(settings, executor_id)
        self._beat_at = self._aligned_at = self._swept_at = datetime.min.replace(tzinfo=UTC)

    def start(self) -> None:
        """Launch DBOS, which goes on with what this executor id left behind."""
        ThisProcess.database, ThisProcess.carrier = self._database, self._carrier
        with self._database.transaction() as session:
            begin_beating(session, self._executor_id, _now())
        _log_by_structlog()
        DBOS(config=self._config)
        DBOS.launch()
        DBOS.register_queue(
            dispatching.QUEUE, worker_concurrency=dispatching.RUNS_PER_WORKER, polling_interval_sec=TICK_SECONDS
        )
        self._notifier.start()
        log.info("worker_started", executor=self._executor_id)

    def work(self, stopping: threading.Event) -> None:
        """Do what is due, until told to stop. While the database is away, there is nothing to do but wait."""
        while not stopping.wait(TICK_SECONDS):
            try:
                self._do_what_is_due(_now())
            except (SQLAlchemyError, DBOSException) as error:
                log.warning("worker_waits", reason=type(error).__name__)

    def stop(self) -> None:
        """Leave the runs after their current steps, and say so: others need not wait until they miss a heartbeat."""
        is_done = self._carrier.stop(seconds=STOP_SECONDS)
        self._notifier.stop()
        DBOS.destroy()
        if is_done:
            try:
                with self._database.transaction() as session:
                    leave(session, self._executor_id, _now())
            except SQLAlchemyError as error:
                log.warning("worker_waits", reason=type(error).__name__)
        log.info("worker_stopped", executor=self._executor_id, left_in_order=is_done)

    def sweep(self, now: datetime) -> None:
        """Delete a little of the runs that have become too old; when none is left, not before an hour has passed."""
        if not self._run_days or now - self._swept_at < SWEEP_EVERY:
            return
        with self._database.transaction() as session:
            if not delete_old_runs(session, now - timedelta(days=self._run_days)):
                self._swept_at = now

    def _do_what_is_due(self, now: datetime) -> None:
        if now - self._beat_at >= self._lost_after / 3:
            if not self._locks.still_has(self._executor_id):
                raise WorkerRefusedError("Another worker has taken this one's executor id while the database was away.")
            with self._database.transaction() as session:
                beat(session, self._executor_id, now)
            self._adopt_lost_runs(now)
            self._beat_at = now
        if now - self._aligned_at >= timedelta(seconds=ALIGN_EVERY_SECONDS):
            dispatching.align_schedules(self._database)
            self._aligned_at = now
        self.sweep(now)
        dispatching.start_queued_runs(self._database)
        dispatching.hand_out_active_runs(self._database)

    def _adopt_lost_runs(self, now: datetime) -> None:
        """Have the workflows of lost workers queued anew: whichever worker takes one from the queue is its only runner.

        Whoever adopts holds the lost one's lock meanwhile. A worker that is only slow has it still, and one that has
        just been started with that id has it again: their workflows are theirs.
        """
        with self._database.reading() as session:
            lost = lost_workers(session, now, lost_after=self._lost_after)
        for executor_id in lost:
            if executor_id == self._executor_id or not self._locks.take(executor_id):
                continue
            try:
                adopted = DBOS._recover_pending_workflows([executor_id])
                with self._database.transaction() as session:
                    forget_worker(session, executor_id)
                log.info("worker_adopted", executor=executor_id, workflows=len(adopted))
            finally:
                self._locks.free(executor_id)


def dbos_config(settings: Settings, executor_id: str) -> DBOSConfig:
    """Return where and how DBOS keeps its tables.

    On SQLite they have a file of their own. There is one writer at a time in a file, and DBOS writes at each step and
    looks for work twice a second, in transactions that write: posts of tokens would wait for it.
    """
    config: DBOSConfig = {
        "name": "websync",
        "executor_id": executor_id,
        "application_version": WORKFLOW_VERSION,  # not a digest of the code: runs go on after an update
        "log_level": "WARNING",
        "scheduler_polling_interval_sec": ALIGN_EVERY_SECONDS,
    }
    url = make_url(settings.database_url)
    if url.drivername != "sqlite":
        return config | {"system_database_url": settings.database_url, "dbos_system_schema": SCHEMA}
    beside = Path(url.database or "")
    file = beside.with_name(f"{beside.stem}-jobs.db")
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # the file remembers it
    connection.close()
    return config | {"system_database_url": f"sqlite:///{file}"}


class _ByStructlog(logging.Handler):
    """Says what DBOS has to say as lines like all others."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's message, without the values that a traceback may show."""
        log.log(record.levelno, "dbos", message=record.getMessage().partition("\n")[0])


def _log_by_structlog() -> None:
    logger = logging.getLogger("dbos")
    logger.handlers[:] = [_ByStructlog()]  # with none, DBOS would add its own
    logger.propagate = False


def _now() -> datetime:
    return datetime.now(UTC)
