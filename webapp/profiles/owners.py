"""Owners: which Auth0 users a profile is linked to, and changing that by hand. All in the caller's transaction."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from snippets.goals import PROFILE_ID
from webapp.profiles.definitions import IDENTIFIER_COLUMNS, hold_property_set, identifier_rows
from webapp.profiles.embedded import lock_identifiers
from webapp.profiles.facts import Identity
from webapp.profiles.ids import new_id
from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity
from webapp.rows import insert_missing

SOURCE = "Identity conflict"
"""What is shown as the source of a value that moved by an admin's choice."""


def owners_of(session: Session, profile_id: str) -> list[Identity]:
    """Return the Auth0 users that are linked to a profile, sorted."""
    query = select(ProfileIdentity.issuer, ProfileIdentity.subject).where(ProfileIdentity.profile_id == profile_id)
    return sorted((issuer, subject) for issuer, subject in session.execute(query))


def profile_id_of(session: Session, user: Identity) -> str | None:
    """Return the id of the profile to which an Auth0 user is linked, or None."""
    identity = session.get(ProfileIdentity, user, populate_existing=True)
    return identity.profile_id if identity is not None else None


def lock_owners(session: Session, profile_id: str, users: Iterable[Identity]) -> None:
    """Let nobody else link ``users``, or anybody to the profile, until the transaction ends."""
    hold_property_set(session)
    lock_identifiers(session, {*users, (PROFILE_ID, profile_id)})
    # Who is led to the profile by something else than its id waits for its row.
    session.execute(select(Profile.id).where(Profile.id == profile_id).with_for_update())


def give_own_profile(session: Session, users: Collection[Identity], *, now: datetime) -> str:
    """Link ``users`` to a new profile without properties, and return its id. They are locked already."""
    profile = Profile(id=new_id(), properties={}, created_at=now, modified_at=now)
    session.add(profile)
    session.flush()
    for user in users:
        _link(session, user, profile.id)
    return profile.id


def move_profile(session: Session, profile_id: str, to: Identity, *, now: datetime) -> str | None:
    """Link a profile to the user ``to`` alone; its owners get a new one together, whose id is returned (else None).

    The owners' user ids go along, where they are values of the profile: else those would lead the owners back. Who
    calls this has locked them all (`lock_owners`).
    """
    before = [user for user in owners_of(session, profile_id) if user != to]
    _link(session, to, profile_id)
    if not before:
        return None
    own_profile_id = give_own_profile(session, before, now=now)
    _move_values(session, profile_id, own_profile_id, {subject for _, subject in before} - {to[1]}, now=now)
    return own_profile_id


def _link(session: Session, user: Identity, profile_id: str) -> None:
    identity = session.get(ProfileIdentity, user, populate_existing=True)
    if identity is None:
        session.add(ProfileIdentity(issuer=user[0], subject=user[1], profile_id=profile_id))
    else:
        identity.profile_id = profile_id
    session.flush()


def _move_values(session: Session, from_id: str, to_id: str, values: set[str], *, now: datetime) -> None:
    """Move ``values`` of properties by which profiles are found from one profile to another."""
    rows = ProfileIdentifier.profile_id == from_id, ProfileIdentifier.value.in_(values)
    found = session.execute(select(ProfileIdentifier.property_id, ProfileIdentifier.value).where(*rows)).all()
    session.execute(delete(ProfileIdentifier).where(*rows).execution_options(synchronize_session=False))
    source, target = (session.get_one(Profile, each, populate_existing=True) for each in (from_id, to_id))
    moved = sorted({property_id for property_id, _ in found})
    # What is news from now on is the new owner's word, whenever it was said.
    source.told_at = {name: moment for name, moment in source.told_at.items() if name not in moved}
    for property_id in moved:
        moving = [value for name, value in found if name == property_id]
        staying = [value for value in source.properties[property_id]["values"] if value not in moving]
        source.properties = _with_values(source, property_id, staying, now)
        target.properties = _with_values(target, property_id, moving, now)
        insert_missing(session, ProfileIdentifier, IDENTIFIER_COLUMNS, identifier_rows(to_id, property_id, moving))
    if found:
        source.modified_at = now
    session.flush()


def _with_values(profile: Profile, property_id: str, values: list[str], now: datetime) -> dict[str, object]:
    stored = {"values": values, "source": SOURCE, "changed": int(now.timestamp() * 1000)}
    others = {name: each for name, each in profile.properties.items() if name != property_id}
    return others | {property_id: stored} if values else others
