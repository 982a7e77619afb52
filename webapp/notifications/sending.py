"""Sends what is due: one thread for mail and one for webhooks.

So neither waits for the other, nor a run for them.
"""

import secrets
import threading
from datetime import UTC, datetime

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from webapp.connections.models import ConnectionNotifications
from webapp.connections.notifications import signing_secrets
from webapp.database import reading, transaction
from webapp.mail import MailError, send_mail
from webapp.notifications.messages import News, run_mail, run_webhook
from webapp.notifications.models import Channel, Notification
from webapp.notifications.outbox import is_any_due, is_wanted, next_try, note_dropped, note_failure, note_sent, take_due
from webapp.sealing import sealer
from webapp.settings import settings
from webapp.webhooks.destinations import destinations_of
from webapp.webhooks.sending import WebhookError, post_webhook
from webapp.webhooks.signing import signed_headers

LOOK_EVERY_SECONDS = 1.0
STOP_SECONDS = 35.0
"""For what is being sent when the worker is told to stop. Later it ends all the same, and another sends it again."""

log = structlog.get_logger()


class Notifier:
    """The threads of one worker."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(channel,), name=f"notifications by {channel}", daemon=True)
            for channel in Channel
        ]

    def start(self) -> None:
        """Begin to look for what is due."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after what is being sent."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _work(self, channel: Channel) -> None:
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            try:
                with self._app.app_context():
                    while not self._stopping.is_set() and send_next(channel):
                        pass
            except SQLAlchemyError as error:
                log.warning("notifications_wait", channel=channel, reason=type(error).__name__)


def send_next(channel: Channel, *, now: datetime | None = None) -> bool:
    """Send what has been due for longest, and note what came of it. Says if there was anything."""
    moment = now or datetime.now(UTC)
    with reading() as session:
        if not is_any_due(session, channel, now=moment):
            return False
    with transaction() as session:
        taken = take_due(session, channel, now=moment)
    if taken is not None:
        _send_and_note(taken, moment)
    return taken is not None


def _send_and_note(taken: Notification, now: datetime) -> None:
    is_final, wait_seconds, problem = False, 0.0, ""
    try:
        with reading() as session:
            wanted = is_wanted(session, taken)
        if wanted:
            _send(taken, now)
    except MailError as error:
        is_final, problem = error.is_final, str(error)
    except WebhookError as error:
        is_final, wait_seconds, problem = error.is_final, error.wait_seconds, str(error)
    except Exception as error:  # a bug here must not have it sent without an end
        log.exception("notification_failed", notification=taken.key)
        problem = f"{type(error).__name__}: the log of the worker has it all."
    with transaction() as session:
        if not problem and not wanted:
            note_dropped(session, taken)
        elif not problem:
            note_sent(session, taken, now=now)
        else:
            chance = secrets.randbelow(1000) / 1000
            again = next_try(taken.tries, now, asked_seconds=wait_seconds, chance=chance)
            note_failure(session, taken, problem, None if is_final else again)
    log.info("notification_tried", notification=taken.key, channel=taken.channel, is_sent=not problem)


def _send(taken: Notification, now: datetime) -> None:
    news = News(**taken.news)
    if taken.channel == Channel.EMAIL:
        send_mail(settings(), run_mail(news, taken.target, taken.key, public_url=settings().public_url))
        return
    body = run_webhook(news, public_url=settings().public_url)
    post_signed(taken.connection_id, taken.target, taken.key, body, now=now)


def post_signed(connection_id: int, url: str, key: str, body: bytes, *, now: datetime) -> None:
    """Post a webhook, signed by the connection's secrets. Raises WebhookError."""
    with reading() as session:
        row = session.get(ConnectionNotifications, connection_id)
        known = [] if row is None else signing_secrets(row, sealer(), now)
    if not known:
        raise WebhookError("There is no secret to sign with, or it cannot be opened any more: make a new one.")
    post_webhook(url, body, signed_headers(key, body, known, now), destinations_of(settings()))
