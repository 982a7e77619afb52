"""Worker processes that can be killed, and what they are to do."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import select

from tests.conftest import TEST_KEY, wait_until
from webapp.connections.models import Connection, ImportGoalRow
from webapp.database import Database
from webapp.runs.models import Run, RunTrigger, WorkerHeartbeat
from webapp.runs.requesting import request_run

SECONDS = 60.0


class WorkerProcess:
    """A worker of its own process, on a database."""

    def __init__(self, database_url: str, *words: str, **settings: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBSYNC_")} | {
            "WEBSYNC_MODE": "demo",
            "WEBSYNC_DATABASE_URL": database_url,
            "WEBSYNC_SECRET_KEYS": TEST_KEY,
            "WEBSYNC_LOG_LEVEL": "ERROR",
            "WEBSYNC_WORKER_LOST_SECONDS": "3",
            **settings,
        }
        command = [sys.executable, "-m", "tests.runs.summing", *words]
        self.process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        self._close()

    def stop(self) -> str:
        """Have it stop in order, and return what it had to complain of."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> str:
        """Wait for its end, and return what it had to complain of."""
        assert self.process.stderr is not None
        complaints = self.process.communicate(timeout=SECONDS)[1].decode()
        self._close()
        return complaints

    def _close(self) -> None:
        if self.process.stderr is not None:
            self.process.stderr.close()


@contextmanager
def working(database_url: str, *words: str, **settings: str) -> Iterator[WorkerProcess]:
    """Run a worker, and end it whatever happens."""
    worker = WorkerProcess(database_url, *words, **settings)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.kill()


def store_goals(database: Database, *, count: int = 1, name: str = "shop") -> list[ImportGoalRow]:
    """Store a connection with goals."""
    now = datetime.now(UTC)
    with database.transaction() as session:
        connection = Connection(key=name, name=name, created_at=now, updated_at=now)
        goals = [
            ImportGoalRow(
                key=f"{name}-{number}",
                connection=connection,
                name=f"{name} {number}",
                created_at=now,
                updated_at=now,
            )
            for number in range(count)
        ]
        session.add(connection)
    return goals


def ask(database: Database, goal: ImportGoalRow, trigger: RunTrigger = RunTrigger.MANUAL) -> str:
    """Ask for a run and return its key."""
    with database.transaction() as session:
        return request_run(session, goal, trigger, requested_by="ada", now=datetime.now(UTC)).key


def read_run(database: Database, key: str) -> Run:
    """Return the run as it is now."""
    with database.reading() as session:
        return session.scalars(select(Run).where(Run.key == key)).one()


def wait_for(database: Database, key: str, condition: Callable[[Run], bool], *, seconds: float = SECONDS) -> Run:
    """Wait until the run is as wanted, and return it."""
    wait_until(lambda: condition(read_run(database, key)), seconds=seconds)
    return read_run(database, key)


def living(database: Database) -> set[str]:
    """Return the executor ids that have a row and have not left."""
    with database.reading() as session:
        return set(session.scalars(select(WorkerHeartbeat.executor_id).where(~WorkerHeartbeat.has_left)))
