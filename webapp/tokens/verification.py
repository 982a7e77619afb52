"""Verification: what a token has to be before a word of it is believed.

Reads as a checklist. Sources: OpenID Connect Core 1.0, 3.1.3.7; RFC 7515; RFC 7519; RFC 8725; Auth0, "Validate ID
tokens" and "Validate access tokens".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode

from snippets.goals import TokenKind, WebGoal
from webapp.auth0.signing_keys import KeyCache, SigningKey
from webapp.connections.goals import LiveGoal
from webapp.tokens.refusals import (
    TokenAlgorithmError,
    TokenAudienceError,
    TokenEncryptedError,
    TokenExpiredError,
    TokenIssuerError,
    TokenKindError,
    TokenMalformedError,
    TokenNotYetValidError,
    TokenOpaqueError,
    TokenSignatureError,
    TokenSubjectError,
    TokenTooLargeError,
)

ALGORITHM = "RS256"
MAX_TOKEN_BYTES = 16 * 1024
MAX_SUBJECT_LENGTH = 255
MAX_KEY_ID_LENGTH = 255
LATEST_SECONDS = 32_503_680_000
"""The year 3000: a later moment in a token is no moment."""
_SEGMENT = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VerifiedClaims:
    """The claims of a token that passed every check: the only thing from a browser that may be believed."""

    issuer: str
    subject: str
    audience: tuple[str, ...]
    claims: Mapping[str, Any]
    expires_at: datetime
    issued_at: datetime


def verify_token(token: str, goal: LiveGoal, keys: KeyCache, *, now: datetime, leeway_seconds: int) -> VerifiedClaims:
    """Return the claims of an Auth0 ID token or access token, whichever ``goal`` asks for.

    ``token`` is a compact JWS of at most 16 KiB. Clocks may differ by ``leeway_seconds``.

    Raises:
        TokenTooLargeError: before anything is parsed.
        TokenRefusedError: a check failed; each has its own subclass.
        UnknownKeyError: the tenant has no such signing key.
        KeysUnavailableError: the tenant's keys were never fetched and cannot be fetched now.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenTooLargeError(f"A token has at most {MAX_TOKEN_BYTES} bytes.")
    header, payload = _split(token)
    kid = _check_header(_read_object(header, "header"), goal.web_goal.token_kind)
    _check_signature(token, keys.key_for(goal.tenant, kid, now.timestamp()))
    return check_claims(_read_object(payload, "payload"), goal, now=now, leeway_seconds=leeway_seconds)


def check_claims(claims: Mapping[str, Any], goal: LiveGoal, *, now: datetime, leeway_seconds: int) -> VerifiedClaims:
    """Return the claims below a good signature if everything that they say of the token is right.

    Raises:
        TokenRefusedError: a check failed; each has its own subclass.
    """
    seconds = now.timestamp()
    if claims.get("iss") != goal.tenant.issuer:
        raise TokenIssuerError("The token's issuer is not the tenant of this goal.", check="iss")
    audience = _check_audience(claims, goal.web_goal)
    expires, issued = _check_times(claims, seconds, leeway_seconds)
    return VerifiedClaims(
        issuer=goal.tenant.issuer,
        subject=check_subject(claims),
        audience=audience,
        claims=claims,
        expires_at=datetime.fromtimestamp(expires, UTC),
        issued_at=datetime.fromtimestamp(issued, UTC),
    )


def _split(token: str) -> tuple[bytes, bytes]:
    parts = token.split(".")
    if len(parts) == 5:
        raise TokenEncryptedError("The token has five parts: it is encrypted.", check="form")
    if len(parts) != 3:
        raise TokenOpaqueError("The token does not have the three parts of a JWT.", check="form")
    header, payload, _signature = [_decode(part) for part in parts]
    return header, payload


def _decode(part: str) -> bytes:
    # Only the one canonical spelling. Others would be the same token with another digest, and would be applied again.
    if not _SEGMENT.fullmatch(part) or len(part) % 4 == 1:
        raise TokenMalformedError("A part of the token is not base64url.", check="form")
    decoded = base64url_decode(part)
    if base64url_encode(decoded).decode() != part:
        raise TokenMalformedError("A part of the token is not base64url.", check="form")
    return decoded


def _read_object(text: bytes, name: str) -> Json:
    def refuse_constant(_constant: str) -> object:
        raise ValueError("not a JSON number")

    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise TokenMalformedError(f"The token's {name} is not JSON.", check=name) from error
    if not isinstance(found, dict):
        raise TokenMalformedError(f"The token's {name} is not a JSON object.", check=name)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    """Refuse a member that is there twice: two readers may take different ones. Source: RFC 7519, 4."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _check_header(header: Json, token_kind: TokenKind) -> str | None:
    """Return the key id. Keys and addresses of keys in the header (jwk, x5c, jku, x5u) are never looked at."""
    # RFC 8725, 3.1 and 3.2: the algorithm is pinned, never taken from the token. So no "none", and no HS256 either.
    if header.get("alg") != ALGORITHM:
        raise TokenAlgorithmError("The token is not signed with the algorithm of this service.", check="alg")
    # RFC 7515, 4.1.11: an extension that must be understood, and isn't.
    if "crit" in header or header.get("b64", True) is not True:
        raise TokenAlgorithmError("The token's header asks for extensions.", check="crit")
    _check_type(header.get("typ", "JWT"), token_kind)
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KEY_ID_LENGTH):
        raise TokenMalformedError("The token's key id is not a short text.", check="kid")
    return kid


def _check_type(found: object, token_kind: TokenKind) -> None:
    """RFC 8725, 3.11 and RFC 9068, 2.1: a token that says it is an access token is no ID token."""
    if not isinstance(found, str):
        raise TokenMalformedError("The token's type is not text.", check="typ")
    is_access_token = found.lower() in _ACCESS_TOKEN_TYPES
    if not is_access_token and found.lower() != "jwt":
        raise TokenKindError("The token's type is unknown.", check="typ")
    if is_access_token and token_kind is TokenKind.ID_TOKEN:
        raise TokenKindError("The token is an access token.", check="typ")


def _check_signature(token: str, key: SigningKey) -> None:
    if ALGORITHM not in key.algorithms:
        raise TokenAlgorithmError("The token's signing key is for another algorithm.", check="alg")
    try:
        # Only the signature: the claims are checked below against the ``now`` of the caller.
        jwt.PyJWS().decode_complete(
            token,
            key=key.public_key,
            algorithms=[ALGORITHM],
            options={"verify_signature": True, "enforce_minimum_key_length": True},
        )
    except jwt.InvalidTokenError as error:
        raise TokenSignatureError("The signature does not fit the token.", check="signature") from error


def _check_audience(claims: Mapping[str, Any], goal: WebGoal) -> tuple[str, ...]:
    audience = _texts(claims.get("aud"))
    parties = {claims[name] for name in ("azp", "client_id") if isinstance(claims.get(name), str)}
    if any(name in claims and not isinstance(claims[name], str) for name in ("azp", "client_id")):
        raise TokenMalformedError("The token's authorized party is not text.", check="azp")
    if goal.token_kind is TokenKind.ACCESS_TOKEN:
        _check_api(audience, parties, goal)
    else:
        _check_application(audience, claims.get("azp"), goal)
    return audience


def _check_api(audience: tuple[str, ...], parties: set[str], goal: WebGoal) -> None:
    """Auth0, "Validate access tokens"; RFC 9068, 4. Both profiles of access tokens: azp, and client_id."""
    if not set(audience) & set(goal.audiences):
        raise TokenAudienceError("The token is for another API.", check="aud")
    if goal.client_ids and not (parties and parties <= set(goal.client_ids)):
        raise TokenAudienceError("The token was given to another application.", check="azp")


def _check_application(audience: tuple[str, ...], azp: str | None, goal: WebGoal) -> None:
    """OpenID Connect Core 1.0, 3.1.3.7, steps 3 to 5."""
    allowed = set(audience) & set(goal.client_ids)
    if not allowed:
        raise TokenAudienceError("The token is for another application.", check="aud")
    if (azp is not None or len(audience) > 1) and azp not in allowed:
        raise TokenAudienceError("The token was given to another application.", check="azp")


def _texts(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise TokenMalformedError("The token's audience is missing, or is not text.", check="aud")
    return tuple(texts)


def _check_times(claims: Mapping[str, Any], now: float, leeway: int) -> tuple[int, int]:
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    if expires + leeway <= now:
        raise TokenExpiredError("The token is no longer in its time.", check="exp")
    if issued - leeway > now:
        raise TokenNotYetValidError("The token was issued in the future.", check="iat")
    if "nbf" in claims and _seconds(claims, "nbf") - leeway > now:
        raise TokenNotYetValidError("The token is not yet valid.", check="nbf")
    return expires, issued


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    # True is an int in Python, and a float may be NaN or infinite: neither is a moment.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LATEST_SECONDS:
        raise TokenMalformedError(f"The token's {name} is missing, or is no moment in whole seconds.", check=name)
    return value


def check_subject(claims: Mapping[str, Any]) -> str:
    """Return who the claims are about. Raises TokenSubjectError unless that is a person."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise TokenSubjectError("The token's subject is missing, or is not a text of usual length.", check="sub")
    # Auth0 names applications so. They log in by themselves; there is no visitor.
    if subject.endswith("@clients") or claims.get("gty") == "client-credentials":
        raise TokenSubjectError("The token is about an application.", check="sub")
    return subject
