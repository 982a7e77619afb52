"""An importer whose effects tell what was lost and what counted twice, and a worker process that runs it.

Every chunk adds to the sum of each of its people, and its number to their lists. The tables are made by the test.

As a process: ``python -m tests.runs.summing``, with the settings in the environment. With ``every-second`` it takes
each schedule for one that runs in every second, which no schedule of people can say.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from webapp.connections.schedule import Schedule
from webapp.database import Database
from webapp.errors import WebsyncError
from webapp.runs.importers import Applied, Begun, Later, NotNowError, OpenImport, Position, Reach, RunOrder
from webapp.settings import load_settings
from webapp.worker import WorkerRefusedError, run_worker

PEOPLE = 5
TABLES = (
    "CREATE TABLE sums (run_key VARCHAR(64), person INTEGER, points INTEGER, PRIMARY KEY (run_key, person))",
    "CREATE TABLE lists (run_key VARCHAR(64), person INTEGER, chunk INTEGER)",
    "CREATE TABLE receipts (run_key VARCHAR(64), chunk INTEGER, PRIMARY KEY (run_key, chunk))",
    "CREATE TABLE plans (goal_id INTEGER PRIMARY KEY, chunks INTEGER, gate INTEGER, trouble VARCHAR(20))",
)
"""``plans`` says how many chunks a goal has, up to which its gate is open, and what goes wrong at the last."""

_sent_away: set[str] = set()
"""Runs that were told once that the tenant has no time."""


class TroubleError(WebsyncError):
    """A trouble that an import can have."""

    slug, title, status = "test-trouble", "The tenant is in trouble", HTTPStatus.BAD_GATEWAY


class SummingImport:
    """One that is open: the chunks from a number on."""

    def __init__(self, database: Database, order: RunOrder, first: int) -> None:
        self._database, self._order, self._next = database, order, first

    @property
    def expected_users(self) -> int | None:
        """All people of all chunks."""
        return self._plan()[0] * PEOPLE

    def next_chunk(self) -> int | Later | None:
        """Return a number while the gate is open."""
        chunks, gate, trouble = self._plan()
        if self._next >= chunks:
            return None
        if self._next >= gate:
            return Later(600 if trouble == "asleep" else 0.05)
        if self._next == chunks - 1 and trouble == "busy" and self._order.run_key not in _sent_away:
            _sent_away.add(self._order.run_key)
            raise NotNowError(0.05)
        if self._next == chunks - 1 and trouble == "problem":
            raise TroubleError("It does not answer.")
        if self._next == chunks - 1 and trouble == "bug":
            raise RuntimeError("somebody's secret")
        return self._next

    def apply(self, chunk: int, *, now: datetime) -> Applied:  # noqa: ARG002
        """Add the chunk once."""
        self._next = chunk + 1
        key = self._order.run_key
        try:
            with self._database.transaction() as session:
                session.execute(text("INSERT INTO receipts VALUES (:key, :chunk)"), {"key": key, "chunk": chunk})
                for person in range(PEOPLE):
                    row = {"key": key, "person": person, "points": chunk + person, "chunk": chunk}
                    add = (
                        "INSERT INTO sums VALUES (:key, :person, :points) ON CONFLICT (run_key, person) "
                        "DO UPDATE SET points = sums.points + excluded.points"
                    )
                    session.execute(text(add), row)
                    session.execute(text("INSERT INTO lists VALUES (:key, :person, :chunk)"), row)
        except IntegrityError:
            pass  # it has been applied before, and was not noted
        return Applied({"next": self._next}, {"read": PEOPLE}, has_errors=self._plan()[2] == "errors")

    def _plan(self) -> tuple[int, int, str]:
        with self._database.reading() as session:
            query = text("SELECT chunks, gate, trouble FROM plans WHERE goal_id = :goal")
            chunks, gate, trouble = session.execute(query, {"goal": self._order.goal_id}).one()
        return chunks, gate, trouble


class SummingImporter:
    """Opens imports on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, order: RunOrder) -> Begun:  # noqa: ARG002
        """Begin at the first chunk."""
        return Begun({"next": 0})

    def count_profiles(self, order: RunOrder) -> Reach:  # noqa: ARG002
        """Say that each person has a profile."""
        return Reach(PEOPLE, PEOPLE)

    @contextmanager
    def open(self, order: RunOrder, position: Position) -> Iterator[OpenImport]:
        """Go on where the position says."""
        yield SummingImport(self._database, order, position["next"])


def plan(database: Database, goal_id: int, *, chunks: int, gate: int | None = None, trouble: str = "") -> None:
    """Say what the imports of a goal come to; the first time this makes the tables."""
    with database.transaction() as session:
        row: dict[str, Any] = {"goal": goal_id, "chunks": chunks, "gate": chunks if gate is None else gate}
        session.execute(text("DELETE FROM plans WHERE goal_id = :goal"), row)
        session.execute(text("INSERT INTO plans VALUES (:goal, :chunks, :gate, :trouble)"), row | {"trouble": trouble})


def make_tables(database: Database) -> None:
    """Make the tables of the sums."""
    with database.transaction() as session:
        for table in TABLES:
            session.execute(text(table))


def applied_once(database: Database, run_key: str, chunks: int) -> bool:
    """Say if every chunk of the run counts exactly once, in the sums and in the lists."""
    with database.reading() as session:
        of_run = {"key": run_key}
        query = text("SELECT person, points FROM sums WHERE run_key = :key")
        sums = {person: points for person, points in session.execute(query, of_run)}  # noqa: C416, they are rows
        rows = session.execute(text("SELECT person, chunk FROM lists WHERE run_key = :key"), of_run).all()
    wanted = sorted((person, chunk) for person in range(PEOPLE) for chunk in range(chunks))
    points = {person: sum(chunk + person for chunk in range(chunks)) for person in range(PEOPLE)}
    return sorted(tuple(row) for row in rows) == wanted and sums == points


def main() -> int:
    """Work until a signal says stop."""
    settings = load_settings()
    if "every-second" in sys.argv:
        Schedule.cron = property(lambda _: "* * * * * *")  # type: ignore[assignment, method-assign]
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        run_worker(settings, stopping, make_importer=SummingImporter)
    except WorkerRefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
