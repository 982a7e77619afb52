"""Table of received items. No word names a person."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, UtcDateTime


class ReceivedItem(Base):
    """A received token or login. ``outcome`` is a profile's state, or the slug of the problem that refused it.

    ``person`` is the pseudonym that the log has too, ``profile`` a masked profile id; both are empty if not known.
    """

    __tablename__ = "received_items"
    __table_args__ = (
        Index("ix_received_items_goal_id_id", "goal_id", "id"),
        {"sqlite_autoincrement": True},  # ids only grow: the stream and the pages of the list go by them
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(10))
    outcome: Mapped[str] = mapped_column(String(60))
    is_accepted: Mapped[bool]
    milliseconds: Mapped[float]
    person: Mapped[str] = mapped_column(String(12))
    profile: Mapped[str] = mapped_column(String(12))
