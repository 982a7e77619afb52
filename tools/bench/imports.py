"""The import bench: the import of a file beside the bare decoding of the same file, and the worker's memory."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cryptography.fernet import Fernet

from tools.bench.contestants import Stage, apply_configuration
from tools.bench.exports import CHANGED_ONE_IN, IMPORT_KEY, SECRET_VARIABLE, Exports, import_configuration
from tools.bench.load import BenchError
from tools.bench.machine import pinned
from tools.bench.report import Target, rate_ratio
from tools.bench.servers import HOME, clean_environment, end, free_port, running
from tools.bench.tokens import DATABASES
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET

DECODING = "gunzip + orjson"
FIRST, UNCHANGED, CHANGED = "first import", "nothing changed", "1 % changed"
MEMORY_USERS = 50_000
"""So many users the worker imports at most when its memory is measured first."""
GROWTH = 5
"""How many times as many users the worker imports when its memory is measured again."""
MEGABYTE = 1_000_000
_NO_TENANT = "http://localhost:9"
_FIRST_TARGETS = {"SQLite": (0.05, 0.12), "PostgreSQL": (0.05, 0.15)}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process made of a file: how many users it read in how long, and the most memory that it had."""

    users: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def rate(self) -> float:
        """Users per second."""
        return self.users / self.seconds


Readings = Mapping[str, Sequence[Reading]]
"""What each case came to, one reading for each round."""


def bench_imports(stage: Stage, exports: Exports, database: str, rounds: int) -> Readings:
    """Read and import the files in turn, each import into a new database. Raises BenchError."""
    found: dict[str, list[Reading]] = {}
    with DATABASES[database](stage.folder) as make_database:
        for number in range(rounds):
            url = make_database(f"imports_{number}")
            apply_configuration(stage, import_configuration(_NO_TENANT), url)
            changed = -(-exports.users // CHANGED_ONE_IN)
            cases: dict[str, tuple[list[object], dict[str, int]]] = {
                DECODING: ([exports.first], {"users": exports.users}),
                FIRST: ([exports.first, url], {"created": exports.users}),
                UNCHANGED: ([exports.first, url], {"unchanged": exports.users}),
                CHANGED: ([exports.changed, url], {"unchanged": exports.users - changed, "modified": changed}),
            }
            for case, (arguments, expected) in cases.items():
                found.setdefault(case, []).append(_read(stage, case, arguments, expected))
    return found


def import_targets(database: str, readings: Readings) -> list[Target]:
    """Return the targets of docs/performance.md: imports in users a second, to one that is only decoded."""
    bounds = {FIRST: _FIRST_TARGETS[database], UNCHANGED: (0.25, 0.5), CHANGED: (0.2, 0.4)}
    return [
        Target(f"{database}: {case}, ratio to {DECODING}", rate_ratio(readings, case, DECODING), *bounds[case])
        for case in bounds
    ]


def import_figures(readings: Readings) -> dict[str, dict[str, float]]:
    """Return the medians of each case, as build/bench.json has them."""
    return {
        case: {
            "users per second": median(each.rate for each in found),
            f"ratio to {DECODING}": rate_ratio(readings, case, DECODING),
            "CPU us per user": median(each.cpu_seconds / each.users * 1e6 for each in found),
            "peak MB": median(each.peak_bytes / MEGABYTE for each in found),
        }
        for case, found in readings.items()
    }


def import_table(title: str, readings: Readings) -> str:
    """Return the figures of one database as people read them."""
    rounds = len(readings[DECODING])
    lines = [f"{title}, {readings[DECODING][0].users:,} users, medians of {rounds} rounds"]
    lines += [f"  {'':28} {'users/s':>9} {'ratio':>7} {'CPU us':>8} {'peak MB':>8}"]
    for case, row in import_figures(readings).items():
        rate, ratio, cpu, peak = row.values()
        lines.append(f"  {case:28} {rate:9,.0f} {ratio:7.3f} {cpu:8.0f} {peak:8.0f}")
    return "\n".join(lines)


def worker_memory(stage: Stage, users: int) -> dict[int, int]:
    """Return the most memory that a worker had, in bytes, by how many users it imported from a tenant into SQLite.

    Raises:
        BenchError: an import failed, or the system does not tell.
    """
    with DATABASES["SQLite"](stage.folder) as make_database:
        return {
            number: _worker_peak(stage, make_database(f"memory_{number}"), number) for number in (users, users * GROWTH)
        }


def memory_targets(peaks: Mapping[int, int]) -> list[Target]:
    """Return the targets of the worker's memory: how much of it there is, and how it grows."""
    (_, few), (users, many) = peaks.items()
    return [
        Target(f"Worker's memory at {users:,} users, MB", many / MEGABYTE, 300, 150, more_is_better=False),
        Target(f"Worker's memory, {GROWTH} times as many users", many / few, 1.1, 1.1, more_is_better=False),
    ]


def _read(stage: Stage, case: str, arguments: Sequence[object], expected: Mapping[str, int]) -> Reading:
    command = [sys.executable, "-m", "tools.bench.one_import", *map(str, arguments)]
    with pinned(stage.cores.of_server):
        ran = subprocess.run(command, cwd=HOME, env=clean_environment(), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise BenchError(f"The import bench broke off at “{case}”: {ran.stderr.strip()}")
    told = json.loads(ran.stdout)
    if wrong := {name: told.get(name, 0) for name, count in expected.items() if told.get(name, 0) != count}:
        raise BenchError(f"“{case}” should have come to {dict(expected)}, and came to {wrong}.")
    return Reading(told["users"], told["seconds"], told["cpu_seconds"], told["peak_bytes"])


def _worker_peak(stage: Stage, database_url: str, users: int) -> int:
    port = free_port()
    settings = {
        "WEBSYNC_MODE": "development",
        "WEBSYNC_DATABASE_URL": database_url,
        "WEBSYNC_SECRET_KEYS": Fernet.generate_key().decode(),
        "WEBSYNC_LOG_LEVEL": "ERROR",
        SECRET_VARIABLE: M2M_CLIENT_SECRET,
    }
    tenant = [sys.executable, "-m", "tools.bench.crowded_tenant", str(port), str(users)]
    with running("The tenant", tenant, port, folder=stage.folder, cores=stage.cores):
        wanted = import_configuration(f"http://localhost:{port}", M2M_CLIENT_ID)
        apply_configuration(stage, wanted, database_url, settings)
        with _working(stage, settings) as worker:
            ran = subprocess.run(
                [sys.executable, "-m", "webapp.cli", "import", IMPORT_KEY],
                cwd=HOME,
                env={**clean_environment(), **settings},
                capture_output=True,
                text=True,
                check=False,
            )
            if ran.returncode not in {0, 1}:  # 1: some addresses are not verified, and the import says so
                raise BenchError(f"The import of {users:,} users failed: {ran.stdout}{ran.stderr}")
            return _peak_bytes(worker.pid)


@contextmanager
def _working(stage: Stage, settings: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (stage.folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "webapp.cli", "worker"],
            cwd=HOME,
            env={**clean_environment(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        yield worker
    finally:
        end(worker)


def _peak_bytes(process_id: int) -> int:
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    except OSError as error:
        raise BenchError("This system does not tell how much memory a process had.") from error
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) * 1024
