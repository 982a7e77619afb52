"""The file of an export job, written while it is downloaded: no file and no list of users is ever whole anywhere.

The same job gives the same bytes. Source: Auth0 docs, manage-users/user-migration/bulk-user-exports.
"""

import csv
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

from webapp.demo.faults import Faults
from webapp.demo.population import Population

Data = dict[str, Any]
Path = tuple[str | int, ...]

PIECE_BYTES = 64 * 1024
BROKEN_LINES = (
    b'{"user_id": "auth0|cut in the mid',
    b"this is no JSON",
    b'["auth0|a", "list"]',
    b'{"email": "nobody@shop.example"}',
    b'{"user_id": "auth0|\xff\xfe"}',
    b"",
)
"""Cut off, no JSON, no object, without the id, no UTF-8, empty."""


def exported_users(job: Data, kept: Iterable[Data]) -> Iterator[Data]:
    """Yield the users of a job: those of ``kept`` in its connection, then those generated when the job was made."""
    kept = list(kept)
    populations = [Population.from_json(each) for each in job["populations"]]
    replaced = {(each.connection, each.number_of(user["user_id"])) for each in populations for user in kept}
    users = (user for user in kept if job["connection"] in {None, user["identities"][0]["connection"]})
    generated = (
        each.user(number)
        for each in populations
        for number in each.numbers()
        if (each.connection, number) not in replaced
    )
    yield from islice(_chained(users, generated), job.get("limit"))


def _chained(*parts: Iterable[Data]) -> Iterator[Data]:
    for part in parts:
        yield from part


def written_lines(users: Iterable[Data], job: Data, faults: Faults) -> Iterator[bytes]:
    """Yield the lines of the file, with their ends, and the broken ones that ``faults`` wants."""
    fields = [(field.get("export_as") or field["name"], path_of(field["name"])) for field in job["fields"]]
    if faults.long_line_bytes:
        yield b'{"user_id": "' + b"x" * faults.long_line_bytes + b'"}\n'
    lines = _csv_lines(users, fields) if job["format"] == "csv" else _json_lines(users, fields, faults.missing_as_null)
    for number, line in enumerate(lines):
        yield line
        if faults.broken_line_one_in and number % faults.broken_line_one_in == 0:
            yield BROKEN_LINES[number // faults.broken_line_one_in % len(BROKEN_LINES)] + b"\n"


def _json_lines(users: Iterable[Data], fields: list[tuple[str, Path]], missing_as_null: bool) -> Iterator[bytes]:
    for user in users:
        values = ((name, value_at(user, path)) for name, path in fields)
        line = {name: value for name, value in values if value is not None or missing_as_null}
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _csv_lines(users: Iterable[Data], fields: list[tuple[str, Path]]) -> Iterator[bytes]:
    yield _csv_line([name for name, _ in fields])
    for user in users:
        yield _csv_line([csv_text(value_at(user, path)) for _, path in fields])


def _csv_line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def csv_text(value: Any) -> str:
    """Return a cell: texts with an apostrophe before them, so that no spreadsheet takes one for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return "'" + (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def path_of(name: str) -> Path:
    """Return the steps of a field's name: ``identities[0].connection`` has three."""
    steps = re.findall(r"([^.\[\]]+)|\[(\d+)\]", name)
    return tuple(int(place) if place else step for step, place in steps)


def value_at(user: Data, path: Path) -> Any:
    """Return what is at a path, or None."""
    value: Any = user
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the gzip of ``pieces``, without a file name or a time in it."""
    compressor = zlib.compressobj(level=3, wbits=31)
    for piece in in_pieces(pieces):
        if squeezed := compressor.compress(piece):
            yield squeezed
    yield compressor.flush()


def in_pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces of about `PIECE_BYTES`."""
    waiting, size = [], 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def cut(pieces: Iterable[bytes], after_bytes: int, *, looks_whole: bool) -> Iterator[bytes]:
    """Yield so many bytes and then break off: as a lost connection, or as if that were all."""
    left = after_bytes
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            break
    if not looks_whole:
        raise ConnectionResetError("as a fault of this demo tenant wants it")
