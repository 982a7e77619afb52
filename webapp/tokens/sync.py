"""Sync: a verified token becomes a change of one profile, in one transaction."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from snippets.goals import WebGoal
from webapp.connections.goals import LiveGoal
from webapp.profiles.embedded import apply_rules, create_profile
from webapp.tokens.linking import is_somebody_elses, keep_identity
from webapp.tokens.planning import Outcome, plan_sync
from webapp.tokens.receipts import MARGIN, claim_receipt, earlier_outcome, keep_longer, keep_outcome, sweep_sometimes
from webapp.tokens.verification import VerifiedClaims


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
        keep_longer(session, goal.id, token_digest, keep_until=claims.expires_at + MARGIN)
        earlier = Outcome.from_json(earlier_outcome(session, goal.id, token_digest))
        # The Action may have told of this login before the browser knew its profile.
        is_other = profile_hint not in {None, earlier.profile_id}
        return replace(earlier, switch_profile=is_other and is_somebody_elses(session, claims, profile_hint or ""))
    outcome = _apply(session, goal.web_goal, claims, profile_hint=profile_hint, now=now)
    keep_outcome(session, goal.id, token_digest, outcome.as_json())
    sweep_sometimes(session, token_digest, now=now)
    return outcome


def _apply(
    session: Session, goal: WebGoal, claims: VerifiedClaims, *, profile_hint: str | None, now: datetime
) -> Outcome:
    plan = plan_sync(session, goal, claims, profile_hint=profile_hint, for_update=True)
    if plan.outcome.profile_id is None:
        return plan.outcome
    profile = plan.linked.profile or create_profile(session, plan.outcome.profile_id, now=now)
    # The profile is locked, so merging once more gives what was planned.
    apply_rules(session, profile, plan.rules, source=f"Web goal {goal.name}", now=now)
    keep_identity(session, claims, profile)
    return plan.outcome
