"""An admin with a password, and short cuts to the tables of accounts."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select

from tests.conftest import ADMIN_EMAIL, ADMIN_PASSWORD
from webapp.accounts.models import Admin, AuditEntry
from webapp.accounts.passwords import hash_password
from webapp.database import Database

AuditTrail = Callable[[], list[tuple[str, str]]]


@pytest.fixture
def database(app: Flask) -> Database:
    """The database of the test's app."""
    found: Database = app.extensions["database"]
    return found


@pytest.fixture
def known_admin(database: Database, now: datetime) -> Admin:
    """An admin whose password is `ADMIN_PASSWORD`."""
    admin = Admin(
        email=ADMIN_EMAIL,
        name="Ada Admin",
        password_hash=hash_password(ADMIN_PASSWORD),
        created_at=now,
        session_version=1,
    )
    with database.transaction() as session:
        session.add(admin)
    return admin


@pytest.fixture
def audit_trail(database: Database) -> AuditTrail:
    """Return a function that returns who did what, oldest first."""

    def read() -> list[tuple[str, str]]:
        with database.reading() as session:
            return [
                (entry.actor, entry.action) for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))
            ]

    return read
