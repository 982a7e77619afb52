"""Group commit: one transaction for many, in their order, and nobody fails for a neighbour."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from tests.conftest import wait_until
from webapp import group_commit
from webapp.database import Database
from webapp.group_commit import GroupCommit


class RefusedError(Exception):
    """The item is refused before anything is written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One number that a person adds to a list. ``fate`` is what becomes of it."""

    person: int
    number: int
    fate: str = "written"


def write_entries(session: Session, entries: Sequence[Entry]) -> list[int | Exception]:
    """Append each number to its person's list; a second row of the same place spoils the transaction."""
    outcomes: list[int | Exception] = []
    for entry in entries:
        if entry.fate == "refused":
            outcomes.append(RefusedError(str(entry.number)))
            continue
        place = session.scalar(text("SELECT count(*) FROM entries WHERE person = :person"), {"person": entry.person})
        row = {"person": entry.person, "place": 0 if entry.fate == "broken" else place + 1, "number": entry.number}
        session.execute(text("INSERT INTO entries VALUES (:person, :place, :number)"), row)
        outcomes.append(entry.number)
    return outcomes


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with a table of numbers; place 0 of each person is taken."""
    database = Database(database_url)
    prepare(database)
    yield database
    database.close()


def prepare(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("CREATE TABLE entries (person int, place int, number int, PRIMARY KEY (person, place))"))
        session.execute(text("INSERT INTO entries VALUES (0, 0, -1), (1, 0, -1), (2, 0, -1)"))


def numbers_of(database: Database, person: int) -> list[int]:
    query = text("SELECT number FROM entries WHERE person = :person AND place > 0 ORDER BY place")
    with database.reading() as session:
        return list(session.scalars(query, {"person": person}))


def in_threads(tasks: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive(), "a thread waits for ever"


@dataclass(frozen=True, slots=True)
class Step:
    """An entry with something before and after it: ``fate`` may be decided there, too."""

    entry: Entry

    def prepare(self) -> Entry | None:
        if self.entry.fate == "unready":
            raise RefusedError(str(self.entry.number))
        return None if self.entry.fate == "known" else self.entry

    def finish(self, done: int | None) -> str:
        if self.entry.fate == "unfinished":
            raise RefusedError(str(self.entry.number))
        return str(done)


class Gate:
    """Holds the first group until a number of others wait, so that they form the next ones."""

    def __init__(self, database: Database, *, max_group: int = 64) -> None:
        self.commit = GroupCommit(database, self.work, max_group=max_group)
        self.groups: list[int] = []
        self.is_held = threading.Event()
        self.may_go_on = threading.Event()

    def work(self, session: Session, entries: Sequence[Entry]) -> list[int | Exception]:
        self.groups.append(len(entries))
        if len(self.groups) == 1:
            self.is_held.set()
            assert self.may_go_on.wait(timeout=20)
        return write_entries(session, entries)

    def wait_for(self, count: int) -> None:
        wait_until(lambda: self.commit._queue.qsize() == count)
        self.may_go_on.set()


fates = st.sampled_from(["written", "written", "written", "refused", "broken", "unready", "known", "unfinished"])
entries = st.lists(st.builds(Entry, st.integers(0, 2), st.integers(0, 9), fates), min_size=1, max_size=12)


@settings(max_examples=25)
@given(per_thread=st.lists(entries, min_size=1, max_size=6), max_group=st.integers(1, 8))
def test_many_threads_end_as_if_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, per_thread: list[list[Entry]], max_group: int
) -> None:
    # given threads, of which each writes one entry after the other, for its own person and number space
    folder: Path = tmp_path_factory.mktemp("groups")
    database = Database(f"sqlite:///{folder}/groups.db")
    prepare(database)
    commit = GroupCommit(database, write_entries, max_group=max_group)
    answered: list[list[tuple[Entry, object]]] = [[] for _ in per_thread]

    def run(thread: int) -> None:
        for entry in per_thread[thread]:
            numbered = Entry(entry.person, thread * 100 + entry.number, entry.fate)
            outcome: object
            try:
                outcome = commit.run(Step(numbered))
            except (RefusedError, IntegrityError) as error:
                outcome = type(error)
            answered[thread].append((numbered, outcome))

    # when they run at once
    in_threads([lambda thread=thread: run(thread) for thread in range(len(per_thread))])  # type: ignore[misc]
    # then each was told its own outcome: neither another's nor for another's fault
    refused = dict.fromkeys(("refused", "unready", "unfinished"), RefusedError)
    wanted: dict[str, object] = {**refused, "broken": IntegrityError, "known": "None"}
    assert all(outcome == wanted.get(entry.fate, str(entry.number)) for thread in answered for entry, outcome in thread)
    # and what was answered is stored, in the order of each thread; what fails after its commit stays there
    for person in range(3):
        stored = numbers_of(database, person)
        for thread, done in enumerate(answered):
            stays = {"written", "unfinished"}
            own = [entry.number for entry, _ in done if entry.person == person and entry.fate in stays]
            assert [number for number in stored if number // 100 == thread] == own
    database.close()


def test_what_comes_during_a_commit_is_written_by_the_next_one_together(database: Database) -> None:
    # given a commit under way
    gate = Gate(database)
    first = threading.Thread(target=gate.commit.submit, args=(Entry(0, 1),), daemon=True)
    first.start()
    assert gate.is_held.wait(timeout=20)
    # when five more come, and it ends
    opener = threading.Thread(target=gate.wait_for, args=(5,), daemon=True)
    opener.start()
    in_threads([lambda number=number: gate.commit.submit(Entry(1, number)) and None for number in range(5)])  # type: ignore[misc]
    first.join(timeout=20)
    # then one transaction has written them
    assert gate.groups == [1, 5]
    assert sorted(numbers_of(database, 1)) == list(range(5))


@pytest.mark.parametrize(("waiting", "groups"), [(3, [1, 3]), (4, [1, 4]), (9, [1, 4, 4, 1])])
def test_nobody_waits_for_more_groups_than_were_before_them(
    make_sqlite: Callable[[], str], waiting: int, groups: list[int]
) -> None:
    # given groups of at most four, and one under way
    database = Database(make_sqlite())
    prepare(database)
    gate = Gate(database, max_group=4)
    first = threading.Thread(target=gate.commit.submit, args=(Entry(0, 1),), daemon=True)
    first.start()
    assert gate.is_held.wait(timeout=20)
    # when more come than fit into one
    opener = threading.Thread(target=gate.wait_for, args=(waiting,), daemon=True)
    opener.start()
    in_threads([lambda number=number: gate.commit.submit(Entry(1, number)) and None for number in range(waiting)])  # type: ignore[misc]
    first.join(timeout=20)
    # then they go four by four, without a pause and without anybody left
    assert gate.groups == groups
    assert len(numbers_of(database, 1)) == waiting
    database.close()


def test_one_that_spoils_the_transaction_fails_alone(database: Database) -> None:
    # given a group of good and bad
    gate = Gate(database)
    first = threading.Thread(target=gate.commit.submit, args=(Entry(0, 1),), daemon=True)
    first.start()
    assert gate.is_held.wait(timeout=20)
    outcomes: dict[int, str] = {}

    def submit(number: int, fate: str) -> None:
        try:
            outcomes[number] = str(gate.commit.submit(Entry(2, number, fate)))
        except (RefusedError, IntegrityError) as error:
            outcomes[number] = type(error).__name__

    # when it is written
    opener = threading.Thread(target=gate.wait_for, args=(4,), daemon=True)
    opener.start()
    fates = ["written", "broken", "refused", "written"]
    in_threads([lambda number=number, fate=fate: submit(number, fate) for number, fate in enumerate(fates)])  # type: ignore[misc]
    first.join(timeout=20)
    # then the good ones are stored, each once
    assert outcomes == {0: "0", 1: "IntegrityError", 2: "RefusedError", 3: "3"}
    assert sorted(numbers_of(database, 2)) == [0, 3]


def test_a_database_that_is_away_is_asked_once_for_the_whole_group(make_sqlite: Callable[[], str]) -> None:
    # given a database without a free connection
    database = Database(make_sqlite())
    calls: list[int] = []

    def away(_session: Session, entries: Sequence[Entry]) -> list[int | Exception]:
        calls.append(len(entries))
        raise PoolTimeoutError

    # when two items are written together
    outcomes = GroupCommit(database, away)._commit([Entry(0, 1), Entry(0, 2)])
    # then both hear of it, after one try
    assert calls == [2]
    assert all(isinstance(outcome, SQLAlchemyError) for outcome in outcomes)
    database.close()


def test_where_nothing_is_to_be_written_no_transaction_begins(make_sqlite: Callable[[], str]) -> None:
    # given a database without the table
    database = Database(make_sqlite())
    # when tasks are done of which none gets that far
    commit = GroupCommit(database, write_entries)
    assert commit.run(Step(Entry(0, 1, "known"))) == "None"
    with pytest.raises(RefusedError):
        commit.run(Step(Entry(0, 1, "unready")))
    # then nobody has asked for a connection
    assert "Connections in pool: 0" in database.engine.pool.status()
    database.close()


def test_the_thread_ends_when_nothing_comes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a thread that has done its work
    monkeypatch.setattr(group_commit, "IDLE_SECONDS", 0.01)
    commit = GroupCommit(database, write_entries)
    for number in range(3):
        assert commit.submit(Entry(0, number)) == number
        # when nothing more comes
        wait_until(lambda: not commit._is_running)
        # then it ends, and there is another one for what comes later


def test_nobody_is_left_waiting_by_what_ends_a_thread(database: Database) -> None:
    # given work that wants to end the process
    def end(_session: Session, _entries: Sequence[Entry]) -> list[int | Exception]:
        raise SystemExit

    commit = GroupCommit(database, end)
    # when it is handed in, twice
    for _ in range(2):
        # then whoever waits hears that it failed
        with pytest.raises(RuntimeError, match="given up"):
            commit.submit(Entry(0, 1))


def test_without_a_thread_it_fails_until_there_is_one(database: Database) -> None:
    # given a computer that has no thread left
    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    commit = GroupCommit(database, write_entries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        # when something is to be written
        with pytest.raises(RuntimeError, match="new thread"):
            commit.submit(Entry(0, 1))
    # then the next one is written
    assert commit.submit(Entry(0, 2)) == 2


def test_after_a_failure_the_next_one_is_written(database: Database) -> None:
    commit = GroupCommit(database, write_entries)
    with pytest.raises(IntegrityError):
        commit.submit(Entry(0, 1, "broken"))
    assert commit.submit(Entry(0, 2)) == 2
