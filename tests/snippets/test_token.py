"""The token post, on a page of our own (the real SDK and browser are in the end-to-end tests)."""

import base64
import hashlib
import itertools
from typing import Any

import pytest

from snippets.goals import TokenKind
from snippets.rendering import SnippetKind, render
from tests.factories import make_goal
from tests.javascript import NodeProcess
from tests.snippets.page import visit_page

SYNC = "syncWithWebsync(auth0Client)"
CODE = render(make_goal(), SnippetKind.TOKEN).code
ACCESS_CODE = render(
    make_goal(token_kind=TokenKind.ACCESS_TOKEN, audiences=("https://api.shop.example", "https://other.example")),
    SnippetKind.TOKEN,
).code

NOW_SECONDS = 1_800_000_000
FRESH = {"__raw": "fresh.token", "exp": NOW_SECONDS + 3600}
ANSWER = {"state": "MODIFIED", "profileId": "p-1", "updated": ["email"]}
OK = {"status": 200, "json": ANSWER}


def sync(node: NodeProcess, *calls: str, code: str = CODE, **given: Any) -> dict[str, Any]:
    """Visit a page whose visitor is logged in and has a ready BlueConic profile, changed as told."""
    defaults: dict[str, Any] = {"now": NOW_SECONDS * 1000, "idTokens": [FRESH], "answers": [OK], "blueConic": {}}
    seen = visit_page(node, code, *(calls or (SYNC,)), **(defaults | given))
    assert seen["leaks"] == ["syncWithWebsync"]
    return seen


def test_the_token_is_posted_with_the_profile_id(node: NodeProcess) -> None:
    # when a visitor who just logged in comes to the page
    seen = sync(node)
    # then the token went to Websync in a request that survives leaving the page and carries no cookies
    [post] = seen["posts"]
    assert post["url"] == "https://websync.example/sync/shop-goal/token"
    assert post["body"] == {"token": "fresh.token", "profileId": "p-1"}
    assert (post["method"], post["keepalive"], post["credentials"]) == ("POST", True, "omit")
    assert post["headers"] == {"content-type": "application/json"}
    # and the page hears the answer
    assert seen["events"] == [{"type": "websync:synced", "detail": ANSWER}]
    assert seen["results"] == [ANSWER]
    assert (seen["silentCalls"], seen["waits"], seen["createdProfiles"]) == ([], [], 0)


@pytest.mark.parametrize("cached", [{"exp": NOW_SECONDS - 5}, {"exp": NOW_SECONDS + 60}, {}, {"exp": None}])
def test_a_cached_token_that_ends_soon_is_renewed_first(node: NodeProcess, cached: dict[str, Any]) -> None:
    # given the SDK's cache with an ID token that is no longer good
    seen = sync(node, idTokens=[{"__raw": "old.token", **cached}, FRESH])
    # then a fresh one was asked for and posted
    assert seen["silentCalls"] == [{"cacheMode": "off"}]
    assert [post["body"]["token"] for post in seen["posts"]] == ["fresh.token"]


def test_a_token_that_lasts_more_than_a_minute_is_posted_as_it_is(node: NodeProcess) -> None:
    seen = sync(node, idTokens=[{"__raw": "good.token", "exp": NOW_SECONDS + 61}])
    assert seen["silentCalls"] == []
    assert seen["posts"][0]["body"]["token"] == "good.token"


def test_an_access_token_is_asked_for_with_its_audience(node: NodeProcess) -> None:
    seen = sync(node, code=ACCESS_CODE, accessTokens=["access.token"])
    assert seen["silentCalls"] == [{"authorizationParams": {"audience": "https://api.shop.example"}}]
    assert seen["posts"][0]["body"]["token"] == "access.token"


@pytest.mark.parametrize(
    "given",
    [
        {"idTokens": []},
        {"idTokens": [{"__raw": "old", "exp": 1}], "silentError": "login_required"},
        {"code": ACCESS_CODE, "silentError": "login_required"},
    ],
)
def test_nobody_logged_in_is_quiet(node: NodeProcess, given: dict[str, Any]) -> None:
    seen = sync(node, **given)
    assert (seen["results"], seen["posts"], seen["events"]) == ([None], [], [])


def test_a_token_is_posted_once(node: NodeProcess) -> None:
    # when the same visitor comes to three pages, and has a new token on the last
    new = {"__raw": "new.token", "exp": NOW_SECONDS + 7200}
    seen = sync(node, SYNC, SYNC, SYNC, idTokens=[FRESH, FRESH, new])
    # then each token was posted once
    assert [post["body"]["token"] for post in seen["posts"]] == ["fresh.token", "new.token"]
    assert seen["results"] == [ANSWER, None, ANSWER]
    # and what the browser keeps is a digest, not the token
    digest = base64.b64encode(hashlib.sha256(b"new.token").digest()).decode()
    assert seen["storage"] == {"websync:shop-goal": digest}


@pytest.mark.parametrize(
    ("status", "posts"),
    [(200, 1), (202, 1), (400, 1), (409, 1), (413, 1), (401, 2), (403, 2), (404, 2), (500, 2), (429, 8), (503, 8)],
)
def test_only_a_final_answer_is_remembered(node: NodeProcess, status: int, posts: int) -> None:
    seen = sync(node, SYNC, SYNC, answers=[{"status": status, "json": {}}])
    assert len(seen["posts"]) == posts


@pytest.mark.parametrize("trouble", [{"storageFails": True}, {"hasNoDigests": True}])
def test_a_browser_without_storage_or_digests_posts_each_time(node: NodeProcess, trouble: dict[str, Any]) -> None:
    seen = sync(node, SYNC, SYNC, **trouble)
    assert len(seen["posts"]) == 2
    assert seen["results"] == [ANSWER, ANSWER]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked", "waited_ms"), [("2", 2000), ("0.5", 500), ("86400", 30_000)])
def test_a_busy_server_is_asked_again_when_it_says(node: NodeProcess, status: int, asked: str, waited_ms: int) -> None:
    # given a server that is busy once
    busy = {"status": status, "headers": {"Retry-After": asked}}
    # when the token is posted
    seen = sync(node, answers=[busy, OK])
    # then the second post came after the time that the server asked for (at most 30 seconds)
    first, second = seen["posts"]
    assert second["at"] - first["at"] == waited_ms
    assert seen["results"] == [ANSWER]


@pytest.mark.parametrize("trouble", [None, {"status": 503}, {"status": 429, "headers": {"Retry-After": "soon"}}])
def test_attempts_without_a_time_wait_longer_and_longer(node: NodeProcess, trouble: dict[str, Any] | None) -> None:
    seen = sync(node, answers=[trouble, trouble, trouble, OK])
    times = [post["at"] for post in seen["posts"]]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(waits) == 3
    for attempt, wait in enumerate(waits, 1):
        assert 500 * 2**attempt * 0.5 <= wait <= 500 * 2**attempt * 1.5
    assert seen["results"] == [ANSWER]


@pytest.mark.parametrize(
    ("trouble", "detail"),
    [
        (None, {"error": "failed", "status": 0}),
        (
            {"status": 503, "json": {"type": "https://x/keys", "title": "Keys"}},
            {"error": "https://x/keys", "status": 503},
        ),
    ],
)
def test_after_four_attempts_it_gives_up_until_the_next_page(
    node: NodeProcess, trouble: dict[str, Any] | None, detail: dict[str, Any]
) -> None:
    seen = sync(node, answers=[trouble])
    assert len(seen["posts"]) == 4
    assert seen["events"] == [{"type": "websync:synced", "detail": detail}]
    assert seen["storage"] == {}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 401, "json": {"type": "https://x/token-refused", "title": "No"}}, "https://x/token-refused"),
        ({"status": 404, "json": {"title": "Not found"}}, "Not found"),
        ({"status": 500, "text": "<h1>Oops</h1>"}, "failed"),
        ({"status": 403, "text": "null"}, "failed"),
    ],
)
def test_a_refusal_is_told_to_the_page_and_not_repeated(node: NodeProcess, answer: dict[str, Any], error: str) -> None:
    seen = sync(node, answers=[answer])
    assert len(seen["posts"]) == 1
    assert seen["results"] == [{"error": error, "status": answer["status"]}]


@pytest.mark.parametrize(
    "blue_conic",
    [
        None,
        {"loadedAfter": 9000},
        {"readyAfter": 9000},
        {"profile": None},
        {"id": ""},
        {"failing": "subscribe"},
        {"failing": "getProfile"},
        {"failing": "getId"},
    ],
)
def test_without_blueconic_the_token_goes_alone(node: NodeProcess, blue_conic: dict[str, Any] | None) -> None:
    seen = sync(node, blueConic=blue_conic)
    assert [post["body"] for post in seen["posts"]] == [{"token": "fresh.token", "profileId": None}]
    assert sum(seen["waits"]) <= 2000


def test_a_slow_blueconic_is_waited_for(node: NodeProcess) -> None:
    seen = sync(node, blueConic={"loadedAfter": 500, "readyAfter": 1900, "id": "late"})
    assert seen["posts"][0]["body"]["profileId"] == "late"


@pytest.mark.parametrize("mode", [{"isInEditMode": True}, {"isInSimulatorMode": True}])
def test_people_who_edit_the_site_are_no_visitors(node: NodeProcess, mode: dict[str, bool]) -> None:
    seen = sync(node, blueConic=mode)
    assert (seen["posts"], seen["results"]) == ([], [None])


@pytest.mark.parametrize("failing", [None, "createProfile"])
def test_the_profile_of_somebody_else_is_left(node: NodeProcess, failing: str | None) -> None:
    # given an answer that tells the browser to switch
    answer = {"status": 200, "json": {**ANSWER, "switchProfile": True}}
    # when it comes, then BlueConic makes a new profile, and the page hears of the answer whatever BlueConic does
    seen = sync(node, answers=[answer], blueConic={"failing": failing})
    assert seen["createdProfiles"] == 1
    assert len(seen["events"]) == 1


def test_without_blueconic_there_is_no_profile_to_switch(node: NodeProcess) -> None:
    answer = {**ANSWER, "switchProfile": True}
    seen = sync(node, answers=[{"status": 200, "json": answer}], blueConic=None)
    assert (seen["createdProfiles"], seen["results"]) == (0, [answer])
