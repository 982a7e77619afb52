"""The Live page of a goal: what it received, by outcome and page by page, and the stream of what is new."""

import json
import re
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import islice
from typing import Any

import httpx2
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import browser_of, wait_until
from tests.live.test_keeping import an_item, goal_id, keeper_of
from tests.runs.conftest import served
from tests.tokens.conftest import Shop
from tests.tokens.test_statements import noted_statements, table_scans
from webapp.accounts.models import Admin
from webapp.live import streaming
from webapp.live.listing import PAGE_LENGTH
from webapp.live.streaming import LiveStreams

PATH = "/goals/shop-goal/live"


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that end after one look, unless a test wants more of them."""
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 0.0)
    monkeypatch.setattr(streaming, "LOOK_EVERY_SECONDS", 0.02)


def keep(shop: Shop, *items: dict[str, Any]) -> None:
    keeper = keeper_of(shop)
    for item in items:
        keeper.keep(an_item(goal_id(shop), **item))
    assert keeper.flush(seconds=30)


def refused(slug: str) -> dict[str, Any]:
    return {"outcome": slug, "is_accepted": False, "subject": "", "profile_id": None}


def rows(page: str) -> list[str]:
    """Return the text of each row, the template's for the script left out."""
    page = re.sub(r"<template.*?</template>", "", page, flags=re.DOTALL)
    found = re.findall(r"<tr data-item.*?</tr>", page, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in found]


def events(stream: str) -> list[dict[str, Any]]:
    """Return the items of a stream, each with the id that the browser sends when it comes again."""
    found = []
    for event in stream.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in event.splitlines() if not line.startswith(":"))
        if "data" in fields:
            item = json.loads(fields["data"])
            assert fields["id"] == str(item["id"])
            found.append(item)
    return found


def test_the_page_says_what_came_and_why_it_was_refused(shop: Shop, admin_client: FlaskClient) -> None:
    # given an applied token, and one of somebody else
    profile_id = shop.log_in({"sub": "auth0|ann", "email": "ann@example.org"})["profileId"]
    shop.post(shop.issuer.token(aud="other"))
    keeper_of(shop)
    # when an admin looks
    page = admin_client.get(PATH).text
    # then the newest is first, in words, and the reason leads to its explanation
    person = shop.app.extensions["sealer"].pseudonym("auth0|ann")
    newest, oldest = rows(page)
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Token Refused The token is for somebody else token-audience", newest
    )
    assert re.search(rf"Token Accepted Profile created CREATED \d+\.\d ms {person} …{profile_id[-4:]}$", oldest)
    assert 'href="/problems/token-audience"' in page
    # and nobody is named
    assert not any(word in page for word in ("ann@", "auth0|ann", profile_id))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("MODIFIED", "Profile changed"),
        ("UNCHANGED", "Profile unchanged"),
        ("NOTFOUND", "No profile found, none created"),
        ("CONSENT_MISMATCH", "No consent, nothing written"),
        ("status-500", "Error 500"),
        ("token-expired", "The token has expired"),
        ("a-slug-of-an-older-version", "a-slug-of-an-older-version"),
    ],
)
def test_each_outcome_has_words(shop: Shop, admin_client: FlaskClient, outcome: str, words: str) -> None:
    keep(shop, {"outcome": outcome})
    assert f"{words} {outcome}" in rows(admin_client.get(PATH).text)[0]


def test_the_list_can_be_limited_to_an_outcome(shop: Shop, admin_client: FlaskClient) -> None:
    keep(shop, {}, refused("token-expired"), {"outcome": "MODIFIED"}, refused("token-audience"))

    def outcomes(outcome: str) -> list[str]:
        page = rows(admin_client.get(PATH, query_string={"outcome": outcome}).text)
        return [word for row in page for word in row.split() if word in {"CREATED", "MODIFIED"} or "token-" in word]

    assert outcomes("") == ["token-audience", "MODIFIED", "token-expired", "CREATED"]
    assert outcomes("accepted") == ["MODIFIED", "CREATED"]
    assert outcomes("refused") == ["token-audience", "token-expired"]
    assert outcomes("token-expired") == ["token-expired"]
    assert outcomes("token-kind") == []
    # and the page has a link for each that occurs
    page = admin_client.get(f"{PATH}?outcome=refused").text
    assert set(re.findall(r'href="/goals/shop-goal/live\?outcome=([^"]+)"', page)) == {
        *("accepted", "refused", "CREATED", "MODIFIED", "token-audience", "token-expired")
    }
    assert page.count('aria-current="page"') >= 1
    assert 'data-live="/goals/shop-goal/live/events?outcome=refused"' in page


def test_older_pages_go_on_where_the_newer_one_ended(shop: Shop, admin_client: FlaskClient) -> None:
    # given two pages and a bit, of which every item has its own time
    keep(shop, *({"seconds": number / 1000} for number in range(2 * PAGE_LENGTH + 3)))
    # when somebody goes through them, while something new comes
    path, seen = PATH, []
    for length in (PAGE_LENGTH, PAGE_LENGTH, 3):
        page = admin_client.get(path).text
        assert len(rows(page)) == length
        seen += [float(took) for row in rows(page) for took in re.findall(r"([\d.]+) ms", row)]
        keep(shop, {"seconds": 9.0})
        next_link = re.search(r'href="([^"]+)" rel="next"', page)
        path = unescape(next_link[1]) if next_link else ""
    # then each is there once; the last page has no next one, and only the first is live
    assert seen == [float(number) for number in reversed(range(2 * PAGE_LENGTH + 3))]
    assert path == ""
    assert "data-live=" not in page
    assert "data-live=" in admin_client.get(PATH).text
    assert "This is the end of the list." in admin_client.get(f"{PATH}?before=1").text


def test_an_empty_page_says_what_to_do(shop: Shop, admin_client: FlaskClient) -> None:
    page = admin_client.get(PATH).text
    assert rows(page) == []
    assert "Nothing received yet" in page
    assert 'href="/goals/shop-goal#code-title"' in page
    assert "No kept item has this outcome." in admin_client.get(f"{PATH}?outcome=refused").text


def test_the_goals_page_leads_there(shop: Shop, admin_client: FlaskClient) -> None:
    assert f'href="{PATH}"' in admin_client.get("/goals/shop-goal").text
    # and the menu says where one is
    assert '<a href="/connections" aria-current="page">Connections</a>' in admin_client.get(PATH).text


@pytest.mark.parametrize("path", ["/live", "/live/events"])
def test_hostile_parts_of_the_url_are_answered_in_peace(shop: Shop, admin_client: FlaskClient, path: str) -> None:
    for key in ("made-up", "%00", "a" * 3000, "<script>", "%F0%9F%92%A9", "' OR 1=1"):
        assert admin_client.get(f"/goals/{key}{path}").status_code in {400, 404}, key
    name = "before" if path == "/live" else "after"
    for query in (
        f"{name}=x",
        f"{name}=-1",
        f"{name}=1.5",
        f"{name}=",
        f"{name}={'9' * 30}",
        f"{name}=٣",
        f"{name}=%00",
    ):
        assert admin_client.get(f"/goals/shop-goal{path}?{query}").status_code == 400, query
    for outcome in ("%00", "a" * 61, "<script>", "a b", "é"):
        assert admin_client.get(f"/goals/shop-goal{path}?outcome={outcome}").status_code == 400, outcome
    assert admin_client.get(f"/goals/shop-goal{path}?{name}={2**63 - 1}").status_code == 200


def test_a_wrong_last_event_id_is_refused(shop: Shop, admin_client: FlaskClient) -> None:
    answer = admin_client.get(f"{PATH}/events", headers={"Last-Event-ID": "1 OR 1=1"})
    assert answer.status_code == 400


def test_the_stream_has_what_came_since(shop: Shop, admin_client: FlaskClient) -> None:
    # given a page, and two items since
    keep(shop, {})
    after = re.search(r'data-after="(\d+)"', admin_client.get(PATH).text)
    assert after
    keep(shop, {"outcome": "MODIFIED"}, refused("token-expired"))
    # when the page's script asks
    answer = admin_client.get(f"{PATH}/events?after={after[1]}")
    # then it gets them in their order, in the words of the page, by an answer that nobody keeps
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.text.startswith("retry: 1000\n\n")
    first, second = events(answer.text)
    assert (first["outcome"], first["reason"], first["slug"]) == ("MODIFIED", "Profile changed", None)
    assert (second["verdict"], second["reason"], second["slug"]) == (
        "Refused",
        "The token has expired",
        "token-expired",
    )
    assert (first["took"], first["profile"], second["person"]) == ("2.6 ms", "…64ff", "")
    # and when the browser comes again with the URL of the first time, only what is new
    again = admin_client.get(f"{PATH}/events?after={after[1]}", headers={"Last-Event-ID": str(first["id"])})
    assert [item["outcome"] for item in events(again.text)] == ["token-expired"]
    assert events(admin_client.get(f"{PATH}/events?after={second['id']}").text) == []


def test_the_stream_is_limited_as_the_page_is(shop: Shop, admin_client: FlaskClient) -> None:
    keep(shop, {}, refused("token-expired"), refused("token-audience"))
    for outcome, expected in (("accepted", ["CREATED"]), ("token-audience", ["token-audience"])):
        stream = admin_client.get(f"{PATH}/events?outcome={outcome}").text
        assert [item["outcome"] for item in events(stream)] == expected


def test_of_many_the_stream_has_the_newest(shop: Shop, admin_client: FlaskClient) -> None:
    keep(shop, *({"seconds": number / 1000} for number in range(PAGE_LENGTH + 10)))
    found = [item["took"] for item in events(admin_client.get(f"{PATH}/events").text)]
    assert found == [f"{number}.0 ms" for number in range(10, PAGE_LENGTH + 10)]


def test_an_open_stream_goes_on_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # given an open stream
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 3600.0)
    now = [0.0]
    monkeypatch.setattr("webapp.live.streaming.time.monotonic", lambda: now[0])
    stream = LiveStreams(1).events(lambda _: [], lambda: True, after=0)
    # when nothing comes, then it shows that it is there
    assert [next(stream) for _ in range(4)] == ["retry: 1000\n\n", ":\n\n", ":\n\n", ":\n\n"]
    # and when its time is over, it ends
    now[0] = 3600.0
    assert list(stream) == []


def test_a_stream_ends_with_the_session(shop: Shop, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    # given an open stream
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 3600.0)
    client = browser_of(shop.app, admin)
    keep(shop, {})
    stream = client.get(f"{PATH}/events", buffered=False).iter_encoded()
    assert next(stream) == b"retry: 1000\n\n"
    assert len(events(next(stream).decode())) == 1
    # when the admin's sessions are ended everywhere
    with shop.database.transaction() as session:
        session.execute(text("UPDATE admins SET session_version = session_version + 1"))
    # then the stream ends, however much time it had
    assert len(list(stream)) <= 1


def test_a_stream_ends_with_the_age_of_the_session(
    shop: Shop, admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 3600.0)
    stream = admin_client.get(f"{PATH}/events", buffered=False).iter_encoded()
    next(stream)
    later = datetime.now(UTC) + timedelta(days=40)
    monkeypatch.setattr("webapp.accounts.session.time.time", later.timestamp)
    assert len(list(stream)) <= 1


def test_a_stream_ends_when_the_database_is_away(shop: Shop, admin_client: FlaskClient) -> None:
    # given an open stream
    stream = admin_client.get(f"{PATH}/events", buffered=False).iter_encoded()
    next(stream)
    # when the table cannot be read any more
    with shop.database.transaction() as session:
        session.execute(text("ALTER TABLE received_items RENAME TO elsewhere"))
    # then the stream ends, as one does: the browser comes again
    assert list(stream) == []


def test_whoever_finds_no_place_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # given two places, both taken by streams in threads of their own
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 3600.0)
    streams, are_open = LiveStreams(2), threading.Semaphore(0)
    is_over = threading.Event()

    def follow() -> None:
        with closing(streams.events(lambda _: [], lambda: not is_over.is_set(), after=0)) as stream:
            assert next(stream) == "retry: 1000\n\n"
            are_open.release()
            for _ in stream:
                pass

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert are_open.acquire(timeout=10)
    # when a third comes, then it gets what there is, ends, and is told to come back later
    assert list(streams.events(lambda _: [], lambda: True, after=0)) == ["retry: 5000\n\n", ":\n\n"]
    # and when the others are over, there is room again
    is_over.set()
    for thread in threads:
        thread.join(10)
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 0.0)
    assert next(streams.events(lambda _: [], lambda: True, after=0)) == "retry: 1000\n\n"


def test_a_browser_that_leaves_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 3600.0)
    streams = LiveStreams(1)
    stream = streams.events(lambda _: [], lambda: True, after=0)
    next(stream)
    # when the server gives the answer up
    stream.close()
    # then the place is free
    assert next(streams.events(lambda _: [], lambda: True, after=0)) == "retry: 1000\n\n"


def test_no_statement_of_the_page_or_the_stream_reads_a_whole_table(shop: Shop, admin_client: FlaskClient) -> None:
    keep(shop, {}, refused("token-expired"))
    with noted_statements(shop) as statements:
        for query in ("", "?outcome=refused", "?before=5", "?outcome=CREATED&before=5"):
            admin_client.get(PATH + query)
        assert admin_client.get(f"{PATH}/events?after=1&outcome=refused").text
    ours = [statement for statement in statements if "received_items" in statement[0]]
    assert len(ours) == 9
    assert table_scans(shop, ours) == []


def test_the_running_service_streams_and_answers_others_meanwhile(
    make_shop: Callable[..., Shop], admin: Admin, make_sqlite: Callable[[], str], database_url: str
) -> None:
    # given the service with a single thread, and an admin's browser that follows the Live page
    shop = make_shop()
    cookie = session_cookie(shop, admin)
    with served(database_url, WEBSYNC_THREADS="1") as (url, process):
        with httpx2.stream("GET", f"{url}{PATH}/events", headers={"Cookie": cookie}, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 1000"
            # when a token is posted
            assert httpx2.post(f"{url}{shop.path}", json={"token": "x"}, timeout=10).status_code == 401
            # then it appears in the stream, which is still open
            data = next(line for line in lines if line.startswith("data: "))
            assert json.loads(data.removeprefix("data: "))["outcome"] == "token-opaque"
            # and a second stream is told to poll
            second = httpx2.get(f"{url}{PATH}/events", headers={"Cookie": cookie}, timeout=10).text
            assert second.startswith("retry: 5000")

        # and when the browser has gone, its place is free
        def retry() -> str:
            with httpx2.stream("GET", f"{url}{PATH}/events", headers={"Cookie": cookie}, timeout=30) as again:
                return next(again.iter_lines())

        wait_until(lambda: retry() == "retry: 1000", seconds=40)
        assert process.poll() is None


def test_a_stream_has_what_any_of_several_processes_received(
    make_shop: Callable[..., Shop], admin: Admin, database_url: str
) -> None:
    # given two web processes, and a stream from one of them
    shop = make_shop()
    cookie = session_cookie(shop, admin)
    with (
        served(database_url, workers=2) as (url, _process),
        httpx2.stream("GET", f"{url}{PATH}/events", headers={"Cookie": cookie}, timeout=30) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        # when tokens are posted to both: each by a connection of its own
        for _ in range(20):
            assert httpx2.post(f"{url}{shop.path}", json={"token": "x"}, timeout=30).status_code == 401
        # then each is in the stream, once, in its order
        data = (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
        ids = [item["id"] for item in islice(data, 20)]
        assert ids == sorted(set(ids))
        assert len(ids) == 20


def test_open_streams_do_not_hold_up_a_service_that_stops(
    make_shop: Callable[..., Shop], admin: Admin, database_url: str
) -> None:
    # given the service, and a browser that follows the Live page
    shop = make_shop()
    cookie = session_cookie(shop, admin)
    with (
        served(database_url) as (url, process),
        httpx2.stream("GET", f"{url}{PATH}/events", headers={"Cookie": cookie}, timeout=30) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        # when the service is told to stop, then the stream ends in order, and the service ends long before its time
        process.terminate()
        assert len(list(lines)) <= 6
        assert process.wait(timeout=10) == 0


def test_streams_that_are_asked_for_while_the_process_stops_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 3600.0)
    streams = LiveStreams(1)
    streams.end()
    assert list(streams.events(lambda _: [], lambda: True, after=0)) == ["retry: 1000\n\n", ":\n\n"]


def session_cookie(shop: Shop, admin: Admin) -> str:
    cookie = browser_of(shop.app, admin).get_cookie("websync")
    assert cookie is not None
    return f"websync={cookie.value}"
