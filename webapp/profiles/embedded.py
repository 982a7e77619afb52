"""The embedded profile store: profiles in our own database.

All functions work in the caller's transaction and never commit. Who writes calls `hold_property_set`, then
`lock_identifiers`; facts.py reads for many people at once, writing.py writes.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import literal, select, tuple_
from sqlalchemy.orm import Session

from webapp.database import UtcDateTime, run_by_driver
from webapp.profiles.definitions import (
    ensure_properties,
    hold_property_set,
    lock_property_set,
    property_types,
    set_indexed,
    suggested_type,
    wanted_properties,
)
from webapp.profiles.facts import Identifier
from webapp.profiles.models import Profile, ProfileIdentifier

__all__ = [
    "ensure_properties",
    "find_profiles",
    "get_profile",
    "hold_property_set",
    "lock_all_identifiers",
    "lock_identifiers",
    "lock_property_set",
    "newest_profiles",
    "property_types",
    "set_indexed",
    "suggested_type",
    "wanted_properties",
]

PROFILE_ID_PATTERN = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
"""Profile ids that browsers may name."""
MAX_FOUND = 100


def get_profile(session: Session, profile_id: str) -> Profile | None:
    """Return the profile with this id, or None."""
    return session.scalar(select(Profile).where(Profile.id == profile_id))


def find_profiles(session: Session, property_id: str, value: str, *, limit: int = MAX_FOUND) -> list[Profile]:
    """Return the profiles whose indexed property has this value, the most recently modified first."""
    query = (
        select(Profile)
        .join(ProfileIdentifier, ProfileIdentifier.profile_id == Profile.id)
        .where(ProfileIdentifier.property_id == property_id, ProfileIdentifier.value == value)
        .order_by(Profile.modified_at.desc(), Profile.id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def newest_profiles(session: Session, after: tuple[datetime, str] | None, limit: int) -> list[Profile]:
    """Return a page of profiles, last modified first. ``after`` is the (modified_at, id) before the page."""
    query = select(Profile).order_by(Profile.modified_at.desc(), Profile.id.desc()).limit(limit)
    if after is not None:
        last = tuple_(literal(after[0], UtcDateTime), literal(after[1]))
        query = query.where(tuple_(Profile.modified_at, Profile.id) < last)
    return list(session.scalars(query))


def lock_identifiers(session: Session, identifiers: Iterable[Identifier]) -> None:
    """Let one transaction at a time look for, or make, the profiles that ``identifiers`` name.

    A profile that does not exist yet has no row to lock. On PostgreSQL these are advisory locks until the transaction
    ends, taken in one order, so that two cannot wait for each other. On SQLite a writer is alone anyway.
    """
    if _is_sqlite(session):
        return
    keys = sorted({_lock_key(identifier) for identifier in identifiers})
    run_by_driver(session.connection(), "SELECT pg_advisory_xact_lock(unnest(%s::bigint[]))", [keys])


def lock_all_identifiers(session: Session) -> None:
    """Do what `lock_identifiers` does, for whatever there is: who brings many people calls this alone, and first.

    A lock for each identifier of a thousand people could be more than PostgreSQL has room for. So this waits for all
    who hold the property set, and keeps them waiting: everybody who writes does. Nothing else was locked before.
    """
    lock_property_set(session)


def _lock_key(identifier: Identifier) -> int:
    text = f"{len(identifier[0])}:{identifier[0]}{identifier[1]}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
