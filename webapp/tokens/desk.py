"""The desk: what is done with posted tokens in the one thread of `webapp.group_commit`, before and after they commit.

Nothing here waits for the network or for a slow visitor: that is done before, in the request's own thread.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

import orjson
import structlog
from flask import current_app
from sqlalchemy.exc import IntegrityError

from webapp.auth0.signing_keys import KeyNotAtHandError, Keys, KeysAtHand, signing_keys
from webapp.connections.goals import LiveGoal
from webapp.live.receiving import Receiving, count_received
from webapp.profiles.consent import answer_to
from webapp.profiles.store import ProfileState
from webapp.sealing import sealer
from webapp.settings import settings
from webapp.tokens.exchange import receipt_of
from webapp.tokens.planning import Outcome
from webapp.tokens.posts import TokenPost
from webapp.tokens.receipts import token_digest
from webapp.tokens.recent import recent_tokens
from webapp.tokens.sync import Applied, Post, PostCommit, look_anew
from webapp.tokens.verification import VerifiedClaims, verify_token

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class PostedToken:
    """A token that was posted to a goal which takes it, and what is known of it so far."""

    goal: LiveGoal
    body: bytes
    item: Receiving
    now: datetime
    post: TokenPost = field(init=False)
    digest: bytes = field(init=False)
    claims: VerifiedClaims | None = None
    known: Outcome | None = None

    def prepare(self) -> Post | None:
        """Verify the token, unless the answer is known already.

        Raises:
            ValidationError: the body is not as documented.
            KeyNotAtHandError: it cannot be verified without asking for its key.
            WebsyncError: as `verify_token`.
        """
        self.post = post = TokenPost.model_validate_json(self.body)
        self.digest = token_digest(post.token)
        said = post.consent.said() if post.consent else None
        # A token that is known may bring another answer of its visitor, and another process may know a newer one.
        if answer_to(self.goal.web_goal.consent, said) is None:
            known = recent_tokens().find(self.goal, self.digest, post.profile_id, self.now)
            if known is not None:
                self.item.of_person(known.subject)
                self.known = known.outcome
                return None
        claims = self.claims or self.verify(KeysAtHand(signing_keys()))
        receipt = receipt_of(self.goal.web_goal, claims, post.token)
        return Post(self.goal, claims, receipt, post.profile_id, self.now, said)

    def verify(self, keys: Keys) -> VerifiedClaims:
        """Return the claims of the token if they may be believed. Raises as `verify_token`."""
        leeway = settings().token_leeway_seconds
        self.claims = claims = verify_token(self.post.token, self.goal, keys, now=self.now, leeway_seconds=leeway)
        self.item.of_person(claims.subject)
        return claims

    def finish(self, applied: Applied | None) -> bytes:
        """Return the answer, now that it is true."""
        outcome = self._keep(applied.outcome) if applied is not None else self.known
        assert outcome is not None  # noqa: S101, nothing is written only if it is known
        answer = orjson.dumps(outcome.as_json())
        self.item.applied(outcome.state, outcome.profile_id)
        count_received(self.item, HTTPStatus.OK, None)
        return answer

    def _keep(self, outcome: Outcome) -> Outcome:
        claims = self.claims
        assert claims is not None  # noqa: S101, else it would not have been applied
        if outcome.state is not ProfileState.CONSENT_MISMATCH:  # which may change at any moment
            recent_tokens().keep(self.goal, self.digest, claims, outcome, now=self.now)
        key, subject = self.goal.web_goal.key, sealer().pseudonym(claims.subject)
        log.info("token_applied", goal=key, subject=subject, state=outcome.state)
        return outcome


def hand_in(posted: PostedToken) -> bytes:
    """Return the answer to a token once it is applied; what may take long is done here, where nobody else waits.

    Raises:
        ValidationError, WebsyncError: as `PostedToken.prepare`.
        IdentityConflictError, NotFoundError: as `sync_visitor`.
    """
    try:
        return _hand_in(posted)
    except IntegrityError:
        posted.goal = look_anew(posted.goal)
        return _hand_in(posted)


def _hand_in(posted: PostedToken) -> bytes:
    commit: PostCommit = current_app.extensions["post_commit"]
    with suppress(KeyNotAtHandError):
        return commit.run(posted)
    posted.verify(signing_keys())
    return commit.run(posted)
