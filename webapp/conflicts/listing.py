"""What the pages of identity conflicts show, and how many wait for a decision."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, literal, select, tuple_
from sqlalchemy.orm import Session, joinedload

from webapp.conflicts.models import ConflictState, IdentityConflict
from webapp.connections.models import StoredGoal
from webapp.database import UtcDateTime, reading
from webapp.errors import NotFoundError
from webapp.profiles.embedded import get_profile
from webapp.profiles.facts import Identity
from webapp.profiles.models import ProfileIdentity
from webapp.profiles.owners import owners_of, profile_id_of
from webapp.profiles.showing import ShownProperty, definitions, shown_properties

PAGE_LENGTH = 50


@dataclass(frozen=True, slots=True)
class ConflictPage:
    """A page of the list, the newest post first. ``next_place`` is where the next one begins, None on the last."""

    conflicts: tuple[IdentityConflict, ...]
    next_place: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a conflict as they are now. ``visitor_profile_id`` is None until the visitor has a profile."""

    owners: tuple[Identity, ...]
    visitor_profile_id: str | None
    properties: tuple[ShownProperty, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to decide any more: the profile has no owner, or the visitor has a profile."""
        return not self.owners or self.visitor_profile_id is not None

    def mark(self, conflict: IdentityConflict) -> str:
        """Return a short text that is another as soon as anything has changed that a decision rests on."""
        facts = [conflict.state, str(conflict.decided_at), self.owners, self.visitor_profile_id]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def find_conflict(session: Session, key: str) -> IdentityConflict:
    """Return the conflict with this key. Raises NotFoundError."""
    conflict = session.scalar(select(IdentityConflict).where(IdentityConflict.key == key))
    if conflict is None:
        raise NotFoundError("This conflict is gone: its goal or profile was deleted, or it made room for newer ones.")
    return conflict


def read_sides(session: Session, conflict: IdentityConflict) -> Sides:
    """Return both sides as they are now, without the profile's properties."""
    return Sides(tuple(owners_of(session, conflict.profile_id)), profile_id_of(session, conflict.visitor))


def show_sides(session: Session, conflict: IdentityConflict) -> Sides:
    """Return both sides as they are now, with the profile's properties."""
    sides = read_sides(session, conflict)
    profile = get_profile(session, conflict.profile_id)
    rows = shown_properties(profile, definitions(session)) if profile is not None else []
    return Sides(sides.owners, sides.visitor_profile_id, tuple(rows))


def list_conflicts(
    session: Session,
    *,
    goal: StoredGoal | None = None,
    profile_id: str | None = None,
    is_decided: bool = False,
    after: tuple[datetime, int] | None = None,
) -> ConflictPage:
    """Return conflicts that wait for a decision, or those that have one; of one goal or profile, if it is given."""
    query = (
        select(IdentityConflict)
        .where(IdentityConflict.state != ConflictState.OPEN if is_decided else _is_waiting())
        .options(joinedload(IdentityConflict.goal))
        .order_by(IdentityConflict.last_at.desc(), IdentityConflict.id.desc())
        .limit(PAGE_LENGTH + 1)
    )
    if goal is not None:
        query = query.where(IdentityConflict.goal_id == goal.id)
    if profile_id is not None:
        query = query.where(IdentityConflict.profile_id == profile_id)
    if after is not None:
        place = tuple_(literal(after[0], UtcDateTime), literal(after[1]))
        query = query.where(tuple_(IdentityConflict.last_at, IdentityConflict.id) < place)
    found = tuple(session.scalars(query))
    last = found[PAGE_LENGTH - 1] if len(found) > PAGE_LENGTH else None
    return ConflictPage(found[:PAGE_LENGTH], (last.last_at, last.id) if last else None)


def count_waiting(*, goal_id: int | None = None, profile_id: str | None = None) -> int:
    """Return how many conflicts wait for a decision: of a goal, of a profile, or all. For templates."""
    query = select(func.count()).select_from(IdentityConflict).where(_is_waiting())
    if goal_id is not None:
        query = query.where(IdentityConflict.goal_id == goal_id)
    if profile_id is not None:
        query = query.where(IdentityConflict.profile_id == profile_id)
    with reading() as session:
        return session.scalar(query) or 0


def _is_waiting() -> ColumnElement[bool]:
    """Leave out what has settled by itself, as `Sides.is_settled` says."""
    has_owner = exists().where(ProfileIdentity.profile_id == IdentityConflict.profile_id)
    has_profile = exists().where(
        ProfileIdentity.issuer == IdentityConflict.issuer, ProfileIdentity.subject == IdentityConflict.subject
    )
    return and_(IdentityConflict.state == ConflictState.OPEN, has_owner, ~has_profile)
