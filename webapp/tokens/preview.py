"""Preview: what a token with these claims, or an Action's call, would do: without a token and without writing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from webapp.connections.goals import LiveGoal
from webapp.tokens.exchange import LoginCall, answer_of, claims_of_call
from webapp.tokens.planning import Plan, plan_sync
from webapp.tokens.verification import check_claims


def preview_sync(
    session: Session, goal: LiveGoal, claims: Mapping[str, Any], *, profile_hint: str | None, now: datetime
) -> Plan:
    """Return what `sync_visitor` would write at ``now`` if a good signature stood below ``claims``.

    It checks and decides with the token service's own code, and only reads: not even a lock is taken.

    Raises:
        TokenRefusedError: such a token would be refused; each reason has its own subclass.
        IdentityConflictError: an unproven link points at someone else's profile.
    """
    checked = check_claims(claims, goal, now=now, leeway_seconds=0)
    return plan_sync(session, goal.web_goal, checked, profile_hint=profile_hint, for_update=False)


def preview_exchange(session: Session, goal: LiveGoal, call: LoginCall, *, now: datetime) -> dict[str, Any]:
    """Return what an Action's call at ``now`` would be answered. It only reads, as `preview_sync` does.

    Raises:
        CallOutOfTimeError, TokenSubjectError: such a call would be refused.
        IdentityConflictError: an unproven link points at someone else's profile.
    """
    claims = claims_of_call(call, goal, now=now)
    plan = plan_sync(session, goal.web_goal, claims, profile_hint=call.profile_id, for_update=False)
    return answer_of(goal.web_goal, plan.outcome, {**plan.before, **plan.changed})
