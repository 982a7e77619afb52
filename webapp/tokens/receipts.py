"""Receipts: a token is applied once, also when it comes twice at the same moment."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from webapp.rows import Lookup, insert_new, table_of
from webapp.tokens.models import TokenReceipt
from webapp.tokens.planning import Outcome

MARGIN = timedelta(hours=1)
"""Beyond ``exp``: more than the longest leeway that the settings allow, and than what clocks differ."""
SWEEP_LIMIT = 1000
_SWEEP_EVERY = 256

_receipts = table_of(TokenReceipt)
_KEY = [_receipts.c.goal_id, _receipts.c.token_digest]
_FIND = Lookup(
    """
    SELECT r.goal_id, r.token_digest, r.outcome, r.keep_until FROM {wanted} token_receipts AS r WHERE {keyed}
    """,
    keys=("r.goal_id", "r.token_digest"),
    columns=[*_KEY, _receipts.c.outcome, _receipts.c.keep_until],
)
_IS_IT = _receipts.c.goal_id == bindparam("its_goal"), _receipts.c.token_digest == bindparam("its_digest")


class Receipt(NamedTuple):
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
    return ask_receipts(session, keys)()


def ask_receipts(
    session: Session, keys: Collection[tuple[int, bytes]]
) -> Callable[[], dict[tuple[int, bytes], Receipt]]:
    """Ask what `find_receipts` asks; what is returned reads the answer (`Lookup.ask`)."""
    found = _FIND.ask(session, keys)
    return lambda: {
        (goal_id, digest): Receipt(goal_id, digest, Outcome.from_json(answer), keep_until)
        for goal_id, digest, answer, keep_until in found()
    }


def keep_receipts(session: Session, receipts: Sequence[Receipt]) -> None:
    """Keep new receipts. Raises IntegrityError if one is there already, or its goal is gone."""
    rows = [(each.goal_id, each.token_digest, each.outcome.as_json(), each.keep_until) for each in receipts]
    insert_new(session, TokenReceipt, ("goal_id", "token_digest", "outcome", "keep_until"), rows)


def keep_longer(session: Session, receipt: Receipt, *, keep_until: datetime) -> None:
    """Keep a receipt until then: a token may be good for longer than the call that told of its login."""
    its_key = {"its_goal": receipt.goal_id, "its_digest": receipt.token_digest}
    session.execute(update(_receipts).where(*_IS_IT).values(keep_until=keep_until), its_key)


def sweep_sometimes(session: Session, digests: Collection[bytes], *, now: datetime) -> None:
    """Remove receipts of expired tokens, once in about 256 tokens and far more than come in between."""
    if any(digest[0] % _SWEEP_EVERY == 0 for digest in digests):
        sweep_receipts(session, now=now)


def sweep_receipts(session: Session, *, now: datetime, limit: int = SWEEP_LIMIT) -> None:
    """Remove at most ``limit`` receipts of tokens that have expired. Two sweeps do not wait for each other."""
    expired = session.execute(
        select(*_KEY)
        .where(_receipts.c.keep_until < now)
        .order_by(_receipts.c.keep_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    # One by one: asked for many keys of two parts at once, SQLite would read all receipts of the goal.
    if keys := [{"its_goal": goal_id, "its_digest": digest} for goal_id, digest in expired]:
        session.execute(delete(_receipts).where(*_IS_IT), keys)
