"""Receipts: a token is applied once, also when it comes twice at the same moment."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from webapp.database import table_of
from webapp.tokens.models import TokenReceipt
from webapp.tokens.planning import Outcome

MARGIN = timedelta(hours=1)
"""Beyond ``exp``: more than the longest leeway that the settings allow, and than what clocks differ."""
SWEEP_LIMIT = 1000
_SWEEP_EVERY = 256


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a token was applied, with what was answered. ``token_digest`` is what the token is remembered by."""

    goal_id: int
    token_digest: bytes
    outcome: Outcome
    keep_until: datetime


def token_digest(token: str) -> bytes:
    """Return the 32 bytes by which a token is remembered; the token itself is not kept."""
    return hashlib.sha256(token.encode()).digest()


def login_digest(subject: str, login_id: str) -> bytes:
    """Return the 32 bytes by which a login is remembered that the goal's Action told of."""
    return hashlib.sha256(f"login\0{subject}\0{login_id}".encode()).digest()


def find_receipts(session: Session, keys: Collection[tuple[int, bytes]]) -> dict[tuple[int, bytes], Receipt]:
    """Return those receipts of ``keys`` (goal id and digest) that there are."""
    table = TokenReceipt
    query = select(table.goal_id, table.token_digest, table.outcome, table.keep_until).where(
        tuple_(table.goal_id, table.token_digest).in_(sorted(keys))
    )
    found = [
        Receipt(goal_id, digest, Outcome.from_json(answer), keep_until)
        for goal_id, digest, answer, keep_until in session.execute(query)
    ]
    return {(receipt.goal_id, receipt.token_digest): receipt for receipt in found}


def keep_receipts(session: Session, receipts: Sequence[Receipt]) -> None:
    """Keep new receipts. Raises IntegrityError if one is there already, or its goal is gone."""
    rows = [
        {
            "goal_id": receipt.goal_id,
            "token_digest": receipt.token_digest,
            "outcome": receipt.outcome.as_json(),
            "keep_until": receipt.keep_until,
        }
        for receipt in receipts
    ]
    if rows:
        session.execute(insert(table_of(TokenReceipt)), rows)


def keep_longer(session: Session, receipt: Receipt, *, keep_until: datetime) -> None:
    """Keep a receipt until then: a token may be good for longer than the call that told of its login."""
    is_it = TokenReceipt.goal_id == receipt.goal_id, TokenReceipt.token_digest == receipt.token_digest
    session.execute(update(TokenReceipt).where(*is_it).values(keep_until=keep_until))


def sweep_sometimes(session: Session, digests: Collection[bytes], *, now: datetime) -> None:
    """Remove receipts of expired tokens, once in about 256 tokens and far more than come in between."""
    if any(digest[0] % _SWEEP_EVERY == 0 for digest in digests):
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
    session.execute(delete(table_of(TokenReceipt)).where(key.in_(expired)))
