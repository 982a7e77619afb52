"""Downloads of a run's log and error list: NDJSON for programs, CSV for spreadsheets, made as they are sent.

A cell of a spreadsheet that begins with certain characters is a formula, and a user's id is whatever somebody chose.
Source: OWASP, CSV Injection; RFC 4180.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from webapp.runs.models import RunLogLine, RunProblem

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms, which some spreadsheets take for the same."""
_FORMULA_INSIDE = re.compile(rf"""([;\t\r\n][ \0"]*)(?=[{re.escape("".join(FORMULA_STARTS))}])""")
"""A spreadsheet that separates by ``;`` or tabs begins a new cell there: to it our quotes end with the first cell."""
CSV, NDJSON = "csv", "ndjson"
CONTENT_TYPES = {CSV: "text/csv; charset=utf-8; header=present", NDJSON: "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Listing:
    """A kind of lines that can be had: their table, and what each line says, by column."""

    name: str
    kind: type[RunProblem] | type[RunLogLine]
    columns: tuple[str, ...]
    values: Callable[[Any], tuple[object, ...]]


ERRORS = Listing(
    "errors",
    RunProblem,
    ("line", "user_id", "auth0_field", "reason"),
    lambda line: (line.line, line.user_id, line.auth0_field, line.reason),
)
LOG = Listing("log", RunLogLine, ("at", "text"), lambda line: (line.at.isoformat(timespec="milliseconds"), line.text))
LISTINGS = {each.name: each for each in (ERRORS, LOG)}


def as_ndjson(listing: Listing, batches: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield each batch as lines of JSON."""
    for batch in batches:
        rows = (dict(zip(listing.columns, listing.values(line), strict=True)) for line in batch)
        yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def as_csv(listing: Listing, batches: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the columns' names, then each batch as lines of CSV."""
    yield csv_line(listing.columns)
    for batch in batches:
        yield b"".join(csv_line(listing.values(line)) for line in batch)


def csv_line(values: Iterable[object]) -> bytes:
    """Return a line of CSV, every cell in quotes."""
    return (",".join(f'"{safe_cell(value)}"' for value in values) + "\r\n").encode("utf-8", "replace")


def safe_cell(value: object) -> str:
    """Return what stands between a cell's quotes: never a formula."""
    text = "" if value is None else str(value)
    # Space is skipped by some spreadsheets, and a NUL character ends a cell for others.
    is_formula = text.replace("\0", "").lstrip(" ").startswith(FORMULA_STARTS)
    text = _FORMULA_INSIDE.sub(r"\1'", text)
    return ("'" if is_formula else "") + text.replace('"', '""')


WRITERS = {CSV: as_csv, NDJSON: as_ndjson}
