"""A transaction on a real database."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from webapp.database import Database


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """A transaction that writes, committed when the test is over."""
    database = Database(database_url)
    with database.transaction() as session:
        yield session
    database.close()
