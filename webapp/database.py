"""The database: SQLite (WAL) where one machine is enough, PostgreSQL where it is not. The same code runs on both."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, cast

import orjson
import psycopg
from alembic import command
from alembic.config import Config
from flask import current_app
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Table,
    TextClause,
    TypeDecorator,
    and_,
    bindparam,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy import Connection as SqlConnection
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

BUSY_TIMEOUT_MS = 10_000
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x5765_6273
"""PostgreSQL advisory lock that lets one process migrate while others wait."""

_AWAY = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.AdminShutdown)
"""How PostgreSQL says that it was a matter of time."""

Rows = Sequence[Mapping[str, Any]]
_COUNTED = {"preserve_rowcount": True}

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
        """See one state of the database and change nothing. Closing rolls back, and what was read stays readable."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

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
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 10, "hide_parameters": True}
    pool |= {"json_serializer": _json_text, "json_deserializer": orjson.loads}
    if make_url(url).drivername != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, **pool)
        event.listen(engine, "handle_error", _leave_detail_out)
        return engine
    # The driver's own transactions are off: it would begin late, and releasing a savepoint would commit.
    engine = create_engine(
        url,
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA synchronous = {sqlite_synchronous}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A writer takes its place at once: a reader that turns writer later would fail instead of wait.
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))

    return engine


def _note_changed_objects(session: Session, _context: object) -> None:
    if any(each.is_kept_in_memory for each in (*session.new, *session.dirty, *session.deleted)):
        session.info["has_changed_objects"] = True


def _json_text(document: object) -> str:
    return orjson.dumps(document).decode()


def is_busy(error: SQLAlchemyError) -> bool:
    """Say if the database is only busy, or away: the same again may work."""
    if isinstance(error, PoolTimeoutError):  # no connection was free in time
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or "database is locked" in str(error.orig) or isinstance(error.orig, _AWAY)


def insert_new(session: Session, model: type[Base], rows: Rows) -> None:
    """Insert ``rows``. Raises IntegrityError if a key is there already."""
    _insert(session, model, rows, "")


def insert_missing(session: Session, model: type[Base], rows: Rows) -> int:
    """Insert those ``rows`` whose key is not there yet, and say how many that were.

    The key decides between two at once: on PostgreSQL the second waits for the first to commit or roll back.
    """
    return _insert(session, model, rows, "ON CONFLICT DO NOTHING")


def upsert(session: Session, model: type[Base], rows: Rows, *, changing: Sequence[str]) -> None:
    """Insert ``rows``; where the key is there already, only the columns ``changing`` are written."""
    key = ", ".join(column.name for column in table_of(model).primary_key)
    new = ", ".join(f"{name} = excluded.{name}" for name in changing)
    _insert(session, model, rows, f"ON CONFLICT ({key}) DO UPDATE SET {new}")


def among(columns: Sequence[Column[Any]]) -> ColumnElement[bool]:
    """Return the condition that each of ``columns`` has one of the values bound by `among_values`.

    It lets through more than the wanted keys (any combination of their parts), so the reader sorts those out. SQLite
    looks each combination up in the key's index; for ``(a, b) IN (...)`` it would read the whole table.
    """
    return and_(*(column.in_(bindparam(f"wanted_{place}", expanding=True)) for place, column in enumerate(columns)))


def among_values(keys: Collection[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Return the parameters for `among`. ``keys`` are not empty."""
    return {f"wanted_{place}": sorted(set(values)) for place, values in enumerate(zip(*keys, strict=True))}


def table_of(model: type[Base]) -> Table:
    """Return the table below ``model``: statements on it take plain rows and know nothing of objects, so are faster."""
    return cast("Table", model.__table__)


def _insert(session: Session, model: type[Base], rows: Rows, on_conflict: str) -> int:
    """Insert ``rows``, which all have the same columns, by a statement that is made once."""
    if not rows:
        return 0
    names = tuple(rows[0])
    if session.get_bind().dialect.name == "sqlite":
        found = session.execute(_sqlite_insert(model, names, on_conflict), list(rows), execution_options=_COUNTED)
    else:
        document = orjson.dumps([_as_json(row) for row in rows]).decode()
        found = session.execute(_postgresql_insert(model, names, on_conflict), {"rows": document})
    return cast("CursorResult[Any]", found).rowcount


@cache
def _sqlite_insert(model: type[Base], names: tuple[str, ...], on_conflict: str) -> TextClause:
    columns = [table_of(model).c[name] for name in names]
    values = ", ".join(f":{name}" for name in names)
    statement = text(f"INSERT INTO {table_of(model)} ({', '.join(names)}) VALUES ({values}) {on_conflict}")  # noqa: S608
    return statement.bindparams(*(bindparam(column.name, type_=column.type) for column in columns))


@cache
def _postgresql_insert(model: type[Base], names: tuple[str, ...], on_conflict: str) -> TextClause:
    # All rows as one document: the driver would send, and PostgreSQL run, a statement for each.
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    columns = ", ".join(f"{name} {table_of(model).c[name].type.compile(dialect)}" for name in names)
    listed = ", ".join(names)
    return text(
        f"INSERT INTO {table_of(model)} ({listed}) SELECT {listed} "  # noqa: S608, all names are the models'
        f"FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new ({columns}) {on_conflict}"
    )


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"\\x{value.hex()}" if isinstance(value, bytes) else value for name, value in row.items()}


def _leave_detail_out(context: ExceptionContext) -> None:
    """Shorten PostgreSQL's message to its first line: the next one, DETAIL, has the values of the row."""
    original, wrapped = context.original_exception, context.sqlalchemy_exception
    first_line = str(original).partition("\n")[0]
    original.args = (first_line,)
    if wrapped is not None:
        wrapped.args = (f"({type(original).__name__}) {first_line}",)


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
