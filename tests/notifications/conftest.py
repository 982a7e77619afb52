"""A connection that tells of its runs, and the ends of them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr

from tests.conftest import make_settings
from tests.receivers import Mailbox, Receiver, mail_server, receiving
from tests.runs.workers import store_goals
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.notifications import NotificationSettings, RunEvent, new_webhook_secret, save_notifications
from webapp.connections.saving import Change
from webapp.database import Database
from webapp.notifications.models import Notification
from webapp.runs.models import Run, RunState, RunTrigger
from webapp.runs.progress import end_run
from webapp.runs.requesting import request_run, start_next
from webapp.sealing import Sealer
from webapp.settings import Settings

BOTH = (RunEvent.FINISH, RunEvent.FAILURE)
OPS = "ops@example.com"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """SQLite's: what differs between the two is tested where it does."""
    return make_sqlite()


@pytest.fixture
def settings(database_url: str, mailbox: Mailbox) -> Settings:
    """Settings that name the mail server."""
    return make_settings(database_url).model_copy(update={"smtp_url": SecretStr(mailbox.url)})


class Shop:
    """A connection with an import goal, whose runs end as told."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self.database, self._sealer = database, sealer
        (self.goal,) = store_goals(database)
        self.secret = ""

    def tell(self, **settings: Any) -> str:
        """Save whom to tell; returns the new secret of a webhook."""
        with self.database.transaction() as session:
            connection = session.get_one(Connection, self.goal.connection_id)
            change = Change("ada@example.org", datetime.now(UTC))
            save_notifications(session, connection, NotificationSettings(**settings), change)
            if settings.get("webhook_url"):
                self.secret = new_webhook_secret(session, connection, change, self._sealer)
        return self.secret

    def end_run(self, state: RunState, now: datetime, **more: Any) -> str:
        """Have a run that ends in a state, and return its key."""
        counts = more.pop("counts", {"read": 1200, "created": 3, "errors": 0})
        with self.database.transaction() as session:
            run = request_run(
                session, session.get_one(ImportGoalRow, self.goal.id), RunTrigger.MANUAL, requested_by="ada", now=now
            )
            start_next(session, run.id, now=now)
            session.refresh(run)
            run.counts = counts
            end_run(session, run, state, now=now, **more)
        return run.key

    def told(self) -> list[Notification]:
        """Return all notifications as they are now."""
        with self.database.reading() as session:
            return list(session.query(Notification).order_by(Notification.id))

    def runs(self) -> list[Run]:
        with self.database.reading() as session:
            return list(session.query(Run))


@pytest.fixture
def shop(app: Flask) -> Shop:
    return Shop(app.extensions["database"], app.extensions["sealer"])
