from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import update

from tests.runs.workers import store_goals
from webapp.connections.models import Connection
from webapp.database import Database
from webapp.importer.models import ImportedUser
from webapp.importer.reach import count_profiles
from webapp.profiles.models import Profile, ProfileIdentity
from webapp.runs.importers import Reach, RunOrder

ISSUER = "https://acme.eu.auth0.com/"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def test_a_profile_counts_once_however_many_users_are_linked_to_it(database: Database, now: datetime) -> None:
    # given two goals of a connection: three users of two profiles, and one user whom both have imported
    first, second = store_goals(database, count=2)
    people = {"google|ann": "p1", "auth0|ann": "p1", "auth0|bob": "p2", "auth0|eve": "p3"}
    imported = [(first, "google|ann", "old"), (first, "auth0|ann", "run"), (first, "auth0|bob", "run")]
    imported += [(second, "auth0|bob", "run"), (second, "auth0|eve", "other")]
    with database.transaction() as session:
        session.execute(update(Connection).values(auth0_domain="acme.eu.auth0.com"))
        session.add_all(Profile(id=key, properties={}, created_at=now, modified_at=now) for key in ("p1", "p2", "p3"))
        session.flush()
        session.add_all(ProfileIdentity(issuer=ISSUER, subject=user, profile_id=key) for user, key in people.items())
        # and the user of the same id of another tenant
        session.add(ProfileIdentity(issuer="https://other.example/", subject="auth0|bob", profile_id="p3"))
        session.add_all(
            ImportedUser(goal_id=goal.id, user_id=user, digest=b"", sums=b"", run_id=run_id)
            for goal, user, run_id in imported
        )
    # when they are counted for a run of the first goal
    order = RunOrder("run", first.id, first.connection_id, is_full=False)
    with database.reading() as session:
        found = count_profiles(session, order, allow_loopback=False)
    # then each profile counts once
    assert found == Reach(profiles=2, connection_profiles=3)


def test_nothing_is_counted_of_a_connection_that_names_no_tenant(database: Database) -> None:
    # given a connection whose domain is empty, and one that is gone
    (goal,) = store_goals(database)
    orders = [RunOrder("run", goal.id, each, is_full=False) for each in (goal.connection_id, 999)]
    # when they are asked what was imported, then nobody can say
    with database.reading() as session:
        assert [count_profiles(session, order, allow_loopback=False) for order in orders] == [None, None]
