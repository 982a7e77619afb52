"""Merge strategies: how new values meet what a profile has. Source: BlueConic, merge strategies of imports."""

from collections.abc import Mapping, Sequence
from decimal import Context
from typing import NamedTuple

from snippets.goals import MergeStrategy
from webapp.profiles.values import MAX_DIGITS, PropertyType, as_number, number_text

_EXACT = Context(prec=4 * MAX_DIGITS)
"""Sums are exact: the usual 28 digits would round."""


class Rule(NamedTuple):
    """What to do with one property. ``values`` are as `values.profile_values` returns them."""

    property_id: str
    values: Sequence[str]
    strategy: MergeStrategy
    property_type: PropertyType = PropertyType.TEXT


class MergeResult(NamedTuple):
    """``changed`` has the new values of each property that differs now (``[]`` = cleared), ``problems`` the reasons."""

    changed: dict[str, list[str]]
    problems: dict[str, list[str]]


class _RefusedRuleError(ValueError):
    """The rule changes nothing, for the reason in the message. Other rules are still applied."""


def merge(current: Mapping[str, Sequence[str]], rules: Sequence[Rule]) -> MergeResult:
    """Apply ``rules`` in their order to the ``current`` values of a profile.

    A rule without values changes nothing, except `MergeStrategy.SET_OR_CLEAR`, which clears. A rule that cannot be
    applied is a problem and changes nothing.
    """
    values: dict[str, list[str]] = {}
    problems: dict[str, list[str]] = {}
    for rule in rules:
        if rule.strategy is MergeStrategy.SET and rule.values and "" not in rule.values:  # as nearly all are
            values[rule.property_id] = list(rule.values)
            continue
        before = values.get(rule.property_id)
        if before is None:
            before = list(current.get(rule.property_id, ()))
        try:
            values[rule.property_id] = _apply(rule, before)
        except _RefusedRuleError as error:
            problems.setdefault(rule.property_id, []).append(str(error))
    if not current:
        return MergeResult({name: after for name, after in values.items() if after}, problems)
    changed = {name: after for name, after in values.items() if after != list(current.get(name, ()))}
    return MergeResult(changed, problems)


def _apply(rule: Rule, before: list[str]) -> list[str]:
    new = [value for value in rule.values if value]
    if not new:
        return [] if rule.strategy is MergeStrategy.SET_OR_CLEAR else before
    match rule.strategy:
        case MergeStrategy.SET | MergeStrategy.SET_OR_CLEAR:
            return new
        case MergeStrategy.SET_IF_EMPTY:
            return before if any(before) else new
        case MergeStrategy.ADD:
            return list(dict.fromkeys([*before, *new])) if set(new) - set(before) else before
        case MergeStrategy.SUM:
            return [_sum(rule, new, [value for value in before if value])]


def _sum(rule: Rule, new: list[str], before: list[str]) -> str:
    if not rule.property_type.is_numeric:
        raise _RefusedRuleError(f"a property of the type {rule.property_type} cannot be summed")
    if len(before) > 1:
        raise _RefusedRuleError("has several values, so nothing can be added to its number")
    if len(new) > 1:
        raise _RefusedRuleError("several values were given where one number is summed")
    stored, added = as_number(before[0] if before else "0"), as_number(new[0])
    if stored is None:
        raise _RefusedRuleError("the stored value is not a number")
    if added is None:
        raise _RefusedRuleError("not a number")
    text = number_text(_EXACT.add(stored, added), rule.property_type)
    if text is None or as_number(text) is None:
        raise _RefusedRuleError("the sum is too large, or no whole number")
    return text
