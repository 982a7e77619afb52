"""Table of applied tokens."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, JsonDocument, UtcDateTime


class TokenReceipt(Base):
    """Proof that a token was applied, with what was answered. ``token_digest`` is SHA-256 of the token."""

    __tablename__ = "token_receipts"

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    token_digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    keep_until: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
