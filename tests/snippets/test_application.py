"""The login call of the site, on a page of our own (the real SDK and browser are in the end-to-end tests)."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.literals import JsCode, environment
from snippets.parameters import MAX_VALUE_LENGTH, parameter_name
from snippets.rendering import SnippetKind, render
from tests.factories import make_full_goal, make_goal
from tests.javascript import NodeProcess
from tests.snippets.page import visit_page

LOGIN = "loginWithWebsync(auth0Client)"
FULL = render(make_full_goal(), SnippetKind.APPLICATION).code
PLAIN = render(make_goal(), SnippetKind.APPLICATION).code
FAVOURITE = parameter_name("favouriteCategory")


def log_in(node: NodeProcess, code: str = FULL, call: str = LOGIN, **given_: Any) -> dict[str, Any]:
    """Return the options that ``loginWithRedirect`` got; it is called exactly once."""
    seen = visit_page(node, code, call, **given_)
    assert seen["leaks"] == ["loginWithWebsync"]
    [options] = seen["logins"]
    return {**options, "waits": seen["waits"], "loaded": seen["loaded"]}


def test_a_login_carries_the_profile_id_and_the_mapped_values(node: NodeProcess) -> None:
    # given a visitor with values in BlueConic
    values = {"newsletter": ["yes"], "favouriteCategory": ["shoes & hats", "café*"], "unmapped": ["secret"]}
    # when the site logs in
    login = log_in(node, blueConic={"values": values})
    # then Auth0 gets the profile id and the values of the mapped properties, encoded
    assert login["authorizationParams"] == {
        "ext-bc_profile_id": "p-1",
        "ext-bcp_newsletter": "yes",
        FAVOURITE: "shoes~20~26~20hats*caf~C3~A9~2A",
    }
    assert login["loaded"] == [["newsletter", "favouriteCategory", "first_visit"]]
    assert login["waits"] == []


def test_the_callers_options_win(node: NodeProcess) -> None:
    # given a site that sets parameters itself
    options = {"appState": {"target": "/cart"}, "authorizationParams": {"scope": "openid", "ext-bcp_newsletter": "no"}}
    # when it logs in
    call = f"loginWithWebsync(auth0Client, {options})"
    login = log_in(node, call=call, blueConic={"values": {"newsletter": ["yes"]}})
    # then its own stay as they are
    assert login["appState"] == {"target": "/cart"}
    assert login["authorizationParams"] == {
        "ext-bc_profile_id": "p-1",
        "ext-bcp_newsletter": "no",
        "scope": "openid",
    }


@pytest.mark.parametrize("options", ["undefined", "null", "{}", "{ authorizationParams: undefined }"])
def test_options_may_be_missing(node: NodeProcess, options: str) -> None:
    login = log_in(node, PLAIN, f"loginWithWebsync(auth0Client, {options})", blueConic={})
    assert login["authorizationParams"] == {"ext-bc_profile_id": "p-1"}


def test_the_answer_of_the_sdk_is_returned(node: NodeProcess) -> None:
    assert visit_page(node, PLAIN, LOGIN, blueConic={}, loginResult="done")["results"] == ["done"]


@pytest.mark.parametrize(
    "blue_conic",
    [
        None,
        {"loadedAfter": 5000},
        {"readyAfter": 5000},
        {"profile": None},
        {"failing": "subscribe"},
        {"failing": "getProfile"},
        {"failing": "getId"},
        {"id": ""},
        {"id": 'x" onload="'},
    ],
)
def test_without_blueconic_the_visitor_logs_in_all_the_same(
    node: NodeProcess, blue_conic: dict[str, Any] | None
) -> None:
    # given a BlueConic that is blocked, slow or broken
    login = log_in(node, blueConic=blue_conic)
    # then the login starts within 800 ms, without parameters
    assert login["authorizationParams"] == {}
    assert sum(login["waits"]) <= 800


@pytest.mark.parametrize("trouble", [{"readyAfter": None}, {"readyAfter": 5000}, {"failing": "subscribe"}])
def test_a_profile_whose_cookie_is_there_is_good_though_blueconic_does_not_say_so(
    node: NodeProcess, trouble: dict[str, Any]
) -> None:
    # given a BlueConic that does not tell late listeners, while the cookie has the profile's id
    blue_conic = {"id": "temporary", **trouble}
    login = log_in(node, PLAIN, blueConic=blue_conic, cookie="a=b; BCSessionID=temporary")
    # then the login carries it
    assert login["authorizationParams"] == {"ext-bc_profile_id": "temporary"}
    assert sum(login["waits"]) <= 800


def test_a_blueconic_that_loads_in_time_is_waited_for(node: NodeProcess) -> None:
    login = log_in(node, PLAIN, blueConic={"loadedAfter": 300, "readyAfter": 500, "id": "p-2"})
    assert login["authorizationParams"] == {"ext-bc_profile_id": "p-2"}
    assert sum(login["waits"]) == 500


@pytest.mark.parametrize("trouble", [{"valuesAfter": None}, {"valuesAfter": 3000}, {"failing": "loadValues"}])
def test_values_that_do_not_come_leave_the_profile_id(node: NodeProcess, trouble: dict[str, Any]) -> None:
    login = log_in(node, blueConic={"loadedAfter": 300, **trouble})
    assert login["authorizationParams"] == {"ext-bc_profile_id": "p-1"}
    assert sum(login["waits"]) <= 800


@pytest.mark.parametrize("values", [[], [""], ["", ""], [None], None, ["x" * 256], ["é" * 43], ["\ud800"]])
def test_a_value_that_is_empty_or_does_not_fit_is_left_out(node: NodeProcess, values: object) -> None:
    # given one property that cannot travel, and one that can
    login = log_in(node, blueConic={"values": {"newsletter": values, "first_visit": ["2026"]}})
    # then only the other one does
    assert login["authorizationParams"] == {"ext-bc_profile_id": "p-1", "ext-bcp_first_visit": "2026"}


@pytest.mark.parametrize(("values", "expected"), [(["x" * 255], "x" * 255), ([5, True, ""], "5*true"), ("one", "one")])
def test_what_fits_travels(node: NodeProcess, values: object, expected: str) -> None:
    login = log_in(node, blueConic={"values": {"newsletter": values}})
    assert login["authorizationParams"]["ext-bcp_newsletter"] == expected


ROUND_TRIP = (
    environment.get_template("application/encoding.js.jinja").render(typed=lambda _annotation: JsCode(""))
    + environment.get_template("decoding.js.jinja").render()
    + "const encoded = encodeValues(given); return [encoded, decodeValues(encoded)];"
)


@settings(max_examples=300)
@given(texts=st.lists(st.text(max_size=30) | st.text("!~*'()%.-_ \u2028<\x00", max_size=30), max_size=6))
def test_any_texts_come_back_as_they_went(node: NodeProcess, texts: list[str]) -> None:
    encoded, decoded = node.run(ROUND_TRIP, texts)
    if encoded is None:
        assert decoded == []
        assert not any(texts) or len("".join(texts).encode()) * 3 + len(texts) > MAX_VALUE_LENGTH
    else:
        assert re.fullmatch(r"[A-Za-z0-9_.~*-]{1,255}", encoded)
        assert decoded == [text for text in texts if text]
