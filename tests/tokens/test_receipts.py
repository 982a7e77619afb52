"""Receipts: kept as long as their token could come again, and no longer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from tests.tokens.conftest import Shop
from webapp.connections.goals import lock_goal
from webapp.connections.models import Goal
from webapp.database import Database
from webapp.profiles.store import ProfileState
from webapp.tokens.models import TokenReceipt
from webapp.tokens.planning import Outcome
from webapp.tokens.receipts import MARGIN, Receipt, keep_receipts, sweep_receipts, sweep_sometimes, token_digest


def goal_id(shop: Shop) -> int:
    with shop.database.reading() as session:
        return session.scalars(select(Goal.id).where(Goal.key == shop.goal.key)).one()


def receipt(goal: int, token: str, keep_until: datetime) -> Receipt:
    return Receipt(goal, token_digest(token), Outcome(ProfileState.UNCHANGED, "p1"), keep_until)


def test_a_receipt_outlives_its_token(shop: Shop) -> None:
    # when a token is applied
    claims = shop.issuer.claims()
    token = shop.issuer.encode(claims)
    assert shop.post(token).status_code == 200
    # then its receipt is kept until no leeway makes the token valid again
    with shop.database.reading() as session:
        receipt = session.scalars(select(TokenReceipt)).one()
    assert receipt.token_digest == token_digest(token)
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    assert receipt.keep_until > expires_at + timedelta(seconds=60)


def test_each_goal_has_its_own_receipts(make_shop: Callable[..., Shop]) -> None:
    # given two goals of one application
    shop, other = make_shop(), make_shop(key="second-goal")
    token = shop.issuer.token()
    # when both get the token
    assert (shop.post(token).status_code, other.post(token).status_code) == (200, 200)
    # then both have applied it
    assert shop.count() == (1, 2)


def test_a_goal_that_is_being_saved_holds_no_post_up(shop: Shop, now: datetime) -> None:
    if shop.database.is_sqlite:
        return  # where a writer has the whole database
    # given somebody who saves the goal
    with shop.database.transaction() as saving:
        lock_goal(saving, shop.goal.key)
        # when a post is committed meanwhile
        with shop.database.transaction() as posting:
            posting.execute(text("SET LOCAL lock_timeout = '5s'"))
            keep_receipts(posting, [receipt(goal_id(shop), "a", now)])
    # then it did not have to wait
    assert shop.count() == (0, 1)


def test_expired_receipts_are_swept_in_portions(shop: Shop, now: datetime) -> None:
    # given seven receipts, five of them expired
    goal = goal_id(shop)
    with shop.database.transaction() as session:
        for number in range(7):
            keep_until = now + timedelta(hours=1 if number >= 5 else -1)
            keep_receipts(session, [receipt(goal, str(number), keep_until)])
    # when
    with shop.database.transaction() as session:
        sweep_receipts(session, now=now, limit=3)
    # then
    assert shop.count() == (0, 4)
    with shop.database.transaction() as session:
        sweep_receipts(session, now=now, limit=3)
    assert shop.count() == (0, 2)


@pytest.mark.parametrize(("digest", "left"), [(b"\0" * 32, 0), (b"\1" * 32, 1)])
def test_some_tokens_sweep(shop: Shop, now: datetime, digest: bytes, left: int) -> None:
    # given an expired receipt
    with shop.database.transaction() as session:
        keep_receipts(session, [receipt(goal_id(shop), "a", now - MARGIN)])
    # when
    with shop.database.transaction() as session:
        sweep_sometimes(session, [digest], now=now)
    # then
    assert shop.count() == (0, left)


def test_a_goal_that_was_deleted_meanwhile_is_not_found(shop: Shop) -> None:
    # given a goal that this process knows, and that another one deletes
    assert shop.post(shop.issuer.token()).status_code == 200
    other = Database(shop.database.url)
    with other.transaction() as session:
        session.delete(session.scalars(select(Goal)).one())
    other.close()
    # when a token comes
    response = shop.post(shop.issuer.token())
    # then
    assert response.status_code == 404
    assert response.get_json()["type"].endswith("/not-found")
