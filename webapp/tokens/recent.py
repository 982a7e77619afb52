"""Recent tokens: what was answered to those that came last, so that one that comes again costs next to nothing."""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app

from webapp.connections.goals import LiveGoal
from webapp.tokens.planning import Outcome
from webapp.tokens.verification import VerifiedClaims

MAX_TOKENS = 10_000
LONGEST = timedelta(minutes=10)
"""As long as signing keys are believed without a look at the tenant."""


class Answered(NamedTuple):
    """A token that was verified for ``goal`` as it was then, and what was answered once that was committed."""

    goal: LiveGoal
    subject: str
    outcome: Outcome
    good_until: datetime


class RecentTokens:
    """Tokens that this process has verified and applied, by goal and digest. Threads share it."""

    def __init__(self) -> None:
        self._answered: OrderedDict[tuple[int, bytes], Answered] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, goal: LiveGoal, digest: bytes, profile_hint: str | None, now: datetime) -> Answered | None:
        """Return what was answered to this token, if the same is right now: for this goal, as it was and is."""
        answered = self._answered.get((goal.id, digest))
        if answered is None or answered.goal is not goal or answered.good_until <= now:
            return None
        # Another profile in the browser: only the database says whose that is.
        is_same = profile_hint in {None, answered.outcome.profile_id} and not answered.outcome.switch_profile
        return answered if is_same else None

    def keep(self, goal: LiveGoal, digest: bytes, claims: VerifiedClaims, outcome: Outcome, *, now: datetime) -> None:
        """Remember what was answered to a token with these claims, until it expires or is too old for the goal."""
        good_until = min(claims.expires_at, now + LONGEST)
        if (max_age := goal.web_goal.token_policy.max_age_seconds) is not None:
            good_until = min(good_until, claims.issued_at + timedelta(seconds=max_age))
        answered = Answered(goal, claims.subject, outcome, good_until)
        with self._lock:
            self._answered[goal.id, digest] = answered
            while len(self._answered) > MAX_TOKENS:
                self._answered.popitem(last=False)


def recent_tokens() -> RecentTokens:
    """Return the recent tokens of the running app."""
    found: RecentTokens = current_app.extensions["recent_tokens"]
    return found
