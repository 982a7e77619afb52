"""Verification: what a token has to be before a word of it is believed. checklist.py has the checks, one by one."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from snippets.goals import TokenKind
from snippets.policy import SigningAlgorithm
from webapp.auth0.signing_keys import Keys
from webapp.connections.goals import LiveGoal
from webapp.tokens.checklist import (
    CLAIM_CHECKS,
    FORM_CHECKS,
    HEADER_CHECKS,
    MAX_TOKEN_BYTES,
    SIGNATURE_CHECKS,
    Case,
    Check,
    check_subject,
    texts_of,
)

__all__ = ["MAX_TOKEN_BYTES", "VerifiedClaims", "check_claims", "check_subject", "verify_token"]

_MAX_KNOWN_HEADERS = 256
_known_headers: dict[tuple[bytes, TokenKind, tuple[SigningAlgorithm, ...]], Mapping[str, Any]] = {}
"""Headers that passed, by their encoded text: a tenant writes the same few over and over."""


class VerifiedClaims(NamedTuple):
    """The claims of a token that passed every check: the only thing from a browser that may be believed."""

    issuer: str
    subject: str
    audience: tuple[str, ...]
    claims: Mapping[str, Any]
    expires_at: datetime
    issued_at: datetime


def verify_token(token: str, goal: LiveGoal, keys: Keys, *, now: datetime, leeway_seconds: int) -> VerifiedClaims:
    """Return the claims of an Auth0 ID token or access token, whichever ``goal`` asks for.

    ``token`` is a compact JWS of at most 16 KiB. Clocks may differ by ``leeway_seconds`` (or the goal's own).

    Raises:
        TokenTooLargeError: before anything is parsed.
        TokenRefusedError: a check failed; each has its own subclass.
        UnknownKeyError: the tenant has no such signing key.
        SigningSecretError: the goal asks for HS256, and its secret is gone.
        KeysUnavailableError: the tenant's keys were never fetched and cannot be fetched now.
    """
    case = open_case(goal, now=now, leeway_seconds=leeway_seconds)
    case.token, case.keys = token, keys
    _make(FORM_CHECKS, case)
    _make_header_checks(case)
    _make(SIGNATURE_CHECKS, case)
    _make(CLAIM_CHECKS, case)
    return _verified(case)


def check_claims(claims: Mapping[str, Any], goal: LiveGoal, *, now: datetime, leeway_seconds: int) -> VerifiedClaims:
    """Return the claims below a good signature if everything that they say of the token is right.

    Raises:
        TokenRefusedError: a check failed; each has its own subclass.
    """
    case = open_case(goal, now=now, leeway_seconds=leeway_seconds)
    case.claims = claims
    _make(CLAIM_CHECKS, case)
    return _verified(case)


def open_case(goal: LiveGoal, *, now: datetime, leeway_seconds: int) -> Case:
    """Return a case before any check. The goal's own leeway has the last word."""
    own = goal.web_goal.token_policy.leeway_seconds
    return Case(goal, now.timestamp(), leeway_seconds if own is None else own)


def _make(checks: Iterable[Check], case: Case) -> None:
    for check in checks:
        check.run(case)


def _make_header_checks(case: Case) -> None:
    # All that these checks look at.
    goal = case.goal.web_goal
    key = case.jws.header, goal.token_kind, goal.token_policy.algorithms
    known = _known_headers.get(key)
    if known is not None:
        case.header = known
        return
    _make(HEADER_CHECKS, case)
    if len(_known_headers) >= _MAX_KNOWN_HEADERS:
        _known_headers.clear()
    _known_headers[key] = case.header


def _verified(case: Case) -> VerifiedClaims:
    return VerifiedClaims(
        issuer=case.goal.tenant.issuer,
        subject=case.claims["sub"],
        audience=texts_of(case.claims["aud"]),
        claims=case.claims,
        expires_at=datetime.fromtimestamp(case.claims["exp"], UTC),
        issued_at=datetime.fromtimestamp(case.claims["iat"], UTC),
    )
