"""Writing profiles, many in one go. Who calls this has decided what changes, and has locked what it is about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from webapp.profiles.definitions import IDENTIFIER_COLUMNS, identifier_rows
from webapp.profiles.facts import Identity, StoredProfile
from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity
from webapp.rows import Row, delete_rows, insert_many, insert_missing, insert_new, upsert

_PROFILE_COLUMNS = ("id", "properties", "told_at", "created_at", "modified_at")
_IDENTITY_COLUMNS = ("issuer", "subject", "profile_id")


class ProfileChange(NamedTuple):
    """A profile as it was (None: it is new) and as it will be. ``changed`` has the new values of what differs."""

    before: StoredProfile | None
    profile: StoredProfile
    changed: Mapping[str, list[str]]


def changed_profile(
    before: StoredProfile, changed: Mapping[str, list[str]], *, source: str, now: datetime
) -> StoredProfile:
    """Return ``before`` with these new values; ``source`` is shown to people beside each. A cleared property goes."""
    if not changed:
        return before
    kept = {name: stored for name, stored in before.properties.items() if name not in changed}
    properties = kept | stored_properties(changed, source=source, now=now)
    return before._replace(properties=properties, modified_at=now)


def stored_properties(values: Mapping[str, list[str]], *, source: str, now: datetime) -> dict[str, dict[str, object]]:
    """Return values as a profile keeps them. A property that has none is not kept."""
    changed_ms = int(now.timestamp() * 1000)
    return {name: {"values": found, "source": source, "changed": changed_ms} for name, found in values.items() if found}


def store_profiles(session: Session, changes: Sequence[ProfileChange], identifying: frozenset[str]) -> None:
    """Write profiles and what finds them. ``identifying`` are the properties among theirs by which they are found."""
    rows = [
        (profile.id, profile.properties, profile.told_at, profile.modified_at, profile.modified_at)
        for profile in (change.profile for change in changes)
    ]
    upsert(session, Profile, _PROFILE_COLUMNS, rows, changing=("properties", "told_at", "modified_at"))
    gone: list[Row] = []
    new: list[Row] = []
    for before, profile, changed in changes:
        for name in identifying:
            if name not in changed:
                continue
            new += identifier_rows(profile.id, name, changed[name])
            if before is not None and name in before.properties:
                gone += identifier_rows(profile.id, name, before.properties[name]["values"])
    delete_rows(session, ProfileIdentifier, gone)
    insert_missing(session, ProfileIdentifier, IDENTIFIER_COLUMNS, new)


def store_new_profiles(session: Session, changes: Iterable[ProfileChange], identifying: frozenset[str]) -> list[Row]:
    """Write very many profiles, all of them new, and return the rows that find them, for `store_identifiers`.

    ``changes`` are taken one after the other.
    """
    identifiers: list[Row] = []

    def rows() -> Iterator[Row]:
        for _, profile, changed in changes:
            for name in identifying:
                if name in changed:
                    identifiers.extend(identifier_rows(profile.id, name, changed[name]))
            yield profile.id, profile.properties, profile.told_at, profile.modified_at, profile.modified_at

    insert_many(session, Profile, _PROFILE_COLUMNS, rows())
    return identifiers


def store_identifiers(session: Session, rows: Sequence[Row]) -> None:
    """Let new profiles be found by these rows, none of which is there yet."""
    insert_new(session, ProfileIdentifier, IDENTIFIER_COLUMNS, rows)


def link_new_identities(session: Session, identities: Mapping[Identity, str]) -> None:
    """Do what `link_identities` does with users none of whom was linked before."""
    insert_new(session, ProfileIdentity, _IDENTITY_COLUMNS, _identity_rows(identities))


def link_identities(session: Session, identities: Mapping[Identity, str]) -> None:
    """Remember of which profile each Auth0 user (issuer and subject) is the person."""
    upsert(session, ProfileIdentity, _IDENTITY_COLUMNS, _identity_rows(identities), changing=("profile_id",))


def _identity_rows(identities: Mapping[Identity, str]) -> list[Row]:
    return [(issuer, subject, profile_id) for (issuer, subject), profile_id in identities.items()]
