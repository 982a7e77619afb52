"""Table of the tenants' signing keys."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, UtcDateTime


class KeptKeySet(Base):
    """The public keys that a tenant had at its last good answer. ``jwks`` is a JSON Web Key Set (RFC 7517)."""

    __tablename__ = "key_sets"

    base_url: Mapped[str] = mapped_column(String(300), primary_key=True)
    jwks: Mapped[str] = mapped_column(Text)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)
