"""Facts: what the store knows of everything that may lead to somebody's profile, read for many people at once.

Who decides (webapp/tokens/linking.py, planning.py) gets facts as an argument and asks no database.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.database import among, among_values, table_of
from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity

Identity = tuple[str, str]
"""An Auth0 user: issuer and subject."""
Identifier = tuple[str, str]
"""A property (or another name space) and a value in it."""
StoredProperties = Mapping[str, Mapping[str, Any]]
"""``{property id: {"values": [...], "source": "...", "changed": epoch ms}}``, as profiles keep it."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile as it was read. ``told_at`` has the moment (Unix seconds) of the newest news about a property."""

    id: str
    modified_at: datetime
    properties: StoredProperties = field(default_factory=dict)
    told_at: Mapping[str, int] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, list[str]]:
        """The values of each property that the profile has."""
        return {name: list(stored["values"]) for name, stored in self.properties.items()}


@dataclass(frozen=True, slots=True)
class Sought:
    """What may lead to one person's profile."""

    identity: Identity
    identifiers: frozenset[Identifier] = frozenset()
    profile_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. A profile id that is not among ``profiles`` is nobody's.

    Where several profiles share an identifier, ``by_identifier`` has the most recently modified.
    """

    profiles: Mapping[str, StoredProfile] = field(default_factory=dict)
    by_identifier: Mapping[Identifier, str] = field(default_factory=dict)
    by_identity: Mapping[Identity, str] = field(default_factory=dict)
    owners: Mapping[str, frozenset[Identity]] = field(default_factory=dict)

    def candidates(self, sought: Sought) -> set[str]:
        """Return the ids of all profiles to which ``sought`` may lead."""
        found = {self.by_identifier[each] for each in sought.identifiers if each in self.by_identifier}
        if sought.identity in self.by_identity:
            found.add(self.by_identity[sought.identity])
        return found | sought.profile_ids


def find_facts(session: Session, sought: Collection[Sought], *, for_update: bool) -> Facts:
    """Read the facts about ``sought``. With ``for_update`` the profiles stay as they are until the transaction ends."""
    by_identity = _by_identity(session, {each.identity for each in sought})
    by_identifier = _by_identifier(session, {identifier for each in sought for identifier in each.identifiers})
    wanted = {*by_identity.values(), *by_identifier.values()}.union(*(each.profile_ids for each in sought))
    if not wanted:
        return Facts()
    profiles = _profiles(session, wanted, for_update=for_update)
    if for_update and (gone := [each for each in by_identifier if not _still_leads(each, by_identifier, profiles)]):
        # Somebody changed a profile while this transaction waited for its row.
        now_by_identifier = _by_identifier(session, gone)
        if now_by_identifier != {each: by_identifier[each] for each in gone}:
            return find_facts(session, sought, for_update=True)
    return Facts(profiles, by_identifier, by_identity, _owners(session, profiles))


# The statements are made once: for so little data, making one would take longer than running it.
_profile_rows, _identifiers, _identities = map(table_of, (Profile, ProfileIdentifier, ProfileIdentity))
_IDENTITIES = select(_identities.c.issuer, _identities.c.subject, _identities.c.profile_id).where(
    among([_identities.c.issuer, _identities.c.subject])
)
_OWNERS = select(_identities.c.profile_id, _identities.c.issuer, _identities.c.subject).where(
    among([_identities.c.profile_id])
)
_IDENTIFIERS = (
    select(_identifiers.c.property_id, _identifiers.c.value, _identifiers.c.profile_id)
    .join_from(_identifiers, _profile_rows, _profile_rows.c.id == _identifiers.c.profile_id)
    .where(among([_identifiers.c.property_id, _identifiers.c.value]))
    .order_by(_profile_rows.c.modified_at, _profile_rows.c.id)
)
_PROFILES = (
    select(_profile_rows.c.id, _profile_rows.c.modified_at, _profile_rows.c.properties, _profile_rows.c.told_at)
    .where(among([_profile_rows.c.id]))
    .order_by(_profile_rows.c.id)  # one order, so that two transactions cannot wait for each other's rows
)
_LOCKED_PROFILES = _PROFILES.with_for_update()


def _by_identity(session: Session, identities: Collection[Identity]) -> dict[Identity, str]:
    found = session.execute(_IDENTITIES, among_values(identities))
    return {(issuer, subject): profile_id for issuer, subject, profile_id in found if (issuer, subject) in identities}


def _by_identifier(session: Session, identifiers: Collection[Identifier]) -> dict[Identifier, str]:
    if not identifiers:
        return {}
    found = session.execute(_IDENTIFIERS, among_values(identifiers))
    # The most recently modified comes last, and stays.
    return {(name, value): profile_id for name, value, profile_id in found if (name, value) in identifiers}


def _still_leads(
    identifier: Identifier, by_identifier: Mapping[Identifier, str], profiles: Mapping[str, StoredProfile]
) -> bool:
    name, value = identifier
    profile = profiles.get(by_identifier[identifier])
    return profile is not None and value in profile.properties.get(name, {}).get("values", ())


def _profiles(session: Session, profile_ids: Iterable[str], *, for_update: bool) -> dict[str, StoredProfile]:
    found = session.execute(
        _LOCKED_PROFILES if for_update else _PROFILES, among_values([(profile_id,) for profile_id in profile_ids])
    )
    return {row.id: StoredProfile(*row) for row in found}


def _owners(session: Session, profile_ids: Collection[str]) -> dict[str, frozenset[Identity]]:
    owners: dict[str, set[Identity]] = {}
    if profile_ids:
        found = session.execute(_OWNERS, among_values([(profile_id,) for profile_id in profile_ids]))
        for profile_id, issuer, subject in found:
            owners.setdefault(profile_id, set()).add((issuer, subject))
    return {profile_id: frozenset(found) for profile_id, found in owners.items()}
