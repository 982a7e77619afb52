"""The demo tenant, and a stored goal whose connection may use it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from tests.conftest import ADMIN_EMAIL
from tests.demo.conftest import RunningTenant, tenant
from tests.factories import make_full_goal
from webapp.connections.goals import find_connection, find_goal
from webapp.connections.models import Connection
from webapp.connections.saving import Change, add_web_goal, save_web_goal
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET

__all__ = ["tenant"]

GOAL_KEY = "shop-goal"
CONNECTION_KEY = "connection-1"
PUBLIC_URL = "http://localhost:8000"
SaveGoal = Callable[..., None]


@pytest.fixture
def save(app: Flask, now: datetime) -> SaveGoal:
    """Return a function that stores the goal, or its next revision, with changes to it."""

    def save(*, revision: int = 1, **changes: Any) -> None:
        goal = make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=revision, **changes)
        change = Change(ADMIN_EMAIL, now)
        with app.extensions["database"].transaction() as session:
            if revision == 1:
                add_web_goal(session, find_connection(session, CONNECTION_KEY), goal, change, is_on=True)
            else:
                row = find_goal(session, GOAL_KEY)
                save_web_goal(session, row, goal, change, is_on=True, expected_revision=revision - 1)

    return save


@pytest.fixture
def connect(app: Flask, now: datetime) -> Callable[..., None]:
    """Return a function that stores the one connection: its domain, its secret if any, and changes to the rest."""

    def connect(domain: str, *, secret: str | None = M2M_CLIENT_SECRET, **changes: Any) -> None:
        fields: dict[str, Any] = {"name": "Shop tenant", "auth0_client_id": M2M_CLIENT_ID} | changes
        if secret:
            fields["sealed_client_secret"] = app.extensions["sealer"].seal(secret)
        with app.extensions["database"].transaction() as session:
            session.add(Connection(key=CONNECTION_KEY, auth0_domain=domain, created_at=now, updated_at=now, **fields))

    return connect


@pytest.fixture
def goal(connect: Callable[..., None], save: SaveGoal, tenant: RunningTenant) -> str:
    """The key of a stored goal whose connection may deploy to the demo tenant."""
    connect(tenant.base_url)
    save()
    return GOAL_KEY
