"""Locks on executor ids: one process has one, and it is free the moment that process is gone, however it went.

On PostgreSQL it is an advisory lock of a session that does nothing else. On SQLite, where all workers run on one
computer, it is a lock of the operating system on an empty file beside the database.
"""

import fcntl
import os
from contextlib import suppress
from hashlib import blake2b
from typing import Protocol

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from webapp.database import Database

_KEEPALIVE = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
"""So PostgreSQL notices within half a minute that the computer at the other end is gone, and frees its locks."""


class ExecutorLocks(Protocol):
    """Takes and frees locks for one process."""

    def take(self, executor_id: str) -> bool:
        """Take the lock of an executor id, and say if nobody else had it."""

    def free(self, executor_id: str) -> None:
        """Free a lock that was taken."""

    def still_has(self, executor_id: str) -> bool:
        """Say if the lock is still this process', and take it again if it can be had. Raises if nobody can say."""

    def close(self) -> None:
        """Free all."""


def executor_locks(database: Database) -> ExecutorLocks:
    """Return the locks that suit the database."""
    return _FileLocks(database) if database.is_sqlite else _AdvisoryLocks(database)


class _FileLocks:
    def __init__(self, database: Database) -> None:
        self._beside = make_url(database.url).database
        self._taken: dict[str, int] = {}

    def take(self, executor_id: str) -> bool:
        file = os.open(f"{self._beside}.{executor_id}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._taken[executor_id] = file
        return True

    def free(self, executor_id: str) -> None:
        os.close(self._taken.pop(executor_id))

    def still_has(self, executor_id: str) -> bool:
        return executor_id in self._taken

    def close(self) -> None:
        for executor_id in list(self._taken):
            self.free(executor_id)


class _AdvisoryLocks:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: SqlConnection | None = None

    def take(self, executor_id: str) -> bool:
        query = text("SELECT pg_try_advisory_lock(:key)")
        return bool(self._connection().scalar(query, {"key": _number(executor_id)}))

    def free(self, executor_id: str) -> None:
        self._connection().execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _number(executor_id)})

    def still_has(self, executor_id: str) -> bool:
        try:
            self._connection().execute(text("SELECT 1"))
        except SQLAlchemyError:
            self.close()
            return self.take(executor_id)
        return True

    def close(self) -> None:
        if self._held is not None:
            # Not back to the pool, where the session would live on and keep its locks.
            with suppress(SQLAlchemyError):
                self._held.invalidate()
            with suppress(SQLAlchemyError):
                self._held.close()
            self._held = None

    def _connection(self) -> SqlConnection:
        if self._held is None:
            self._held = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            for name, value in _KEEPALIVE.items():
                self._held.execute(text(f"SET {name} = {value}"))
        return self._held


def _number(executor_id: str) -> int:
    """Return PostgreSQL's key for an executor id: 64 bits of a digest, with a sign."""
    digest = blake2b(f"websync worker {executor_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
