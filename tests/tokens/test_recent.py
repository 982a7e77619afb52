"""A token that comes again: answered from memory only where nothing else can be right."""

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, select

from tests.tokens.conftest import NAMESPACE, Shop
from webapp.connections.models import Goal
from webapp.tokens import recent

POINTS = f"{NAMESPACE}user_metadata.points"


def statements_of(shop: Shop, task: Callable[[], Any]) -> tuple[int, Any]:
    """Return how many statements ``task`` sends, and what it returns."""
    sent: list[str] = []

    def note(*arguments: object) -> None:
        if threading.current_thread().name in {"MainThread", "group commit"}:  # others keep keys, or what is shown
            sent.append(str(arguments[2]))

    event.listen(shop.database.engine, "before_cursor_execute", note)
    answer = task()
    event.remove(shop.database.engine, "before_cursor_execute", note)
    return len(sent), answer


def test_a_repeat_is_answered_as_before_and_asks_nobody(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr("webapp.connections.live_goals.FRESH_SECONDS", 3600.0)
    token = shop.issuer.token({POINTS: 5})
    first = shop.post(token)
    # when it comes again, also with the profile's own id
    for profile_id in (None, first.get_json()["profileId"]):
        statements, again = statements_of(shop, partial(shop.post, token, profile_id))
        # then
        assert (statements, again.get_json()) == (0, first.get_json())


def test_with_another_profile_the_database_says_whose_it_is(shop: Shop) -> None:
    # given a token that was applied, and somebody else's profile
    token = shop.issuer.token()
    shop.post(token)
    others = shop.log_in({"sub": "auth0|bob"})["profileId"]
    # when the token comes again from a browser with that profile
    again = shop.post(token, others).get_json()
    # then
    assert again["switchProfile"] is True


def test_a_goal_that_changed_verifies_anew(shop: Shop) -> None:
    # given a token that was applied
    token = shop.issuer.token()
    assert shop.post(token).status_code == 200
    # when the goal takes tokens of another application only
    with shop.database.transaction() as session:
        session.scalars(select(Goal)).one().client_ids = ["another-client"]
    # then
    assert shop.post(token).status_code == 401


def test_only_so_many_are_remembered(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_TOKENS", 2)
    tokens = [shop.issuer.token({POINTS: 1, "jti": str(number)}) for number in range(4)]
    answers = [shop.post(token).get_json() for token in tokens]
    assert len(shop.app.extensions["recent_tokens"]._answered) == 2
    # and those that were forgotten still count once
    assert [shop.post(token).get_json() for token in tokens] == answers
    assert shop.properties(answers[0]["profileId"])["points"] == ["4"]


def test_an_expired_token_is_refused_though_it_was_known(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a token that was applied
    claims = shop.issuer.claims()
    token = shop.issuer.encode(claims)
    assert shop.post(token).status_code == 200
    # when it comes again after its time
    expired = claims["exp"] + 3600

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.fromtimestamp(expired, tz)

    monkeypatch.setattr("webapp.tokens.entrance.datetime", Later)
    assert shop.post(token).status_code == 401
