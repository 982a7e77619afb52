"""An import goal on a real database, and files of users."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import and_, select

from tests.factories import make_import_goal
from webapp.connections.import_saving import (
    LiveImportGoal,
    add_import_goal,
    find_import_goals,
    live_import_goal,
    save_import_goal,
)
from webapp.connections.models import Connection
from webapp.connections.saving import Change, ConnectionDetails, add_connection
from webapp.database import Database
from webapp.importer.applying import ChunkApplier, ImportRun
from webapp.importer.importing import new_run_id
from webapp.importer.reading import Entry, User, open_users
from webapp.importer.results import ImportResult
from webapp.profiles.models import Profile, ProfileIdentity

ISSUER = "https://acme.eu.auth0.com/"
CHANGE = Change("ada@example.org", datetime(2026, 11, 22, 11, 0, tzinfo=UTC))


@dataclass
class Tenant:
    """A connection with one import goal, and everything a test does with it."""

    database: Database
    now: datetime

    def save(self, **changes: Any) -> LiveImportGoal:
        """Store the goal, changed as told, and return it."""
        goal = make_import_goal(**changes)
        with self.database.transaction() as session:
            connection = session.scalars(select(Connection)).one_or_none()
            if connection is None:
                connection = add_connection(session, ConnectionDetails("Shop", "acme.eu.auth0.com"), CHANGE)
            found = find_import_goals(session, goal.key)
            if found:
                save_import_goal(session, found[0], goal, CHANGE, is_on=True, expected_revision=found[0].revision)
            else:
                found = [add_import_goal(session, connection, goal, CHANGE, is_on=True).goal]
            return live_import_goal(found[0], allow_loopback=False)

    def run(self, goal: LiveImportGoal, *users: dict[str, Any], run_id: str = "", **options: bool) -> ImportResult:
        """Import ``users`` as one chunk of a run, which is a new one unless told."""
        run = ImportRun(run_id or new_run_id(), goal, **options)
        return self.apply(run, [User(line, user) for line, user in enumerate(users, start=1)])

    def apply(self, run: ImportRun, entries: Sequence[Entry]) -> ImportResult:
        """Apply a chunk."""
        applier = ChunkApplier(self.database, run)
        return applier.apply([applier.read(entry) for entry in entries], now=self.now)

    def values(self, user_id: str) -> dict[str, list[str]]:
        """Return what the profile of a user has; nothing if there is none."""
        with self.database.reading() as session:
            is_theirs = ProfileIdentity.profile_id == Profile.id, ProfileIdentity.subject == user_id
            query = select(Profile).join(ProfileIdentity, and_(*is_theirs))
            profile = session.scalars(query).one_or_none()
        return {name: stored["values"] for name, stored in profile.properties.items()} if profile else {}

    def profiles(self) -> int:
        """Return how many profiles there are."""
        with self.database.reading() as session:
            return len(session.scalars(select(Profile.id)).all())


@pytest.fixture
def tenant(database_url: str, now: datetime) -> Iterator[Tenant]:
    database = Database(database_url)
    yield Tenant(database, now)
    database.close()


def a_user(**fields: Any) -> dict[str, Any]:
    """Return a user of an export."""
    return {"user_id": "auth0|ann"} | fields


def lines_of(*lines: object) -> bytes:
    """Return NDJSON; bytes stand as they are."""
    return b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines)


def read_all(content: bytes, **options: Any) -> list[Entry]:
    """Return what a file with this content holds."""
    return list(open_users(io.BytesIO(content), **options))
