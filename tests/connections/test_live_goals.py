"""Goals in memory: seen at once in this process, within a second in others, and never one that is gone."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event, select

from tests.conftest import wait_until
from tests.tokens.conftest import Shop, issuer, make_shop, shop  # noqa: F401, fixtures
from webapp.connections import live_goals
from webapp.connections.live_goals import live_goal
from webapp.connections.models import Goal
from webapp.database import Database
from webapp.errors import NotFoundError


def statements_of(database: Database, task: Callable[[], object]) -> int:
    """Return how many statements ``task`` sends."""
    sent: list[str] = []

    this_thread = threading.get_ident()

    def note(*arguments: object) -> None:
        if threading.get_ident() == this_thread:  # others keep keys, or what is shown of the service
            sent.append(str(arguments[2]))

    event.listen(database.engine, "before_cursor_execute", note)
    task()
    event.remove(database.engine, "before_cursor_execute", note)
    return len(sent)


def test_a_goal_that_was_looked_at_just_now_costs_no_statement(
    shop: Shop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_goals, "FRESH_SECONDS", 3600.0)
    with shop.app.app_context():
        first = live_goal(shop.goal.key)
        assert statements_of(shop.database, lambda: live_goal(shop.goal.key)) == 0
        assert live_goal(shop.goal.key) is first


def test_what_this_process_changes_is_seen_at_once(shop: Shop) -> None:  # noqa: F811
    with shop.app.app_context():
        # given a goal that is known
        assert live_goal(shop.goal.key).is_open
        # when it is switched off here
        with shop.database.transaction() as session:
            session.scalars(select(Goal)).one().is_on = False
        # then
        assert not live_goal(shop.goal.key).is_open


def test_what_another_process_changes_is_seen_soon(shop: Shop) -> None:  # noqa: F811
    with shop.app.app_context():
        # given a goal that is known
        assert live_goal(shop.goal.key).is_open
        # when another process switches it off
        other = Database(shop.database.url)
        with other.transaction() as session:
            session.scalars(select(Goal)).one().is_on = False
        other.close()
        # then
        wait_until(lambda: not live_goal(shop.goal.key).is_open, seconds=live_goals.FRESH_SECONDS + 4)


def test_as_long_as_nothing_changes_it_is_the_same_object(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(live_goals, "FRESH_SECONDS", 0.0)
    with shop.app.app_context():
        first = live_goal(shop.goal.key)
        assert statements_of(shop.database, lambda: live_goal(shop.goal.key)) > 0
        assert live_goal(shop.goal.key) is first


def test_a_goal_that_is_gone_is_not_kept(shop: Shop) -> None:  # noqa: F811
    with shop.app.app_context():
        assert live_goal(shop.goal.key)
        with shop.database.transaction() as session:
            session.delete(session.scalars(select(Goal)).one())
        for _ in range(2):
            with pytest.raises(NotFoundError):
                live_goal(shop.goal.key)


def test_only_so_many_goals_are_kept(make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(live_goals, "MAX_GOALS", 2)
    shops = [make_shop(key=f"goal-number-{number}") for number in range(4)]
    with shops[0].app.app_context():
        for each in shops:
            live_goal(each.goal.key)
        assert len(shops[0].app.extensions["live_goals"]._kept) == 2
