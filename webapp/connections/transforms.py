"""Transforms: what an import goal's mapping makes of a field's value before it meets the property. Pure functions.

A value is what JSON holds. Transforms are applied in their order, and each takes what the one before left. One that
works on texts (``lower``, ``date``, ``split``) works on each text of a list, and leaves alone what is no text. Empty
(None, ``""``, ``[]``) stays empty, but for ``default`` and ``constant``.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from snippets.goals import InvalidMappingError

MAX_ARGUMENT_LENGTH = 1000
MAX_TRANSFORMS = 10
_EXAMPLE = datetime(2026, 11, 22, 13, 14, 15, tzinfo=UTC)


class TransformKind(StrEnum):
    """What a transform does."""

    LOWER = "lower"
    UPPER = "upper"
    TRIM = "trim"
    DATE = "date"
    SPLIT = "split"
    JOIN = "join"
    FIRST = "first"
    LAST = "last"
    DEFAULT = "default"
    CONSTANT = "constant"

    @property
    def takes_argument(self) -> bool:
        """Whether it needs to be told something: a format, a separator, a value."""
        return self in {
            TransformKind.DATE,
            TransformKind.SPLIT,
            TransformKind.JOIN,
            TransformKind.DEFAULT,
            TransformKind.CONSTANT,
        }


class UnfitTransformError(ValueError):
    """A transform cannot be applied to the value. The message never repeats the value, which may be personal."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One step. ``argument`` is the format of a date, a separator, or a value. Raises InvalidMappingError."""

    kind: TransformKind
    argument: str = ""

    def __post_init__(self) -> None:
        if mistake := self._mistake():
            raise InvalidMappingError("transforms", mistake)

    def _mistake(self) -> str | None:
        if len(self.argument) > MAX_ARGUMENT_LENGTH or "\0" in self.argument:
            return f"{self.kind}: at most {MAX_ARGUMENT_LENGTH} characters, none of them NUL."
        if not self.kind.takes_argument:
            return f"{self.kind} takes nothing after it." if self.argument else None
        if not self.argument and self.kind is not TransformKind.JOIN:
            return f"{self.kind} needs something after it, as in {{{self.kind}: …}}."
        if self.kind is TransformKind.DATE and not _is_date_format(self.argument):
            return f"{self.argument!r} is no format of a date; %d.%m.%Y is one (day, month and year are needed)."
        return None


def transformed(value: object, transforms: Sequence[Transform]) -> object:
    """Return what ``transforms`` make of ``value``. Raises UnfitTransformError."""
    for transform in transforms:
        value = _STEPS[transform.kind](value, transform.argument)
    return value


def is_empty(value: object) -> bool:
    """Say if a source has no value: ``False`` and ``0`` are values."""
    return value is None or value in ("", [])


def _each_text(change: Callable[[str, str], object]) -> Callable[[object, str], object]:
    """Return a step that changes a text, or each text of a list; lists that come of it become one."""

    def step(value: object, argument: str) -> object:
        if isinstance(value, str):
            return change(value, argument) if value else value
        if not isinstance(value, list):
            return value
        items: list[object] = []
        for item in value:
            new = change(item, argument) if isinstance(item, str) and item else item
            items += new if isinstance(new, list) else [new]
        return items

    return step


def _date(text: str, date_format: str) -> str:
    try:
        moment = datetime.strptime(text.strip(), date_format)  # noqa: DTZ007, the zone follows
    except ValueError as error:
        raise UnfitTransformError(f"not a date of the format {date_format}") from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).isoformat()


def _split(text: str, separator: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(separator)) if part]


def _join(value: object, separator: str) -> object:
    if not isinstance(value, list):
        return value
    return separator.join(_as_text(item) for item in value if not is_empty(item))


def _as_text(item: object) -> str:
    if isinstance(item, str):
        return item
    try:
        return json.dumps(item, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        raise UnfitTransformError("nested too deeply") from error


def _pick(place: int) -> Callable[[object, str], object]:
    def step(value: object, _argument: str) -> object:
        if not isinstance(value, list):
            return value
        items = [item for item in value if not is_empty(item)]
        return items[place] if items else None

    return step


def _default(value: object, argument: str) -> object:
    if isinstance(value, list) and all(is_empty(item) for item in value):
        return argument
    return argument if is_empty(value) else value


def _is_date_format(date_format: str) -> bool:
    try:
        read = datetime.strptime(_EXAMPLE.strftime(date_format), date_format)  # noqa: DTZ007, only whether it can be read
    except ValueError:
        return False
    return read.date() == _EXAMPLE.date()


_STEPS: dict[TransformKind, Callable[[object, str], object]] = {
    TransformKind.LOWER: _each_text(lambda text, _: text.lower()),
    TransformKind.UPPER: _each_text(lambda text, _: text.upper()),
    TransformKind.TRIM: _each_text(lambda text, _: text.strip()),
    TransformKind.DATE: _each_text(_date),
    TransformKind.SPLIT: _each_text(_split),
    TransformKind.JOIN: _join,
    TransformKind.FIRST: _pick(0),
    TransformKind.LAST: _pick(-1),
    TransformKind.DEFAULT: _default,
    TransformKind.CONSTANT: lambda _, argument: argument,
}
