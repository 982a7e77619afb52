"""Preview: what a token with these claims, or an Action's call, would do: without a token and without writing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from webapp.connections.goals import LiveGoal
from webapp.profiles.definitions import read_definitions
from webapp.profiles.facts import find_facts
from webapp.tokens.checklist import LATEST_SECONDS
from webapp.tokens.exchange import LoginCall, answer_of, claims_of_call, receipt_of
from webapp.tokens.planning import Plan, plan_sync, properties_of, visit_of
from webapp.tokens.receipts import find_receipts
from webapp.tokens.verification import VerifiedClaims, check_claims, check_subject


def preview_sync(
    session: Session, goal: LiveGoal, claims: Mapping[str, Any], *, profile_hint: str | None, now: datetime
) -> Plan:
    """Return what would be written at ``now`` if a good signature stood below ``claims``.

    It checks and decides with the token service's own code, and only reads: not even a lock is taken.

    Raises:
        TokenRefusedError: such a token would be refused; each reason has its own subclass.
        IdentityConflictError: an unproven link points at someone else's profile.
    """
    checked = check_claims(claims, goal, now=now, leeway_seconds=0)
    return _plan(session, goal, checked, profile_hint)


def preview_token(
    session: Session, goal: LiveGoal, claims: Mapping[str, Any], *, profile_hint: str | None, now: datetime
) -> Plan:
    """Return what a token with these claims would write if it were accepted, whatever the other checks say.

    Raises:
        TokenSubjectError: it is not about a person, so nothing could follow from it.
        IdentityConflictError: an unproven link points at someone else's profile.
    """
    return _plan(session, goal, _supposed(goal, claims, now), profile_hint)


def is_applied(session: Session, goal: LiveGoal, token: str, claims: Mapping[str, Any], *, now: datetime) -> bool:
    """Say if this token, or the login that it tells of, was applied already. Raises TokenSubjectError."""
    key = goal.id, receipt_of(goal.web_goal, _supposed(goal, claims, now), token)
    return key in find_receipts(session, {key})


def preview_exchange(session: Session, goal: LiveGoal, call: LoginCall, *, now: datetime) -> dict[str, Any]:
    """Return what an Action's call at ``now`` would be answered. It only reads, as `preview_sync` does.

    Raises:
        CallOutOfTimeError, TokenSubjectError: such a call would be refused.
        IdentityConflictError: an unproven link points at someone else's profile.
    """
    plan = _plan(session, goal, claims_of_call(call, goal, now=now), call.profile_id)
    return answer_of(goal.web_goal, plan.outcome, {**plan.before, **plan.changed})


def _supposed(goal: LiveGoal, claims: Mapping[str, Any], now: datetime) -> VerifiedClaims:
    issued = claims.get("iat")
    is_moment = type(issued) is int and 0 <= issued <= LATEST_SECONDS
    issued_at = datetime.fromtimestamp(issued, UTC) if is_moment and issued is not None else now
    return VerifiedClaims(goal.tenant.issuer, check_subject(claims), (), claims, now, issued_at)


def _plan(session: Session, goal: LiveGoal, claims: VerifiedClaims, profile_hint: str | None) -> Plan:
    definitions = read_definitions(session, properties_of(goal.web_goal))
    visit = visit_of(goal.web_goal, claims, definitions, profile_hint=profile_hint)
    return plan_sync(visit, find_facts(session, [visit.sought], for_update=False), definitions)
