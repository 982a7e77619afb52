from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.goals import InvalidMappingError
from webapp.connections.transforms import Transform, TransformKind, UnfitTransformError, is_empty, transformed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def steps(*plain: str | tuple[str, str]) -> list[Transform]:
    named = [(each, "") if isinstance(each, str) else each for each in plain]
    return [Transform(TransformKind(kind), argument) for kind, argument in named]


@pytest.mark.parametrize(
    ("value", "plain", "expected"),
    [
        (" Ann ", ["trim", "lower"], "ann"),
        (["Ann", 3, None], ["upper"], ["ANN", 3, None]),
        (7, ["trim", "upper"], 7),
        ("24.12.2026", [("date", "%d.%m.%Y")], "2026-12-24T00:00:00+00:00"),
        ("24.12.2026 18:00 +0100", [("date", "%d.%m.%Y %H:%M %z")], "2026-12-24T18:00:00+01:00"),
        ("a, b,,c ", [("split", ",")], ["a", "b", "c"]),
        (["a,b", "c"], [("split", ",")], ["a", "b", "c"]),
        (["a", None, 2, {"b": 1}], [("join", "; ")], 'a; 2; {"b":1}'),
        ("a", [("join", "; ")], "a"),
        ([None, "a", "b", ""], ["first"], "a"),
        ([None, "a", "b", ""], ["last"], "b"),
        ([], ["first"], None),
        ("a", ["last"], "a"),
        ("Ann Lee", [("split", " "), "last", "upper"], "LEE"),
        (None, [("default", "x")], "x"),
        ([None, ""], [("default", "x")], "x"),
        (False, [("default", "x")], False),
        (0, [("default", "x")], 0),
        ("y", [("default", "x")], "y"),
        (None, [("constant", "auth0")], "auth0"),
        ("y", [("constant", "auth0")], "auth0"),
    ],
)
def test_each_transform_does_what_it_is_named_for(value: object, plain: list[Any], expected: object) -> None:
    assert transformed(value, steps(*plain)) == expected


@pytest.mark.parametrize("empty", [None, "", []])
@pytest.mark.parametrize("kind", [kind for kind in TransformKind if kind not in {"default", "constant"}])
def test_what_is_empty_stays_empty(kind: TransformKind, empty: object) -> None:
    argument = "%d.%m.%Y" if kind is TransformKind.DATE else "," if kind.takes_argument else ""
    assert is_empty(transformed(empty, [Transform(kind, argument)]))


def test_a_text_that_is_no_date_is_told_without_repeating_it() -> None:
    with pytest.raises(UnfitTransformError) as caught:
        transformed("yesterday", steps(("date", "%d.%m.%Y")))
    assert str(caught.value) == "not a date of the format %d.%m.%Y"


@pytest.mark.parametrize(
    ("kind", "argument", "message"),
    [
        ("lower", "x", "lower takes nothing after it."),
        ("split", "", "split needs something after it"),
        ("default", "", "default needs something after it"),
        ("date", "%d.%m.", "is no format of a date"),
        ("date", "%Q", "is no format of a date"),
        ("constant", "\0", "none of them NUL"),
        ("constant", "x" * 1001, "at most 1000 characters"),
    ],
)
def test_a_transform_that_cannot_be_is_refused(kind: str, argument: str, message: str) -> None:
    with pytest.raises(InvalidMappingError, match=message) as caught:
        Transform(TransformKind(kind), argument)
    assert caught.value.attribute == "transforms"


@given(json_values, st.sampled_from(sorted(TransformKind)), st.sampled_from(sorted(TransformKind)))
def test_any_value_of_json_is_transformed_or_told(value: object, first: TransformKind, second: TransformKind) -> None:
    # given any two transforms
    arguments = {TransformKind.DATE: "%d.%m.%Y"}
    chosen = [Transform(kind, arguments.get(kind, "," if kind.takes_argument else "")) for kind in (first, second)]
    # when they meet any value of a user, then what does not fit is told as such, and nothing else is raised
    with suppress(UnfitTransformError):
        transformed(value, chosen)
