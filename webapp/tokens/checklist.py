"""The checklist: every check that a token has to pass, in its order, each with its rule and its source.

`verify_token` makes them until one fails; the token checker makes all and shows what becomes of each. Sources: RFC 8725
(JWT best practices); RFC 7515; RFC 7519; RFC 9068; OpenID Connect Core 1.0, 3.1.3.7 (OIDC); Auth0, "Validate ID tokens"
and "Validate access tokens".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from snippets.goals import TokenKind
from webapp.auth0.signing_keys import Keys, SigningKey
from webapp.connections.goals import LiveGoal
from webapp.sealing import SealBrokenError, sealer
from webapp.tokens.jws import CompactJws, decode_parts, decode_segment, is_signed_by, read_object, split_token
from webapp.tokens.refusals import (
    SigningSecretError,
    TokenAlgorithmError,
    TokenAudienceError,
    TokenEmbeddedKeyError,
    TokenEncryptedError,
    TokenExpiredError,
    TokenExtensionError,
    TokenIssuerError,
    TokenKindError,
    TokenMalformedError,
    TokenNotYetValidError,
    TokenScopeError,
    TokenSignatureError,
    TokenSubjectError,
    TokenTooLargeError,
    TokenTooOldError,
)

MAX_TOKEN_BYTES = 16 * 1024
MAX_SUBJECT_LENGTH = 255
MAX_KEY_ID_LENGTH = 255
LATEST_SECONDS = 32_503_680_000
"""The year 3000: a later moment in a token is no moment."""
KEYS_IN_HEADER = ("jwk", "jku", "x5c", "x5u")
_ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})


@dataclass(slots=True)
class Case:
    """A token, what it is held against, and what the checks found so far; each builds on those before it.

    ``now`` is in epoch seconds.
    """

    goal: LiveGoal
    now: float
    leeway_seconds: int
    token: str = field(init=False)
    keys: Keys = field(init=False)
    parts: list[str] = field(init=False)
    jws: CompactJws = field(init=False)
    header: Mapping[str, Any] = field(init=False)
    key: SigningKey | bytes = field(init=False)
    claims: Mapping[str, Any] = field(init=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. ``needs`` names the checks that must have passed before this one can be made."""

    name: str
    rule: str
    source: str
    needs: tuple[str, ...]
    run: Callable[[Case], object]


FORM_CHECKS: list[Check] = []
HEADER_CHECKS: list[Check] = []
SIGNATURE_CHECKS: list[Check] = []
CLAIM_CHECKS: list[Check] = []


def _check(
    stage: list[Check], name: str, rule: str, source: str, *, needs: str = ""
) -> Callable[[Callable[[Case], object]], Callable[[Case], object]]:
    """Put the function below at the end of ``stage``."""

    def put(run: Callable[[Case], object]) -> Callable[[Case], object]:
        stage.append(Check(name, rule, source, tuple(needs.split()), run))
        return run

    return put


# The form: before anything of it is parsed


@_check(FORM_CHECKS, "size", "It has at most 16 KiB", "Websync: its own bound")
def _size(case: Case) -> None:
    if len(case.token) > MAX_TOKEN_BYTES:
        raise TokenTooLargeError(f"A token has at most {MAX_TOKEN_BYTES} bytes.", check="size")


@_check(FORM_CHECKS, "form", "It has three parts: it is neither opaque nor encrypted", "RFC 7515, 7.1", needs="size")
def _form(case: Case) -> None:
    case.parts = split_token(case.token)


@_check(
    FORM_CHECKS, "encoding", "Each part is base64url, in its one spelling", "RFC 7515, 2; RFC 4648, 3.5", needs="form"
)
def _encoding(case: Case) -> None:
    case.jws = decode_parts(case.parts)


# The header: what the token says of itself, of which nothing is believed


@_check(HEADER_CHECKS, "header", "The header is one JSON object", "RFC 7515, 4; RFC 8725, 3.7", needs="encoding")
def _header(case: Case) -> None:
    case.header = read_object(decode_segment(case.jws.header), "header")


@_check(HEADER_CHECKS, "alg", "The algorithm is one that the goal allows", "RFC 8725, 3.1 and 3.2", needs="header")
def _algorithm(case: Case) -> None:
    # Compared as it stands: neither "none", "None" nor "rs256" is in this list, and a list is not even text.
    if case.header.get("alg") not in case.goal.web_goal.token_policy.algorithms:
        raise TokenAlgorithmError("The token is not signed with an algorithm that the goal takes.", check="alg")


@_check(HEADER_CHECKS, "enc", "It is not the header of an encrypted token", "RFC 7516, 9", needs="header")
def _encryption(case: Case) -> None:
    if "enc" in case.header:
        raise TokenEncryptedError("The token's header is that of an encrypted token.", check="enc")


@_check(HEADER_CHECKS, "crit", "It asks for no extension (crit, b64)", "RFC 7515, 4.1.11; RFC 7797, 6", needs="header")
def _extensions(case: Case) -> None:
    for name in ("crit", "b64"):
        if name in case.header:
            raise TokenExtensionError("The token's header asks for an extension.", check=name)


@_check(HEADER_CHECKS, "jwk", "It brings no key along (jwk, jku, x5c, x5u)", "RFC 8725, 3.10", needs="header")
def _embedded_key(case: Case) -> None:
    for name in KEYS_IN_HEADER:
        if name in case.header:
            raise TokenEmbeddedKeyError("The token's header brings a key, or says where one is.", check=name)


@_check(HEADER_CHECKS, "typ", "The type fits the goal's kind of token", "RFC 8725, 3.11; RFC 9068, 2.1", needs="header")
def _type(case: Case) -> None:
    found = case.header.get("typ", "JWT")
    if not isinstance(found, str):
        raise TokenMalformedError("The token's type is not text.", check="typ")
    is_access_token = found.lower() in _ACCESS_TOKEN_TYPES
    if not is_access_token and found.lower() != "jwt":
        raise TokenKindError("The token's type is unknown.", check="typ")
    if is_access_token and case.goal.web_goal.token_kind is TokenKind.ID_TOKEN:
        raise TokenKindError("The token is an access token.", check="typ")


@_check(HEADER_CHECKS, "cty", "It holds claims, and no other token", "RFC 7519, 5.2", needs="header")
def _content_type(case: Case) -> None:
    if "cty" in case.header:
        raise TokenKindError("The token holds something else than claims.", check="cty")


@_check(HEADER_CHECKS, "kid", "The key id is a short text", "RFC 7515, 4.1.4; RFC 8725, 3.10", needs="header")
def _key_id(case: Case) -> None:
    kid = case.header.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KEY_ID_LENGTH and kid.isprintable()):
        raise TokenMalformedError("The token's key id is not a short text.", check="kid")


# The signature: the tenant's word for it


@_check(SIGNATURE_CHECKS, "key", "The tenant has the key that it names", "RFC 8725, 3.8; Auth0, JWKS", needs="alg kid")
def _key(case: Case) -> None:
    if case.goal.web_goal.token_policy.needs_secret:
        case.key = _signing_secret(case.goal)
    else:
        # Of the tenant alone, also for its custom domains: they have the same keys, and nobody else is ever asked.
        case.key = case.keys.key_for(case.goal.tenant, case.header.get("kid"), case.now)


@_check(SIGNATURE_CHECKS, "key_algorithm", "That key is for this algorithm", "RFC 8725, 3.1", needs="key")
def _key_algorithm(case: Case) -> None:
    if isinstance(case.key, SigningKey) and case.header.get("alg") not in case.key.algorithms:
        raise TokenAlgorithmError("The token's signing key is for another algorithm.", check="key_algorithm")


@_check(SIGNATURE_CHECKS, "signature", "The signature is right", "RFC 7515, 5.2; RFC 8725, 3.3", needs="key_algorithm")
def _signature(case: Case) -> None:
    if not is_signed_by(case.jws, case.key, case.header["alg"]):
        raise TokenSignatureError("The signature does not fit the token.", check="signature")


@_check(SIGNATURE_CHECKS, "payload", "The payload is one JSON object", "RFC 7519, 4 and 7.2", needs="encoding")
def _payload(case: Case) -> None:
    case.claims = read_object(case.jws.payload, "payload")


# The claims: who says what, to whom, about whom, and when


@_check(CLAIM_CHECKS, "iss", "The goal's tenant issued it", "RFC 8725, 3.8; OIDC, step 2", needs="payload")
def _issuer(case: Case) -> None:
    if case.claims.get("iss") not in issuers_of(case.goal):
        raise TokenIssuerError("The token's issuer is not the tenant of this goal.", check="iss")


@_check(CLAIM_CHECKS, "aud", "It is for the goal's application or API", "RFC 8725, 3.9; OIDC, step 3", needs="payload")
def _audience(case: Case) -> None:
    audience, goal = texts_of(case.claims.get("aud")), case.goal.web_goal
    if goal.token_kind is TokenKind.ACCESS_TOKEN:
        if not set(audience) & set(goal.audiences):
            raise TokenAudienceError("The token is for another API.", check="aud")
    elif not set(audience) & set(goal.client_ids):
        raise TokenAudienceError("The token is for another application.", check="aud")


@_check(
    CLAIM_CHECKS,
    "azp",
    "It was given to one of the goal's applications",
    "OIDC, steps 4 and 5; RFC 9068, 4",
    needs="aud",
)
def _authorized_party(case: Case) -> None:
    # Auth0's own profile of access tokens says azp, that of RFC 9068 client_id. Whichever is there has to be right.
    parties = {name: case.claims[name] for name in ("azp", "client_id") if name in case.claims}
    if not all(isinstance(party, str) for party in parties.values()):
        raise TokenMalformedError("The token's authorized party is not text.", check="azp")
    goal, audience = case.goal.web_goal, texts_of(case.claims["aud"])
    if goal.token_kind is TokenKind.ACCESS_TOKEN:
        is_right = not goal.client_ids or (bool(parties) and set(parties.values()) <= set(goal.client_ids))
    elif "azp" in parties or len(audience) > 1:
        is_right = parties.get("azp") in set(audience) & set(goal.client_ids)
    else:
        is_right = True
    if not is_right:
        raise TokenAudienceError("The token was given to another application.", check="azp")


@_check(CLAIM_CHECKS, "exp", "It has not expired", "RFC 7519, 4.1.4; OIDC, step 9", needs="payload")
def _expiry(case: Case) -> None:
    if _seconds(case.claims, "exp") + case.leeway_seconds <= case.now:
        raise TokenExpiredError("The token is no longer in its time.", check="exp")


@_check(CLAIM_CHECKS, "iat", "It was not issued in the future", "RFC 7519, 4.1.6; OIDC, step 10", needs="payload")
def _issue_time(case: Case) -> None:
    if _seconds(case.claims, "iat") - case.leeway_seconds > case.now:
        raise TokenNotYetValidError("The token was issued in the future.", check="iat")


@_check(CLAIM_CHECKS, "lifetime", "It does not end before it begins", "RFC 7519, 4.1.4 and 4.1.6", needs="payload")
def _lifetime(case: Case) -> None:
    if _seconds(case.claims, "exp") < _seconds(case.claims, "iat"):
        raise TokenMalformedError("The token ends before it begins.", check="lifetime")


@_check(CLAIM_CHECKS, "age", "It is not older than the goal allows", "OIDC, step 10; RFC 8725, 2.7", needs="iat")
def _age(case: Case) -> None:
    max_age = case.goal.web_goal.token_policy.max_age_seconds
    if max_age is not None and _seconds(case.claims, "iat") + max_age + case.leeway_seconds < case.now:
        raise TokenTooOldError("The token was issued too long ago.", check="age")


@_check(CLAIM_CHECKS, "nbf", "It may be used already", "RFC 7519, 4.1.5", needs="payload")
def _not_before(case: Case) -> None:
    if "nbf" in case.claims and _seconds(case.claims, "nbf") - case.leeway_seconds > case.now:
        raise TokenNotYetValidError("The token is not yet valid.", check="nbf")


@_check(CLAIM_CHECKS, "sub", "It is about a person", "RFC 8725, 3.8; RFC 7519, 4.1.2", needs="payload")
def _subject(case: Case) -> None:
    check_subject(case.claims)


@_check(CLAIM_CHECKS, "scope", "It has the required scopes", "RFC 9068, 4; RFC 6750, 3.1", needs="payload")
def _scope(case: Case) -> None:
    required = case.goal.web_goal.token_policy.required_scopes
    granted = case.claims.get("scope", "")
    if required and not (isinstance(granted, str) and set(required) <= set(granted.split(" "))):
        raise TokenScopeError("The token lacks a scope that the goal requires.", check="scope")


CHECKLIST = (*FORM_CHECKS, *HEADER_CHECKS, *SIGNATURE_CHECKS, *CLAIM_CHECKS)


def check_subject(claims: Mapping[str, Any]) -> str:
    """Return who the claims are about. Raises TokenSubjectError unless that is a person."""
    subject = claims.get("sub")
    # What cannot be printed cannot be stored either: NUL, and half a surrogate pair.
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise TokenSubjectError("The token's subject is missing, or is not a text of usual length.", check="sub")
    # Auth0 names applications so. They log in by themselves; there is no visitor.
    if subject.endswith("@clients") or claims.get("gty") == "client-credentials":
        raise TokenSubjectError("The token is about an application.", check="sub")
    return subject


def issuers_of(goal: LiveGoal) -> tuple[str, ...]:
    """Return what a token may name as its issuer: the tenant, and its custom domains."""
    return (goal.tenant.issuer, *(f"https://{domain}/" for domain in goal.web_goal.token_policy.custom_domains))


def texts_of(audience: object) -> tuple[str, ...]:
    """Return an ``aud`` claim as a list, since a single one may stand alone. Raises TokenMalformedError."""
    texts = audience if isinstance(audience, list) else [audience]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise TokenMalformedError("The token's audience is missing, or is not text.", check="aud")
    return tuple(texts)


def _signing_secret(goal: LiveGoal) -> bytes:
    try:
        return sealer().unseal(goal.sealed_signing_secret or "").encode()
    except SealBrokenError as error:
        raise SigningSecretError("The goal has no secret to check this token with.", check="key") from error


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    # True is an int in Python, and a float may be NaN or infinite: neither is a moment.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LATEST_SECONDS:
        raise TokenMalformedError(f"The token's {name} is missing, or is no moment in whole seconds.", check=name)
    return value
