"""What changed between two revisions, decided on plain data."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.goals import IdentifierLink, Mapping, MergeStrategy
from snippets.reading import plain_web_goal
from tests.factories import make_goal, to_auth0
from webapp.connections.changes import RowState, compare_goals, compare_rows, summary

Found = list[tuple[str, int | None, int | None]]

A, B, C, D = (Mapping(f"user_metadata.{name}", f"{name}_property") for name in "abcd")


def plain(*, is_on: bool = True, **changes: Any) -> dict[str, object]:
    return {**plain_web_goal(make_goal(**changes)), "is_on": is_on}


def mapping_changes(before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> Found:
    """Return state, old and new number of each row that did not stay."""
    found = compare_goals(plain(mappings=before), plain(mappings=after)).mappings
    return [(row.state, row.old_number, row.new_number) for row in found if row.state is not RowState.SAME]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((A, B), (A, B), []),
        ((A, B), (A, B, C), [("added", None, 3)]),
        ((A, B, C), (A, C), [("removed", 2, None)]),
        ((A, B, C), (C, A, B), [("moved", 3, 1)]),
        ((A, B, C, D), (B, C, D, A), [("moved", 1, 4)]),
        ((A, B), (C, A, B), [("added", None, 1)]),
        ((A, B, C), (C,), [("removed", 1, None), ("removed", 2, None)]),
        # the same field and property: another strategy
        ((A, B), (A, Mapping(B.auth0_field, B.profile_property, strategy=MergeStrategy.ADD)), [("changed", 2, 2)]),
        # the same field, another property; the same property, another field
        ((A, B), (A, Mapping(B.auth0_field, "other")), [("changed", 2, 2)]),
        ((A, B), (A, Mapping("nickname", B.profile_property)), [("changed", 2, 2)]),
        # a row that was turned round
        ((A, B), (A, to_auth0(B.auth0_field, B.profile_property)), [("changed", 2, 2)]),
        # nothing in common
        ((A, B), (A, Mapping("nickname", "other")), [("removed", 2, None), ("added", None, 2)]),
        # of two rows of one field, the one that is the same stays so
        ((A, B), (Mapping(A.auth0_field, "other"), A, B), [("added", None, 1)]),
    ],
)
def test_rows_that_belong_together_are_told_apart_from_new_ones(
    before: tuple[Mapping, ...], after: tuple[Mapping, ...], expected: Found
) -> None:
    assert mapping_changes(before, after) == expected


def test_a_row_may_be_changed_and_moved() -> None:
    # given a row that gets another strategy and another place
    other = Mapping(C.auth0_field, C.profile_property, strategy=MergeStrategy.ADD)
    # when it is compared
    (row,) = compare_goals(plain(mappings=(A, B, C)), plain(mappings=(other, A, B))).mappings[:1]
    # then it is one row, and both are known
    assert (row.state, row.is_moved, row.old_number, row.new_number) == (RowState.CHANGED, True, 3, 1)


def test_a_removed_row_stands_where_it_was() -> None:
    # given three rows of which the middle one goes
    found = compare_goals(plain(mappings=(A, B, C)), plain(mappings=(A, C))).mappings
    # then it is shown between the others
    assert [row.state for row in found] == [RowState.SAME, RowState.REMOVED, RowState.SAME]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, "nothing changed"),
        ({}, {"revision": 8}, "nothing changed"),
        ({"mappings": (A,)}, {"mappings": (A, B, C)}, "2 mappings added"),
        ({"mappings": (A, B)}, {"mappings": (B, C)}, "1 mapping added, 1 removed"),
        ({"mappings": (A, B)}, {"mappings": (B, A)}, "1 mapping moved"),
        (
            {},
            {"links": (IdentifierLink("user_id", "auth0_user_id", require_verified=False),)},
            "1 identifier link changed",
        ),
        ({}, {"allowed_origins": ("https://other.example",)}, "allowed origins changed"),
        ({}, {"name": "Renamed", "claim_namespace": "https://other.example/"}, "name changed, claim namespace changed"),
        ({"is_on": True}, {"is_on": False}, "switched off"),
        ({"is_on": False}, {"is_on": True}, "switched on"),
        ({}, {"enable_rule": False}, "Rule option switched off"),
        ({"allow_creation": False}, {}, "allow creation of profiles switched on"),
        ({}, {"mappings": (A, B), "name": "Renamed"}, "2 mappings added, 1 removed, name changed"),
    ],
)
def test_a_revision_is_summed_up_in_words(before: dict[str, Any], after: dict[str, Any], expected: str) -> None:
    assert summary(plain(**before), plain(**after)) == expected


def test_what_an_older_version_kept_can_be_compared() -> None:
    # given a revision with a setting that there is no more, without one that there is now, and with broken rows
    older = {**plain(), "send_beacon": True, "mappings": [{"auth0_field": "x"}, "broken"]}
    del older["enable_token"]
    # when it is compared with one of today
    changes = compare_goals(older, plain())
    # then all that differs is told
    assert [(each.label, each.before, each.after) for each in changes.settings] == [
        ("Token option", None, True),
        ("send beacon", True, None),
    ]
    assert [row.state for row in changes.mappings] == [RowState.REMOVED, RowState.ADDED]
    assert not changes.are_empty


row_lists = st.lists(st.sampled_from("abcdefgh"), unique=True).map(
    lambda names: [{"auth0_field": name, "profile_property": name} for name in names]
)


@given(before=row_lists, after=row_lists)
def test_every_row_is_told_once(before: list[dict[str, str]], after: list[dict[str, str]]) -> None:
    # given any two lists of rows
    # when they are compared
    found = compare_rows(before, after)
    # then each row of both is there once, the new ones in their order, and those that stayed in the order of both
    assert [row.after for row in found if row.after is not None] == after
    assert sorted(row.old_number or 0 for row in found if row.before is not None) == list(range(1, len(before) + 1))
    assert all(before[(row.old_number or 0) - 1] == row.before for row in found if row.before is not None)
    staying = [row.old_number or 0 for row in found if row.state is RowState.SAME]
    assert staying == sorted(staying)
