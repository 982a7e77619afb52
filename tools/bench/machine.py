"""The machine: its cores, and what is running on it."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("flask", "granian", "sqlalchemy", "psycopg", "pyjwt", "cryptography", "orjson")


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores the measured server may use, and which the load generator. Empty: as the system likes."""

    of_server: frozenset[int]
    of_load: frozenset[int]


def choose_cores() -> Cores:
    """Return one core for the server and another for the load, where the system can pin and has two."""
    if sys.platform != "linux":
        return Cores(frozenset(), frozenset())
    free = sorted(os.sched_getaffinity(0))
    if len(free) < 2:
        return Cores(frozenset(), frozenset())
    return Cores(frozenset(free[:1]), frozenset(free[1:2]))


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Let what this thread starts meanwhile run on ``cores`` only: a child has the affinity of who started it."""
    if sys.platform != "linux" or not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(group: int) -> float | None:
    """Return the processor time of all living processes of a process group; None where /proc does not tell."""
    if sys.platform != "linux":
        return None
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, object]:
    """Return machine and versions, as docs/performance.md names them."""
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load average before": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
