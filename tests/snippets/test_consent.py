"""The token post of a connection with objectives: it asks BlueConic, and posts what the visitor answered."""

import itertools
from typing import Any

import pytest

from snippets.rendering import SnippetKind, render
from snippets.sdks import NATIVE_SDKS, Sdk
from tests.factories import CONSENT, make_goal
from tests.javascript import NodeProcess
from tests.snippets.page import visit_page
from webapp.profiles.consent import CONSENTED, LEGISLATION, REFUSED, SaidConsent, answer_to, may_process

CODE = render(make_goal(consent=CONSENT), SnippetKind.TOKEN).code
SYNC = "syncWithWebsync(auth0Client)"
A_MINUTE = "new Promise((resolve) => setTimeout(resolve, 60000))"
NOW_MS = 1_800_000_000_000
FRESH = {"__raw": "fresh.token", "exp": NOW_MS / 1000 + 3600}
ANSWER = {"state": "MODIFIED", "profileId": "p-1", "updated": ["email"]}
MISMATCH = {"state": "CONSENT_MISMATCH", "profileId": "p-1", "updated": []}
LISTS = [list(ids) for count in range(3) for ids in itertools.combinations(("marketing_objective", "other"), count)]


def answer(zone: str | None = "GDPR", consented: Any = (), refused: Any = (), *, from_ms: int = 0) -> dict[str, Any]:
    """Return what a visitor says from a time on (milliseconds since the page began)."""
    return {"consented": consented, "refused": refused, "legislation": zone, "from": NOW_MS + from_ms}


def sync(node: NodeProcess, *answers: dict[str, Any], calls: tuple[str, ...] = (SYNC,), **given: Any) -> dict[str, Any]:
    """Visit a page on which a visitor, who is logged in, says these things one after the other."""
    defaults: dict[str, Any] = {
        "now": NOW_MS,
        "idTokens": [FRESH],
        "answers": [{"status": 200, "json": ANSWER}],
        "blueConic": {"consent": list(answers)},
    }
    seen = visit_page(node, given.pop("code", CODE), *calls, **(defaults | given))
    assert seen["errors"] == []
    return seen


def test_the_visitors_word_travels_with_the_token(node: NodeProcess) -> None:
    # when a visitor has consented to one of the objectives, and to what is nobody's business here
    seen = sync(node, answer("GDPR", ["other", "statistics"], ["marketing_objective"]))
    # then the post says so, of the objectives that are asked for
    [post] = seen["posts"]
    assert post["body"] == {
        "token": "fresh.token",
        "profileId": "p-1",
        "consent": {"consented": ["statistics"], "refused": ["marketing_objective"], "legislation": "GDPR"},
    }
    assert seen["results"] == [ANSWER]


def test_without_an_answer_nothing_leaves_the_browser(node: NodeProcess) -> None:
    # when a visitor who has neither consented nor refused comes
    seen = sync(node, answer("GDPR"))
    # then nothing is posted or kept, and the page hears why
    assert (seen["posts"], seen["storage"]) == ([], {})
    assert seen["results"] == [MISMATCH]
    assert seen["events"] == [{"type": "websync:synced", "detail": MISMATCH}]


def test_a_consent_that_comes_later_is_followed(node: NodeProcess) -> None:
    # given a visitor who consents after ten seconds on the page
    said = [answer("GDPR"), answer("GDPR", ["statistics"], from_ms=10_000)]
    # when the page stays open
    seen = sync(node, *said, calls=(SYNC, A_MINUTE))
    # then the token is posted soon after, once
    [post] = seen["posts"]
    assert 10_000 <= post["at"] - NOW_MS <= 13_000
    assert post["body"]["consent"]["consented"] == ["statistics"]
    assert [event["detail"]["state"] for event in seen["events"]] == ["CONSENT_MISMATCH", "MODIFIED"]


def test_a_visitor_who_never_answers_is_left_alone(node: NodeProcess) -> None:
    seen = sync(node, answer("GDPR"), calls=(SYNC, A_MINUTE))
    assert seen["posts"] == []
    assert len(seen["events"]) == 1


def test_a_refusal_is_told_once(node: NodeProcess) -> None:
    # given a server that keeps a refusal, and processes nothing
    answers = [{"status": 200, "json": MISMATCH}]
    # when a visitor who refused comes to two pages, and stays on the second
    refusal = answer("GDPR", (), ["statistics"])
    seen = sync(node, refusal, answers=answers, calls=(SYNC, SYNC, A_MINUTE))
    # then it is posted with the first only
    [post] = seen["posts"]
    assert post["body"]["consent"] == {"consented": [], "refused": ["statistics"], "legislation": "GDPR"}
    assert seen["results"][:2] == [MISMATCH, None]


def test_each_other_answer_is_told_with_the_same_token(node: NodeProcess) -> None:
    # given a visitor who consents, refuses, and consents again
    yes, no = ["statistics"], ["marketing_objective", "statistics"]
    said = [answer("GDPR", yes), answer("GDPR", (), no, from_ms=10_000), answer("GDPR", yes, from_ms=30_000)]
    answers = [{"status": 200, "json": each} for each in (ANSWER, MISMATCH, ANSWER)]
    # when the page stays open
    seen = sync(node, *said, answers=answers, calls=(SYNC, A_MINUTE))
    # then each answer is posted soon after, once
    assert [post["body"]["consent"]["refused"] for post in seen["posts"]] == [[], no, []]
    assert [round((post["at"] - NOW_MS) / 10_000) for post in seen["posts"]] == [0, 1, 3]
    assert {post["body"]["token"] for post in seen["posts"]} == {"fresh.token"}


def test_an_answer_waits_for_the_attempts_with_the_one_before(node: NodeProcess) -> None:
    # given a server that is busy when the visitor consents, and a visitor who refuses between two attempts
    said = [answer("GDPR", ["statistics"]), answer("GDPR", (), ["statistics"], from_ms=1000)]
    answers: list[dict[str, Any]] = [
        {"status": 503, "headers": {"Retry-After": "20"}},
        {"status": 200, "json": ANSWER},
        {"status": 200, "json": MISMATCH},
    ]
    # when the page stays open
    seen = sync(node, *said, answers=answers, calls=(SYNC, A_MINUTE))
    # then the refusal is told last
    assert [post["body"]["consent"]["refused"] for post in seen["posts"]] == [[], [], ["statistics"]]


def test_an_answer_that_changed_between_pages_is_told(node: NodeProcess) -> None:
    # given a page on which the token was posted with a consent
    first = sync(node, answer("GDPR", ["statistics"]))
    # when the next page finds the same answer, and another
    again = sync(node, answer("GDPR", ["statistics"]), storage=first["storage"])
    refused = sync(node, answer("GDPR", (), ["statistics"]), storage=first["storage"])
    # then only the other is posted
    assert (len(again["posts"]), len(refused["posts"])) == (0, 1)
    assert refused["storage"].keys() == first["storage"].keys()
    assert refused["storage"] != first["storage"]


def test_a_refusal_that_did_not_arrive_is_told_again(node: NodeProcess) -> None:
    # given a server that is down when the visitor refuses, on two pages
    answers: list[dict[str, Any]] = [{"status": 500}, {"status": 200, "json": MISMATCH}]
    seen = sync(node, answer("GDPR", (), ["statistics"]), answers=answers, calls=(SYNC, SYNC, SYNC))
    # then it is posted until it is known
    assert [bool(result) for result in seen["results"]] == [True, True, False]
    assert len(seen["posts"]) == 2


def test_the_browser_decides_as_the_server_does(node: NodeProcess) -> None:
    # given every zone that matters, one that does not, none, and every answer
    for zone, consented, refused in itertools.product(("GDPR", "CCPA", "PIPEDA", "", None), LISTS, LISTS):
        # when such a visitor comes
        seen = sync(node, answer(zone, consented, refused))
        # then the token is posted if the server would take it, or would keep the answer
        stored = {LEGISLATION: [zone or ""], CONSENTED: consented, REFUSED: refused}
        keeps = answer_to(CONSENT, SaidConsent(tuple(consented), tuple(refused), zone)) is not None
        assert bool(seen["posts"]) is (may_process(CONSENT, stored) or keeps), (zone, consented, refused)


@pytest.mark.parametrize(
    "blue_conic",
    [None, {"readyAfter": 9000}, {"failing": "getConsentedObjectives"}, {"profile": None}, {"consent": []}],
)
def test_where_blueconic_does_not_tell_the_server_decides(node: NodeProcess, blue_conic: dict[str, Any] | None) -> None:
    seen = sync(node, blueConic=blue_conic)
    assert [set(post["body"]) for post in seen["posts"]] == [{"token", "profileId"}]


def test_a_mismatch_on_the_server_is_not_the_last_word(node: NodeProcess) -> None:
    # given a server that does not know of a consent, at first
    answers = [{"status": 200, "json": MISMATCH}, {"status": 200, "json": ANSWER}]
    # when the visitor comes to three pages
    seen = sync(node, blueConic=None, answers=answers, calls=(SYNC, SYNC, SYNC))
    # then the token is posted until it counts
    assert seen["results"] == [MISMATCH, ANSWER, None]


@pytest.mark.parametrize("kind", [SnippetKind.APPLICATION, SnippetKind.ACTION, SnippetKind.RULE])
def test_only_the_token_post_knows_of_objectives(kind: SnippetKind) -> None:
    assert render(make_goal(consent=CONSENT), kind) == render(make_goal(), kind)


@pytest.mark.parametrize("sdk", Sdk)
def test_apps_leave_it_to_the_server_and_say_so(sdk: Sdk) -> None:
    code = render(make_goal(consent=CONSENT), SnippetKind.TOKEN, sdk=sdk).code
    assert ("Websync decides" in code) is (sdk in NATIVE_SDKS)
    assert ("getConsentedObjectives" in code) is (sdk not in NATIVE_SDKS)
