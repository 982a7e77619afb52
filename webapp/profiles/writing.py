"""Writing profiles, many in one go. Who calls this has decided what changes, and has locked what it is about."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, tuple_
from sqlalchemy.orm import Session

from webapp.database import insert_missing, table_of, upsert
from webapp.profiles.definitions import identifier_rows
from webapp.profiles.facts import Identity, StoredProfile
from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """A profile as it will be. ``changed`` has the new values of each property that differs (``[]`` = cleared)."""

    profile: StoredProfile
    changed: Mapping[str, list[str]]
    is_new: bool


def changed_profile(
    before: StoredProfile, changed: Mapping[str, list[str]], *, source: str, now: datetime
) -> StoredProfile:
    """Return ``before`` with these new values; ``source`` is shown to people beside each. A cleared property goes."""
    if not changed:
        return before
    changed_ms = int(now.timestamp() * 1000)
    properties = {name: stored for name, stored in before.properties.items() if name not in changed}
    for name, values in changed.items():
        if values:
            properties[name] = {"values": values, "source": source, "changed": changed_ms}
    return replace(before, properties=properties, modified_at=now)


def store_profiles(session: Session, changes: Sequence[ProfileChange], identifying: Collection[str]) -> None:
    """Write profiles and what finds them. ``identifying`` are the properties among theirs by which they are found."""
    rows = [
        {
            "id": change.profile.id,
            "properties": change.profile.properties,
            "told_at": change.profile.told_at,
            "created_at": change.profile.modified_at,
            "modified_at": change.profile.modified_at,
        }
        for change in changes
    ]
    upsert(session, Profile, rows, changing=("properties", "told_at", "modified_at"))
    indexed = [(change, name) for change in changes for name in change.changed if name in identifying]
    _forget_identifiers(session, [(change.profile.id, name) for change, name in indexed if not change.is_new])
    insert_missing(
        session,
        ProfileIdentifier,
        [row for change, name in indexed for row in identifier_rows(change.profile.id, name, change.changed[name])],
    )


def link_identities(session: Session, identities: Mapping[Identity, str]) -> None:
    """Remember of which profile each Auth0 user (issuer and subject) is the person."""
    rows = [
        {"issuer": issuer, "subject": subject, "profile_id": profile_id}
        for (issuer, subject), profile_id in identities.items()
    ]
    upsert(session, ProfileIdentity, rows, changing=("profile_id",))


def _forget_identifiers(session: Session, gone: Collection[tuple[str, str]]) -> None:
    if gone:
        key = tuple_(ProfileIdentifier.profile_id, ProfileIdentifier.property_id)
        session.execute(delete(table_of(ProfileIdentifier)).where(key.in_(gone)))
