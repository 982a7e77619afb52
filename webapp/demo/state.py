"""What the demo tenant knows: plain JSON data behind one lock, kept in one file if a path is given."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from webapp.demo.seed import add_newer_parts, seed_data

Data = dict[str, Any]
MAX_LOGS = 100


def utc_now() -> datetime:
    """Return the present time, with its zone."""
    return datetime.now(UTC)


class TenantState:
    """The tenant's users, clients, APIs, Actions, sessions and grants.

    ``with state.change() as data`` reads and writes, ``with state.read() as data`` only reads; both hold the lock, so
    be short: never run an Action or make a call inside. A change that raises is taken back. ``clock`` is a parameter so
    that tests need not wait for something to expire.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self._path = path
        self._lock = threading.RLock()
        known = path is not None and path.exists()
        self._data: Data = json.loads(path.read_text(encoding="utf-8")) if path and known else seed_data(self.stamp())
        add_newer_parts(self._data)
        if not known:
            self._save()

    def now(self) -> int:
        """Return the Unix time in whole seconds."""
        return int(self.clock().timestamp())

    def now_ms(self) -> int:
        """Return the Unix time in milliseconds."""
        return int(self.clock().timestamp() * 1_000)

    def stamp(self) -> str:
        """Return the time as Auth0 writes it: ISO 8601, UTC, milliseconds."""
        return self.clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @contextmanager
    def read(self) -> Iterator[Data]:
        """Give the data, to be left as they are."""
        with self._lock:
            yield self._data

    @contextmanager
    def change(self) -> Iterator[Data]:
        """Give the data to be changed; at the end they are saved, after an exception they are as before."""
        with self._lock:
            before = json.dumps(self._data)
            try:
                yield self._data
            except BaseException:
                self._data = json.loads(before)
                raise
            self._save()

    def reset(self) -> None:
        """Forget everything and begin with the demo data again; the signing keys change too."""
        with self._lock:
            self._data = seed_data(self.stamp())
            self._save()

    def log(self, entry: Data) -> None:
        """Keep what an Action run said, the newest first."""
        with self.change() as data:
            data["logs"] = [{"date": self.stamp(), **entry}, *data["logs"]][:MAX_LOGS]

    def _save(self) -> None:
        """Write to a neighbour and rename it: a reader, also after a crash, finds the old file or the new one."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        neighbour = self._path.with_name(self._path.name + ".new")
        # The file holds a private key: it is for its owner only.
        with os.fdopen(os.open(neighbour, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._data, file, indent=1)
        neighbour.replace(self._path)


def prune(entries: dict[str, Data], now: int) -> None:
    """Drop the entries (codes, tokens, sessions) whose ``expires_at`` has passed."""
    for key in [key for key, entry in entries.items() if entry["expires_at"] <= now]:
        del entries[key]
