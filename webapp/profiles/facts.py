"""Facts: what the store knows of everything that may lead to somebody's profile, read for many people at once.

Who decides (linking.py here, planning.py of tokens and of imports) gets facts as an argument and asks no database.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity
from webapp.rows import Lookup, Row, table_of, together

Identity = tuple[str, str]
"""An Auth0 user: issuer and subject."""
Identifier = tuple[str, str]
"""A property (or another name space) and a value in it."""
StoredProperties = Mapping[str, Mapping[str, Any]]
"""``{property id: {"values": [...], "source": "...", "changed": epoch ms}}``, as profiles keep it."""

_NOTHING: Mapping[str, Any] = {}


class StoredProfile(NamedTuple):
    """A profile as it was read. ``told_at`` has the moment (Unix seconds) of the newest news about a property."""

    id: str
    modified_at: datetime
    properties: StoredProperties = _NOTHING
    told_at: Mapping[str, int] = _NOTHING

    @property
    def values(self) -> dict[str, list[str]]:
        """The values of each property that the profile has."""
        return {name: list(stored["values"]) for name, stored in self.properties.items()}


class Sought(NamedTuple):
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
    with together(session):
        identities = _BY_IDENTITY.ask(session, {each.identity for each in sought})
        identifiers = _BY_IDENTIFIER.ask(session, {identifier for each in sought for identifier in each.identifiers})
    by_identity = {(issuer, subject): profile_id for issuer, subject, profile_id in identities()}
    by_identifier = _most_recent(identifiers())
    wanted = {*by_identity.values(), *by_identifier.values()}.union(*(each.profile_ids for each in sought))
    if not wanted:
        return Facts()
    keys = [(profile_id,) for profile_id in wanted]
    with together(session):
        found = (_LOCKED_PROFILES if for_update else _PROFILES).ask(session, keys)
        owned = _OWNERS.ask(session, keys)
    profiles = {row[0]: StoredProfile(*row) for row in found()}
    if for_update and (gone := [each for each in by_identifier if not _still_leads(each, by_identifier, profiles)]):
        # Somebody changed a profile while this transaction waited for its row.
        now_by_identifier = _most_recent(_BY_IDENTIFIER.find(session, gone))
        if now_by_identifier != {each: by_identifier[each] for each in gone}:
            return find_facts(session, sought, for_update=True)
    return Facts(profiles, by_identifier, by_identity, _owners(owned()))


_profiles, _identifiers, _identities = map(table_of, (Profile, ProfileIdentifier, ProfileIdentity))
_BY_IDENTITY = Lookup(
    """
    SELECT i.issuer, i.subject, i.profile_id FROM {wanted} profile_identities AS i WHERE {keyed}
    """,
    keys=("i.issuer", "i.subject"),
    columns=[_identities.c.issuer, _identities.c.subject, _identities.c.profile_id],
)
_BY_IDENTIFIER = Lookup(
    """
    SELECT i.property_id, i.value, i.profile_id
    FROM {wanted} profile_identifiers AS i CROSS JOIN profiles AS p
    WHERE {keyed} AND p.id = i.profile_id
    ORDER BY p.modified_at, p.id
    """,
    keys=("i.property_id", "i.value"),
    columns=[_identifiers.c.property_id, _identifiers.c.value, _identifiers.c.profile_id],
)
_BY_ID = """
    SELECT p.id, p.modified_at, p.properties, p.told_at FROM {wanted} profiles AS p
    WHERE {keyed} ORDER BY p.id
    """  # in one order, so that two transactions cannot wait for each other's rows
_PROFILE_COLUMNS = [_profiles.c.id, _profiles.c.modified_at, _profiles.c.properties, _profiles.c.told_at]
_PROFILES = Lookup(_BY_ID, keys=("p.id",), columns=_PROFILE_COLUMNS)
_LOCKED_PROFILES = Lookup(_BY_ID, keys=("p.id",), columns=_PROFILE_COLUMNS, is_locking=True)
_OWNERS = Lookup(
    """
    SELECT i.profile_id, i.issuer, i.subject FROM {wanted} profile_identities AS i WHERE {keyed}
    """,
    keys=("i.profile_id",),
    columns=[_identities.c.profile_id, _identities.c.issuer, _identities.c.subject],
)


def _most_recent(rows: Iterable[Row]) -> dict[Identifier, str]:
    # The most recently modified comes last, and stays.
    return {(name, value): profile_id for name, value, profile_id in rows}


def _still_leads(
    identifier: Identifier, by_identifier: Mapping[Identifier, str], profiles: Mapping[str, StoredProfile]
) -> bool:
    name, value = identifier
    profile = profiles.get(by_identifier[identifier])
    return profile is not None and value in profile.properties.get(name, {}).get("values", ())


def _owners(rows: Iterable[Row]) -> dict[str, frozenset[Identity]]:
    owners: dict[str, set[Identity]] = {}
    for profile_id, issuer, subject in rows:
        owners.setdefault(profile_id, set()).add((issuer, subject))
    return {profile_id: frozenset(found) for profile_id, found in owners.items()}
