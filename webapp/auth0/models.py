"""Tables of the tenants' signing keys, and of when they take calls again."""

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


class TenantPause(Base):
    """A tenant whose limit on calls was reached: nobody calls it before ``until``."""

    __tablename__ = "tenant_pauses"

    base_url: Mapped[str] = mapped_column(String(300), primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
