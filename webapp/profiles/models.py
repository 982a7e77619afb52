"""Tables of the embedded profile store.

What finds a profile has no foreign key to it: PostgreSQL would check each row by itself, a quarter of all that it does
for a first import. Whoever writes such a row has just made the profile, or has locked it, so that it is there. When a
profile is deleted, by whomever, a trigger deletes what finds it (migration 0020).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, JsonDocument, UtcDateTime


class PropertyDefinition(Base):
    """A profile property. ``property_type`` is a `values.PropertyType`; ``is_indexed`` makes it a unique identifier."""

    __tablename__ = "property_definitions"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    property_type: Mapped[str] = mapped_column(String(20))
    is_indexed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Profile(Base):
    """A profile. ``properties`` is ``{property id: {"values": [...], "source": "...", "changed": epoch ms}}``.

    ``told_at`` is ``{property id: Unix seconds}``: how new the news is that was set last, or cleared. Older news that
    comes later does not overwrite it.
    """

    __tablename__ = "profiles"
    __table_args__ = (Index("ix_profiles_modified_at_id", "modified_at", "id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    properties: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    told_at: Mapped[dict[str, int]] = mapped_column(JsonDocument, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    modified_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProfileIdentifier(Base):
    """A value of an indexed property, for finding its profile. As in BlueConic, two profiles may share one."""

    __tablename__ = "profile_identifiers"
    __table_args__ = (Index("ix_profile_identifiers_profile_id", "profile_id"),)

    property_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str] = mapped_column(String(500), primary_key=True)
    profile_id: Mapped[str] = mapped_column(String(64), primary_key=True)


class ProfileIdentity(Base):
    """The profile to which an Auth0 user is linked: proven by a verified token, so stronger than any property."""

    __tablename__ = "profile_identities"
    __table_args__ = (Index("ix_profile_identities_profile_id", "profile_id"),)

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    profile_id: Mapped[str] = mapped_column(String(64))


class Objective(Base):
    """A purpose for which visitors consent. ``legislations`` are the zones in which it needs consent, if it does."""

    __tablename__ = "objectives"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    needs_consent: Mapped[bool] = mapped_column(default=True)
    legislations: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OptOutZone(Base):
    """A legislation zone in which a visitor is processed until refusing. All others ask for consent first (opt-in)."""

    __tablename__ = "opt_out_zones"

    zone: Mapped[str] = mapped_column(String(60), primary_key=True)
