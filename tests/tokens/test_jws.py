"""The compact form: the fast ways read exactly what the slow ones do, or leave it to them."""

import base64
import json
from binascii import Error as NotBase64Error
from time import perf_counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tokens.issuer import encoded
from webapp.tokens.jws import MAX_DEPTH, decode_segment, read_object
from webapp.tokens.refusals import TokenMalformedError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(raw=st.binary(max_size=100))
def test_base64url_is_read_back(raw: bytes) -> None:
    assert decode_segment(encoded(raw).encode()) == raw


@given(segment=st.text(st.sampled_from("AQgwEIMUYckos048xyz-_+/=. "), max_size=12).map(str.encode))
def test_only_the_one_spelling_is_read(segment: bytes) -> None:
    # given what the standard library makes of the text
    try:
        raw = base64.b64decode(segment + b"=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        is_canonical = base64.urlsafe_b64encode(raw).rstrip(b"=") == segment
    except ValueError:
        is_canonical = False
    # then it is read if it would be written so again
    if is_canonical:
        assert decode_segment(segment) == raw
    else:
        with pytest.raises(NotBase64Error):
            decode_segment(segment)


@given(value=st.dictionaries(st.text(), JSON, max_size=5), indent=st.sampled_from([None, 1]), is_ascii=st.booleans())
def test_json_is_read_as_python_reads_it(value: dict[str, Any], indent: int | None, is_ascii: bool) -> None:
    # given an object in one of several spellings, the one that Auth0 uses among them
    spellings = [
        json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode(),
        json.dumps(value, separators=(",", ":"), ensure_ascii=is_ascii).encode(),
    ]
    # then all are read alike, down to the types of the numbers
    for text in spellings:
        assert repr(read_object(text, "payload")) == repr(json.loads(text))


@given(value=st.dictionaries(st.text(max_size=3), JSON, min_size=1, max_size=5), data=st.data())
def test_a_member_twice_is_always_found(value: dict[str, Any], data: st.DataObject) -> None:
    # given an object as Auth0 writes it, with one more member that is there already
    name = data.draw(st.sampled_from(sorted(value)))
    text = (
        orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_SUBCLASS) if is_small(value) else json.dumps(value).encode()
    )
    twice = text[:-1] + b"," + json.dumps(name).encode() + b":" + json.dumps(value[name]).encode() + b"}"
    # then it is refused
    with pytest.raises(TokenMalformedError, match="twice"):
        read_object(twice, "payload")


def is_small(value: object) -> bool:
    """Say if orjson can write it: it has no whole numbers over 64 bits."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("text", ['{"a":1.0}', '{"a":18446744073709551616}', '{"a":1E5}', '{"a":-0}', '{"a":0.1}'])
def test_no_number_is_rounded_on_the_way(text: str) -> None:
    assert repr(read_object(text.encode(), "payload")) == repr(json.loads(text))


@pytest.mark.parametrize(("levels", "is_read"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (5_000, False)])
def test_depth_is_bounded(levels: int, is_read: bool) -> None:
    # given an object in which others stand
    text = (b'{"a":' * (levels - 1)) + b"{}" + b"}" * (levels - 1)
    # then
    if is_read:
        assert read_object(text, "payload")
    else:
        with pytest.raises(TokenMalformedError, match="deeply"):
            read_object(text, "payload")


@pytest.mark.parametrize("piece", [b'\\"[', b'"', b'"[', b"\\", b'\\\\"[', b"[", b'"\\'])
def test_looking_for_depth_takes_no_longer_than_the_text_is(piece: bytes) -> None:
    # given twelve kilobytes that begin a text again and again
    text = b'{"a":"[' + b"[" * 70 + piece * (12_000 // len(piece))
    began = perf_counter()
    # when it is refused
    with pytest.raises(TokenMalformedError):
        read_object(text, "payload")
    # then that took milliseconds: no pattern was tried from every place
    assert perf_counter() - began < 0.5
