"""A shop whose visitors log in at a real issuer of tokens, on each kind of database."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from snippets.goals import IdentifierLink, Mapping, MergeStrategy, WebGoal
from tests.factories import make_goal
from tests.tokens.issuer import Issuer
from webapp.connections.goals import add_goal
from webapp.connections.models import Connection
from webapp.database import Database
from webapp.profiles.embedded import ensure_properties, get_profile, wanted_properties
from webapp.profiles.models import Profile, ProfileIdentity
from webapp.tokens.models import TokenReceipt

ORIGIN = "https://shop.example"
NAMESPACE = "https://shop.example/claims/"
MAPPINGS = (
    Mapping("email", "email"),
    Mapping("name", "full_name", strategy=MergeStrategy.SET_IF_EMPTY),
    Mapping("user_metadata.plan", "plan", strategy=MergeStrategy.SET_OR_CLEAR),
    Mapping("user_metadata.roles", "roles", strategy=MergeStrategy.ADD),
    Mapping("user_metadata.points", "points", strategy=MergeStrategy.SUM),
)
LINKS = (IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email"))


@dataclass(frozen=True, slots=True)
class Shop:
    """A goal that takes tokens, and the ways to see what came of them."""

    app: Flask
    issuer: Issuer
    goal: WebGoal

    @property
    def database(self) -> Database:
        """The service's database."""
        found: Database = self.app.extensions["database"]
        return found

    @property
    def path(self) -> str:
        """Where tokens are posted."""
        return f"/sync/{self.goal.key}/token"

    def post(self, token: str, profile_id: str | None = None, **options: Any) -> TestResponse:
        """Post a token as a page of the shop does."""
        headers = {"Origin": ORIGIN} | options.pop("headers", {})
        body = {"token": token, "profileId": profile_id}
        return self.app.test_client().post(self.path, json=body, headers=headers, **options)

    def log_in(self, claims: dict[str, Any] | None = None, profile_id: str | None = None) -> dict[str, Any]:
        """Log in, post the new token and return the answer."""
        response = self.post(self.issuer.token(claims), profile_id)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.get_json()
        return answer

    def properties(self, profile_id: str) -> dict[str, list[str]]:
        """Return what the profile has now."""
        with self.database.reading() as session:
            profile = get_profile(session, profile_id)
            assert profile is not None
            return {name: stored["values"] for name, stored in profile.properties.items()}

    def add_profile(self, profile_id: str, now: datetime, owner: tuple[str, str] | None = None) -> None:
        """Store a profile, linked to the Auth0 user ``owner`` (issuer, subject) if that is given."""
        with self.database.transaction() as session:
            session.add(Profile(id=profile_id, properties={}, created_at=now, modified_at=now))
            session.flush()
            if owner:
                session.add(ProfileIdentity(issuer=owner[0], subject=owner[1], profile_id=profile_id))

    def count(self) -> tuple[int, int]:
        """Return the numbers of profiles and of receipts."""
        with self.database.reading() as session:
            return (
                session.scalar(select(func.count()).select_from(Profile)) or 0,
                session.scalar(select(func.count()).select_from(TokenReceipt)) or 0,
            )


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A tenant with one signing key."""
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def make_shop(app: Flask, issuer: Issuer, now: datetime) -> Callable[..., Shop]:
    """Return a function that stores a goal, changed as told. ``is_on`` and ``domain`` are the connection's."""

    def make(
        *, is_on: bool = True, domain: str = issuer.tenant.base_url, signing_secret: str = "", **changes: Any
    ) -> Shop:
        goal = make_goal(**{"mappings": MAPPINGS, "links": LINKS, "claim_namespace": NAMESPACE} | changes)
        with app.extensions["database"].transaction() as session:
            connection = Connection(
                key=f"connection-{goal.key}",
                name="Shop",
                auth0_domain=domain,
                is_on=is_on,
                created_at=now,
                updated_at=now,
            )
            session.add(connection)
            session.flush()
            stored = add_goal(session, connection, goal, is_on=True, now=now)
            if signing_secret:
                stored.sealed_signing_secret = app.extensions["sealer"].seal(signing_secret)
            ensure_properties(session, wanted_properties(goal), now)
        return Shop(app, issuer, goal)

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """A shop with all five merge strategies, linking by user id and verified e-mail address."""
    return make_shop()
