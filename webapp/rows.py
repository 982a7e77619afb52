"""Rows: read and written by their keys, many at a time, by statements that are made once and run by the driver itself.

A group of posts reads and writes few rows in each of several tables. There, SQLAlchemy's way from a statement to its
rows takes far longer than the database's work. Anything else goes by SQLAlchemy as usual.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, lru_cache
from itertools import chain, islice
from math import prod
from typing import Any, TypeVar, cast

import orjson
import psycopg
from sqlalchemy import JSON, Column, Connection, Dialect, LargeBinary, String, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from webapp.database import Base, UtcDateTime, errors_of_driver, json_text, run_by_driver

Row = tuple[Any, ...]
T = TypeVar("T")
Convert = Callable[[Any], Any] | None

_MOST_AT_ONCE = 512
"""Rows of one statement on SQLite, which bounds the number of its parameters. (Its bound is 32,766.)"""
_MOST_KEYS = 4096
_ARRAYS_SINCE = (17,)
"""Since then PostgreSQL goes through an index once for all elements of arrays, for any of its columns."""
_MOST_ASKED_IN_VAIN = 4
"""Where parts of keys with other parts are so many times as many as the keys, a join asks for the keys alone."""


class Lookup:
    """A query for the rows of many keys at once.

    ``query`` has ``{wanted}`` before the tables that it reads from, and ``{keyed}`` where its condition says that the
    columns ``keys``, as the query calls them, are parts of one of the keys. ``columns`` are the query's, and the first
    of them are the keys' parts. With ``is_locking`` the rows of the table that the query calls ``p`` stay as they are
    until the transaction ends.
    """

    def __init__(
        self, query: str, *, keys: Sequence[str], columns: Sequence[Column[Any]], is_locking: bool = False
    ) -> None:
        self._query = query
        self._keys = tuple(keys)
        self._columns = tuple(columns)
        self._is_wanted = " AND ".join(f"{key} = wanted.column{place}" for place, key in enumerate(keys, start=1))
        # Arrays in the driver's binary format, which takes it a fraction of the time that text takes.
        arrays, names = ", ".join(["%b"] * len(keys)), ", ".join(f"column{place + 1}" for place in range(len(keys)))
        wanted = f"unnest({arrays}) AS wanted ({names}) CROSS JOIN"
        self._by_join = query.format(wanted=wanted, keyed=self._is_wanted)
        self._by_parts = query.format(wanted="", keyed=" AND ".join(f"{key} = ANY(%b)" for key in keys))
        if is_locking:
            self._by_join += " FOR UPDATE OF p"
            self._by_parts += " FOR UPDATE OF p"
        self._for_sqlite: dict[int, str] = {}
        self._readers: dict[str, list[tuple[int, Callable[[Any], Any]]]] = {}

    def find(self, session: Session, keys: Collection[Row]) -> list[Row]:
        """Return the rows of ``keys``."""
        return self.ask(session, keys)()

    def ask(self, session: Session, keys: Collection[Row]) -> Callable[[], list[Row]]:
        """Send the query, and return what reads its rows: within `together`, to be called after the block."""
        if not keys:
            return list
        connection = session.connection()
        if connection.dialect.name != "sqlite":
            return self._ask_postgresql(connection, keys)
        cursors = [self._ask_sqlite(connection, some) for some in _batched(keys, _MOST_KEYS)]
        return lambda: self._read([row for cursor in cursors for row in cursor.fetchall()], connection.dialect)

    def _ask_postgresql(self, connection: Connection, keys: Collection[Row]) -> Callable[[], list[Row]]:
        wanted = set(keys)
        columns = [list(part) for part in zip(*wanted, strict=True)]
        parts = [list(dict.fromkeys(part)) for part in columns]
        asked = prod(map(len, parts))
        # To ask for every part with every other takes a third of the time of a join with the keys. But an older server
        # may keep a plan that uses an index for the first part alone.
        version = connection.dialect.server_version_info or ()
        if version < _ARRAYS_SINCE or asked > _MOST_ASKED_IN_VAIN * len(wanted):
            cursor = run_by_driver(connection, self._by_join, columns)
        else:
            cursor = run_by_driver(connection, self._by_parts, parts)
        if asked == len(wanted):
            return lambda: self._read(cursor.fetchall(), connection.dialect)
        return lambda: self._read([row for row in cursor.fetchall() if row[: len(parts)] in wanted], connection.dialect)

    def _ask_sqlite(self, connection: Connection, keys: list[Row]) -> Any:
        # In sizes of powers of two, so that few statements have to be kept. NULL is no key of anything.
        size = 1 << (len(keys) - 1).bit_length()
        statement = self._for_sqlite.get(size) or self._prepare_for_sqlite(size)
        none = [None] * (size - len(keys)) * len(self._keys)
        return run_by_driver(connection, statement, [part for key in keys for part in key] + none)

    def _prepare_for_sqlite(self, size: int) -> str:
        # SQLite takes a CROSS JOIN in this order, so that it looks each key up in an index.
        values = ", ".join([_places(len(self._keys))] * size)
        statement = self._query.format(wanted=f"(VALUES {values}) AS wanted CROSS JOIN", keyed=self._is_wanted)
        self._for_sqlite[size] = statement
        return statement

    def _read(self, rows: list[Row], dialect: Dialect) -> list[Row]:
        readers = self._readers.get(dialect.name)
        if readers is None:
            found = [(place, _reader(column, dialect)) for place, column in enumerate(self._columns)]
            readers = self._readers[dialect.name] = [(place, read) for place, read in found if read is not None]
        if not readers:
            return rows
        read_rows = []
        for row in rows:
            values = list(row)
            for place, read in readers:
                values[place] = read(values[place])
            read_rows.append(tuple(values))
        return read_rows


def insert_new(session: Session, model: type[Base], names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert ``rows``, which have the columns ``names``. Raises IntegrityError if a key is there already."""
    _insert(session, model, tuple(names), rows, "")


def insert_many(session: Session, model: type[Base], names: Sequence[str], rows: Iterable[Row]) -> None:
    """Do what `insert_new` does with very many rows, not within `together`.

    They are written while ``rows`` still makes those that follow, on PostgreSQL by COPY: rows of a thousand people do
    not fit the processor's caches, and what has left them takes longer to write out.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        write = _sqlite_row_writer(model, tuple(names), connection.dialect)
        for some in _batched(map(write, rows), _MOST_AT_ONCE):
            _insert_into_sqlite(connection, model, tuple(names), some, "")
        return
    coming = iter(rows)
    if (first := next(coming, None)) is None:
        return
    statement, write = _postgresql_copy(model, tuple(names), connection.dialect)
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]  # an open connection has one
    try:
        with errors_of_driver(connection), cursor.copy(statement) as copy:
            _write_rows(copy, map(write, chain((first,), coming)))
    except _BrokenOffError as error:
        raise error.reason from error.reason.__cause__


class _BrokenOffError(Exception):
    """Ends a COPY without a word. PostgreSQL logs the text of what ends it, and that may be about a person."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


def _write_rows(copy: psycopg.Copy, rows: Iterable[Sequence[Any]]) -> None:
    write_row = copy.write_row
    try:
        for row in rows:
            write_row(row)
    except psycopg.Error:
        raise
    except Exception as error:
        raise _BrokenOffError(error) from error


def insert_missing(session: Session, model: type[Base], names: Sequence[str], rows: Sequence[Row]) -> int:
    """Insert those ``rows`` whose key is not there yet, and say how many that were.

    The key decides between two at once: on PostgreSQL the second waits for the first to commit or roll back.
    """
    return _insert(session, model, tuple(names), rows, "ON CONFLICT DO NOTHING")


def upsert(
    session: Session, model: type[Base], names: Sequence[str], rows: Sequence[Row], *, changing: Sequence[str]
) -> None:
    """Insert ``rows``; where the key is there already, only the columns ``changing`` are written."""
    key = ", ".join(column.name for column in table_of(model).primary_key)
    new = ", ".join(f"{name} = excluded.{name}" for name in changing)
    _insert(session, model, tuple(names), rows, f"ON CONFLICT ({key}) DO UPDATE SET {new}")


def delete_rows(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    """Delete the rows with these primary keys, where they are there."""
    if not rows:
        return
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        run_by_driver(connection, _postgresql_delete(model), _documents(rows))
        return
    for row in rows:  # asked for several keys at once, SQLite would read the whole table
        run_by_driver(connection, _sqlite_delete(model), row)


@contextmanager
def together(session: Session) -> Iterator[None]:
    """Send PostgreSQL the statements of the block at once, so that all of them take one wait.

    Their errors are raised at the end of the block, and nothing that they return is known before.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        yield
        return
    with errors_of_driver(connection), connection.connection.driver_connection.pipeline():  # type: ignore[union-attr]
        yield


def table_of(model: type[Base]) -> Table:
    """Return the table below ``model``: statements on it take plain rows and know nothing of objects, so are faster."""
    return cast("Table", model.__table__)


def _insert(session: Session, model: type[Base], names: tuple[str, ...], rows: Sequence[Row], on_conflict: str) -> int:
    if not rows:
        return 0
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        statement = _postgresql_insert(model, names, on_conflict)
        return cast("int", run_by_driver(connection, statement, _documents(rows)).rowcount)
    write = _sqlite_row_writer(model, names, connection.dialect)
    return _insert_into_sqlite(connection, model, names, list(map(write, rows)), on_conflict)


def _insert_into_sqlite(
    connection: Connection,
    model: type[Base],
    names: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    on_conflict: str,
) -> int:
    """Insert rows that are made ready for the driver."""
    count = start = 0
    while start < len(rows):
        # In sizes of powers of two: few statements to keep, and few moments in which another thread gets in between.
        size = min(_MOST_AT_ONCE, 1 << (len(rows) - start).bit_length() - 1)
        values = list(chain.from_iterable(rows[start : start + size]))
        count += run_by_driver(connection, _sqlite_insert(model, names, on_conflict, size), values).rowcount
        start += size
    return count


@cache
def _sqlite_insert(model: type[Base], names: tuple[str, ...], on_conflict: str, size: int) -> str:
    values = ", ".join([_places(len(names))] * size)
    return f"INSERT INTO {table_of(model)} ({', '.join(names)}) VALUES {values} {on_conflict}"  # noqa: S608, our names


@cache
def _sqlite_row_writer(model: type[Base], names: tuple[str, ...], dialect: Dialect) -> Callable[[Row], Sequence[Any]]:
    kinds = [table_of(model).c[name].type.dialect_impl(dialect) for name in names]
    return _row_writer([_sqlite_writer(kind, dialect) for kind in kinds])


def _sqlite_writer(kind: TypeEngine[Any], dialect: Dialect) -> Convert:
    match kind:
        case JSON():
            return json_text
        case LargeBinary():  # the driver takes bytes as they are
            return None
    write = kind.bind_processor(dialect)
    # Rows that are written together have the same moments, and to write one out takes longer than to know it again.
    return lru_cache(16)(write) if isinstance(kind, UtcDateTime) and write is not None else write


@cache
def _postgresql_insert(model: type[Base], names: tuple[str, ...], on_conflict: str) -> str:
    # All rows at once: the driver would send, and PostgreSQL run, a statement for each.
    given = _given_rows({name: _type_of(table_of(model).c[name]) for name in names})
    return f"INSERT INTO {table_of(model)} ({', '.join(names)}) {given} {on_conflict}"


@cache
def _postgresql_copy(
    model: type[Base], names: tuple[str, ...], dialect: Dialect
) -> tuple[str, Callable[[Row], Sequence[Any]]]:
    """Return the statement, and what makes of a row the values that it takes."""
    statement = f"COPY {table_of(model)} ({', '.join(names)}) FROM STDIN"
    kinds = [table_of(model).c[name].type.dialect_impl(dialect) for name in names]
    return statement, _row_writer([_copy_writer(kind) for kind in kinds])


def _row_writer(writers: Sequence[Convert]) -> Callable[[Row], Sequence[Any]]:
    """Return what makes of a row the values that are written."""
    converted = [(place, write) for place, write in enumerate(writers) if write is not None]
    if not converted:
        return lambda row: row

    def write_all(row: Row) -> list[Any]:
        values = list(row)
        for place, write in converted:
            if values[place] is not None:
                values[place] = write(values[place])
        return values

    return write_all


def _copy_writer(kind: TypeEngine[Any]) -> Convert:
    match kind:
        case JSON():
            return json_text
        case UtcDateTime():
            return lru_cache(16)(datetime.isoformat)
    return None


@cache
def _sqlite_delete(model: type[Base]) -> str:
    is_it = " AND ".join(f"{column.name} = ?" for column in table_of(model).primary_key)
    return f"DELETE FROM {table_of(model)} WHERE {is_it}"  # noqa: S608, our names


@cache
def _postgresql_delete(model: type[Base]) -> str:
    key = table_of(model).primary_key.columns
    given = _given_rows({column.name: _type_of(column) for column in key})
    is_it = " AND ".join(f"{column} = gone.{column.name}" for column in key)
    return f"DELETE FROM {table_of(model)} USING ({given}) AS gone WHERE {is_it}"  # noqa: S608, all names are the models'


def _given_rows(types: Mapping[str, str]) -> str:
    """Return the query for the rows of `_documents`, with columns of these names and types.

    A JSON array for each column takes PostgreSQL a third or a quarter of the time of one with an object for each row.
    """
    columns = ", ".join(f"{name}::{kind} AS {name}" for name, kind in types.items())
    texts = ", ".join(["json_array_elements_text(%s::json)"] * len(types))
    return f"SELECT {columns} FROM ROWS FROM ({texts}) AS given ({', '.join(types)})"  # noqa: S608, names of columns


def _documents(rows: Collection[Row]) -> list[str]:
    """Return each column of ``rows`` as a JSON array. Documents among the values are objects or arrays."""
    return [orjson.dumps(column, default=_hexadecimal).decode() for column in zip(*rows, strict=True)]


def _hexadecimal(value: object) -> str:
    """Write bytes as PostgreSQL reads them."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _places(count: int) -> str:
    return f"({', '.join('?' * count)})"


def _type_of(column: Column[Any]) -> str:
    if isinstance(column.type, String):  # a cast to a type of limited length would cut the text off
        return "TEXT"
    return column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]


def _reader(column: Column[Any], dialect: Dialect) -> Convert:
    return column.type.dialect_impl(dialect).result_processor(dialect, None)
