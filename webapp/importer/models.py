"""Tables of what imports remember: each user's values of the last time, and the chunks of a run that were applied."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, JsonDocument, UtcDateTime


class ImportedUser(Base):
    """What a goal last imported of an Auth0 user, as digests only.

    ``digest`` is of all values that the goal reads, together with how it maps them; ``sums`` of those that are summed.
    ``run_id`` is the run that imported it last: a run's key, or the id of an import from a file.
    """

    __tablename__ = "imported_users"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012, SQLAlchemy's own name

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(16))
    sums: Mapped[bytes] = mapped_column(LargeBinary(16))
    run_id: Mapped[str] = mapped_column(String(64), default="")


class AppliedChunk(Base):
    """Proof that a run applied a chunk of users, with what came of it. ``digest`` is of the chunk's users."""

    __tablename__ = "applied_chunks"

    run_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), index=True)
    result: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    applied_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ImportCoverage(Base):
    """Until when a goal's finished runs have brought every change. It holds for this revision and tenant alone.

    ``exported_at`` is when the last of them exported everybody.
    """

    __tablename__ = "import_coverage"

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int]
    issuer: Mapped[str] = mapped_column(String(255))
    covered_until: Mapped[datetime] = mapped_column(UtcDateTime)
    exported_at: Mapped[datetime] = mapped_column(UtcDateTime)
