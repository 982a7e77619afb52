import gzip
import io
import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.importer.conftest import lines_of, read_all
from webapp.importer.chunks import MAX_CHUNK_BYTES, MAX_CHUNK_USERS, chunks_of
from webapp.importer.reading import (
    MAX_LINE_BYTES,
    BrokenLine,
    FileFormat,
    UnreadableFileError,
    User,
    format_of,
    open_users,
    stream_of,
)

ANN, BOB = {"user_id": "auth0|ann", "email_verified": True}, {"user_id": "auth0|bob"}


def users_of(content: bytes, **options: Any) -> list[dict[str, Any]]:
    return [entry.fields for entry in read_all(content, **options) if isinstance(entry, User)]


def broken_lines_of(content: bytes, **options: Any) -> list[tuple[int, str]]:
    return [(entry.line, entry.reason) for entry in read_all(content, **options) if isinstance(entry, BrokenLine)]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_plain_and_packed_files_are_read_alike(pack: Any, mark: bytes) -> None:
    assert users_of(pack(mark + lines_of(ANN, b"", BOB))) == [ANN, BOB]


def test_a_file_of_several_packed_parts_is_read_to_its_end() -> None:
    assert users_of(gzip.compress(lines_of(ANN)) + gzip.compress(lines_of(BOB))) == [ANN, BOB]


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"")], ids=["empty", "empty lines", "packed"])
def test_a_file_without_users_has_none(content: bytes) -> None:
    assert read_all(content) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"user_id": "auth0|secret', "no JSON"),
        (b'{"user_id": "\\ud800"}', "no JSON"),
        (b'{"user_id": "\xff"}', "no JSON"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b'{"x": "' + b"x" * MAX_LINE_BYTES + b'"}', "longer than 2,000,000 bytes"),
    ],
    ids=["cut", "half a pair", "no UTF-8", "list", "null", "deep", "long"],
)
def test_a_broken_line_is_told_and_the_next_one_read(line: bytes, reason: str) -> None:
    # given a file with a broken line between two users
    content = lines_of(ANN, line, BOB)
    # then its number and reason are told, nothing of what it says, and both users are read
    assert broken_lines_of(content) == [(2, reason)]
    assert users_of(content) == [ANN, BOB]


@pytest.mark.parametrize("cut", [0.5, 0.9, 0.99])
def test_a_packed_file_that_breaks_off_is_told_after_its_users(cut: float) -> None:
    # given a file of which the end is missing
    content = gzip.compress(lines_of(*({"user_id": f"auth0|{number:06}{number**9}"} for number in range(20_000))))
    entries = open_users(io.BytesIO(content[: int(len(content) * cut)]))
    # when it is read, then users come first, and the error at the end
    assert isinstance(next(entries), User)
    with pytest.raises(UnreadableFileError, match="breaks off"):
        list(entries)


def test_csv_as_auth0_writes_it() -> None:
    # given texts with an apostrophe before them, and other values without
    content = (
        b"user_id,email,email_verified,logins_count,app_metadata.roles,name,empty\r\n"
        b'\'auth0|ann,\'=cmd()@example.org,true,007,"[""a"",""b""]","\'Ann, ""the""\nfirst",\r\n'
        b"\r\n"
        b"'auth0|bob,''s-Hertogenbosch,false,,[no JSON,\"'\",\n"
    )
    # then
    assert users_of(content) == [
        {
            "user_id": "auth0|ann",
            "email": "=cmd()@example.org",
            "email_verified": True,
            "logins_count": "007",
            "app_metadata.roles": ["a", "b"],
            "name": 'Ann, "the"\nfirst',
            "empty": None,
        },
        {
            "user_id": "auth0|bob",
            "email": "'s-Hertogenbosch",
            "email_verified": False,
            "logins_count": None,
            "app_metadata.roles": "[no JSON",
            "name": "",
            "empty": None,
        },
    ]


def test_broken_records_of_csv_are_told_with_the_line_where_they_begin() -> None:
    # given records that are too long in values, in bytes, or no text
    endless = b'"' + b"x\n" * (MAX_LINE_BYTES // 2 + 10) + b'"\n'
    content = b"user_id,name\na,b,c\n" + endless + b"\xff,x\nauth0|bob,Bob\n"
    # when it is read
    entries = read_all(content)
    # then the last user is found all the same
    told = [(entry.line, entry.reason) for entry in entries if isinstance(entry, BrokenLine)]
    assert told[0] == (2, "more values than columns")
    assert told[1] == (3, "longer than 2,000,000 bytes")
    assert "no CSV in UTF-8" in {reason for _, reason in told}
    assert [entry.fields for entry in entries if isinstance(entry, User)][-1] == {"user_id": "auth0|bob", "name": "Bob"}


@pytest.mark.parametrize("header", [b"a,a\n", b'"a\n', b"\xff\n", b",".join(b"c%d" % n for n in range(1001)) + b"\n"])
def test_a_csv_file_without_good_column_names_is_refused(header: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="column"):
        read_all(header + b"x,y\n", file_format=FileFormat.CSV)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("users.csv", FileFormat.CSV),
        ("users.CSV.gz", FileFormat.CSV),
        ("users.ndjson.gz", FileFormat.NDJSON),
        ("users.json", FileFormat.NDJSON),
        ("users.gz", None),
        ("<stdin>", None),
    ],
)
def test_the_name_of_a_file_may_tell_its_format(name: str, found: FileFormat | None) -> None:
    assert format_of(name) is found


@given(st.binary(max_size=300), st.sampled_from([None, *FileFormat]))
def test_any_bytes_are_read_or_refused(content: bytes, file_format: FileFormat | None) -> None:
    try:
        entries = read_all(content, file_format=file_format)
    except UnreadableFileError:
        return
    assert all(isinstance(entry, User | BrokenLine) for entry in entries)


class Endless(io.RawIOBase):
    """A file without an end: it counts what is read of it."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.block[: len(buffer)]
        buffer[: len(piece)] = piece
        self.count += len(piece)
        return len(piece)


@pytest.mark.parametrize("line", [orjson.dumps(ANN) + b"\n", b"no JSON at all\n"])
def test_no_more_is_read_than_what_is_asked_for(line: bytes) -> None:
    # given a file that never ends
    endless = Endless(line * 1000)
    # when two chunks are taken of it
    chunks = list(itertools.islice(chunks_of(open_users(cast("BinaryIO", endless))), 2))
    # then a chunk is bounded, and no more than some blocks were read ahead
    assert [len(chunk) for chunk in chunks] == [MAX_CHUNK_USERS] * 2
    assert endless.count < 2 * MAX_CHUNK_USERS * len(line) + 2_000_000


def test_a_line_without_an_end_is_not_kept() -> None:
    # given a line of 64 MB
    content = io.BytesIO(b'{"x": "' + b"x" * 64_000_000 + b"\n" + lines_of(BOB))
    # when it is read, then it is skipped, and the next user found
    first, second = open_users(content)
    assert first == BrokenLine(1, "longer than 2,000,000 bytes")
    assert isinstance(second, User)


def test_few_large_users_make_a_chunk_of_their_own() -> None:
    # given users of a megabyte each
    users = (User(line, BOB, 1_000_000) for line in itertools.count(1))
    # then a chunk is bounded in bytes too
    assert len(next(chunks_of(users))) == MAX_CHUNK_BYTES // 1_000_000


def test_the_file_stays_open_for_whoever_opened_it() -> None:
    content = io.BytesIO(lines_of(ANN))
    list(open_users(content))
    assert not content.closed


def test_what_came_before_a_broken_end_is_a_chunk() -> None:
    def entries() -> Iterator[User]:
        yield User(1, ANN)
        raise UnreadableFileError("it breaks off")

    chunks = chunks_of(entries())
    assert next(chunks) == [User(1, ANN)]
    with pytest.raises(UnreadableFileError):
        next(chunks)


@given(st.lists(st.integers(0, 400), max_size=20))
def test_a_download_may_come_in_any_blocks(cuts: list[int]) -> None:
    # given a packed file in blocks of any sizes, empty ones too
    content = gzip.compress(lines_of(*({"user_id": f"auth0|{number**9}"} for number in range(50))))
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    blocks = [content[start:end] for start, end in itertools.pairwise(places)]
    # when it is read as it comes
    entries = open_users(stream_of(blocks))
    # then nothing is lost
    assert [entry.line for entry in entries if isinstance(entry, User)] == list(range(1, 51))
