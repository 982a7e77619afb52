"""Facts: what the store knows of everything that may lead to somebody's profile, read for many people at once.

Who decides (webapp/tokens/linking.py, planning.py) gets facts as an argument and asks no database.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

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
    return Facts(profiles, by_identifier, by_identity, _owners(session, profiles))


def _by_identity(session: Session, identities: Collection[Identity]) -> dict[Identity, str]:
    table = ProfileIdentity
    query = select(table.issuer, table.subject, table.profile_id).where(
        tuple_(table.issuer, table.subject).in_(sorted(identities))
    )
    return {(issuer, subject): profile_id for issuer, subject, profile_id in session.execute(query)}


def _by_identifier(session: Session, identifiers: Collection[Identifier]) -> dict[Identifier, str]:
    if not identifiers:
        return {}
    table = ProfileIdentifier
    newest_first = func.row_number().over(
        partition_by=(table.property_id, table.value), order_by=(Profile.modified_at.desc(), Profile.id.desc())
    )
    ranked = (
        select(table.property_id, table.value, table.profile_id, newest_first.label("place"))
        .join(Profile, Profile.id == table.profile_id)
        .where(tuple_(table.property_id, table.value).in_(sorted(identifiers)))
        .subquery()
    )
    query = select(ranked.c.property_id, ranked.c.value, ranked.c.profile_id).where(ranked.c.place == 1)
    return {(property_id, value): profile_id for property_id, value, profile_id in session.execute(query)}


def _profiles(session: Session, profile_ids: Iterable[str], *, for_update: bool) -> dict[str, StoredProfile]:
    # In one order, so that two transactions cannot wait for each other's rows.
    query = select(Profile.id, Profile.modified_at, Profile.properties, Profile.told_at)
    query = query.where(Profile.id.in_(sorted(profile_ids))).order_by(Profile.id)
    if for_update:
        query = query.with_for_update()
    return {row.id: StoredProfile(*row) for row in session.execute(query)}


def _owners(session: Session, profile_ids: Collection[str]) -> dict[str, frozenset[Identity]]:
    owners: dict[str, set[Identity]] = {}
    if profile_ids:
        table = ProfileIdentity
        query = select(table.profile_id, table.issuer, table.subject).where(table.profile_id.in_(sorted(profile_ids)))
        for profile_id, issuer, subject in session.execute(query):
            owners.setdefault(profile_id, set()).add((issuer, subject))
    return {profile_id: frozenset(found) for profile_id, found in owners.items()}
