"""Merge strategies, as BlueConic documents them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.goals import MergeStrategy
from webapp.profiles.merging import MergeResult, Rule, merge
from webapp.profiles.values import MAX_NUMBER, PropertyType

SET, SET_IF_EMPTY, SET_OR_CLEAR = MergeStrategy.SET, MergeStrategy.SET_IF_EMPTY, MergeStrategy.SET_OR_CLEAR
ADD, SUM = MergeStrategy.ADD, MergeStrategy.SUM
TEXTS = st.lists(st.text(min_size=1, max_size=5), max_size=5)
WHOLE = st.integers(-MAX_NUMBER // 4, MAX_NUMBER // 4)


def merged(
    before: list[str], *rules: tuple[MergeStrategy, list[str]], property_type: PropertyType = PropertyType.TEXT
) -> MergeResult:
    return merge({"p": before}, [Rule("p", values, strategy, property_type) for strategy, values in rules])


@pytest.mark.parametrize(
    ("strategy", "before", "values", "after"),
    [
        (SET, ["a"], ["b", "c"], ["b", "c"]),
        (SET, ["a"], [], ["a"]),
        (SET, ["a"], [""], ["a"]),
        (SET, [], ["b", "b"], ["b", "b"]),
        (SET, ["a", "b"], ["b", "a"], ["b", "a"]),
        (SET_IF_EMPTY, ["a"], ["b"], ["a"]),
        (SET_IF_EMPTY, [], ["b"], ["b"]),
        (SET_IF_EMPTY, [""], ["b"], ["b"]),
        (SET_IF_EMPTY, [], [], []),
        (SET_OR_CLEAR, ["a"], ["b"], ["b"]),
        (SET_OR_CLEAR, ["a"], [], []),
        (SET_OR_CLEAR, ["a"], [""], []),
        (SET_OR_CLEAR, [], [], []),
        (ADD, ["a"], ["b", "a", "b"], ["a", "b"]),
        (ADD, ["a"], ["A"], ["a", "A"]),
        (ADD, ["a"], [], ["a"]),
        (ADD, ["b", "a"], ["a"], ["b", "a"]),
    ],
)
def test_a_strategy_meets_stored_values(
    strategy: MergeStrategy, before: list[str], values: list[str], after: list[str]
) -> None:
    # when
    result = merged(before, (strategy, values))
    # then only what differs is a change
    assert result.changed == ({} if after == before else {"p": after})
    assert result.problems == {}


@pytest.mark.parametrize(
    ("before", "values", "property_type", "after"),
    [
        ([], ["3"], PropertyType.NUMBER, "3"),
        (["4"], ["3"], PropertyType.NUMBER, "7"),
        (["4"], ["-4"], PropertyType.NUMBER, "0"),
        (["0.1"], ["0.2"], PropertyType.DECIMAL, "0.3"),
        (["1.50"], ["0.5"], PropertyType.DECIMAL, "2"),
        (["123456789012345678901234567890.1"], ["0.01"], PropertyType.DECIMAL, "123456789012345678901234567890.11"),
    ],
)
def test_sums_are_exact(before: list[str], values: list[str], property_type: PropertyType, after: str) -> None:
    assert merged(before, (SUM, values), property_type=property_type).changed == {"p": [after]}


@pytest.mark.parametrize(
    ("before", "values", "property_type"),
    [
        (["1", "2"], ["3"], PropertyType.NUMBER),
        (["1"], ["2", "3"], PropertyType.NUMBER),
        (["many"], ["3"], PropertyType.NUMBER),
        (["1"], ["many"], PropertyType.NUMBER),
        (["1"], ["1.5"], PropertyType.NUMBER),
        ([str(MAX_NUMBER)], ["1"], PropertyType.NUMBER),
        (["9" * 60], ["9" * 60], PropertyType.DECIMAL),
        (["1767225600000"], ["1"], PropertyType.DATETIME),
        (["1"], ["1"], PropertyType.TEXT),
        (["1"], ["1"], PropertyType.EMAIL),
    ],
)
def test_a_sum_that_cannot_be_is_a_problem_and_no_change(
    before: list[str], values: list[str], property_type: PropertyType
) -> None:
    # when
    result = merged(before, (SUM, values), property_type=property_type)
    # then
    assert result.changed == {}
    assert len(result.problems["p"]) == 1


def test_rules_run_in_their_order() -> None:
    assert merged(["a"], (SET, ["b"]), (SET, ["c"]), (ADD, ["d"])).changed == {"p": ["c", "d"]}
    assert merged(["a"], (ADD, ["d"]), (SET, ["c"])).changed == {"p": ["c"]}


def test_going_there_and_back_is_no_change() -> None:
    assert merged(["a"], (SET, ["b"]), (SET, ["a"])).changed == {}


def test_a_refused_rule_does_not_stop_the_others() -> None:
    # given
    rules = [Rule("n", ["many"], SUM, PropertyType.NUMBER), Rule("p", ["b"], SET)]
    # when
    result = merge({"n": ["1"]}, rules)
    # then
    assert result.changed == {"p": ["b"]}
    assert list(result.problems) == ["n"]


@given(TEXTS, TEXTS)
def test_adding_keeps_what_was_there_and_repeats_nothing_new(before: list[str], values: list[str]) -> None:
    # when
    after = merged(before, (ADD, values)).changed.get("p", before)
    # then
    assert set(after) == set(before) | set(values)
    assert list(dict.fromkeys(before)) == list(dict.fromkeys(after))[: len(set(before))]
    # and a second time changes nothing
    assert merged(after, (ADD, values)).changed == {}


@given(TEXTS, TEXTS, st.sampled_from([SET, SET_IF_EMPTY, SET_OR_CLEAR, ADD]))
def test_all_but_sum_may_be_repeated(before: list[str], values: list[str], strategy: MergeStrategy) -> None:
    # given
    once = merged(before, (strategy, values)).changed.get("p", before)
    # then
    assert merged(once, (strategy, values)).changed == {}


@given(WHOLE, WHOLE)
def test_a_sum_is_the_sum(stored: int, added: int) -> None:
    # when
    result = merged([str(stored)], (SUM, [str(added)]), property_type=PropertyType.NUMBER)
    # then
    assert result.changed.get("p", [str(stored)]) == [str(stored + added)]


@given(st.lists(st.tuples(st.sampled_from(list(MergeStrategy)), TEXTS), max_size=6), TEXTS)
def test_what_is_not_named_stays_and_nothing_given_is_changed(
    rules: list[tuple[MergeStrategy, list[str]]], before: list[str]
) -> None:
    # given
    current = {"p": list(before), "other": ["x"]}
    # when
    result = merge(current, [Rule("p", values, strategy) for strategy, values in rules])
    # then
    assert set(result.changed) <= {"p"}
    assert current == {"p": before, "other": ["x"]}
