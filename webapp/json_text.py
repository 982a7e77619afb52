"""JSON that people type and read: mistakes by line and column, values in one form."""

import json
import math
from typing import Any, NoReturn

MAX_JSON_BYTES = 64 * 1024
MAX_DEPTH = 50
"""No user of Auth0 is nested so deeply, and everything that walks through a value may rely on it."""


class TypedJsonError(ValueError):
    """The text is no JSON object that could be used. The message says where and why."""


def parse_object(text: str) -> dict[str, Any]:
    """Return the JSON object that ``text`` is. Raises TypedJsonError."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_JSON_BYTES:
        raise TypedJsonError(f"At most {MAX_JSON_BYTES // 1024} KiB.")
    try:
        found = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise TypedJsonError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except RecursionError as error:
        raise TypedJsonError(f"Nested more than {MAX_DEPTH} levels deep.") from error
    except ValueError as error:  # Python reads no whole number of thousands of digits
        raise TypedJsonError("A number is not one that JSON can carry.") from error
    if not isinstance(found, dict):
        raise TypedJsonError("Line 1, column 1: An object in braces is needed.")
    if _depth(found) > MAX_DEPTH:
        raise TypedJsonError(f"Nested more than {MAX_DEPTH} levels deep.")
    return found


def pretty(value: object) -> str:
    """Return ``value`` as JSON to edit: indented, in the order of its members."""
    return printable(json.dumps(value, ensure_ascii=False, indent=2))


def compact(value: object) -> str:
    """Return ``value`` as JSON to read, on one line."""
    return printable(json.dumps(value, ensure_ascii=False))


def printable(text: str) -> str:
    """Return ``text`` with half surrogate pairs escaped as in JSON: no page can carry them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            member
            for each in level
            if isinstance(each, dict | list)
            for member in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
