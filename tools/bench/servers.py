"""The servers that are measured: each a process of its own, started, awaited and surely ended."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.bench.machine import Cores, cpu_seconds, pinned

HOME = Path(__file__).parents[2]
THREADS = 16
START_SECONDS = 60.0
STOP_SECONDS = 10.0


class StartError(Exception):
    """A server did not start. The message has its last words."""


class Server:
    """A running server on a port of 127.0.0.1."""

    def __init__(self, name: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.port = port
        self.process = process
        self.log = log

    def cpu_seconds(self) -> float | None:
        """Return the processor time that its processes have used."""
        return cpu_seconds(self.process.pid)

    def last_words(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])

    def wait_until_ready(self, path: str) -> None:
        """Wait for any answer at ``path``. Raises StartError."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                asking.request("GET", path)
                asking.getresponse().read()
                asking.close()
                return
            time.sleep(0.05)
        raise StartError(f"{self.name} did not start:\n{self.last_words()}")


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    port: int,
    *,
    folder: Path,
    cores: Cores,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run ``command`` on the server's core until the end of the block, in a process group of its own."""
    log = folder / f"{name.replace(' ', '-')}-{port}.log"
    with log.open("wb") as output, pinned(cores.of_server):
        process = subprocess.Popen(
            command,
            cwd=HOME,
            env={**clean_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # so that Ctrl+C reaches the bench alone, which then ends them all
        )
    try:
        server = Server(name, port, process, log)
        server.wait_until_ready("/healthz")
        yield server
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server with all processes of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def clean_environment() -> dict[str, str]:
    """Return the environment without settings of another Websync, and with this one's code first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEBSYNC_")}
    return {**kept, "PYTHONPATH": str(HOME), "NODE_ENV": "production"}


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
