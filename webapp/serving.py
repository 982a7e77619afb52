"""Starting the production server, and the link for the first admin."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from webapp import garbage
from webapp.accounts.links import has_admin, link_url, make_link
from webapp.app import create_app
from webapp.database import transaction
from webapp.live.streaming import LiveStreams
from webapp.logs import keep_loggers
from webapp.metrics import FOLDER_VARIABLE
from webapp.settings import Settings, settings
from webapp.slow_clients import WAITING_THREADS

GARBAGE_OBJECTS = 20_000
"""So many new objects are made before Python looks for cycles among them: those of about a hundred posts."""
HEADER_SECONDS = 20
"""For the headers of a request to come, and for the next request on a connection that is kept open."""
WORKER_STOP_SECONDS = 60
"""For the worker's current chunk, when all is to stop. What is killed after that goes on at its last chunk."""
WORKER_PAUSE_SECONDS = 5.0
"""Before a worker that ended by itself is started anew."""
HEADER_BUFFER_BYTES = 32 * 1024
"""The server reads up to twice as much before it refuses the headers."""


def first_admin_link(now: datetime) -> str | None:
    """Return a one-time link that makes the first admin, or None once there is one."""
    with transaction() as session:
        return None if has_admin(session) else link_url(settings().public_url, make_link(session, None, now))


def serve(settings: Settings, *, workers: int, with_worker: bool) -> None:
    """Serve until a signal says stop. Each of ``workers`` processes reads the settings from the environment again.

    With ``with_worker`` a process beside them carries the runs of imports.
    """
    server = Granian(
        "webapp.serving:create_web_process",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=settings.threads + WAITING_THREADS,
        http=HTTPModes.http1,  # what proxies speak to servers; one connection is one request at a time
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=HEADER_BUFFER_BYTES),
        respawn_failed_workers=True,
        log_level=LogLevels.error,
    )
    with ExitStack() as stack:
        if with_worker:
            stack.enter_context(_worker_beside())
        stack.enter_context(_metrics_together(workers))
        server.serve()


def create_web_process() -> Flask:
    """Return the app of a web process, which ends its streams as soon as a signal tells the process to stop.

    The server waits for all answers before it ends, and does not tell the app that it is about to. But Python writes
    the number of each signal that somebody handles to a file of one's choice.
    """
    app = create_app()
    keep_loggers()
    garbage.look_seldom(GARBAGE_OBJECTS)
    signals, noted = os.pipe()
    os.set_blocking(noted, False)
    signal.set_wakeup_fd(noted)
    threading.Thread(target=_end_streams, args=(app, signals), name="signals", daemon=True).start()
    return app


def _end_streams(app: Flask, signals: int) -> None:
    while os.read(signals, 1)[0] not in {signal.SIGINT, signal.SIGTERM}:
        pass
    streams: LiveStreams = app.extensions["live_streams"]
    streams.end()


@contextmanager
def _worker_beside() -> Iterator[None]:
    """Run a worker as a process of its own, start it anew if it ends, and stop it at the end."""
    stopping = threading.Event()
    # The first one here: the server forks, and a thread that starts a process is no good company for that.
    worker = _start_worker()
    watcher = threading.Thread(target=_keep_working, args=(worker, stopping), name="worker", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stopping.set()
        watcher.join()


def _keep_working(worker: "subprocess.Popen[bytes]", stopping: threading.Event) -> None:
    while not stopping.wait(0.5):
        if worker.poll() is not None and not stopping.wait(WORKER_PAUSE_SECONDS):
            worker = _start_worker()
    worker.terminate()
    try:
        worker.wait(timeout=WORKER_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _start_worker() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "webapp.cli", "worker", "--with-parent"])


@contextmanager
def _metrics_together(workers: int) -> Iterator[None]:
    """Give several processes the folder in which they count together; one alone counts in its memory."""
    if workers == 1:
        os.environ.pop(FOLDER_VARIABLE, None)
        yield
        return
    with tempfile.TemporaryDirectory(prefix="websync-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        yield
