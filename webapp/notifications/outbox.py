"""The outbox: what waits to be sent, who has it right now, and when it is tried again.

Several workers look here at once. Whoever takes a notification has it alone for `TAKEN_FOR`; if nothing was noted by
then, the sender has died, and it is due again. So each is sent at least once, and twice only if a sender dies between
the receiver's answer and its note.
"""

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from webapp.connections.models import ConnectionNotifications
from webapp.connections.notifications import RunEvent, settings_of
from webapp.errors import NotFoundError
from webapp.notifications.messages import News
from webapp.notifications.models import Channel, Notification, NotificationState

TAKEN_FOR = timedelta(minutes=5)
"""Longer than any try takes."""
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600)
)
"""Before the second try, the third, and so on: the last one comes a day and a half after the first."""
JITTER = 0.1
"""A pause is up to so much longer, so that receivers who were away do not get everything in one moment."""


def queue_notifications(
    session: Session, run_id: int, connection_id: int, events: frozenset[RunEvent], news: News, *, now: datetime
) -> None:
    """Put what is to be said about a run into the outbox, for everybody who wants to hear of one of its events."""
    row = session.get(ConnectionNotifications, connection_id)
    session.add_all(
        Notification(
            key=f"msg_{secrets.token_urlsafe(18)}",
            run_id=run_id,
            connection_id=connection_id,
            channel=channel,
            target=target,
            next_try_at=now,
            created_at=now,
            news=news.as_plain(),
        )
        for channel, target in _targets(row, events)
    )


def take_due(session: Session, channel: Channel, *, now: datetime) -> Notification | None:
    """Return a notification that is due, for this sender alone, with one more try counted; None if there is none."""
    is_due = _is_due(channel, now)
    for found in session.scalars(select(Notification.id).where(*is_due).order_by(Notification.next_try_at).limit(10)):
        taken: Notification | None = session.scalar(
            update(Notification)
            .where(Notification.id == found, *is_due)  # another may have been quicker
            .values(next_try_at=now + TAKEN_FOR, tries=Notification.tries + 1)
            .returning(Notification)
        )
        if taken is not None:
            return taken
    return None


def is_any_due(session: Session, channel: Channel, *, now: datetime) -> bool:
    """Say if there is anything to take: whoever only looks leaves the one writer of SQLite alone."""
    return session.scalar(select(Notification.id).where(*_is_due(channel, now)).limit(1)) is not None


def is_wanted(session: Session, notification: Notification) -> bool:
    """Say if the connection still names the target."""
    settings = settings_of(session.get(ConnectionNotifications, notification.connection_id))
    if notification.channel == Channel.EMAIL:
        return notification.target in settings.emails
    return notification.target == settings.webhook_url


def note_sent(session: Session, taken: Notification, *, now: datetime) -> None:
    """Note that it was taken by its receiver."""
    _note(session, taken, {"state": NotificationState.SENT, "sent_at": now, "problem": ""})


def note_dropped(session: Session, taken: Notification) -> None:
    """Note that nobody wants it any more."""
    _note(session, taken, {"state": NotificationState.DROPPED, "problem": "Its target was taken off the connection."})


def note_failure(session: Session, taken: Notification, problem: str, next_try_at: datetime | None) -> None:
    """Note why it was not taken, and when to try again (None: never)."""
    if next_try_at is None:
        _note(session, taken, {"state": NotificationState.FAILED, "problem": problem})
    else:
        _note(session, taken, {"next_try_at": next_try_at, "problem": problem})


def next_try(tries: int, now: datetime, *, asked_seconds: float, chance: float) -> datetime | None:
    """Return when to try again after so many tries, None after the last.

    ``asked_seconds`` is how long the receiver wants to be left alone, ``chance`` a random number below 1.
    """
    if tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * (1 + JITTER * chance)
    return now + max(pause, timedelta(seconds=asked_seconds))


def send_again(session: Session, key: str, *, now: datetime) -> Notification:
    """Have a notification sent that was given up. Raises NotFoundError if it was not."""
    found: Notification | None = session.scalar(
        update(Notification)
        .where(Notification.key == key, Notification.state == NotificationState.FAILED)
        .values(state=NotificationState.WAITING, tries=0, next_try_at=now)
        .returning(Notification)
    )
    if found is None:
        raise NotFoundError("There is no notification with this key that was given up.")
    return found


def _is_due(channel: Channel, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Notification.channel == channel,
        Notification.state == NotificationState.WAITING,
        Notification.next_try_at <= now,
    )


def _note(session: Session, taken: Notification, values: dict[str, object]) -> None:
    # Not if it was taken again meanwhile: then whoever has it now notes what came of it.
    is_still_ours = Notification.id == taken.id, Notification.tries == taken.tries
    session.execute(update(Notification).where(*is_still_ours).values(**values))


def _targets(row: ConnectionNotifications | None, events: frozenset[RunEvent]) -> Iterator[tuple[Channel, str]]:
    settings = settings_of(row)
    if events.intersection(settings.email_events):
        yield from ((Channel.EMAIL, address) for address in settings.emails)
    if settings.webhook_url and events.intersection(settings.webhook_events):
        yield Channel.WEBHOOK, settings.webhook_url


def notifications_of_run(session: Session, run_id: int) -> Sequence[Notification]:
    """Return what was said about a run, and to whom."""
    return session.scalars(select(Notification).where(Notification.run_id == run_id).order_by(Notification.id)).all()


def newest_notifications(session: Session, connection_id: int, count: int) -> Sequence[Notification]:
    """Return the last notifications of a connection, the newest first."""
    query = select(Notification).where(Notification.connection_id == connection_id)
    return session.scalars(query.order_by(Notification.id.desc()).limit(count)).all()
