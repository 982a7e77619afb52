"""Planning: what a verified token would do to which profile. Nothing is written here.

`sync.py` writes what is planned, `preview.py` shows it: so a preview cannot promise anything else than what happens.
"""

from collections.abc import Mapping as Members
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from sqlalchemy.orm import Session

from snippets.goals import Direction, MergeStrategy, WebGoal
from webapp.profiles.definitions import indexed_among
from webapp.profiles.embedded import hold_property_set, lock_identifiers, profile_property_values, property_types
from webapp.profiles.merging import Rule, merge
from webapp.profiles.store import ProfileState
from webapp.tokens.claim_values import LinkValue, MappingReading, link_values, read_mappings
from webapp.tokens.linking import Linked, identifiers_to_lock, link_profile, new_profile_id
from webapp.tokens.verification import VerifiedClaims


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a token. ``updated`` are property ids, sorted; ``problems`` say why a property did not change."""

    state: ProfileState
    profile_id: str | None
    updated: tuple[str, ...] = ()
    problems: Members[str, list[str]] = field(default_factory=dict)
    switch_profile: bool = False

    http_status = HTTPStatus.OK

    def as_json(self) -> dict[str, Any]:
        """Return the answer of docs/http-api.md."""
        answer: dict[str, Any] = {
            "state": self.state.value,
            "profileId": self.profile_id,
            "updated": list(self.updated),
        }
        if self.problems:
            answer["problems"] = dict(self.problems)
        if self.switch_profile:
            answer["switchProfile"] = True
        return answer

    @classmethod
    def from_json(cls, answer: Members[str, Any]) -> "Outcome":
        """Return what `as_json` was made of."""
        return cls(
            ProfileState(answer["state"]),
            answer["profileId"],
            tuple(answer["updated"]),
            answer.get("problems", {}),
            answer.get("switchProfile", False),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a token is about to do. ``changed`` has the new values of each property that differs (``[]`` = cleared).

    ``links`` are those that could be tried, ``before`` is what the profile has now (nothing, if it is a new one).
    ``merge_problems`` are those of the outcome that no single row has.
    """

    outcome: Outcome
    linked: Linked
    links: tuple[LinkValue, ...]
    readings: tuple[MappingReading, ...]
    rules: Sequence[Rule] = ()
    before: Members[str, list[str]] = field(default_factory=dict)
    changed: Members[str, list[str]] = field(default_factory=dict)
    merge_problems: Members[str, list[str]] = field(default_factory=dict)


def plan_sync(
    session: Session, goal: WebGoal, claims: VerifiedClaims, *, profile_hint: str | None, for_update: bool
) -> Plan:
    """Decide what ``claims`` do to which profile.

    With ``for_update`` everything that the decision rests on stays as it is until the transaction ends. Without, this
    only reads.

    Raises:
        IdentityConflictError: an unproven link points at someone else's profile.
    """
    property_ids = _property_ids(goal)
    if for_update:
        hold_property_set(session)
    types, identifiers = property_types(session, property_ids), indexed_among(session, property_ids)
    links = link_values(goal, claims.claims, types)
    if for_update:
        lock_identifiers(session, identifiers_to_lock(claims, links, profile_hint))
    linked = link_profile(session, claims, links, profile_hint=profile_hint, for_update=for_update)
    readings = read_mappings(goal, claims.claims, types, identifiers)
    if linked.profile is None and not goal.allow_creation:
        outcome = Outcome(ProfileState.NOTFOUND, None, switch_profile=linked.switch_profile)
        return Plan(outcome, linked, links, readings)
    rules = [reading.rule for reading in readings if reading.rule is not None]
    if linked.profile is None:
        profile_id = new_profile_id(session, links, profile_hint=profile_hint)
        before: dict[str, list[str]] = {}
        rules += _identifier_rules(links)
    else:
        profile_id, before = linked.profile.id, profile_property_values(linked.profile)
    merged = merge(before, rules)
    outcome = Outcome(
        _state(linked, merged.changed),
        profile_id,
        tuple(sorted(merged.changed)),
        _problems(readings, merged.problems),
        linked.switch_profile,
    )
    return Plan(outcome, linked, links, readings, rules, before, merged.changed, merged.problems)


def _state(linked: Linked, changed: Members[str, list[str]]) -> ProfileState:
    if linked.profile is None:
        return ProfileState.CREATED
    return ProfileState.MODIFIED if changed else ProfileState.UNCHANGED


def _problems(readings: Sequence[MappingReading], merge_problems: Members[str, list[str]]) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    for reading in readings:
        if reading.problems:
            problems.setdefault(reading.mapping.profile_property, []).extend(reading.problems)
    for name, reasons in merge_problems.items():
        problems.setdefault(name, []).extend(reasons)
    return problems


def _identifier_rules(links: tuple[LinkValue, ...]) -> list[Rule]:
    """Let the links find a new profile the next time: a value that is only compared is not stored by itself."""
    return [
        Rule(link.property_id, (link.value,), MergeStrategy.SET_IF_EMPTY, link.property_type)
        for link in links
        if not link.is_profile_id
    ]


def _property_ids(goal: WebGoal) -> set[str]:
    mapped = {mapping.profile_property for mapping in goal.mappings_to(Direction.TO_PROFILE)}
    return mapped | {link.profile_property for link in goal.links}
