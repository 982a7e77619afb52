"""Whom a connection tells of its runs: addresses and a webhook, each with its events, and the webhook's secrets.

The caller opens the transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from webapp.connections.goals import StaleRevisionError
from webapp.connections.models import Connection, ConnectionNotifications
from webapp.connections.saving import Change, record_change
from webapp.rows import insert_missing
from webapp.sealing import SealBrokenError, Sealer
from webapp.smtp_url import read_address
from webapp.webhooks.destinations import InvalidWebhookUrlError, check_webhook_url
from webapp.webhooks.signing import make_secret

MAX_ADDRESSES = 10
OLD_SECRET_LASTS = timedelta(hours=24)
"""So long a webhook is signed by the secret before as well, for receivers that have not got the new one yet."""
_COLUMNS = (
    "connection_id",
    "emails",
    "email_events",
    "webhook_url",
    "webhook_events",
    "sealed_webhook_secrets",
    "version",
)


class RunEvent(StrEnum):
    """Of what somebody wants to hear: the end of a run, or its failure. Both may be true of one run."""

    FINISH = "finish"
    FAILURE = "failure"


class InvalidNotificationsError(ValueError):
    """Nobody can be told by that. ``field`` is what to mend, the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """Whom to tell, and of what. Empty addresses, or an empty URL, are nobody."""

    emails: tuple[str, ...] = ()
    email_events: tuple[RunEvent, ...] = ()
    webhook_url: str = ""
    webhook_events: tuple[RunEvent, ...] = ()


def read_notification_settings(
    emails: Sequence[str],
    email_events: Sequence[str],
    webhook_url: str,
    webhook_events: Sequence[str],
    *,
    allow_loopback: bool,
) -> NotificationSettings:
    """Return what somebody typed, each address and each event once. Raises InvalidNotificationsError."""
    if webhook_url:
        try:
            check_webhook_url(webhook_url, allow_loopback=allow_loopback)
        except InvalidWebhookUrlError as error:
            raise InvalidNotificationsError("webhook_url", str(error)) from error
    return NotificationSettings(
        tuple(_read_addresses(emails)),
        _read_events("email_events", email_events, is_needed=bool(emails)),
        webhook_url,
        _read_events("webhook_events", webhook_events, is_needed=bool(webhook_url)),
    )


def stored_notifications(session: Session, connection: Connection) -> ConnectionNotifications | None:
    """Return the row of a connection, None if nobody has said anything."""
    return session.get(ConnectionNotifications, connection.id)


def settings_of(row: ConnectionNotifications | None) -> NotificationSettings:
    """Return what a row says."""
    if row is None:
        return NotificationSettings()
    return NotificationSettings(
        tuple(row.emails),
        tuple(map(RunEvent, row.email_events)),
        row.webhook_url,
        tuple(map(RunEvent, row.webhook_events)),
    )


def save_notifications(
    session: Session,
    connection: Connection,
    wanted: NotificationSettings,
    change: Change,
    *,
    expected_version: int | None = None,
) -> list[str]:
    """Keep whom to tell, and return the names of what changed.

    A URL of another place loses its secrets: a receiver shares a secret with nobody.

    Raises:
        StaleRevisionError: somebody saved them after ``expected_version``.
    """
    row = _lock(session, connection)
    if expected_version not in {None, row.version}:
        raise StaleRevisionError("Somebody else saved these notifications after you had opened the page.")
    before = settings_of(row)
    changed = [each.name for each in fields(wanted) if getattr(before, each.name) != getattr(wanted, each.name)]
    if not changed:
        return []
    if urlsplit(row.webhook_url)[:2] != urlsplit(wanted.webhook_url)[:2]:
        row.sealed_webhook_secrets, row.secret_made_at = [], None
    row.emails, row.email_events = list(wanted.emails), [str(each) for each in wanted.email_events]
    row.webhook_url, row.webhook_events = wanted.webhook_url, [str(each) for each in wanted.webhook_events]
    row.version += 1
    # Names of the fields only: addresses are personal data, and a URL may hold a secret of the receiver's.
    record_change(session, change, "saved", connection, changed=[f"notifications.{name}" for name in changed])
    return changed


def new_webhook_secret(session: Session, connection: Connection, change: Change, sealer: Sealer) -> str:
    """Return a new secret, by which webhooks are signed from now on; by the one before too, for a while."""
    secret = make_secret()
    set_webhook_secret(session, connection, secret, change, sealer)
    return secret


def set_webhook_secret(session: Session, connection: Connection, secret: str, change: Change, sealer: Sealer) -> bool:
    """Sign by ``secret`` from now on, and say if it was another before."""
    row = _lock(session, connection)
    if any(secret == each for each in _opened(row.sealed_webhook_secrets[:1], sealer)):
        return False
    row.sealed_webhook_secrets = [sealer.seal(secret), *row.sealed_webhook_secrets][:2]
    row.secret_made_at = change.now
    row.version += 1
    record_change(session, change, "saved", connection, changed=["notifications.webhook_secret"])
    return True


def signing_secrets(row: ConnectionNotifications, sealer: Sealer, now: datetime) -> list[str]:
    """Return the secrets that sign now, the newest first; none if none can be opened."""
    made_at = row.secret_made_at
    is_new = made_at is not None and now - made_at < OLD_SECRET_LASTS
    return list(_opened(row.sealed_webhook_secrets[: 2 if is_new else 1], sealer))


def _lock(session: Session, connection: Connection) -> ConnectionNotifications:
    insert_missing(session, ConnectionNotifications, _COLUMNS, [(connection.id, [], [], "", [], [], 0)])
    return session.get_one(ConnectionNotifications, connection.id, with_for_update=True, populate_existing=True)


def _opened(sealed: Sequence[str], sealer: Sealer) -> Iterator[str]:
    for each in sealed:
        with suppress(SealBrokenError):
            yield sealer.unseal(each)


def _read_addresses(emails: Sequence[str]) -> Iterator[str]:
    seen = set()
    for text in emails:
        try:
            address = read_address(text)
        except ValueError as error:
            raise InvalidNotificationsError("emails", f"{text[:100]!r} {error}.") from error
        if address not in seen:
            seen.add(address)
            yield address
    if len(seen) > MAX_ADDRESSES:
        raise InvalidNotificationsError("emails", f"At most {MAX_ADDRESSES} addresses: use a mailing list for more.")


def _read_events(field: str, events: Sequence[str], *, is_needed: bool) -> tuple[RunEvent, ...]:
    try:
        found = tuple(each for each in RunEvent if each in set(map(RunEvent, events)))
    except ValueError as error:
        known = " and ".join(RunEvent)
        raise InvalidNotificationsError(field, f"Unknown event; known are {known}.") from error
    if is_needed and not found:
        raise InvalidNotificationsError(field, "Choose at least one event.")
    return found
