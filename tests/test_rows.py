"""Rows by their keys, on both databases: the same as SQLAlchemy's way, only quicker."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from psycopg.copy import LibpqWriter
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from webapp import rows as rows_module
from webapp.database import Database, run_by_driver
from webapp.profiles.models import Profile, ProfileIdentifier
from webapp.rows import Lookup, delete_rows, insert_many, insert_missing, insert_new, table_of, together, upsert

NOW = datetime(2026, 11, 23, 12, 30, 0, 125_000, tzinfo=UTC)
COLUMNS = ("id", "properties", "told_at", "created_at", "modified_at")
profiles = table_of(Profile)
BY_ID = Lookup(
    "SELECT p.id, p.properties, p.modified_at FROM {wanted} profiles AS p WHERE {keyed}",
    keys=("p.id",),
    columns=[profiles.c.id, profiles.c.properties, profiles.c.modified_at],
)
identifiers = table_of(ProfileIdentifier)
BY_IDENTIFIER = Lookup(
    "SELECT i.property_id, i.value, i.profile_id FROM {wanted} profile_identifiers AS i WHERE {keyed}",
    keys=("i.property_id", "i.value"),
    columns=[identifiers.c.property_id, identifiers.c.value, identifiers.c.profile_id],
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def a_row(profile_id: str, *values: str) -> tuple[object, ...]:
    return (profile_id, {"name": {"values": list(values)}}, {"name": 1}, NOW, NOW)


@pytest.mark.parametrize("insert", [insert_new, insert_many])
def test_what_is_written_comes_back_as_it_was(database: Database, insert: Callable[..., None]) -> None:
    # given rows with documents and moments, and with text of all kinds, also what COPY gives a meaning
    odd = "\\N\t\\. %s"
    rows = [a_row("a", "Ann", '"q" \\ \U0001f600 \u2028'), a_row("b"), a_row(odd, "%s :x ?", odd, "\n\\n")]
    with database.transaction() as session:
        insert(session, Profile, COLUMNS, rows)
    # when some are looked up, and one that is not there
    with database.reading() as session:
        found = set(map(str, BY_ID.find(session, [("a",), (odd,), ("nobody",)])))
        # then it is what SQLAlchemy reads
        query = select(profiles.c.id, profiles.c.properties, profiles.c.modified_at).where(profiles.c.id != "b")
        assert found == {str(tuple(row)) for row in session.execute(query)}
        assert BY_ID.find(session, [("b",)]) == [("b", {"name": {"values": []}}, NOW)]


@pytest.mark.parametrize("count", [1, 2, 3, 511, 512, 513, 5000])
def test_any_number_of_rows_is_written_and_found(database: Database, count: int) -> None:
    # given that many rows
    rows = [a_row(f"profile-{number}") for number in range(count)]
    with database.transaction() as session:
        assert insert_missing(session, Profile, COLUMNS, rows) == count
    # when all are looked up, then each is there
    with database.reading() as session:
        found = BY_ID.find(session, [(row[0],) for row in rows])
    assert {row[0] for row in found} == {row[0] for row in rows}


@pytest.mark.parametrize(
    ("setting", "value"),
    [("_ARRAYS_SINCE", (17,)), ("_ARRAYS_SINCE", (99,)), ("_MOST_ASKED_IN_VAIN", 1)],
    ids=["as it is", "old server", "many parts"],
)
def test_rows_are_found_by_their_whole_key(
    database: Database, monkeypatch: pytest.MonkeyPatch, setting: str, value: object
) -> None:
    # given identifiers, the parts of which occur in each other's
    monkeypatch.setattr(rows_module, setting, value)
    rows = [(name, value, "a") for name in ("email", "phone") for value in ("x", "y", "z")]
    with database.transaction() as session:
        insert_new(session, Profile, COLUMNS, [a_row("a")])
        insert_new(session, ProfileIdentifier, ("property_id", "value", "profile_id"), rows)
    # when some are looked up, then those alone are found, whether the keys have a part in common or none
    with database.reading() as session:
        for wanted in ({("email", "x"), ("phone", "y")}, {("email", "x"), ("email", "z")}, {("phone", "z")}):
            assert sorted(BY_IDENTIFIER.find(session, wanted)) == sorted((*key, "a") for key in wanted)


def test_no_rows_are_no_work(database: Database) -> None:
    with database.transaction() as session:
        assert insert_missing(session, Profile, COLUMNS, []) == 0
        delete_rows(session, Profile, [])
        assert BY_ID.find(session, []) == []


def test_a_key_that_is_there_is_refused_left_or_changed(database: Database) -> None:
    # given a row
    with database.transaction() as session:
        insert_new(session, Profile, COLUMNS, [a_row("a", "Ann")])
    # when it comes again, then that is refused, with no word of what was in it
    with pytest.raises(IntegrityError) as caught, database.transaction() as session:
        insert_new(session, Profile, COLUMNS, [a_row("b"), a_row("a", "secret")])
    assert "secret" not in str(caught.value)
    with database.transaction() as session:
        # or left as it is
        assert insert_missing(session, Profile, COLUMNS, [a_row("a", "Eve"), a_row("c")]) == 1
        assert BY_ID.find(session, [("a",)])[0][1] == {"name": {"values": ["Ann"]}}
        # or changed, in the columns that are named
        upsert(session, Profile, COLUMNS, [a_row("a", "Eve")], changing=["modified_at"])
        assert BY_ID.find(session, [("a",)])[0][1] == {"name": {"values": ["Ann"]}}
        upsert(session, Profile, COLUMNS, [a_row("a", "Eve")], changing=["properties"])
        assert BY_ID.find(session, [("a",)])[0][1] == {"name": {"values": ["Eve"]}}
    # and of what was refused nothing was kept
    with database.reading() as session:
        assert BY_ID.find(session, [("b",)]) == []


def test_many_rows_are_refused_as_a_whole_if_one_is_there(database: Database) -> None:
    # given a row
    with database.transaction() as session:
        insert_new(session, Profile, COLUMNS, [a_row("a", "Ann")])
    # when it comes again among many, then they are refused, with no word of what was in them
    with pytest.raises(IntegrityError) as caught, database.transaction() as session:
        insert_many(session, Profile, COLUMNS, (a_row(each, "secret") for each in "bcad"))
    assert "secret" not in str(caught.value)
    # and when whoever makes the rows fails, none of those before stays
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        insert_many(session, Profile, COLUMNS, (a_row(f"{1 // left}") for left in (1, 0)))
    with database.transaction() as session:
        insert_many(session, Profile, COLUMNS, [])
        assert session.scalars(select(Profile.id)).all() == ["a"]


def test_nobody_logs_why_many_rows_broke_off(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a look at what PostgreSQL is told of the end, which it logs
    told: list[object] = []
    finish = LibpqWriter.finish

    def look(writer: LibpqWriter, error: BaseException | None = None) -> None:
        told.append(error)
        finish(writer, error)

    monkeypatch.setattr(LibpqWriter, "finish", look)

    def rows() -> Iterator[tuple[object, ...]]:
        yield a_row("a")
        raise KeyError("secret")

    # when whoever makes the rows fails, then that is raised
    with pytest.raises(KeyError, match="secret"), database.transaction() as session:
        insert_many(session, Profile, COLUMNS, rows())
    # and PostgreSQL gets no word of it
    assert "secret" not in str(told)
    assert len(told) == (database.engine.dialect.name != "sqlite")


def test_rows_are_deleted_by_their_whole_key(database: Database) -> None:
    # given three identifiers
    keys = [("email", "a@x.example", "a"), ("email", "b@x.example", "a"), ("phone", "a@x.example", "a")]
    with database.transaction() as session:
        insert_new(session, Profile, COLUMNS, [a_row("a")])
        insert_new(session, ProfileIdentifier, ("property_id", "value", "profile_id"), keys)
        # when two are deleted, one of which is not there
        delete_rows(session, ProfileIdentifier, [keys[0], ("email", "a@x.example", "b")])
    # then the others stay
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ProfileIdentifier)) == 2


def test_what_is_asked_together_is_answered_after_the_block(database: Database) -> None:
    # given a row
    with database.transaction() as session:
        insert_new(session, Profile, COLUMNS, [a_row("a")])
        # when writes and questions are sent together
        with together(session):
            insert_new(session, Profile, COLUMNS, [a_row("b")])
            both = BY_ID.ask(session, [("a",), ("b",)])
            nobody = BY_ID.ask(session, [("c",)])
        # then each question has its own answer, in the order in which they were sent
        assert {row[0] for row in both()} == {"a", "b"}
        assert nobody() == []


def test_an_error_among_what_is_sent_together_is_raised_and_nothing_stays(database: Database) -> None:
    # given a row
    with database.transaction() as session:
        insert_new(session, Profile, COLUMNS, [a_row("a")])

    # when one of several statements that are sent together fails
    def write(session: Session) -> None:
        with together(session):
            for profile_id in ("b", "a", "c"):
                insert_new(session, Profile, COLUMNS, [a_row(profile_id)])

    with pytest.raises(IntegrityError), database.transaction() as session:
        write(session)
    # then none of them happened, and the next transaction works
    with database.transaction() as session:
        assert [row[0] for row in BY_ID.find(session, [("a",), ("b",), ("c",)])] == ["a"]


def test_a_mistake_of_the_driver_is_an_error_of_sqlalchemy(database: Database) -> None:
    with pytest.raises(SQLAlchemyError), database.transaction() as session:
        run_by_driver(session.connection(), "SELECT nothing FROM nowhere")
