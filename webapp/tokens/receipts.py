"""Receipts: a token is applied once, also when it comes twice at the same moment."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.database import insert_missing
from webapp.errors import NotFoundError
from webapp.tokens.models import TokenReceipt

MARGIN = timedelta(hours=1)
"""Beyond ``exp``: more than the longest leeway that the settings allow, and than what clocks differ."""
SWEEP_LIMIT = 1000
_SWEEP_EVERY = 256

Answer = dict[str, Any]


def token_digest(token: str) -> bytes:
    """Return the 32 bytes by which a token is remembered; the token itself is not kept."""
    return hashlib.sha256(token.encode()).digest()


def login_digest(subject: str, login_id: str) -> bytes:
    """Return the 32 bytes by which a login is remembered that the goal's Action told of."""
    return hashlib.sha256(f"login\0{subject}\0{login_id}".encode()).digest()


def claim_receipt(session: Session, goal_id: int, digest: bytes, *, keep_until: datetime) -> bool:
    """Say if this token is new to the goal, and from now on it is not. Rolled back, it never was here.

    The primary key decides between two at once: the second waits for the first. Raises NotFoundError if the goal is
    gone meanwhile.
    """
    row = {"goal_id": goal_id, "token_digest": digest, "outcome": None, "keep_until": keep_until}
    try:
        return insert_missing(session, TokenReceipt, [row]) == 1
    except IntegrityError as error:
        raise NotFoundError("There is no goal with this key.") from error


def keep_outcome(session: Session, goal_id: int, digest: bytes, answer: Answer) -> None:
    """Keep what was answered, for the same token's next visit."""
    session.execute(update(TokenReceipt).where(*_is(goal_id, digest)).values(outcome=answer))


def keep_longer(session: Session, goal_id: int, digest: bytes, *, keep_until: datetime) -> None:
    """Keep a receipt at least until then: a token may be good for longer than the call that told of its login."""
    later = TokenReceipt.keep_until < keep_until
    session.execute(update(TokenReceipt).where(*_is(goal_id, digest), later).values(keep_until=keep_until))


def earlier_outcome(session: Session, goal_id: int, digest: bytes) -> Answer:
    """Return what was answered when the token came first."""
    return session.scalars(select(TokenReceipt.outcome).where(*_is(goal_id, digest))).one() or {}


def sweep_sometimes(session: Session, digest: bytes, *, now: datetime) -> None:
    """Remove receipts of expired tokens, once in about 256 tokens and far more than come in between."""
    if digest[0] % _SWEEP_EVERY == 0:
        sweep_receipts(session, now=now)


def sweep_receipts(session: Session, *, now: datetime, limit: int = SWEEP_LIMIT) -> None:
    """Remove at most ``limit`` receipts of tokens that have expired. Two sweeps do not wait for each other."""
    expired = (
        select(TokenReceipt.goal_id, TokenReceipt.token_digest)
        .where(TokenReceipt.keep_until < now)
        .order_by(TokenReceipt.keep_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    key = tuple_(TokenReceipt.goal_id, TokenReceipt.token_digest)
    session.execute(delete(TokenReceipt).where(key.in_(expired)).execution_options(synchronize_session=False))


def _is(goal_id: int, digest: bytes) -> tuple[Any, Any]:
    return TokenReceipt.goal_id == goal_id, TokenReceipt.token_digest == digest
