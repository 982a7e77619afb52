"""Clearing: which properties of a profile go with a user whom the tenant no longer has."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from snippets.goals import Direction
from webapp.connections.import_goals import ImportGoal
from webapp.connections.import_saving import LiveImportGoal
from webapp.connections.models import GoalRevision, MappingRow, StoredGoal
from webapp.importer.planning import source_of
from webapp.profiles.consent import CONSENT_PROPERTIES
from webapp.profiles.definitions import read_definitions
from webapp.profiles.facts import StoredProfile
from webapp.profiles.news import profile_change
from webapp.profiles.writing import ProfileChange


@dataclass(frozen=True, slots=True)
class Clearing:
    """What a goal clears: ``properties`` that nobody but it writes, where the value comes from one of ``sources``.

    These are what is shown beside the values: a goal that was renamed has written some under another name.
    """

    properties: frozenset[str]
    sources: frozenset[str]

    @classmethod
    def of(cls, session: Session, goal: LiveImportGoal) -> "Clearing":
        """Return what ``goal`` clears. What tells people apart stays, and so does consent."""
        mapped = _mapped(goal.goal)
        staying = {link.profile_property for link in goal.goal.links} | CONSENT_PROPERTIES
        staying |= read_definitions(session, mapped).identifying | _mapped_elsewhere(session, goal.id)
        plain = session.scalars(select(GoalRevision.plain).where(GoalRevision.goal_id == goal.id))
        names = {goal.goal.name, *(str(each.get("name", "")) for each in plain)}
        return cls(mapped - staying, frozenset(map(source_of, names)))


def cleared_profile(profile: StoredProfile, clearing: Clearing, *, now: datetime) -> ProfileChange | None:
    """Return the profile without what the goal wrote, None if there is nothing of that. Older news stays away."""
    changed: dict[str, list[str]] = {
        name: []
        for name, stored in profile.properties.items()
        if name in clearing.properties and stored.get("source") in clearing.sources
    }
    if not changed:
        return None
    told_at = dict.fromkeys(changed, int(now.timestamp()))
    return profile_change(profile, profile.id, changed, told_at, source="", now=now)


def _mapped(goal: ImportGoal) -> frozenset[str]:
    return frozenset({row.profile_property for row in goal.mappings} | {goal.database_property}) - {""}


def _mapped_elsewhere(session: Session, goal_id: int) -> set[str]:
    """Return what other goals write, and the properties in which they keep the name of the database."""
    to_profile = MappingRow.direction == Direction.TO_PROFILE
    found = set(session.scalars(select(MappingRow.profile_property).where(MappingRow.goal_id != goal_id, to_profile)))
    settings = session.scalars(select(StoredGoal.import_settings).where(StoredGoal.id != goal_id))
    return found | {str(each.get("database_property", "")) for each in settings if each}
