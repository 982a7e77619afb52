"""Differences of code, line by line."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.goals import Mapping
from tests.factories import make_full_goal
from webapp.code_pages.differences import MAX_CHARACTERS, MAX_LINES, LineState, changes_of_code, compare_code, visible


def test_a_difference_has_the_lines_around_it() -> None:
    # given two codes that differ in one line
    before = "".join(f"line {number}\n" for number in range(20))
    # when they are compared
    found = compare_code(before, before.replace("line 9\n", "line nine\n"))
    # then the line is there before and after, with its place and its neighbours
    assert [(line.state, line.text) for line in found.lines] == [
        (LineState.PLACE, "@@ -7,7 +7,7 @@"),
        (LineState.SAME, "line 6"),
        (LineState.SAME, "line 7"),
        (LineState.SAME, "line 8"),
        (LineState.REMOVED, "line 9"),
        (LineState.ADDED, "line nine"),
        (LineState.SAME, "line 10"),
        (LineState.SAME, "line 11"),
        (LineState.SAME, "line 12"),
    ]
    assert (found.added_count, found.removed_count) == (1, 1)


def test_lines_that_look_like_a_differences_own_signs_stay_lines() -> None:
    found = compare_code("--- a\n", "+++ b\n")
    assert [(line.state, line.text) for line in found.lines][1:3] == [
        (LineState.REMOVED, "--- a"),
        (LineState.ADDED, "+++ b"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ttext é 日本", "plain\ttext é 日本"),
        ("a\r", "a\\u000d"),
        ("\u202eabc", "\\u202eabc"),
        ("a\u2028b\u200b\u0000", "a\\u2028b\\u200b\\u0000"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_another_kind_of_line_end_is_seen() -> None:
    found = compare_code("a\nb\n", "a\r\nb\n")
    assert [line.text for line in found.lines if line.state is LineState.ADDED] == ["a\\u000d"]


@pytest.mark.parametrize("code", ["a\n" * (MAX_LINES + 1), "a" * (MAX_CHARACTERS + 1)])
def test_a_strangers_endless_code_is_not_compared(code: str) -> None:
    # given more code than any Action has
    found = compare_code("a\n", code)
    # then it is said, and nothing is reckoned
    assert found.is_too_long
    assert found.lines == ()


@pytest.mark.parametrize("line", ["x", "}", ""])
def test_code_of_one_repeated_line_is_compared_in_a_moment(line: str) -> None:
    # given code that is slow to compare for whoever looks at every pair of lines
    started = time.perf_counter()
    compare_code(f"{line}\n" * (MAX_LINES - 2), f"a\n{line}\n" * (MAX_LINES // 2 - 1))
    assert time.perf_counter() - started < 5


@given(before=st.text("ab\n\r", max_size=30), after=st.text("ab\n\r", max_size=30))
def test_a_difference_is_empty_only_if_nothing_differs(before: str, after: str) -> None:
    assert (compare_code(before, after).lines == ()) is (before == after)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"revision": 9}, set()),
        ({"allowed_origins": ("https://other.example",), "revision": 9}, set()),
        ({"client_ids": ("other-client",)}, {"action", "rule"}),
        ({"name": "Renamed"}, {"application", "action", "rule", "token"}),
        ({"mappings": (Mapping("email", "email"),)}, {"application", "action", "rule"}),
    ],
)
def test_only_what_the_code_does_differs_between_revisions(changes: dict[str, Any], expected: set[str]) -> None:
    # given two revisions
    # when their code is compared
    found = changes_of_code(make_full_goal(), make_full_goal(**changes))
    # then the number of the revision is no difference
    assert {change.element_id for change in found if change.difference.lines} == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"enable_token": False}, {"enable_token": False}, ["application", "action", "rule"]),
        ({"enable_rule": False}, {"enable_rule": False}, ["token"]),
        ({"enable_rule": False}, {}, ["application", "action", "rule", "token"]),
    ],
)
def test_code_that_no_revision_offers_is_not_compared(
    before: dict[str, Any], after: dict[str, Any], expected: list[str]
) -> None:
    found = changes_of_code(make_full_goal(**before), make_full_goal(**after))
    assert [change.element_id for change in found] == expected
