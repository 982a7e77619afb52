"""The keys that an Auth0 tenant signs with: fetched over HTTP, kept, and fetched again as rarely as rotation allows.

Source: Auth0, "JSON Web Key Sets" and "Rotate signing keys"; RFC 7517; RFC 8725.
"""

import json
import threading
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx2
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask import current_app

from webapp.auth0.tenant import Tenant
from webapp.errors import WebsyncError
from webapp.settings import is_loopback

log = structlog.get_logger()

RSA_ALGORITHMS = frozenset({"RS256", "PS256"})
EC_ALGORITHMS = frozenset({"ES256"})
FRESH_SECONDS = 600
"""Auth0 recommends 5 to 10 minutes. It is also how long a revoked key lives on here."""
UNKNOWN_KEY_SECONDS = 60
"""Tokens with invented key ids fetch the keys at most once in this time."""
RETRY_SECONDS = 5
"""How long a failed fetch is believed before the next."""
TIMEOUT_SECONDS = 5.0
MAX_BODY_BYTES = 256 * 1024
MAX_KEYS = 20
MIN_KEY_BITS = 2048
MAX_KEY_BITS = 8192


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of a tenant, and the algorithms (RFC 7518, 3.1) whose signatures it may verify, and no others."""

    public_key: RSAPublicKey | EllipticCurvePublicKey
    algorithms: frozenset[str]


Keys = dict[str | None, SigningKey]


class UnknownKeyError(WebsyncError):
    """The token names a signing key that its tenant does not have: somebody else signed it, or the key is revoked.

    What to do: compare the Auth0 domain of the connection with the one in which the visitor logs in.
    """

    slug, title, status = "token-key-unknown", "The token's signing key is unknown", HTTPStatus.UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class KeysUnavailableError(WebsyncError):
    """The tenant's signing keys could not be fetched, so nobody can say yet if the token is good. Try again.

    What to do: see that Websync reaches https://YOUR-DOMAIN/.well-known/jwks.json and that the connection's Auth0
    domain is right. Keys that were fetched before stay in use meanwhile.
    """

    slug, title, status = "keys-unavailable", "The tenant's keys are unavailable", HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": str(RETRY_SECONDS)}


class FetchError(Exception):
    """The keys did not come. The message says why and holds nothing of the answer."""


@dataclass(slots=True)
class _TenantKeys:
    """What is known of one tenant. ``lock`` is held while its keys are being fetched; times are in epoch seconds."""

    keys: Keys = field(default_factory=dict)
    fetched_at: float | None = None
    failed_at: float | None = None
    hunted_at: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class KeyCache:
    """The signing keys of all tenants. Threads share it: one fetches, the others wait or use the keys of before."""

    def __init__(self) -> None:
        self._tenants: dict[str, _TenantKeys] = {}
        self._lock = threading.Lock()

    @cached_property
    def _http(self) -> httpx2.Client:
        return httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)

    def key_for(self, tenant: Tenant, kid: str | None, now: float) -> SigningKey:
        """Return the key ``kid`` of ``tenant``. ``now`` is in epoch seconds.

        Without a ``kid`` it is the tenant's only key.

        Raises:
            UnknownKeyError: the tenant has no such key.
            KeysUnavailableError: the keys were never fetched, or have no such key and cannot be fetched now.
        """
        with self._lock:
            known = self._tenants.setdefault(tenant.base_url, _TenantKeys())
        if not _is_within(FRESH_SECONDS, known.fetched_at, now):
            self._refresh_stale(tenant, known, now)
        key = _choose(known.keys, kid)
        if key is None:
            self._hunt(tenant, known, kid, now)
            key = _choose(known.keys, kid)
        if key is not None:
            return key
        if known.failed_at is not None or known.fetched_at is None:
            raise KeysUnavailableError("The signing keys of the tenant cannot be fetched now.")
        raise UnknownKeyError("The tenant has no key with the id that the token names.", check="kid")

    def _refresh_stale(self, tenant: Tenant, known: _TenantKeys, now: float) -> None:
        # Who finds keys, even old ones, need not wait for the thread that fetches new ones.
        if not known.lock.acquire(blocking=known.fetched_at is None):
            return
        try:
            if not _is_within(FRESH_SECONDS, known.fetched_at, now) and not _is_within(
                RETRY_SECONDS, known.failed_at, now
            ):
                self._fetch_into(tenant, known, now)
        finally:
            known.lock.release()

    def _hunt(self, tenant: Tenant, known: _TenantKeys, kid: str | None, now: float) -> None:
        if known.fetched_at in {None, now} or _is_within(RETRY_SECONDS, known.failed_at, now):
            return
        with known.lock:
            has_come = _choose(known.keys, kid) is not None
            if not has_come and not _is_within(UNKNOWN_KEY_SECONDS, known.hunted_at, now):
                known.hunted_at = now
                self._fetch_into(tenant, known, now)

    def _fetch_into(self, tenant: Tenant, known: _TenantKeys, now: float) -> None:
        try:
            keys = read_keys(fetch_body(self._http, tenant.jwks_url))
        except FetchError as error:
            known.failed_at = now
            log.warning("signing_keys_unavailable", tenant=tenant.base_url, reason=str(error))
        else:
            known.keys, known.fetched_at, known.failed_at = keys, now, None


def signing_keys() -> KeyCache:
    """Return the key cache of the running app."""
    found: KeyCache = current_app.extensions["signing_keys"]
    return found


def fetch_body(http: httpx2.Client, url: str) -> bytes:
    """Return what stands at ``url``: at most `MAX_BODY_BYTES`, by https (or by http from this computer)."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise FetchError("not https")
    body = bytearray()
    try:
        # Compressed answers are not asked for and not unpacked: a few bytes could become gigabytes.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        with http.stream("GET", url, headers=headers) as response:
            if response.status_code != HTTPStatus.OK:
                raise FetchError(f"status {response.status_code}")
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise FetchError("the answer is too large")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise FetchError(type(error).__name__) from error
    return bytes(body)


def read_keys(body: bytes) -> Keys:
    """Return the usable keys of a JWKS by their ids. Keys of other kinds are left out, one by one."""
    try:
        listed = json.loads(body)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FetchError("the answer is no key set") from error
    if not isinstance(listed, list):
        raise FetchError("the answer is no key set")
    keys: Keys = {}
    for jwk in listed[:MAX_KEYS]:
        if isinstance(jwk, dict) and (key := _prepare(jwk)) is not None:
            keys.setdefault(jwk.get("kid"), key)
    if not keys:
        raise FetchError("the key set has no key that can be used")
    return keys


def _prepare(jwk: dict[str, Any]) -> SigningKey | None:
    possible = {"RSA": RSA_ALGORITHMS, "EC": EC_ALGORITHMS}.get(str(jwk.get("kty")), frozenset[str]())
    # A key that names an algorithm is for that one alone. Source: RFC 7517, 4.4; RFC 8725, 3.1.
    algorithms = frozenset(name for name in possible if jwk.get("alg", name) == name)
    if not algorithms or jwk.get("use", "sig") != "sig" or not isinstance(jwk.get("kid"), str | None):
        return None
    public_key = _public_key(jwk)
    return None if public_key is None else SigningKey(public_key, algorithms)


def _public_key(jwk: dict[str, Any]) -> RSAPublicKey | EllipticCurvePublicKey | None:
    # Only the public numbers: certificates and private members have no say here.
    names = {"kty", "n", "e"} if jwk["kty"] == "RSA" else {"kty", "crv", "x", "y"}
    numbers = {name: jwk.get(name) for name in names}
    if not all(isinstance(number, str) and len(number) <= MAX_KEY_BITS for number in numbers.values()):
        return None
    try:
        key = jwt.PyJWK(numbers, "RS256" if jwk["kty"] == "RSA" else "ES256").key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key, RSAPublicKey):
        return key if MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS else None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def _choose(keys: Keys, kid: str | None) -> SigningKey | None:
    if kid is None:
        return next(iter(keys.values())) if len(keys) == 1 else None
    return keys.get(kid)


def _is_within(seconds: float, moment: float | None, now: float) -> bool:
    # A clock that was set back makes old news, not eternally fresh news.
    return moment is not None and 0 <= now - moment < seconds
