"""Table of identity conflicts."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.connections.models import StoredGoal
from webapp.database import Base, JsonDocument, UtcDateTime


class ConflictState(StrEnum):
    """What an admin decided."""

    OPEN = "open"
    KEPT = "kept"
    MOVED = "moved"
    SPLIT = "split"


class IdentityConflict(Base):
    """An Auth0 user whose posts to a goal, or data in an import, point at a profile of others. Ids only are kept.

    ``owners`` are those others ([issuer, subject] each) as the newest post found them. ``own_profile_id`` is the
    profile that the decision made. Nobody has decided while ``decided_at`` is None.
    """

    __tablename__ = "identity_conflicts"
    __table_args__ = (
        UniqueConstraint("goal_id", "issuer", "subject", "profile_id"),
        Index("ix_identity_conflicts_state_last_at_id", "state", "last_at", "id"),
        Index("ix_identity_conflicts_profile_id", "profile_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id", ondelete="CASCADE"))
    auth0_field: Mapped[str] = mapped_column(String(200))
    profile_property: Mapped[str] = mapped_column(String(100))
    owners: Mapped[list[list[str]]] = mapped_column(JsonDocument)
    post_count: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(20), default=ConflictState.OPEN)
    decided_by: Mapped[str] = mapped_column(String(254), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    own_profile_id: Mapped[str | None] = mapped_column(String(64))

    goal: Mapped[StoredGoal] = relationship()

    @property
    def visitor(self) -> tuple[str, str]:
        """Issuer and subject of the user who came."""
        return self.issuer, self.subject
