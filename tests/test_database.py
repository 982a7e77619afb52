import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from webapp.accounts.models import Admin, AuditEntry
from webapp.connections.models import MappingRow
from webapp.database import MIGRATION_LOCK, Base, Database, is_busy, is_passing, run_by_driver


def an_admin(email: str = "ada@example.org", **changes: object) -> Admin:
    fields = {"name": "Ada", "password_hash": "x", "created_at": datetime(2026, 11, 22, tzinfo=UTC)} | changes
    return Admin(email=email, session_version=1, **fields)


def test_the_migrations_make_exactly_the_tables_of_the_models(database_url: str) -> None:
    # given a database that went through all migrations
    database = Database(database_url)
    # when it is compared with the models
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
    # then there is nothing to migrate
    assert differences == []
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_several_processes_may_make_the_tables_at_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # given an empty database and several starting services
    url = f"sqlite:///{tmp_path / 'empty.db'}" if kind == "sqlite" else request.getfixturevalue("empty_postgresql_url")
    script = "import sys; from webapp.database import Database; Database(sys.argv[1]).upgrade()"
    # when all bring it up to date together
    starters = [subprocess.Popen([sys.executable, "-c", script, url], stderr=subprocess.PIPE) for _ in range(3)]
    endings = [(starter.communicate()[1].decode(), starter.returncode) for starter in starters]
    # then none fails
    assert [code for _, code in endings] == [0, 0, 0], endings


def test_a_migration_that_fails_does_not_lock_the_next_one_out(
    empty_postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a migration that fails halfway
    database = Database(empty_postgresql_url)
    with monkeypatch.context() as patch:
        patch.setattr("alembic.command.upgrade", fail)
        with pytest.raises(OSError, match="the disk is full"):
            database.upgrade()
    # when another process wants to migrate, while that connection waits in its pool
    other = Database(empty_postgresql_url)
    with other.engine.connect() as connection:
        free = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    other.close()
    database.close()
    # then nobody stands in its way
    assert free


def fail(*_: object) -> None:
    raise OSError("the disk is full")


def test_a_failed_transaction_leaves_nothing_behind(database_url: str) -> None:
    # given a transaction that fails after its first insert
    database = Database(database_url)
    with database.transaction() as session:
        session.add(an_admin("earlier@example.org"))

    def add_the_same_twice() -> None:
        with database.transaction() as session:
            session.add(an_admin())
            session.flush()
            session.add(an_admin())

    with pytest.raises(IntegrityError):
        add_the_same_twice()
    # then the first insert is gone too
    with database.reading() as session:
        assert list(session.scalars(select(Admin.email))) == ["earlier@example.org"]
    database.close()


def test_a_session_that_reads_leaves_nothing_behind(database_url: str) -> None:
    # given a database
    database = Database(database_url)
    # when somebody writes where only reading is meant, whether that is refused or taken back
    with suppress(SQLAlchemyError), database.reading() as session:
        session.add(an_admin())
        session.flush()
    # then nothing of it stays, and the next transaction may write
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Admin)) == 0
        session.add(an_admin())
    database.close()


def test_postgresql_keeps_what_it_has_prepared_from_one_reading_to_the_next(make_postgresql: Callable[[], str]) -> None:
    # given a query that is asked again and again
    database = Database(make_postgresql())
    for _ in range(10):
        with database.reading() as session:
            session.scalars(select(Admin.email)).all()
    # then it is not made ready anew each time
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%admins%'")) == 1
    database.close()


def test_a_database_that_is_to_take_no_writes_takes_none_after_a_reading_either(
    make_postgresql: Callable[[], str],
) -> None:
    # given a server that its operator has told to let nobody write
    url = make_postgresql()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET default_transaction_read_only TO on")
    database = Database(url)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Admin)) == 0
    # when somebody writes by the connection that has read
    with pytest.raises(SQLAlchemyError, match="read-only"), database.transaction() as session:
        session.add(an_admin())
    # then that was refused
    database.close()


def test_a_rolled_back_savepoint_does_not_end_the_transaction(database_url: str) -> None:
    # given a savepoint inside a transaction
    database = Database(database_url)
    with database.transaction() as session:
        session.add(an_admin("first@example.org"))
        session.flush()
        # when the savepoint is rolled back
        with session.begin_nested() as savepoint:
            session.add(an_admin("second@example.org"))
            session.flush()
            savepoint.rollback()
    # then only what stood outside of it is kept
    with database.reading() as session:
        assert list(session.scalars(select(Admin.email))) == ["first@example.org"]
    database.close()


def test_an_error_of_the_database_does_not_repeat_what_people_typed(database_url: str) -> None:
    # given an admin
    database = Database(database_url)
    with database.transaction() as session:
        session.add(an_admin("ada@secret.example"))
    # when another one with the same address fails
    with pytest.raises(IntegrityError) as caught, database.transaction() as session:
        session.add(an_admin("ada@secret.example"))
    # then the address is in no part of what would be logged
    logged = "".join(traceback.format_exception(caught.value))
    assert "ada@secret.example" not in logged
    assert "admins" in logged
    database.close()


def test_rows_of_a_goal_that_is_not_there_are_refused(database_url: str) -> None:
    # given no goal
    database = Database(database_url)
    row = MappingRow(
        goal_id=99, position=0, auth0_field="email", profile_property="email", direction="to_profile", strategy="set"
    )
    # when a row of one is stored
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(row)
    # then the foreign key has stopped it
    database.close()


def test_moments_come_back_in_utc(database_url: str) -> None:
    # given a moment in another zone
    database = Database(database_url)
    moment = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    with database.transaction() as session:
        session.add(an_admin(created_at=moment))
    # when it is read
    with database.reading() as session:
        found = session.scalar(select(Admin.created_at))
    # then it is the same moment, in UTC
    assert found == moment
    assert found is not None
    assert found.tzinfo is UTC
    database.close()


def test_a_moment_without_a_zone_is_refused(database_url: str) -> None:
    # given a moment of which nobody knows where it was
    database = Database(database_url)
    naive = datetime(2026, 11, 22)  # noqa: DTZ001, that is the mistake
    entry = AuditEntry(at=naive, actor="a", action="b", object_type="c", object_key="d", detail={})
    # when it is stored
    with pytest.raises(Exception, match="time zone"), database.transaction() as session:
        session.add(entry)
    # then it was not
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0
    database.close()


def test_a_connection_that_postgresql_ended_meanwhile_is_made_anew(
    make_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a connection in the pool that nobody needed for long, and that PostgreSQL ended
    monkeypatch.setattr("webapp.database.UNUSED_SECONDS", 0)
    database, other = (Database(url) for url in [make_postgresql()] * 2)
    with database.reading() as session:
        process = session.scalar(text("SELECT pg_backend_pid()"))
    with other.transaction() as session:
        assert session.scalar(text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})
    # when the next one reads, then nobody notices
    with database.reading() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != process
    database.close()
    other.close()


def test_a_transaction_that_postgresql_ends_for_anothers_sake_may_be_done_again() -> None:
    # given errors of the driver, as SQLAlchemy raises them
    def raised(error: psycopg.Error) -> DBAPIError:
        return DBAPIError("", None, error)

    # when they are looked at, then a deadlock passes, though the database is not busy, and a broken key does not
    assert is_passing(raised(psycopg.errors.DeadlockDetected()))
    assert not is_busy(raised(psycopg.errors.DeadlockDetected()))
    assert not is_passing(raised(psycopg.errors.UniqueViolation()))


def test_a_connection_that_postgresql_ends_after_the_last_question_is_told_as_busy(
    make_postgresql: Callable[[], str],
) -> None:
    # given a session that has read
    database, other = (Database(url) for url in [make_postgresql()] * 2)
    reading = database.reading()
    process = reading.__enter__().scalar(text("SELECT pg_backend_pid()"))
    # when PostgreSQL ends its connection before it is closed
    with other.transaction() as session:
        assert session.scalar(text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})
    with pytest.raises(SQLAlchemyError) as caught:
        reading.__exit__(None, None, None)
    # then the same again may work, and it does
    assert is_busy(caught.value)
    with database.reading() as session:
        assert session.scalar(text("SELECT 1")) == 1
    database.close()
    other.close()


def test_a_connection_that_postgresql_ends_in_use_is_told_as_busy(make_postgresql: Callable[[], str]) -> None:
    # given a transaction whose connection PostgreSQL ends
    database, other = (Database(url) for url in [make_postgresql()] * 2)
    with suppress(SQLAlchemyError), database.transaction() as session:
        process = session.scalar(text("SELECT pg_backend_pid()"))
        with other.transaction() as session_of_other:
            session_of_other.scalar(text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})
        # when its next statement goes by the driver
        with pytest.raises(SQLAlchemyError) as caught:
            run_by_driver(session.connection(), "SELECT 1")
    # then the same again may work, and it does
    assert is_busy(caught.value)
    with database.reading() as session:
        assert session.scalar(text("SELECT 1")) == 1
    database.close()
    other.close()


def test_sqlite_waits_for_the_disk_and_keeps_foreign_keys(make_sqlite: Callable[[], str]) -> None:
    # given a SQLite database with the default settings
    database = Database(make_sqlite())
    # when its settings are asked for
    with database.reading() as session:
        found = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "wal_autocheckpoint")
        }
    # then nothing answered can be lost
    assert found.pop("wal_autocheckpoint") == 4_000
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    database.close()


def test_writers_on_sqlite_wait_for_each_other(make_sqlite: Callable[[], str], tmp_path: Path) -> None:
    # given many threads that each read, then write
    database = Database(make_sqlite())
    with database.transaction() as session:
        session.add(an_admin())

    def grow() -> None:
        for _ in range(25):
            with database.transaction() as session:
                admin = session.scalars(select(Admin)).one()
                admin.session_version += 1

    # when they run together
    threads = [threading.Thread(target=grow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then no step is lost
    with database.reading() as session:
        assert session.scalar(select(Admin.session_version)) == 101
    database.close()
