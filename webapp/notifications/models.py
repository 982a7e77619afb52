"""The table of notifications: each one is for one target, and outlives whoever was about to send it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, JsonDocument, UtcDateTime


class Channel(StrEnum):
    """How somebody is told."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class NotificationState(StrEnum):
    """What became of a notification. *Dropped* is one whose target was taken off the connection before it was sent."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


_WAITS = text("state = 'waiting'")


class Notification(Base):
    """One message about a run, for one address or URL. ``key`` tells receivers if it comes twice.

    ``news`` is what to say (messages.py). ``next_try_at`` is also how long whoever sends it right now has it alone.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        Index(
            "ix_notifications_channel_next_try_at",
            "channel",
            "next_try_at",
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        ),
        Index("ix_notifications_run_id_id", "run_id", "id"),
        Index("ix_notifications_connection_id_id", "connection_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(String(10))
    target: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10), default=NotificationState.WAITING)
    tries: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(Text, default="")
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    news: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
