"""The database: SQLite (WAL) where one machine is enough, PostgreSQL where it is not. The same code runs on both."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import orjson
import psycopg
from alembic import command
from alembic.config import Config
from flask import current_app
from psycopg.pq import TransactionStatus
from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy import Connection as SqlConnection
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 10_000
KEPT_STATEMENTS = 500
"""Prepared statements of a connection to SQLite: `webapp.rows` has about ten for each of ten tables."""
CHECKPOINT_PAGES = 4_000
"""So many pages of 4 KiB wait in SQLite's log until it brings them to the database, four times as many as by itself.

Most pages that an import or a busy site changes are the same again and again, and so are written less often. Source:
SQLite docs, "Write-Ahead Logging", 3.3.
"""
UNUSED_SECONDS = 1.0
"""A connection to PostgreSQL that was in use less than this ago is there still, unless PostgreSQL stopped just now."""
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x5765_6273
"""PostgreSQL advisory lock that lets one process migrate while others wait."""

_AWAY = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.AdminShutdown)
"""How PostgreSQL says that it was a matter of time."""

JsonDocument = JSON().with_variant(JSONB(), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, so it is taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone: nobody could say what it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables. Names of constraints are given, so that migrations can speak of them."""

    is_kept_in_memory: ClassVar[bool] = False
    """Whether processes remember what rows say; `Database.changes` tells them when to look anew."""
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database:
    """The engine, and the two ways to use it: `transaction` writes, `reading` only reads."""

    def __init__(self, url: str, *, sqlite_synchronous: str = "FULL", pool_size: int = 20) -> None:
        self.url = url
        self.engine = _create_engine(url, sqlite_synchronous, pool_size)
        self._writing = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._writing_sessions = sessionmaker(self._writing, expire_on_commit=False)
        self._reading = self.engine.execution_options(postgresql_readonly=True)
        event.listen(self._writing_sessions, "after_flush", _note_changed_objects)
        self.changes = 0
        """Grows with each committed change of rows that are kept in memory, if this process makes it."""

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, where one writer at a time has the whole database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commit at the end, roll back on an error."""
        with self._writing_sessions() as session:
            with session.begin():
                yield session
            self.changes += "has_changed_objects" in session.info

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """See one state of the database and change nothing. What was read stays readable."""
        with Session(self._reading, expire_on_commit=False) as session:
            yield session
            if not self.is_sqlite:
                _commit_nothing(session)

    def upgrade(self) -> None:
        """Bring the tables to the newest migration. Several processes may ask at once."""
        with self._writing.connect() as connection, self._only_migration(connection):
            config = alembic_config(self.url)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()

    @contextmanager
    def _only_migration(self, connection: SqlConnection) -> Iterator[None]:
        if self.is_sqlite:  # where a writer is alone
            yield
            return
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        try:
            yield
        finally:
            # The lock belongs to the session, which goes back to the pool: it would outlive a migration that failed.
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for the database at ``url``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def _create_engine(url: str, sqlite_synchronous: str, pool_size: int) -> Engine:
    # Statements carry personal data, so neither an error nor a log line may repeat their parameters.
    # The connection that came back last knows the statements, and on SQLite the pages that were just written.
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 10, "pool_use_lifo": True, "hide_parameters": True}
    pool |= {"json_serializer": json_text, "json_deserializer": orjson.loads}
    if make_url(url).drivername != "sqlite":
        engine = create_engine(url, **pool)
        event.listen(engine, "handle_error", _leave_detail_out)
        event.listen(engine, "connect", _go_by_indexes)
        event.listen(engine, "checkin", _note_return)
        event.listen(engine, "checkout", _look_if_it_is_there)
        return engine
    # The driver's own transactions are off: it would begin late, and releasing a savepoint would commit.
    engine = create_engine(
        url,
        connect_args={
            "isolation_level": None,
            "timeout": BUSY_TIMEOUT_MS / 1000,
            "check_same_thread": False,
            "cached_statements": KEPT_STATEMENTS,
        },
        **pool,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA synchronous = {sqlite_synchronous}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: SqlConnection) -> None:
        # A writer takes its place at once: a reader that turns writer later would fail instead of wait.
        run_by_driver(connection, connection.get_execution_options().get("sqlite_begin", "BEGIN"))

    return engine


def _go_by_indexes(connection: psycopg.Connection, _record: object) -> None:
    """Let PostgreSQL read whole tables only where nothing else leads to the rows.

    It plans by what tables were like when they were last analyzed, and keeps the plans of prepared statements. A table
    that was small then is read whole by every post, however large it has become.
    """
    for way in ("seqscan", "hashjoin", "mergejoin"):
        connection.execute(f"SET enable_{way} = off")
    connection.commit()


def _commit_nothing(session: Session) -> None:
    """End a transaction that has only read. After a rollback the driver would forget which statements it has prepared.

    PostgreSQL would take half a millisecond to understand and plan those of a group of posts anew.
    """
    if session.in_transaction():
        connection = session.connection()
        with errors_of_driver(connection):
            connection.connection.driver_connection.commit()  # type: ignore[union-attr]  # an open one has one


def _note_return(connection: psycopg.Connection | None, record: ConnectionPoolEntry) -> None:
    record.info["returned_at"] = time.monotonic()
    # SQLAlchemy leaves it at "not read-only", which would overrule an operator's ``default_transaction_read_only``.
    if connection is not None and connection.info.transaction_status == TransactionStatus.IDLE:
        connection.read_only = None


def _look_if_it_is_there(connection: psycopg.Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Let the pool make a new connection if PostgreSQL has ended this one while nobody needed it.

    SQLAlchemy's own ``pool_pre_ping`` asks each time, which takes as long as a post's whole transaction.
    """
    if time.monotonic() - record.info.get("returned_at", math.inf) < UNUSED_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.commit()
    except psycopg.Error as error:
        raise DisconnectionError from error


def _note_changed_objects(session: Session, _context: object) -> None:
    if any(each.is_kept_in_memory for each in (*session.new, *session.dirty, *session.deleted)):
        session.info["has_changed_objects"] = True


def json_text(document: object) -> str:
    """Return a document as columns of the type `JsonDocument` have it."""
    return orjson.dumps(document).decode()


def is_busy(error: SQLAlchemyError) -> bool:
    """Say if the database is only busy, or away: the same again may work."""
    if isinstance(error, PoolTimeoutError):  # no connection was free in time
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or "database is locked" in str(error.orig) or isinstance(error.orig, _AWAY)


def is_passing(error: SQLAlchemyError) -> bool:
    """Say if a whole transaction may work when done again: also one that PostgreSQL ended so that another goes on."""
    return is_busy(error) or isinstance(getattr(error, "orig", None), psycopg.errors.DeadlockDetected)


def run_by_driver(connection: SqlConnection, statement: str, parameters: Sequence[object] = ()) -> Any:
    """Run a statement in the driver's own words, and return the driver's cursor. Raises what SQLAlchemy would raise."""
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]  # an open connection has one
    with errors_of_driver(connection):
        cursor.execute(statement, parameters)
    return cursor


@contextmanager
def errors_of_driver(connection: SqlConnection) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy would."""
    dialect = connection.dialect
    base = dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        _shorten(error)
        is_lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None, None, error, base, hide_parameters=True, connection_invalidated=is_lost, dialect=dialect
        ) from error


def _leave_detail_out(context: ExceptionContext) -> None:
    first_line = _shorten(context.original_exception)
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (f"({type(context.original_exception).__name__}) {first_line}",)


def _shorten(error: BaseException) -> str:
    """Leave only the first line of PostgreSQL's message: the next one, DETAIL, has the values of the row."""
    first_line = str(error).partition("\n")[0]
    error.args = (first_line,)
    return first_line


def database() -> Database:
    """Return the database of the running app."""
    found: Database = current_app.extensions["database"]
    return found


@contextmanager
def transaction() -> Iterator[Session]:
    """Open a transaction that writes, on the running app's database."""
    with database().transaction() as session:
        yield session


@contextmanager
def reading() -> Iterator[Session]:
    """Open a transaction that only reads, on the running app's database."""
    with database().reading() as session:
        yield session
