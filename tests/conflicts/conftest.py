"""A goal, a profile with an owner, and a visitor whose posts point at it, on each kind of database."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from snippets.goals import IdentifierLink
from tests.factories import make_goal
from webapp.conflicts.listing import find_conflict, show_sides
from webapp.conflicts.models import IdentityConflict
from webapp.conflicts.recording import RefusedPost, record_conflict
from webapp.connections.goals import add_goal
from webapp.connections.models import Connection, Goal
from webapp.database import Database
from webapp.profiles.embedded import ensure_properties, find_profiles
from webapp.profiles.facts import Identity
from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity
from webapp.profiles.owners import owners_of, profile_id_of
from webapp.profiles.values import PropertyType

TENANT = "https://shop.eu.auth0.com/"
OWNER, VISITOR = (TENANT, "auth0|owner"), (TENANT, "twitter|visitor")
LINK = IdentifierLink("email", "email", require_verified=False)
PROFILE_ID = "profile-1"


@dataclass(slots=True)
class Case:
    """The database with one goal; stores profiles and refused posts, and says what became of them."""

    database: Database
    client: FlaskClient
    now: datetime
    goal_id: int = 0
    goal_key: str = ""
    posts: int = field(default=0)

    def add_goal(self, key: str) -> int:
        """Store one more goal, in a connection of its own, and return its id."""
        now = self.now
        with self.database.transaction() as session:
            connection = Connection(key=f"of-{key}", name="Shop", created_at=now, updated_at=now)
            session.add(connection)
            session.flush()
            return add_goal(session, connection, make_goal(key=key, links=(LINK,)), is_on=True, now=now).id

    def add_profile(self, profile_id: str, *owners: Identity, **properties: list[str]) -> None:
        """Store a profile that belongs to ``owners``. All its properties are unique identifiers."""
        stored = {name: {"values": values, "source": "a test", "changed": 0} for name, values in properties.items()}
        with self.database.transaction() as session:
            ensure_properties(session, dict.fromkeys(properties, (PropertyType.TEXT, True)), self.now)
            session.add(Profile(id=profile_id, properties=stored, created_at=self.now, modified_at=self.now))
            session.flush()
            for name, values in properties.items():
                for value in values:
                    session.add(ProfileIdentifier(property_id=name, value=value, profile_id=profile_id))
        for owner in owners:
            self.link(owner, profile_id)

    def link(self, user: Identity, profile_id: str) -> None:
        """Link a user to a profile."""
        with self.database.transaction() as session:
            session.merge(ProfileIdentity(issuer=user[0], subject=user[1], profile_id=profile_id))

    def refuse(self, visitor: Identity = VISITOR, profile_id: str = PROFILE_ID, goal_id: int | None = None) -> None:
        """Let a post of ``visitor`` be refused, each a minute after the one before."""
        self.posts += 1
        post = RefusedPost(goal_id or self.goal_id, visitor, profile_id, LINK)
        with self.database.transaction() as session:
            record_conflict(session, post, now=self.now + timedelta(minutes=self.posts))

    def conflicts(self) -> list[IdentityConflict]:
        """Return all conflicts, the oldest first."""
        with self.database.reading() as session:
            return list(session.scalars(select(IdentityConflict).order_by(IdentityConflict.id)))

    @property
    def conflict(self) -> IdentityConflict:
        """The only conflict."""
        (found,) = self.conflicts()
        return found

    def seen(self) -> str:
        """Return the mark of the only conflict as a page has it now."""
        with self.database.reading() as session:
            conflict = find_conflict(session, self.conflict.key)
            return show_sides(session, conflict).mark(conflict)

    def choose(self, choice: str, *, seen: str | None = None) -> str:
        """Press a button of the only conflict's page and return the page that comes then."""
        form = {"seen": self.seen() if seen is None else seen}
        answer = self.client.post(f"/conflicts/{self.conflict.key}/{choice}", data=form, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return answer.text

    def owners(self, profile_id: str = PROFILE_ID) -> list[Identity]:
        """Return who the profile belongs to."""
        with self.database.reading() as session:
            return owners_of(session, profile_id)

    def profile_of(self, user: Identity) -> Profile | None:
        """Return the profile to which a user is linked."""
        with self.database.reading() as session:
            profile_id = profile_id_of(session, user)
            return session.get(Profile, profile_id) if profile_id else None

    def found_by(self, property_id: str, value: str) -> list[str]:
        """Return the ids of the profiles that an identifier finds."""
        with self.database.reading() as session:
            return [profile.id for profile in find_profiles(session, property_id, value)]


@pytest.fixture
def bare_case(app: Flask, admin_client: FlaskClient, now: datetime) -> Case:
    """A goal, and nothing else."""
    case = Case(app.extensions["database"], admin_client, now)
    case.goal_id, case.goal_key = case.add_goal("goal-1"), "goal-1"
    with case.database.reading() as session:
        assert session.get(Goal, case.goal_id) is not None
    return case


@pytest.fixture
def case(bare_case: Case) -> Case:
    """A conflict: by their address, VISITOR points at the profile of OWNER."""
    bare_case.add_profile(PROFILE_ID, OWNER, email=["ann@example.org"], auth0_user_id=[OWNER[1]])
    bare_case.refuse()
    return bare_case
