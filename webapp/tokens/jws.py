"""A compact JWS: its three parts, the JSON in them, and the signature. What the claims say is verification.py's.

Sources: RFC 7515 (JWS); RFC 7519 (JWT); RFC 8725 (best practices); RFC 4648, 3.5 (canonical encoding).
"""

import json
import math
import re
from binascii import Error as NotBase64Error
from binascii import a2b_base64
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson
from jwt.algorithms import get_default_algorithms

from webapp.auth0.signing_keys import SigningKey
from webapp.tokens.refusals import TokenEncryptedError, TokenMalformedError, TokenOpaqueError

MAX_DEPTH = 64
"""So deeply objects and lists may stand in one another: more than any user of Auth0 has, less than hurts a parser."""

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"", b"==", b"=")
_LAST_OF_PARTIAL = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""The last characters whose spare bits are zero, by how many characters stand in the last group of four."""
_STRING = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_VERIFIERS = {name: get_default_algorithms()[name] for name in ("RS256", "PS256", "ES256", "HS256")}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompactJws:
    """A token taken apart. ``header`` is still encoded, since that text is what it is recognised by."""

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes


def split_token(token: str) -> list[str]:
    """Return the three parts of a token. Raises TokenEncryptedError or TokenOpaqueError. Source: RFC 7516, 9."""
    parts = token.split(".")
    if len(parts) == 5:
        raise TokenEncryptedError("The token has five parts: it is encrypted.", check="form")
    if len(parts) != 3:
        raise TokenOpaqueError("The token does not have the three parts of a JWT.", check="form")
    return parts


def decode_parts(parts: list[str]) -> CompactJws:
    """Return the token of these three parts. Raises TokenMalformedError unless each is base64url."""
    try:
        header, payload, signature = [part.encode("ascii") for part in parts]
        decode_segment(header)
        return CompactJws(header, decode_segment(payload), decode_segment(signature), header + b"." + payload)
    except (UnicodeEncodeError, NotBase64Error) as error:
        raise TokenMalformedError("A part of the token is not base64url.", check="encoding") from error


def decode_segment(segment: bytes) -> bytes:
    """Return what stands in base64url, if it is spelt in the one canonical way. Raises binascii.Error.

    Another spelling would be the same token with another digest, and would be applied again.
    """
    partial = len(segment) % 4
    if partial and (partial == 1 or segment[-1:] not in _LAST_OF_PARTIAL[partial]):
        raise NotBase64Error("not canonical")
    return a2b_base64(segment.translate(_TO_STANDARD) + _PADDING[partial], strict_mode=True)


def read_object(text: bytes, name: str) -> Json:
    """Return the JSON object in ``text``; ``name`` says which part it is. Raises TokenMalformedError."""
    if _is_deep(text):
        raise TokenMalformedError(f"The token's {name} is nested too deeply.", check=name)
    found = _read_canonical(text)
    if found is None:
        found = _read_carefully(text, name)
    if not isinstance(found, dict):
        raise TokenMalformedError(f"The token's {name} is not a JSON object.", check=name)
    return found


def is_signed_by(jws: CompactJws, key: SigningKey | bytes, algorithm: str) -> bool:
    """Say if the signature is right. PyJWT decides; parsing the token a second time is all that is left out.

    A key of the tenant never verifies HS256, nor a secret anything else.
    """
    if isinstance(key, bytes) != (algorithm == "HS256"):
        return False
    material = key if isinstance(key, bytes) else key.public_key
    return _VERIFIERS[algorithm].verify(jws.signing_input, material, jws.signature)


def _is_deep(text: bytes) -> bool:
    """Count before any parser recurses."""
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for character in _STRING.sub(b"", text):
        if character in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif character in b"}]":
            depth -= 1
    return False


def _read_canonical(text: bytes) -> object:
    """Return the value of a JSON text as Auth0 writes it, or None for any other.

    Written again it is the same text, byte for byte: so no member stands in it twice, and no number was rounded.
    """
    try:
        found = orjson.loads(text)
        return found if orjson.dumps(found) == text else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _read_carefully(text: bytes, name: str) -> object:
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except _MemberTwiceError as error:
        raise TokenMalformedError(f"The token's {name} has a member twice.", check=name) from error
    except (ValueError, RecursionError) as error:
        raise TokenMalformedError(f"The token's {name} is not JSON.", check=name) from error


class _MemberTwiceError(ValueError):
    """Two readers of such an object may take different values."""


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    """Refuse a member that is there twice. Source: RFC 7515, 4; RFC 7519, 4."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _MemberTwiceError
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number
