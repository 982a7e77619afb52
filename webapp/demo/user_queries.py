"""The part of Auth0's user search that the demo tenant understands: terms joined by AND.

A term is ``field:value``, ``field:"value"``, ``_exists_:field`` or a range as in ``updated_at:[2026-11-20 TO *]``, with
a curly bracket where the bound is excluded. Source: Auth0 docs, manage-users/user-search/user-search-query-syntax.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Data = dict[str, Any]

_TERM = re.compile(
    r"(?P<field>[\w.]+):(?:"
    r"(?P<open>[\[{])\s*(?P<low>\S+)\s+TO\s+(?P<high>[^\s\]}]+)\s*(?P<close>[\]}])"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"\[\]{}*()]+))'
)
_AND = re.compile(r"\s+AND\s+")
_RANGED = frozenset({"created_at", "updated_at", "last_login", "logins_count"})


class QueryError(ValueError):
    """The query is not understood."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition on a user."""

    field: str
    accepts: Callable[[Any], bool]
    text: str | None = None
    """The value that the field must have, if it is not a range."""
    low: float | None = None
    high: float | None = None

    def matches(self, user: Data) -> bool:
        """Say if the user has such a value at the field's path; lists are looked through."""
        return any(self.accepts(value) for value in values_at(user, self.field.split(".")))


def parse_query(text: str) -> list[Term]:
    """Return the terms of ``q``. Raises QueryError."""
    terms: list[Term] = []
    place = 0
    while place < len(text.rstrip()):
        if terms:
            joined = _AND.match(text, place)
            if joined is None:
                raise QueryError(text[place:])
            place = joined.end()
        found = _TERM.match(text, place)
        if found is None:
            raise QueryError(text[place:])
        terms.append(_range(found) if found["open"] else _equality(found))
        place = found.end()
    return terms


def _equality(found: re.Match[str]) -> Term:
    value = found["plain"] if found["quoted"] is None else re.sub(r"\\(.)", r"\1", found["quoted"])
    if found["field"] == "_exists_":
        return Term(value, lambda _: True)
    return Term(found["field"], lambda stored: _as_text(stored) == value, text=value)


def _range(found: re.Match[str]) -> Term:
    if found["field"] not in _RANGED:
        raise QueryError(found[0])
    low, high = _bound(found["low"], is_end=False), _bound(found["high"], is_end=found["close"] == "]")
    low = low if low is None or found["open"] == "[" else low + 1
    high = high if high is None or found["close"] == "]" else high - 1

    def accepts(stored: Any) -> bool:
        number = _bound(str(stored), is_end=False)
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    return Term(found["field"], accepts, low=low, high=high)


def _bound(text: str, *, is_end: bool) -> float | None:
    """Return a whole number, or a moment in epoch milliseconds; a date alone ends with its last one."""
    text = text.strip('"')
    if text == "*":
        return None
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise QueryError(text) from error
    if len(text) == len("2026-11-20") and is_end:
        moment += timedelta(days=1, milliseconds=-1)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def values_at(value: Any, path: list[str]) -> list[Any]:
    """Return the values at a path that are no objects; lists are looked through, as Auth0's search does."""
    if isinstance(value, list):
        return [found for member in value for found in values_at(member, path)]
    if path:
        return values_at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []
    return [] if value is None else [value]
