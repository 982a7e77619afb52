"""The embedded profile store: profiles in our own database.

All functions work in the caller's transaction and never commit. Who writes calls `hold_property_set`, then
`lock_identifiers`.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, cast, delete, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from webapp.database import UtcDateTime, insert_missing
from webapp.profiles.definitions import (
    ensure_properties,
    hold_property_set,
    identifier_rows,
    indexed_among,
    lock_property_set,
    property_types,
    set_indexed,
    suggested_type,
    wanted_properties,
)
from webapp.profiles.merging import Rule, merge
from webapp.profiles.models import Profile, ProfileIdentifier
from webapp.profiles.store import ProfileResult, ProfileState

__all__ = [
    "apply_rules",
    "create_profile",
    "ensure_properties",
    "find_profiles",
    "get_profile",
    "hold_property_set",
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

Identifier = tuple[str, str]
"""A property (or another name space) and a value in it."""


def get_profile(session: Session, profile_id: str, *, for_update: bool = False) -> Profile | None:
    """Return the profile with this id, or None. With ``for_update`` other writers wait for this transaction."""
    query = select(Profile).where(Profile.id == profile_id)
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


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
    locks = select(func.unnest(cast(keys, ARRAY(BigInteger))).label("key")).subquery()
    session.execute(select(func.pg_advisory_xact_lock(locks.c.key)))


def create_profile(session: Session, profile_id: str, *, now: datetime) -> Profile:
    """Store a new profile without properties. Its id, or what else will find it, is locked already."""
    profile = Profile(id=profile_id, properties={}, created_at=now, modified_at=now)
    session.add(profile)
    session.flush()
    return profile


def profile_property_values(profile: Profile) -> dict[str, list[str]]:
    """Return the values of each property that the profile has."""
    return {name: list(stored["values"]) for name, stored in profile.properties.items()}


def apply_rules(
    session: Session, profile: Profile, rules: Sequence[Rule], *, source: str, now: datetime
) -> ProfileResult:
    """Merge ``rules`` into a profile that this transaction has locked; MODIFIED or UNCHANGED.

    ``source`` is shown to people beside each changed value. A cleared property leaves the profile.
    """
    merged = merge(profile_property_values(profile), rules)
    if not merged.changed:
        return ProfileResult(ProfileState.UNCHANGED, (), merged.problems)
    changed_ms = int(now.timestamp() * 1000)
    properties = {name: stored for name, stored in profile.properties.items() if name not in merged.changed}
    for name, values in merged.changed.items():
        if values:
            properties[name] = {"values": values, "source": source, "changed": changed_ms}
    profile.properties = properties
    profile.modified_at = now
    session.flush()
    _keep_identifiers(session, profile.id, merged.changed)
    return ProfileResult(ProfileState.MODIFIED, tuple(sorted(merged.changed)), merged.problems)


def _keep_identifiers(session: Session, profile_id: str, changed: Mapping[str, Collection[str]]) -> None:
    indexed = indexed_among(session, changed)
    if not indexed:
        return
    session.execute(
        delete(ProfileIdentifier).where(
            ProfileIdentifier.profile_id == profile_id, ProfileIdentifier.property_id.in_(indexed)
        )
    )
    rows = [row for name in sorted(indexed) for row in identifier_rows(profile_id, name, changed[name])]
    for start in range(0, len(rows), 1000):
        insert_missing(session, ProfileIdentifier, rows[start : start + 1000])


def _lock_key(identifier: Identifier) -> int:
    text = f"{len(identifier[0])}:{identifier[0]}{identifier[1]}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
