"""`websync serve` and the worker that it has beside it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.conftest import TEST_KEY, free_port, wait_until, wait_until_served
from tests.runs.workers import living
from webapp.database import Database
from webapp.runs.models import WorkerHeartbeat


@pytest.fixture
def database(make_sqlite: Callable[[], str]) -> Iterator[Database]:
    database = Database(make_sqlite())
    yield database
    database.close()


@pytest.fixture
def serve(database: Database) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Return a function that starts `websync serve` and waits until it answers."""
    started = []

    def start(*words: str) -> "subprocess.Popen[bytes]":
        port = free_port()
        environment = os.environ | {
            "WEBSYNC_MODE": "demo",
            "WEBSYNC_DATABASE_URL": database.url,
            "WEBSYNC_SECRET_KEYS": TEST_KEY,
            "WEBSYNC_PORT": str(port),
            "WEBSYNC_LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "webapp.cli", "serve", *words]
        process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
        started.append(process)
        wait_until_served(f"http://127.0.0.1:{port}", process)
        return process

    yield start
    for process in started:
        # Web processes outlive a service that was killed.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


def started_at(database: Database) -> datetime | None:
    with database.reading() as session:
        return session.scalar(select(WorkerHeartbeat.started_at))


def worker_of(process: "subprocess.Popen[bytes]") -> int:
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    pids = [int(pid) for each in children for pid in each.read_text().split()]
    (worker,) = [pid for pid in pids if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return worker


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker in /proc")
def test_serve_has_one_worker_which_is_started_anew_and_stops_with_it(
    database: Database, serve: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    # given a service
    process = serve()
    wait_until(lambda: living(database) == {"worker-1"}, seconds=30)
    first = started_at(database)
    # when its worker is killed, then there is another one, with the same executor id
    os.kill(worker_of(process), signal.SIGKILL)
    wait_until(lambda: started_at(database) != first, seconds=40)
    assert living(database) == {"worker-1"}
    # when the service is told to stop, then the worker leaves in order
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=40) == 0
    assert living(database) == set()


def test_a_worker_stops_if_the_service_that_started_it_is_killed(
    database: Database, serve: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    # given a service with its worker
    process = serve()
    wait_until(lambda: living(database) == {"worker-1"}, seconds=30)
    # when the service alone is killed, then the worker leaves by itself
    process.kill()
    wait_until(lambda: living(database) == set(), seconds=30)


def test_serve_without_worker_has_none(
    database: Database, serve: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    # given a service that is to have none
    serve("--no-worker")
    # when somebody looks, then there is none, and no file of jobs
    assert living(database) == set()
    assert list(tmp_path.glob("*-jobs.db")) == []
