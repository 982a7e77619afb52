"""Received items are kept in the background: which, how many, and what they cost the request."""

import threading
import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, text

from tests.conftest import wait_until
from tests.runs.conftest import served
from tests.tokens.conftest import Shop
from tests.tokens.test_statements import noted_statements, table_scans
from webapp.connections.goals import find_goal
from webapp.connections.models import Goal
from webapp.live import keeping
from webapp.live.keeping import MAX_WAITING, ItemKeeper, NewItem, mask_profile_id
from webapp.live.models import ReceivedItem

THREAD = "received items"


def keeper_of(shop: Shop) -> ItemKeeper:
    """Return the keeper, with nothing left to write."""
    found: ItemKeeper = shop.app.extensions["item_keeper"]
    assert found.flush(seconds=30)
    return found


def kept(shop: Shop) -> list[ReceivedItem]:
    keeper_of(shop)
    with shop.database.reading() as session:
        return list(session.scalars(select(ReceivedItem).order_by(ReceivedItem.id)))


def dropped(shop: Shop) -> float:
    value = shop.app.extensions["metrics"].registry.get_sample_value("websync_live_dropped_total")
    assert value is not None
    return float(value)


def goal_id(shop: Shop) -> int:
    with shop.database.reading() as session:
        return find_goal(session, shop.goal.key).id


def an_item(goal_id: int, **changes: Any) -> NewItem:
    item = NewItem(
        goal_id=goal_id,
        answered_at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        kind="token",
        outcome="CREATED",
        is_accepted=True,
        seconds=0.0026,
        subject="auth0|ann",
        profile_id="6f9619ff-8b86-4d01-b42d-00c04fc964ff",
    )
    return item._replace(**changes)


def test_what_came_is_kept_without_a_word_that_names_a_person(shop: Shop) -> None:
    # given a token that is new, comes again, and is somebody else's; and no token at all
    token = shop.issuer.token({"sub": "auth0|ann", "email": "ann@example.org", "name": "Ann Other"})
    profile_id = shop.post(token).get_json()["profileId"]
    shop.post(token)
    shop.post(shop.issuer.token(aud="other"))
    shop.app.test_client().post(shop.path, data="x")
    # then each is there, in its order
    items = kept(shop)
    assert [(item.kind, item.outcome, item.is_accepted) for item in items] == [
        ("token", "CREATED", True),
        ("token", "CREATED", True),
        ("token", "token-audience", False),
        ("token", "not-json", False),
    ]
    assert all(0 <= item.milliseconds < 60_000 for item in items)
    assert all(timedelta(0) < datetime.now(UTC) - item.received_at < timedelta(minutes=5) for item in items)
    # and who it was is told by the pseudonym of the log, where that is proven
    person = shop.app.extensions["sealer"].pseudonym("auth0|ann")
    known = (person, mask_profile_id(profile_id))
    assert [(item.person, item.profile) for item in items] == [known, known, ("", ""), ("", "")]
    with shop.database.reading() as session:
        row = str(session.execute(text("SELECT * FROM received_items")).all())
    assert not any(word in row for word in ("ann@", "Ann", "auth0", profile_id, token[:20]))


def test_a_login_of_the_action_is_kept(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(server_exchange=True)
    shop.app.test_client().post("/sync/shop-goal/login", json={})
    assert [(item.kind, item.outcome) for item in kept(shop)] == [("login", "exchange-secret")]


def test_posts_to_goals_that_are_not_there_and_preflights_are_not_kept(shop: Shop) -> None:
    client = shop.app.test_client()
    client.post("/sync/made-up/token", json={"token": "x"})
    client.options(shop.path, headers={"Origin": "https://shop.example"})
    assert kept(shop) == []


@pytest.mark.parametrize(("profile_id", "masked"), [("a" * 32 + "1234", "…1234"), ("ann-example-org", "…"), ("a", "…")])
def test_a_masked_profile_id_says_little(profile_id: str, masked: str) -> None:
    assert mask_profile_id(profile_id) == masked


def test_the_newest_of_each_goal_are_kept(make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    # given a goal that receives much, and one that receives little
    monkeypatch.setattr(keeping, "MAX_KEPT", 10)
    monkeypatch.setattr(keeping, "SWEEP_EVERY", 5)
    busy, quiet = make_shop(), make_shop(key="quiet-goal")
    keeper, ids = keeper_of(busy), (goal_id(busy), goal_id(quiet))
    keeper.keep(an_item(ids[1], outcome="MODIFIED"))
    # when
    for number in range(60):
        keeper.keep(an_item(ids[0], seconds=number / 1000))
        if number % 3 == 0:
            keeper.flush(seconds=30)
    # then of the one the newest are left, of the other all
    times = [item.milliseconds for item in kept(busy) if item.goal_id == ids[0]]
    assert times == list(range(60))[-len(times) :]
    assert 10 <= len(times) <= 15
    assert [item.outcome for item in kept(busy) if item.goal_id == ids[1]] == ["MODIFIED"]


def test_a_process_that_starts_anew_sweeps_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # given processes that end after a few items
    monkeypatch.setattr(keeping, "MAX_KEPT", 5)
    parts = [shop.app.extensions[name] for name in ("database", "sealer", "metrics")]
    number = goal_id(shop)
    for _ in range(8):
        keeper = ItemKeeper(*parts)
        for _ in range(3):
            keeper.keep(an_item(number))
        # when each has written
        assert keeper.flush(seconds=30)
    # then no more are there than are to be kept
    assert len(kept(shop)) == 5


def test_a_flood_is_dropped_and_counted(shop: Shop) -> None:
    keeper, number = keeper_of(shop), goal_id(shop)
    # when more items come in one pause than can wait
    for _ in range(MAX_WAITING + 7):
        keeper.keep(an_item(number))
    # then the rest is counted, unless a batch was taken in between
    assert keeper.flush(seconds=60)
    assert len(kept(shop)) + dropped(shop) == MAX_WAITING + 7
    assert dropped(shop) <= 7


def test_while_the_database_is_away_items_are_dropped_and_counted(shop: Shop) -> None:
    # given a table that is not there
    keeper, number = keeper_of(shop), goal_id(shop)
    with shop.database.transaction() as session:
        session.execute(text("ALTER TABLE received_items RENAME TO elsewhere"))
    # when items come, then they are counted, and the thread goes
    keeper.keep(an_item(number))
    keeper.keep(an_item(number))
    assert keeper.flush(seconds=30)
    assert dropped(shop) == 2
    # and when it is back, so are the items
    with shop.database.transaction() as session:
        session.execute(text("ALTER TABLE elsewhere RENAME TO received_items"))
    keeper.keep(an_item(number))
    assert len(kept(shop)) == 1


def test_a_subject_that_is_no_text_harms_nobody(shop: Shop) -> None:
    keeper, number = keeper_of(shop), goal_id(shop)
    keeper.keep(an_item(number, subject="auth0|\ud800"))
    assert keeper.flush(seconds=30)
    assert (kept(shop), dropped(shop)) == ([], 1)


def test_a_bug_does_not_stop_the_next_items(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a bug, of which Python would tell on the standard error output
    keeper, number = keeper_of(shop), goal_id(shop)
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    with monkeypatch.context() as broken:
        broken.setattr(keeping, "insert_new", lambda *_: 1 / 0)
        keeper.keep(an_item(number))
        assert keeper.flush(seconds=30)
        wait_until(lambda: bool(told))
    # when it is gone, items are kept
    keeper.keep(an_item(number))
    assert len(kept(shop)) == 1


def test_items_are_dropped_if_the_computer_has_no_thread_left(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, number = keeper_of(shop), goal_id(shop)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        keeper.keep(an_item(number))
    assert dropped(shop) == 1
    keeper.keep(an_item(number))
    assert len(kept(shop)) == 1


def test_a_deleted_goal_does_not_harm_the_others_items(make_shop: Callable[..., Shop]) -> None:
    # given items of two goals that wait
    shop, other = make_shop(), make_shop(key="other-goal")
    keeper, number, deleted = keeper_of(shop), goal_id(shop), goal_id(other)
    keeper.keep(an_item(deleted))
    keeper.flush(seconds=30)
    # when one of the goals is deleted, and something comes for both
    with shop.database.transaction() as session:
        session.delete(session.get(Goal, deleted))
    keeper.keep(an_item(deleted))
    keeper.keep(an_item(number))
    # then only the other's is there
    assert [item.goal_id for item in kept(shop)] == [number]
    assert dropped(shop) == 0


def keeping_threads() -> set[threading.Thread]:
    """Return the threads of this keeper, and those of earlier tests that still wait for more."""
    return {thread for thread in threading.enumerate() if thread.name == THREAD}


def test_the_thread_ends_when_nothing_comes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a keeper, and threads of others
    monkeypatch.setattr(keeping, "IDLE_SECONDS", 0.1)
    others = keeping_threads()
    # when something comes, and then nothing for a while, then its thread ends
    shop.post("x")
    wait_until(lambda: keeping_threads() <= others)
    assert len(kept(shop)) == 1
    # and there is another for what comes later
    shop.post("x")
    assert len(kept(shop)) == 2


def test_the_thread_waits_for_more(shop: Shop) -> None:
    # given something that came and was written, though nobody asked for it
    keeper, number, others = keeper_of(shop), goal_id(shop), keeping_threads()

    def count() -> int:
        with shop.database.reading() as session:
            return session.scalar(select(func.count()).select_from(ReceivedItem)) or 0

    keeper.keep(an_item(number))
    wait_until(lambda: count() == 1)
    before = keeping_threads() - others
    # when something comes later, then the same thread writes it
    keeper.keep(an_item(number))
    wait_until(lambda: count() == 2)
    assert before == keeping_threads() - others
    assert len(before) == 1


def test_threads_may_share_it(shop: Shop) -> None:
    # given many threads that keep and flush at the same time
    keeper, number = keeper_of(shop), goal_id(shop)

    def work() -> None:
        for each in range(50):
            keeper.keep(an_item(number))
            if each % 10 == 0:
                keeper.flush(seconds=30)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then nothing is lost
    assert len(kept(shop)) == 400


def test_no_statement_reads_a_whole_table(shop: Shop) -> None:
    # given
    keeper, number = keeper_of(shop), goal_id(shop)
    with noted_statements(shop) as statements:
        keeper.keep(an_item(number))
        keeper.flush(seconds=30)
    # when the database is asked how it inserts and sweeps
    words = {statement[0].split()[0] for statement in statements}
    assert {"INSERT", "DELETE"} <= words
    # then an index leads to each row (the database checks goals that were named by their key)
    assert table_scans(shop, statements) == []


def test_keeping_costs_the_request_next_to_nothing(shop: Shop) -> None:
    # given a keeper that is at work
    keeper, item = keeper_of(shop), an_item(goal_id(shop))
    # when many are kept (most of them dropped, which costs more)
    cost = min(timeit.repeat(lambda: keeper.keep(item), number=500, repeat=5)) / 500
    # then one takes microseconds (50 would be a mistake, on the slowest machine)
    assert cost < 50e-6


def test_what_was_answered_is_kept_when_the_service_stops(shop: Shop, database_url: str) -> None:
    # given the service as it runs, which has just answered a post
    with served(database_url, WEBSYNC_THREADS="2") as (url, _process):
        assert httpx2.post(f"{url}{shop.path}", json={"token": "x"}, timeout=30).status_code == 401
    # when it has been told to stop, then the item is there
    with shop.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ReceivedItem)) == 1
