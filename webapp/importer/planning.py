"""Planning: what a user does to which profile, decided on facts that were read before. Nothing is written here."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from snippets.consent import ConsentRule
from snippets.goals import MergeStrategy
from webapp.connections.import_goals import ImportGoal
from webapp.importer.mapping import MappedUser, UserMapper, issued_at
from webapp.importer.results import Conflict, ImportProblem
from webapp.profiles.facts import Facts, Sought
from webapp.profiles.ids import new_id
from webapp.profiles.linking import (
    IdentityConflictError,
    LinkValue,
    identifier_rules,
    link_profile,
    new_profile_id,
)
from webapp.profiles.news import merge_with_consent, profile_change, sort_out_older_news, told_by
from webapp.profiles.store import ProfileState, written_state
from webapp.profiles.writing import ProfileChange

CONFLICT = "a link leads to the profile of another user, and nothing that Auth0 vouches for says whose it is"


class Candidate(NamedTuple):
    """A user to be compared with a profile. ``links`` are those that can be tried; ``sought`` is all they lead to.

    ``has_new_sums`` is false if what is summed was imported already.
    """

    user: MappedUser
    links: tuple[LinkValue, ...]
    sought: Sought
    has_new_sums: bool = True


def candidate_of(mapper: UserMapper, user: MappedUser) -> Candidate:
    """Return a user with everything that may lead to their profile."""
    links = mapper.links(user)
    return Candidate(user, links, mapper.sought(user, links))


class Plan(NamedTuple):
    """What becomes of a user. Without a state it is invalid, for the reason in ``problems``.

    A ``conflict`` is kept for people to decide.
    """

    state: ProfileState | None
    profile_id: str | None = None
    change: ProfileChange | None = None
    problems: Sequence[ImportProblem] = ()
    conflict: Conflict | None = None


class Terms(NamedTuple):
    """What holds for all users of a chunk. ``make_id`` returns the ids of new profiles."""

    goal: ImportGoal
    mapper: UserMapper
    consent: ConsentRule | None
    now: datetime
    make_id: Callable[[], str] = new_id

    @property
    def source(self) -> str:
        """What is shown to people beside the values."""
        return source_of(self.goal.name)


def source_of(goal_name: str) -> str:
    """Return what is shown to people beside the values that a goal of this name wrote."""
    return f"Import goal {goal_name}"


def plan_user(candidate: Candidate, facts: Facts, terms: Terms) -> Plan:
    """Decide what a user does to which profile. ``facts`` answer what it seeks."""
    user, links = candidate.user, candidate.links
    try:
        linked = link_profile(facts, candidate.sought.identity, links, profile_hint=None)
    except IdentityConflictError as error:
        if not _may_speak_of(user, terms):
            return Plan(ProfileState.CONSENT_MISMATCH)
        conflict = Conflict(user.user_id, error.profile_id, error.position)
        return Plan(None, problems=[ImportProblem(user.line, CONFLICT, user_id=user.user_id)], conflict=conflict)
    profile = linked.profile
    if profile is None and not terms.goal.allow_creation:
        return Plan(ProfileState.NOTFOUND)
    if profile is None and terms.consent is None and terms.mapper.is_quick_for_new:
        return _plan_new(candidate, facts, terms, linked.passed_over)
    rules, problems = terms.mapper.rules(user, links, linked.passed_over)
    if not candidate.has_new_sums:
        rules = [rule for rule in rules if rule.strategy is not MergeStrategy.SUM]
    moment = issued_at(user, terms.now)
    if profile is None:
        profile_id = new_profile_id(facts, links, profile_hint=None, make_id=terms.make_id)
        rules += identifier_rules(links)
    else:
        profile_id = profile.id
        rules, _ = sort_out_older_news(rules, profile.told_at, moment)
    before, told_at = ({}, {}) if profile is None else (profile.values, profile.told_at)
    merged = merge_with_consent(rules, before, told_at, moment, consent=terms.consent)
    if merged is None:
        return Plan(ProfileState.CONSENT_MISMATCH)
    change = profile_change(
        profile, profile_id, merged.changed, told_by(rules, moment), source=terms.source, now=terms.now
    )
    problems += _merge_problems(user, merged.problems, terms.goal)
    return Plan(written_state(is_new=profile is None, has_changes=bool(merged.changed)), profile_id, change, problems)


def _may_speak_of(user: MappedUser, terms: Terms) -> bool:
    """Say if a user without a profile consented to what the goal is for: of nobody else is a conflict kept."""
    rules, _ = terms.mapper.rules(user, (), ())
    return merge_with_consent(rules, {}, {}, issued_at(user, terms.now), consent=terms.consent) is not None


def _plan_new(candidate: Candidate, facts: Facts, terms: Terms, passed_over: Sequence[LinkValue]) -> Plan:
    user = candidate.user
    values, overwritten, problems = terms.mapper.new_values(user, candidate.links, passed_over)
    profile_id = new_profile_id(facts, candidate.links, profile_hint=None, make_id=terms.make_id)
    told_at = dict.fromkeys(overwritten, issued_at(user, terms.now))
    change = profile_change(None, profile_id, values, told_at, source=terms.source, now=terms.now)
    return Plan(ProfileState.CREATED, profile_id, change, problems)


def _merge_problems(user: MappedUser, found: Mapping[str, list[str]], goal: ImportGoal) -> list[ImportProblem]:
    if not found:
        return []
    fields = {mapping.profile_property: mapping.auth0_field for mapping in reversed(goal.mappings)}
    return [
        ImportProblem(user.line, reason, fields.get(property_id, ""), user.user_id)
        for property_id, reasons in found.items()
        for reason in reasons
    ]
