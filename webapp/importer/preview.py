"""Preview: what an import goal would do to one user's profile now, saved or not. It only reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from snippets.consent import ConsentRule
from webapp.connections.import_goals import ImportGoal
from webapp.importer.mapping import Elsewhere, MappedUser, UserMapper
from webapp.importer.memory import Remembered, find_users
from webapp.importer.planning import Candidate, Plan, Terms, candidate_of, plan_user
from webapp.importer.reading import BrokenLine, User
from webapp.profiles.definitions import Definitions
from webapp.profiles.facts import Facts, find_facts
from webapp.profiles.linking import IdentityConflictError, Linked, link_profile


@dataclass(frozen=True, slots=True)
class Draft:
    """An import goal as it would be saved now, with what holds for its connection.

    ``goal_id`` is None for a goal that is not stored: it remembers nobody.
    """

    goal: ImportGoal
    definitions: Definitions
    issuer: str
    consent: ConsentRule | None = None
    goal_id: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of a user. ``linked`` is None if the user's links are in conflict.

    ``is_unchanged`` if nothing of the user has changed since the goal's last import: a run would leave the user out.
    """

    candidate: Candidate
    plan: Plan
    linked: Linked | None
    is_unchanged: bool


def preview_user(
    session: Session, draft: Draft, fields: Mapping[str, Any], *, now: datetime
) -> Preview | Elsewhere | BrokenLine:
    """Return what an import would do to this user, decided by the importer's own code; or why it would do nothing."""
    mapper = UserMapper(draft.goal, draft.definitions, issuer=draft.issuer)
    user = mapper.read(User(1, dict(fields)))
    if not isinstance(user, MappedUser):
        return user
    candidate, last = candidate_of(mapper, user), _remembered(session, draft, user)
    if last is not None:
        candidate = candidate._replace(has_new_sums=last.sums != user.sums)
    facts = find_facts(session, [candidate.sought], for_update=False)
    plan = plan_user(candidate, facts, Terms(draft.goal, mapper, draft.consent, now))
    return Preview(candidate, plan, _linked(facts, candidate), last is not None and last.digest == user.digest)


def _remembered(session: Session, draft: Draft, user: MappedUser) -> Remembered | None:
    return find_users(session, draft.goal_id, [user.user_id]).get(user.user_id) if draft.goal_id is not None else None


def _linked(facts: Facts, candidate: Candidate) -> Linked | None:
    try:
        return link_profile(facts, candidate.sought.identity, candidate.links, profile_hint=None)
    except IdentityConflictError:
        return None
