"""Logins at the demo tenant while it rotates and revokes its keys, fails, drips and lies, over real HTTP."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from tests.conftest import wait_until
from tests.demo.conftest import RunningTenant, Visitor, serve
from webapp.auth0.key_ages import FRESH_SECONDS, LAST_GOOD_SECONDS, REFRESH_SECONDS
from webapp.auth0.signing_keys import KeyCache, KeysUnavailableError, UnknownKeyError
from webapp.auth0.tenant import Tenant
from webapp.demo.seed import new_signing_key
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant

KEYS_PATH = "/.well-known/jwks.json"
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()

StartResponse = Callable[..., Any]


@dataclass
class KeyFaults:
    """Stands before the demo tenant. ``fault`` (status, headers, body) is said in place of its keys while it is set.

    While ``is_slow``, a right answer comes byte by byte, each soon after the last.
    """

    wsgi_app: Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
    fault: tuple[str, dict[str, str], bytes] | None = None
    fetches: int = 0
    is_slow: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != KEYS_PATH:
            return self.wsgi_app(environ, start_response)
        self.fetches += 1
        if self.fault is None:
            answer = self.wsgi_app(environ, start_response)
            return self._drip(b"".join(answer)) if self.is_slow else answer
        status, headers, body = self.fault
        start_response(status, list(headers.items()))
        return [body]

    def _drip(self, body: bytes) -> Iterator[bytes]:
        for place in range(len(body)):
            self.released.wait(0.02)
            yield body[place : place + 1]


@dataclass
class Misbehaving:
    """The demo tenant, the service's key cache, and a clock for both."""

    running: RunningTenant
    faults: KeyFaults
    cache: KeyCache = field(default_factory=KeyCache)
    now: float = START

    def token(self) -> str:
        """Return the ID token of a visitor who logs in now."""
        token: str = Visitor(self.running).tokens()["id_token"]
        return token

    def believe(self, token: str) -> str:
        """Verify a token as the service does, let the background come to rest, and return its subject."""
        kid = jwt.get_unverified_header(token)["kid"]
        key = self.cache.key_for(Tenant(self.running.base_url), kid, self.now)
        wait_until(lambda: self.cache.is_idle)
        text = jwt.PyJWS().decode(token, key.public_key, sorted(key.algorithms))
        claims: dict[str, Any] = json.loads(text)
        return str(claims["sub"])

    def rotate(self) -> None:
        """Sign with the next key from now on, as Auth0's "Rotate Signing Key" does: the previous one stays listed."""
        with self.running.state.change() as data:
            current, following, *_older = data["signing_keys"]
            data["signing_keys"] = [following, new_signing_key(), current]

    def revoke_previous(self) -> None:
        """Take the previous key out of the list, as Auth0's "Revoke" does."""
        with self.running.state.change() as data:
            del data["signing_keys"][2:]


@pytest.fixture
def misbehaving() -> Iterator[Misbehaving]:
    found: list[Misbehaving] = []
    state = TenantState(clock=lambda: datetime.fromtimestamp(found[0].now if found else START, UTC))
    faults: list[KeyFaults] = []

    def make_app(base_url: str) -> Any:
        app = create_tenant(base_url, state)
        faults.append(KeyFaults(app.wsgi_app))
        app.wsgi_app = faults[0]  # type: ignore[method-assign]
        return app

    for base_url in serve(make_app):
        found.append(Misbehaving(RunningTenant(base_url, state), faults[0]))
        yield found[0]


def test_keys_rotate_without_a_failed_login(misbehaving: Misbehaving) -> None:
    # given a visitor who has logged in
    before = misbehaving.token()
    assert misbehaving.believe(before)
    # when the tenant rotates its keys three times, an hour apart, with logins all the while
    for _ in range(3):
        misbehaving.now += 3600
        assert misbehaving.believe(misbehaving.token())
        misbehaving.rotate()
        # then the next key is known before it signs, and the previous one is still good
        fetches = misbehaving.faults.fetches
        after = misbehaving.token()
        assert misbehaving.believe(after)
        assert misbehaving.believe(before)
        assert misbehaving.faults.fetches == fetches
        misbehaving.now += REFRESH_SECONDS
        assert misbehaving.believe(after)
        before = after


def test_two_rotations_at_once_fail_no_login_either(misbehaving: Misbehaving) -> None:
    # given keys that are known
    assert misbehaving.believe(misbehaving.token())
    # when the tenant signs with a key that nobody has seen before
    misbehaving.rotate()
    misbehaving.rotate()
    # then one more look finds it
    assert misbehaving.believe(misbehaving.token())
    assert misbehaving.faults.fetches == 2


def test_a_revoked_key_is_gone_within_ten_minutes(misbehaving: Misbehaving) -> None:
    # given a token of a key that is rotated out and revoked
    old = misbehaving.token()
    assert misbehaving.believe(old)
    misbehaving.rotate()
    misbehaving.revoke_previous()
    # when visitors go on coming
    new = misbehaving.token()
    misbehaving.now += REFRESH_SECONDS
    assert misbehaving.believe(new)
    # then it is refused after five minutes, since then the keys were refreshed
    with pytest.raises(UnknownKeyError):
        misbehaving.believe(old)


def test_a_revoked_key_is_gone_within_ten_minutes_also_in_a_quiet_hour(misbehaving: Misbehaving) -> None:
    # given a token of a key that is rotated out and revoked
    old = misbehaving.token()
    assert misbehaving.believe(old)
    misbehaving.rotate()
    misbehaving.revoke_previous()
    # when nobody comes until its thief does
    misbehaving.now += FRESH_SECONDS
    with pytest.raises(UnknownKeyError):
        misbehaving.believe(old)


@pytest.mark.parametrize(
    "fault",
    [
        ("500 Internal Server Error", {}, b"{}"),
        ("503 Service Unavailable", {"Retry-After": "60"}, b""),
        ("302 Found", {"Location": "http://localhost:1/.well-known/jwks.json"}, b""),
        ("301 Moved Permanently", {"Location": "/.well-known/other.json"}, b""),
        ("200 OK", {"Content-Type": "text/html"}, b"<html>Sorry"),
        ("200 OK", {}, b'{"keys": []}'),
        ("200 OK", {}, b'{"keys": [{"kty": "RSA", "kid": 1}, 7, null, {"kty": "oct", "k": "c2VjcmV0"}]}'),
        ("200 OK", {}, b'{"keys": [' + b" " * 1_000_000 + b"]}"),
    ],
)
def test_logins_go_on_while_the_tenants_keys_cannot_be_had(
    misbehaving: Misbehaving, fault: tuple[str, dict[str, str], bytes]
) -> None:
    # given keys that are known
    token = misbehaving.token()
    assert misbehaving.believe(token)
    # when the tenant's keys cannot be had for a day, and it signs with its next key meanwhile
    misbehaving.faults.fault = fault
    for seconds in (REFRESH_SECONDS, FRESH_SECONDS, 12 * 3600, LAST_GOOD_SECONDS - 1):
        misbehaving.now = START + seconds
        assert misbehaving.believe(token)
    misbehaving.rotate()
    assert misbehaving.believe(misbehaving.token())
    # then after that day nobody is believed
    misbehaving.now = START + LAST_GOOD_SECONDS
    with pytest.raises(KeysUnavailableError):
        misbehaving.believe(token)
    # and all is well as soon as the tenant is
    misbehaving.faults.fault = None
    misbehaving.now += 5
    assert misbehaving.believe(misbehaving.token())


def test_a_key_that_is_revoked_in_an_outage_is_gone_a_minute_after_it(misbehaving: Misbehaving) -> None:
    # given an outage in which a key is revoked
    old = misbehaving.token()
    assert misbehaving.believe(old)
    misbehaving.faults.fault = ("500 Internal Server Error", {}, b"")
    misbehaving.rotate()
    misbehaving.revoke_previous()
    misbehaving.now += 3600
    assert misbehaving.believe(old)
    # when the tenant is back, and a minute has passed
    misbehaving.faults.fault = None
    misbehaving.now += 60
    # then nobody believes it any more
    with pytest.raises(UnknownKeyError):
        misbehaving.believe(old)


def test_known_visitors_never_wait_for_a_slow_tenant_and_unknown_ones_not_for_long(misbehaving: Misbehaving) -> None:
    # given keys that are known, and a tenant whose answers take half a minute from then on
    misbehaving.cache = KeyCache(timeout_seconds=3.0)
    token = misbehaving.token()
    assert misbehaving.believe(token)
    misbehaving.faults.is_slow = True
    tenant, kid = Tenant(misbehaving.running.base_url), jwt.get_unverified_header(token)["kid"]
    # when they are due, then nobody waits: the answer is not even there when all are served
    for _ in range(100):
        assert misbehaving.cache.key_for(tenant, kid, misbehaving.now + REFRESH_SECONDS)
    assert not misbehaving.cache.is_idle
    wait_until(lambda: misbehaving.cache.is_idle)
    assert misbehaving.faults.fetches == 2
    # and a service without keys waits for its bound, and says when to come again
    started = time.monotonic()
    with pytest.raises(KeysUnavailableError):
        KeyCache(timeout_seconds=0.3).key_for(tenant, kid, misbehaving.now)
    assert time.monotonic() - started < 15
    misbehaving.faults.released.set()


def test_ten_thousand_unknown_keys_a_minute_ask_the_tenant_once(misbehaving: Misbehaving) -> None:
    # given a tenant in use
    token = misbehaving.token()
    assert misbehaving.believe(token)
    tenant = Tenant(misbehaving.running.base_url)
    # when junk comes for a minute, and the tenant rotates its keys in the midst of it
    for number in range(10_000):
        if number == 5_000:
            misbehaving.rotate()
            assert misbehaving.believe(misbehaving.token())
        with pytest.raises(UnknownKeyError):
            misbehaving.cache.key_for(tenant, f"junk-{number}", misbehaving.now + number * 0.006)
    # then one request answered all of it, and those who log in notice nothing
    assert misbehaving.faults.fetches == 2
    assert misbehaving.believe(token)
