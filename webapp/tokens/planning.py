"""Planning: what verified claims do to which profile, decided on facts that were read before. Nothing is written here.

`sync.py` writes what is planned, `preview.py` shows it: so a preview cannot promise anything else than what happens.
"""

from collections.abc import Mapping as Members
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from snippets.goals import Direction, WebGoal
from webapp.profiles.consent import (
    CONSENT_PROPERTIES,
    SaidConsent,
    answer_to,
    consent_rules,
    spoken_of,
    without_older_news,
)
from webapp.profiles.definitions import Definitions
from webapp.profiles.facts import Facts, Sought
from webapp.profiles.linking import (
    IdentityConflictError,
    Linked,
    LinkValue,
    identifier_rules,
    link_profile,
    new_profile_id,
    sought_by,
)
from webapp.profiles.merging import MergeResult, Rule, merge
from webapp.profiles.news import merge_with_consent, profile_change, sort_out_older_news, told_by
from webapp.profiles.store import ProfileState, written_state
from webapp.profiles.writing import ProfileChange
from webapp.tokens.claim_values import MappingReading, link_values, read_mappings
from webapp.tokens.verification import VerifiedClaims

OLDER_NEWS = "a newer login has set it already"


class Visit(NamedTuple):
    """A visitor of whom verified claims speak. ``links`` are those that can be tried; ``sought`` is all they lead to.

    ``profile_hint`` is the browser's word: used only if that profile is unlinked or linked to the same ``sub``.
    ``said_consent`` is the visitor's own word about objectives.
    """

    goal: WebGoal
    claims: VerifiedClaims
    profile_hint: str | None
    links: tuple[LinkValue, ...]
    sought: Sought
    said_consent: SaidConsent | None = None


class Outcome(NamedTuple):
    """What became of a token. ``updated`` are property ids, sorted; ``problems`` say why a property did not change."""

    state: ProfileState
    profile_id: str | None
    updated: tuple[str, ...] = ()
    problems: Members[str, list[str]] = {}
    switch_profile: bool = False

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


class Plan(NamedTuple):
    """What claims are about to do. ``changed`` has the new values of each property that differs (``[]`` = cleared).

    ``links`` are those that could be tried, ``before`` is what the profile has now (nothing, if it is a new one).
    ``told_at`` has the properties that are set or cleared, with the moment (Unix seconds) of this news about them.
    ``merge_problems`` are those of the outcome that no single row has. Without consent, all that changes is the
    visitor's answer in a profile that is there already.
    """

    outcome: Outcome
    linked: Linked
    links: tuple[LinkValue, ...]
    readings: tuple[MappingReading, ...]
    before: Members[str, list[str]] = {}
    changed: Members[str, list[str]] = {}
    told_at: Members[str, int] = {}
    merge_problems: Members[str, list[str]] = {}


def visit_of(
    goal: WebGoal,
    claims: VerifiedClaims,
    definitions: Definitions,
    *,
    profile_hint: str | None,
    said_consent: SaidConsent | None = None,
) -> Visit:
    """Return the visit of which verified claims tell."""
    links = link_values(goal, claims.claims, definitions.types)
    return Visit(
        goal, claims, profile_hint, links, sought_by((claims.issuer, claims.subject), links, profile_hint), said_consent
    )


def plan_sync(visit: Visit, facts: Facts, definitions: Definitions) -> Plan:
    """Decide what a visit does to which profile. ``facts`` answer what it seeks.

    Raises:
        IdentityConflictError: an unproven link points at someone else's profile.
    """
    goal, claims, links, hint = visit.goal, visit.claims, visit.links, visit.profile_hint
    try:
        linked = link_profile(facts, visit.sought.identity, links, profile_hint=hint)
    except IdentityConflictError:
        if _may_speak_of(visit, definitions):
            raise
        # A conflict is kept for an admin: nothing is kept of who has not consented.
        nobody = Linked(None, None, None, switch_profile=False)
        return Plan(Outcome(ProfileState.CONSENT_MISMATCH, None), nobody, links, ())
    readings = read_mappings(
        goal, claims.claims, definitions.types, definitions.identifying, passed_over=linked.passed_over
    )
    if linked.profile is None and not goal.allow_creation:
        outcome = Outcome(ProfileState.NOTFOUND, None, switch_profile=linked.switch_profile)
        return Plan(outcome, linked, links, readings)
    rules = [reading.rule for reading in readings if reading.rule is not None]
    if linked.profile is None:
        profile_id = new_profile_id(facts, links, profile_hint=hint)
        before: dict[str, list[str]] = {}
        rules += identifier_rules(links)
    else:
        profile_id, before = linked.profile.id, linked.profile.values
    told = {} if linked.profile is None else linked.profile.told_at
    issued_at = int(claims.issued_at.timestamp())
    rules, late = sort_out_older_news(rules, told, issued_at)
    merged = _with_consent(visit, before, told, rules)
    if merged is None:
        outcome = Outcome(ProfileState.CONSENT_MISMATCH, None, switch_profile=linked.switch_profile)
        return _answer(visit, linked, outcome)._replace(readings=readings)
    merge_problems = {**merged.problems, **{name: [*merged.problems.get(name, ()), OLDER_NEWS] for name in late}}
    outcome = Outcome(
        written_state(is_new=linked.profile is None, has_changes=bool(merged.changed)),
        profile_id,
        tuple(sorted(merged.changed)),
        _problems(readings, merge_problems),
        linked.switch_profile,
    )
    spoken = spoken_of(goal.consent, without_older_news(visit.said_consent, told, issued_at))
    told_at = told_by(rules, issued_at) | dict.fromkeys(spoken, issued_at)
    return Plan(outcome, linked, links, readings, before, merged.changed, told_at, merge_problems)


def plan_answer(visit: Visit, facts: Facts, earlier: Outcome) -> Plan | None:
    """Decide what the visitor's answer does when a token that was applied before brings it; None if there is none.

    The answer may have changed since, as when the Action told of the login before the visitor's page could.
    """
    rule = visit.goal.consent
    if answer_to(rule, visit.said_consent) is None:
        return None
    try:
        linked = link_profile(facts, visit.sought.identity, visit.links, profile_hint=visit.profile_hint)
    except IdentityConflictError:
        # The token was applied to a profile; that its visitor has another by now is for the next one to find.
        linked = Linked(None, None, None, switch_profile=False)
    before, told = (linked.profile.values, linked.profile.told_at) if linked.profile is not None else ({}, {})
    if _with_consent(visit, before, told, ()) is None:
        earlier = Outcome(ProfileState.CONSENT_MISMATCH, None, switch_profile=earlier.switch_profile)
    return _answer(visit, linked, earlier)


def change_of(plan: Plan, *, source: str, now: datetime) -> ProfileChange | None:
    """Return what is to be stored, or None if the profile stays as it is. ``source`` is shown beside the values."""
    before = plan.linked.profile
    profile_id = before.id if before is not None else plan.outcome.profile_id
    if profile_id is None:
        return None
    return profile_change(before, profile_id, plan.changed, plan.told_at, source=source, now=now)


def _with_consent(
    visit: Visit, before: Members[str, list[str]], told_at: Members[str, int], rules: Sequence[Rule]
) -> MergeResult | None:
    issued_at = int(visit.claims.issued_at.timestamp())
    return merge_with_consent(rules, before, told_at, issued_at, consent=visit.goal.consent, said=visit.said_consent)


def _answer(visit: Visit, linked: Linked, outcome: Outcome) -> Plan:
    """Return a plan that does nothing but keep the visitor's answer, in a profile that is there already."""
    plan = Plan(outcome, linked, visit.links, ())
    if linked.profile is None or answer_to(visit.goal.consent, visit.said_consent) is None:
        return plan
    before, issued_at = linked.profile.values, int(visit.claims.issued_at.timestamp())
    news = without_older_news(visit.said_consent, linked.profile.told_at, issued_at)
    changed = merge(before, consent_rules(visit.goal.consent, before, before, news)).changed
    told_at = dict.fromkeys(spoken_of(visit.goal.consent, news), issued_at)
    return plan._replace(before=before, changed=changed, told_at=told_at)


def _may_speak_of(visit: Visit, definitions: Definitions) -> bool:
    """Say if a visitor without a profile consented to what the goal is for, by what this visit brings."""
    if visit.goal.consent is None:
        return True
    readings = read_mappings(visit.goal, visit.claims.claims, definitions.types, definitions.identifying)
    rules = [reading.rule for reading in readings if reading.rule is not None]
    return _with_consent(visit, {}, {}, rules) is not None


def _problems(readings: Sequence[MappingReading], merge_problems: Members[str, list[str]]) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    for reading in readings:
        if reading.problems:
            problems.setdefault(reading.mapping.profile_property, []).extend(reading.problems)
    for name, reasons in merge_problems.items():
        problems.setdefault(name, []).extend(reasons)
    return problems


def properties_of(goal: WebGoal) -> set[str]:
    """Return the ids of all properties that a visit of this goal reads or writes."""
    mapped = {mapping.profile_property for mapping in goal.mappings_to(Direction.TO_PROFILE)}
    kept_consent = CONSENT_PROPERTIES if goal.consent else frozenset()
    return mapped | {link.profile_property for link in goal.links} | kept_consent
