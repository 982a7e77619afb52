"""Reading users: an export of Auth0, plain or gzip, NDJSON or CSV, from a file or a pipe, a line at a time.

Memory holds one block of the file and one line. A line that cannot be read is a `BrokenLine`, and the next one follows;
only a file that cannot be read on (a gzip that breaks off) ends it.
"""

import csv
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

MAX_LINE_BYTES = 2_000_000
"""Of one user. Auth0 keeps 10 KB of a user, and of old ones at most 1 MB (fact sheet, G5)."""
MAX_COLUMNS = 1000
_BLOCK_BYTES = 1 << 18
_HEAD_BYTES = 16
_GZIP = b"\x1f\x8b"
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_UTF8_MARK = b"\xef\xbb\xbf"


class FileFormat(StrEnum):
    """How users stand in a file."""

    NDJSON = "ndjson"
    CSV = "csv"


class User(NamedTuple):
    """A user as Auth0 exports it, the number of the line (from 1) where it begins, and its size in bytes."""

    line: int
    fields: dict[str, Any]
    size: int = 0


class BrokenLine(NamedTuple):
    """A line that is no user. ``reason`` repeats nothing of it. ``size`` is as of a `User`, for whom it was taken."""

    line: int
    reason: str
    size: int = 0


Entry = User | BrokenLine
"""What a file holds, line by line."""


class UnreadableFileError(ValueError):
    """The file cannot be read on. Users that came before are not touched by that."""


def format_of(name: str) -> FileFormat | None:
    """Return the format that a file's name tells, None if it tells none."""
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix
    return {".csv": FileFormat.CSV, ".ndjson": FileFormat.NDJSON, ".json": FileFormat.NDJSON}.get(suffix)


def open_users(stream: BinaryIO, file_format: FileFormat | None = None) -> Iterator[Entry]:
    """Yield the users of ``stream``. Without a format the first character says it: JSON begins with ``{``.

    Raises:
        UnreadableFileError: the compressed data is broken or breaks off, or the names of a CSV file's columns are.
    """
    packed = _buffered(stream)
    try:
        is_gzip = packed.peek(len(_GZIP)).startswith(_GZIP)
        plain = _buffered(_Unpacked(packed)) if is_gzip else packed
        start = plain.peek(len(_UTF8_MARK))
        if start.startswith(_UTF8_MARK):
            start = start[plain.readinto(bytearray(len(_UTF8_MARK))) :]
        if file_format is None:
            file_format = FileFormat.NDJSON if start.lstrip()[:1] in {b"", b"{"} else FileFormat.CSV
        yield from (_ndjson_users if file_format is FileFormat.NDJSON else _csv_users)(plain)
    except (EOFError, zlib.error) as error:
        raise UnreadableFileError("the compressed data is broken, or breaks off") from error


def _buffered(stream: BinaryIO | io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(_Source(stream), _BLOCK_BYTES)


class _Source(io.RawIOBase):
    """A stream that may give as little at a time as it likes, but for its first bytes: they say what it is.

    Closing this leaves the stream open for whoever opened it.
    """

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self._read_into = cast("Callable[[memoryview], int | None]", stream.readinto)  # type: ignore[union-attr]
        self._least = _HEAD_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        count = more = self._read_into(view) or 0
        while more and count < self._least:
            more = self._read_into(view[count:]) or 0
            count += more
        self._least = 1
        return count


def stream_of(blocks: Iterable[bytes]) -> BinaryIO:
    """Return a download, which comes in blocks, as what `open_users` reads."""
    return cast("BinaryIO", _Blocks(blocks))


class _Blocks(io.RawIOBase):
    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = memoryview(next(self._blocks))
            except StopIteration:
                return 0
        piece = self._rest[: len(buffer)]
        buffer[: len(piece)] = piece
        self._rest = self._rest[len(piece) :]
        return len(piece)


class _Unpacked(io.RawIOBase):
    """What a gzip file holds, a block at a time. Unlike `gzip.GzipFile` it gives all that comes before a broken end."""

    def __init__(self, packed: io.BufferedReader) -> None:
        self._packed = packed
        self._inflate = zlib.decompressobj(_GZIP_FORMAT)
        self._input = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            piece = self._inflate.decompress(self._input, len(buffer))
            self._input = self._inflate.unconsumed_tail
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
            if self._inflate.eof:  # another part may follow, or zeros. Source: RFC 1952, 2.2
                self._input = (self._inflate.unused_data or self._packed.read1(_BLOCK_BYTES)).lstrip(b"\0")
                if not self._input:
                    return 0
                self._inflate = zlib.decompressobj(_GZIP_FORMAT)
            elif not self._input:
                self._input = self._packed.read1(_BLOCK_BYTES)
                if not self._input:
                    raise EOFError


def _lines(stream: io.BufferedReader) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number; None for one that is too long, which is skipped without being kept."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) <= MAX_LINE_BYTES:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(_BLOCK_BYTES)
        yield number, None


_TOO_LONG = f"longer than {MAX_LINE_BYTES:,} bytes"


def _ndjson_users(stream: io.BufferedReader) -> Iterator[Entry]:
    loads = orjson.loads
    for number, line in _lines(stream):
        if line is None:
            yield BrokenLine(number, _TOO_LONG)
            continue
        try:
            fields = loads(line)
        except orjson.JSONDecodeError:
            if line.strip():
                yield BrokenLine(number, "no JSON")
            continue
        yield User(number, fields, len(line)) if type(fields) is dict else BrokenLine(number, "no JSON object")


class _RecordTooLongError(ValueError):
    pass


class _CsvLines:
    """The lines of a CSV file as texts, for `csv.reader`; one record may take several, but not too many bytes."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._lines = _lines(stream)
        self.number = 0
        self.record_bytes = 0

    def begin_record(self) -> None:
        self.record_bytes = 0

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self.record_bytes += len(line) if line is not None else 0
        if line is None or self.record_bytes > MAX_LINE_BYTES:
            raise _RecordTooLongError(_TOO_LONG)
        return line.decode()


def _csv_users(stream: io.BufferedReader) -> Iterator[Entry]:
    lines = _CsvLines(stream)
    names: list[str] | None = None
    for number, record in _csv_records(lines):
        if isinstance(record, str):
            if names is None:
                raise UnreadableFileError(f"the line with the columns' names is {record}")
            yield BrokenLine(number, record)
        elif names is None:
            names = _column_names(record)
        elif len(record) > len(names):
            yield BrokenLine(number, "more values than columns")
        else:
            fields = {name: _csv_value(cell) for name, cell in zip(names, record, strict=False)}
            yield User(number, fields, lines.record_bytes)


def _csv_records(lines: _CsvLines) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each record that is not empty, with the number of its first line; or what is wrong with it."""
    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        first = lines.number + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError, _RecordTooLongError) as error:
            yield first, str(error) if isinstance(error, _RecordTooLongError) else "no CSV in UTF-8"
            reader = csv.reader(lines, strict=True)  # which forgets what it has begun to read
            continue
        if any(record):
            yield first, record


def _column_names(record: list[str]) -> list[str]:
    names = [cell.removeprefix("'").strip() for cell in record]
    if len(names) > MAX_COLUMNS or len(set(names)) < len(names):
        raise UnreadableFileError(f"the columns need names, each its own (at most {MAX_COLUMNS})")
    return names


def _csv_value(cell: str) -> Any:
    """Return what Auth0 wrote: a text has a ``'`` before it, so that no spreadsheet takes it for a formula."""
    if not cell:
        return None
    if cell[0] == "'":
        return cell[1:]
    if cell in {"true", "false"}:
        return cell == "true"
    if cell[0] in "[{":
        try:
            return orjson.loads(cell)
        except orjson.JSONDecodeError:
            return cell
    return cell
