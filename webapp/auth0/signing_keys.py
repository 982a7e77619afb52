"""The keys that an Auth0 tenant signs with: fetched in the background, kept, and fetched as rarely as rotation allows.

When they are fetched and how long they are believed is decided in key_ages.py.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import ClassVar, NamedTuple, Protocol

import structlog
from flask import current_app

from webapp.auth0.background import Background
from webapp.auth0.kept_keys import keep_keys, load_keys
from webapp.auth0.key_ages import REFRESH_SECONDS, RETRY_SECONDS, Need, TenantKeys, need_of
from webapp.auth0.key_fetching import TIMEOUT_SECONDS, FetchError, fetch_key_set
from webapp.auth0.key_sets import KeySet, SigningKey
from webapp.auth0.tenant import Tenant
from webapp.database import Database
from webapp.errors import WebsyncError

__all__ = [
    "KeyCache",
    "KeyNotAtHandError",
    "Keys",
    "KeysAtHand",
    "KeysUnavailableError",
    "SigningKey",
    "UnknownKeyError",
    "signing_keys",
]

log = structlog.get_logger()

DATABASE_SECONDS = 1.0
"""How long the database may take to say what it keeps, before the tenant is asked."""
MAX_WAITING = 8

_NOTHING_KNOWN = TenantKeys()


class UnknownKeyError(WebsyncError):
    """The token names a signing key that its tenant does not have: somebody else signed it, or the key is revoked.

    What to do: compare the Auth0 domain of the connection with the one in which the visitor logs in.
    """

    slug, title, status = "token-key-unknown", "The token's signing key is unknown", HTTPStatus.UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class KeysUnavailableError(WebsyncError):
    """The tenant's signing keys could not be fetched, so nobody can say yet if the token is good. Try again.

    What to do: see that Websync reaches https://YOUR-DOMAIN/.well-known/jwks.json and that the connection's Auth0
    domain is right. Keys that were fetched before stay in use for up to a day meanwhile.
    """

    slug, title, status = "keys-unavailable", "The tenant's keys are unavailable", HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": str(RETRY_SECONDS)}


class KeyNotAtHandError(Exception):
    """Whoever wants this key has to ask the `KeyCache`, and may have to wait."""


class Keys(Protocol):
    """Where signing keys are found."""

    def key_for(self, tenant: Tenant, kid: str | None, now: float) -> SigningKey:
        """Return the key ``kid`` of ``tenant``. ``now`` is in epoch seconds."""


class KeyCache:
    """The signing keys of all tenants, for all threads. Each tenant is fetched by one at a time, in the background.

    ``database`` keeps the keys for the next start. Unless ``https_only``, a tenant may be on this computer, by http.
    At most ``max_waiting`` threads wait for keys at once, and none for longer than ``timeout_seconds`` and a second.
    """

    def __init__(
        self,
        database: Database | None = None,
        *,
        https_only: bool = False,
        max_waiting: int = MAX_WAITING,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._database = database
        self._https_only = https_only
        self._places = threading.BoundedSemaphore(max_waiting)
        self._timeout_seconds = timeout_seconds
        self._known: dict[str, TenantKeys] = {}
        self._flights: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._background = Background("signing-keys")

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being fetched or kept."""
        return self._background.is_idle

    def key_for(self, tenant: Tenant, kid: str | None, now: float) -> SigningKey:
        """Return the key ``kid`` of ``tenant``. ``now`` is in epoch seconds.

        Without a ``kid`` it is the tenant's only key.

        Raises:
            UnknownKeyError: the tenant has no such key.
            KeysUnavailableError: there are no keys that may be believed, or not this one, and none can be fetched now.
        """
        key = self.find_at_hand(tenant, kid, now)
        if key is not None:
            return key
        flight = self._start_what_is_needed(tenant, kid, now)
        if flight is not None:
            self._wait(tenant, flight, now)
        return _choose(self._known.get(tenant.base_url, _NOTHING_KNOWN), kid, now)

    def find_at_hand(self, tenant: Tenant, kid: str | None, now: float) -> SigningKey | None:
        """Return the key if it is known and nothing is to be fetched, else None."""
        known = self._known.get(tenant.base_url, _NOTHING_KNOWN)
        return known.keys.find(kid) if known.age(now) < REFRESH_SECONDS else None

    def _start_what_is_needed(self, tenant: Tenant, kid: str | None, now: float) -> threading.Event | None:
        """Return what the caller has to wait for, if it has to."""
        with self._lock:
            need = need_of(self._known.get(tenant.base_url, _NOTHING_KNOWN), kid, now)
            if need is Need.NOTHING:
                return None
            flight = self._flights.get(tenant.base_url)
            if flight is None:
                flight = self._flights[tenant.base_url] = threading.Event()
                self._background.run(partial(self._fly, tenant, kid, need, now, flight))
        return None if need is Need.REFRESH else flight

    def _wait(self, tenant: Tenant, flight: threading.Event, now: float) -> None:
        if not self._places.acquire(blocking=False):
            raise KeysUnavailableError("The signing keys of the tenant are being fetched.")
        try:
            # The second is for the database and the thread; the fetch itself ends in its own time.
            has_landed = flight.wait(self._timeout_seconds + 1)
        finally:
            self._places.release()
        if not has_landed:
            self._learn(tenant, lambda known: known.failed(now))
            self._end(tenant, flight)  # it is lost: the next may try again

    async def _fly(self, tenant: Tenant, kid: str | None, need: Need, now: float, flight: threading.Event) -> None:
        """Get new keys, from the database if another process has fetched them already, else from the tenant."""
        keys = None
        try:
            if not await self._adopt_kept(tenant, kid, need, now):
                keys = await self._fetch(tenant, need, now)
        finally:
            self._end(tenant, flight)
        if keys is not None and self._database is not None:
            await asyncio.to_thread(keep_keys, self._database, tenant, keys, now)

    def _end(self, tenant: Tenant, flight: threading.Event) -> None:
        with self._lock:
            if self._flights.get(tenant.base_url) is flight:
                del self._flights[tenant.base_url]
        flight.set()

    async def _adopt_kept(self, tenant: Tenant, kid: str | None, need: Need, now: float) -> bool:
        """Take what the database keeps if that is newer, and say if nothing else is needed then."""
        if self._database is None:
            return False
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                kept = await asyncio.to_thread(load_keys, self._database, tenant)
        except TimeoutError:
            return False
        known = self._known.get(tenant.base_url, _NOTHING_KNOWN)
        if kept is None or TenantKeys(*kept).age(now) >= known.age(now):
            return False
        known = self._learn(tenant, lambda known: known.fetched(*kept))
        left = need_of(known, kid, now)
        return known.keys.find(kid) is not None and (left is Need.NOTHING or (left, need) == (Need.REFRESH, Need.FETCH))

    async def _fetch(self, tenant: Tenant, need: Need, now: float) -> KeySet | None:
        is_hunt = need is Need.HUNT
        try:
            keys = await fetch_key_set(tenant, https_only=self._https_only, seconds=self._timeout_seconds)
        except FetchError as error:
            self._learn(tenant, lambda known: known.failed(now, is_hunt=is_hunt))
            log.warning("signing_keys_unavailable", tenant=tenant.base_url, reason=str(error))
            return None
        self._learn(tenant, lambda known: known.fetched(keys, now, is_hunt=is_hunt))
        return keys

    def _learn(self, tenant: Tenant, news: Callable[[TenantKeys], TenantKeys]) -> TenantKeys:
        with self._lock:
            before = self._known.get(tenant.base_url, _NOTHING_KNOWN)
            after = self._known[tenant.base_url] = news(before)
        old, new = before.keys.by_id.keys(), after.keys.by_id.keys()
        if before.fetched_at is not None and old != new:
            log.info("signing_keys_changed", tenant=tenant.base_url, added=len(new - old), gone=len(old - new))
        return after


class KeysAtHand(NamedTuple):
    """The keys of ``cache`` for those who must not wait."""

    cache: KeyCache

    def key_for(self, tenant: Tenant, kid: str | None, now: float) -> SigningKey:
        """Return the key ``kid`` of ``tenant``. Raises KeyNotAtHandError if it is not known, or not fresh."""
        key = self.cache.find_at_hand(tenant, kid, now)
        if key is None:
            raise KeyNotAtHandError
        return key


def signing_keys() -> KeyCache:
    """Return the key cache of the running app."""
    found: KeyCache = current_app.extensions["signing_keys"]
    return found


def _choose(known: TenantKeys, kid: str | None, now: float) -> SigningKey:
    key = known.keys.find(kid) if known.is_believed(now) else None
    if key is not None:
        return key
    if known.is_out(now) or not known.is_believed(now):
        raise KeysUnavailableError("The signing keys of the tenant cannot be fetched now.")
    raise UnknownKeyError("The tenant has no key with the id that the token names.", check="kid")
