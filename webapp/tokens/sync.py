"""Sync: a verified token becomes a change of one profile, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from sqlalchemy.orm import Session

from snippets.goals import Direction, MergeStrategy, WebGoal
from webapp.connections.goals import LiveGoal
from webapp.profiles.definitions import indexed_among
from webapp.profiles.embedded import apply_rules, create_profile, hold_property_set, lock_identifiers, property_types
from webapp.profiles.merging import Rule
from webapp.profiles.store import ProfileState
from webapp.tokens.claim_values import LinkValue, link_values, mapping_rules
from webapp.tokens.linking import identifiers_to_lock, keep_identity, link_profile, new_profile_id
from webapp.tokens.receipts import MARGIN, claim_receipt, earlier_outcome, keep_outcome, sweep_sometimes
from webapp.tokens.verification import VerifiedClaims


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a token. ``updated`` are property ids, sorted; ``problems`` say why a property did not change."""

    state: ProfileState
    profile_id: str | None
    updated: tuple[str, ...] = ()
    problems: Mapping[str, list[str]] = field(default_factory=dict)
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
    def from_json(cls, answer: Mapping[str, Any]) -> "Outcome":
        """Return what `as_json` was made of."""
        return cls(
            ProfileState(answer["state"]),
            answer["profileId"],
            tuple(answer["updated"]),
            answer.get("problems", {}),
            answer.get("switchProfile", False),
        )


def sync_visitor(
    session: Session,
    goal: LiveGoal,
    claims: VerifiedClaims,
    token_digest: bytes,
    *,
    profile_hint: str | None,
    now: datetime,
) -> Outcome:
    """Write the mapped claims to the visitor's profile, once for each token.

    ``profile_hint`` is the browser's word: used only if that profile is unlinked or linked to the same ``sub``.

    Raises:
        IdentityConflictError: an unproven link points at someone else's profile.
        NotFoundError: the goal was deleted meanwhile.
    """
    if not claim_receipt(session, goal.id, token_digest, keep_until=claims.expires_at + MARGIN):
        return Outcome.from_json(earlier_outcome(session, goal.id, token_digest))
    outcome = _apply(session, goal.web_goal, claims, profile_hint=profile_hint, now=now)
    keep_outcome(session, goal.id, token_digest, outcome.as_json())
    sweep_sometimes(session, token_digest, now=now)
    return outcome


def _apply(
    session: Session, goal: WebGoal, claims: VerifiedClaims, *, profile_hint: str | None, now: datetime
) -> Outcome:
    property_ids = _property_ids(goal)
    hold_property_set(session)
    types, identifiers = property_types(session, property_ids), indexed_among(session, property_ids)
    links = link_values(goal, claims.claims, types)
    lock_identifiers(session, identifiers_to_lock(claims, links, profile_hint))
    linked = link_profile(session, claims, links, profile_hint=profile_hint)
    profile, is_new = linked.profile, linked.profile is None
    if profile is None and not goal.allow_creation:
        return Outcome(ProfileState.NOTFOUND, None, switch_profile=linked.switch_profile)
    if profile is None:
        profile = create_profile(session, new_profile_id(session, links, profile_hint=profile_hint), now=now)
    rules, problems = mapping_rules(goal, claims.claims, types, identifiers)
    if is_new:
        rules += _identifier_rules(links)
    result = apply_rules(session, profile, rules, source=f"Web goal {goal.name}", now=now)
    keep_identity(session, claims, profile)
    for name, reasons in result.problems.items():
        problems.setdefault(name, []).extend(reasons)
    state = ProfileState.CREATED if is_new else result.state
    return Outcome(state, profile.id, result.updated, problems, linked.switch_profile)


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
