"""Values of profile properties: whatever JSON holds becomes a list of texts, as BlueConic stores them."""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

MAX_TEXT_LENGTH = 65_000
MAX_NUMBER = 2_147_483_647
MAX_DIGITS = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_EPOCH_MS = 253_402_300_799_999
_SMALLEST_EPOCH_MS = 100_000_000_000
"""A smaller number counts seconds: as seconds it ends in the year 5138, as milliseconds it lies before March 1973."""
_DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MAX_EMAIL_LENGTH = 254
_PLAIN_LOCAL_PART = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*", re.ASCII)
"""The usual local parts, which are good whatever the domain is. Source: RFC 5322, 3.2.3 (dot-atom)."""
_HALF_PAIR = re.compile("[\\ud800-\\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


class PropertyType(StrEnum):
    """What a property holds. Source: BlueConic, ``filterType`` SELECT, RANGE, DECIMAL, DATETIME and EMAIL."""

    TEXT = "text"
    NUMBER = "number"
    DECIMAL = "decimal"
    DATETIME = "datetime"
    EMAIL = "email"

    @property
    def is_numeric(self) -> bool:
        """Whether values of this type can be summed."""
        return self in {PropertyType.NUMBER, PropertyType.DECIMAL}


PropertyTypes = Mapping[str, PropertyType]
"""The types of some properties, by their ids."""
_WHOLE_TYPES = frozenset({PropertyType.TEXT, PropertyType.NUMBER, PropertyType.DECIMAL})
_TEXT, _EMAIL = PropertyType.TEXT, PropertyType.EMAIL  # by their own names, since an enumeration looks them up slowly


class _UnfitValueError(ValueError):
    """The value does not fit the type. The message never repeats the value, which may be personal."""


def profile_values(value: object, property_type: PropertyType) -> tuple[list[str], list[str]]:
    """Return the texts to store for a JSON ``value``, and what is wrong with it (one sentence for each reason).

    An array has several values, an object is one: its JSON text with sorted keys. ``None``, ``""`` and ``[]`` are
    empty; ``False`` and ``0`` are values. Dates become milliseconds since 1970, e-mail addresses lower case.
    """
    if type(value) is str and value and is_plain(value):  # what nearly all values are
        if property_type is _TEXT:
            return [value], []
        if property_type is _EMAIL and _is_email(value):
            return [value.lower()], []
    if type(value) is int and property_type in _WHOLE_TYPES and abs(value) <= MAX_NUMBER:
        return [str(value)], []
    if value is None or value == []:
        return [], []
    read = _READERS[property_type]
    values: list[str] = []
    problems: list[str] = []
    for item in value if isinstance(value, list | tuple) else (value,):
        if item is None or item == "":
            continue
        try:
            values.append(_storable(read(item)))
        except _UnfitValueError as error:
            if (problem := str(error)) not in problems:
                problems.append(problem)
    return values, problems


def as_number(text: str) -> Decimal | None:
    """Return the number that ``text`` writes in decimal digits, or None.

    It has at most `MAX_DIGITS` digits before the dot, and as many after it.
    """
    stripped = text.strip()
    if len(stripped) > 2 * MAX_DIGITS + 10 or not _NUMBER.fullmatch(stripped):
        return None
    try:
        number = Decimal(stripped)
    except InvalidOperation:
        return None
    exponent = number.as_tuple().exponent
    too_fine = isinstance(exponent, int) and exponent < -MAX_DIGITS
    return None if number.adjusted() >= MAX_DIGITS or too_fine else number


def number_text(number: Decimal, property_type: PropertyType) -> str | None:
    """Return the one way to write ``number`` (no exponent, no trailing zeros), or None if the type cannot hold it."""
    if property_type is PropertyType.NUMBER and (abs(number) > MAX_NUMBER or number != number.to_integral_value()):
        return None
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(item: object) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int | float):
        return _decimal(item)
    try:
        return json.dumps(item, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        raise _UnfitValueError("nested too deeply") from error


def _whole_number(item: object) -> str:
    if type(item) is int and abs(item) <= MAX_NUMBER:
        return str(item)
    text = number_text(_number(item), PropertyType.NUMBER)
    if text is None:
        raise _UnfitValueError(f"not a whole number from -{MAX_NUMBER} to {MAX_NUMBER}")
    return text


def _decimal(item: object) -> str:
    return number_text(_number(item), PropertyType.DECIMAL) or "0"


def _number(item: object) -> Decimal:
    if isinstance(item, float) and not math.isfinite(item):
        raise _UnfitValueError("not a number")
    if isinstance(item, bool) or not isinstance(item, str | int | float):
        raise _UnfitValueError("not a number")
    if isinstance(item, int) and abs(item) >= 10**MAX_DIGITS:
        raise _UnfitValueError("not a number that can be stored")
    # The shortest text of a float is what its JSON said; Decimal(0.1) would be the binary fraction.
    number = as_number(repr(item) if isinstance(item, float) else str(item))
    if number is None:
        raise _UnfitValueError("not a number that can be stored" if isinstance(item, float) else "not a number")
    return number


def _epoch_ms(item: object) -> str:
    # A year and a dash are no number: nearly all dates are written so, and this is the quicker question.
    if isinstance(item, str) and ((item[:4].isdecimal() and item[4:5] == "-") or as_number(item) is None):
        since = _moment(item.strip()) - _EPOCH
        return str((since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000)
    number = _number(item)
    milliseconds = int(number if abs(number) >= _SMALLEST_EPOCH_MS else number * 1000)
    if abs(milliseconds) > _MAX_EPOCH_MS:
        raise _UnfitValueError("not a moment before the year 10000")
    return str(milliseconds)


def _moment(text: str) -> datetime:
    try:
        if len(text) == 10 and _DATE_ONLY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _UnfitValueError("not a date: ISO 8601 or the time since 1970 is") from error
    if moment.tzinfo is None:
        raise _UnfitValueError("not a moment: the time zone is missing")
    return moment


def _email(item: object) -> str:
    if not isinstance(item, str) or not _is_email(item.strip()):
        raise _UnfitValueError("not an e-mail address")
    return item.strip().lower()


def _is_email(text: str) -> bool:
    local_part, _, domain = text.rpartition("@")
    if len(text) <= _MAX_EMAIL_LENGTH and len(local_part) <= 64 and _PLAIN_LOCAL_PART.fullmatch(local_part):
        return _is_email_domain(domain)
    return _is_valid_email(text)


# Most visitors share a few domains, and to look at one of them takes as long as all the rest of a login.
@lru_cache(maxsize=1024)
def _is_email_domain(domain: str) -> bool:
    return _is_valid_email(f"a@{domain}")


def _is_valid_email(text: str) -> bool:
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def is_plain(text: str) -> bool:
    """Say if ``text`` can surely be stored as it is; others may be too."""
    return len(text) <= MAX_TEXT_LENGTH and text.isascii() and "\0" not in text


def _storable(text: str) -> str:
    if is_plain(text):
        return text
    if len(text) > MAX_TEXT_LENGTH:
        raise _UnfitValueError(f"longer than {MAX_TEXT_LENGTH} characters")
    # PostgreSQL stores neither: NUL is no text there, and half a surrogate pair is no UTF-8 anywhere.
    if "\0" in text or _HALF_PAIR.search(text):
        raise _UnfitValueError("holds a character that cannot be stored")
    return text


_READERS: dict[PropertyType, Callable[[object], str]] = {
    PropertyType.TEXT: _text,
    PropertyType.NUMBER: _whole_number,
    PropertyType.DECIMAL: _decimal,
    PropertyType.DATETIME: _epoch_ms,
    PropertyType.EMAIL: _email,
}
