"""The key cache: who waits for what, and how often a tenant is asked."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.auth0.faults import Drip, fail, say
from tests.conftest import wait_until
from tests.tokens.issuer import Issuer, signing_key
from webapp.auth0.key_ages import FRESH_SECONDS, LAST_GOOD_SECONDS, REFRESH_SECONDS
from webapp.auth0.key_fetching import FetchError
from webapp.auth0.key_sets import KeySet
from webapp.auth0.signing_keys import KeyCache, KeysUnavailableError, SigningKey, UnknownKeyError
from webapp.auth0.tenant import Tenant

START = 1_800_000_000.0


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def numbers(key: SigningKey) -> Any:
    return key.public_key.public_numbers()


def expected(kid: str) -> Any:
    return signing_key(kid).private.public_key().public_numbers()


def settle(cache: KeyCache) -> None:
    """Wait until what goes on in the background is over."""
    wait_until(lambda: cache.is_idle)


def test_the_keys_are_fetched_once_in_five_minutes(issuer: Issuer) -> None:
    # given
    cache = KeyCache()
    # when a key is needed again and again
    found = [cache.key_for(issuer.tenant, "first", START + seconds) for seconds in (0, 1, REFRESH_SECONDS - 1)]
    # then it is the tenant's
    assert [numbers(key) for key in found] == [expected("first")] * 3
    settle(cache)
    assert issuer.fetches == 1


def test_keys_are_refreshed_in_the_background_before_they_go_stale(issuer: Issuer) -> None:
    # given keys that are due, and a tenant that takes its time
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    drip = Drip([signing_key("second").as_jwk()])
    issuer.answer = drip
    # when tokens come, then none waits
    for _ in range(20):
        assert cache.key_for(issuer.tenant, "first", START + REFRESH_SECONDS)
    # and the tenant was asked once
    assert drip.has_begun.wait(10)
    assert issuer.fetches == 2
    # and as soon as the answer is there, a revoked key is gone and a new one known, without another
    drip.release()
    settle(cache)
    with pytest.raises(UnknownKeyError):
        cache.key_for(issuer.tenant, "first", START + REFRESH_SECONDS)
    assert issuer.fetches == 3
    assert cache.key_for(issuer.tenant, "second", START + REFRESH_SECONDS + 1)
    assert issuer.fetches == 3


def test_a_revoked_key_is_gone_after_ten_minutes_also_if_nobody_came(issuer: Issuer) -> None:
    # given keys that were fetched in the evening, of which one is revoked in the night
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    issuer.keys = [signing_key("second").as_jwk()]
    # when the first token of the morning is signed by it
    with pytest.raises(UnknownKeyError):
        cache.key_for(issuer.tenant, "first", START + 8 * 3600)
    # then the tenant was asked before an answer was given
    assert issuer.fetches == 2


def test_a_new_key_is_found_at_once(issuer: Issuer) -> None:
    # given a cache with fresh keys
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    # when the tenant signs with a key that was not there
    issuer.keys.append(signing_key("second").as_jwk())
    # then
    assert numbers(cache.key_for(issuer.tenant, "second", START + 1)) == expected("second")
    assert numbers(cache.key_for(issuer.tenant, "first", START + 1)) == expected("first")
    assert issuer.fetches == 2


def test_all_who_bring_the_new_key_wait_for_the_one_request(issuer: Issuer) -> None:
    # given fresh keys, and a tenant that changes its keys and is slow
    cache = KeyCache(max_waiting=6)
    cache.key_for(issuer.tenant, "first", START)
    drip = Drip([signing_key("second").as_jwk()])
    issuer.answer = drip
    with ThreadPoolExecutor(6) as visitors:
        # when six visitors come with the new one
        logins = [visitors.submit(cache.key_for, issuer.tenant, "second", START + 1) for _ in range(6)]
        assert drip.has_begun.wait(10)
        drip.release()
        # then none is refused
        assert [numbers(login.result(10)) for login in logins] == [expected("second")] * 6
    assert issuer.fetches == 2


def test_ten_thousand_invented_key_ids_a_minute_fetch_once(issuer: Issuer) -> None:
    # given fresh keys
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    # when junk comes for a minute, with a visitor now and then
    for number in range(10_000):
        moment = START + 1 + number * 0.006
        with pytest.raises(UnknownKeyError):
            cache.key_for(issuer.tenant, f"junk-{number}", moment)
        if number % 100 == 0:
            assert cache.key_for(issuer.tenant, "first", moment)
    # then the tenant was asked once for all of it
    assert issuer.fetches == 2
    # and the next key, which the tenant published in time, is known after at most five minutes of this
    issuer.keys.append(signing_key("second").as_jwk())
    cache.key_for(issuer.tenant, "first", START + REFRESH_SECONDS)
    settle(cache)
    assert cache.key_for(issuer.tenant, "second", START + REFRESH_SECONDS)


def test_invented_key_ids_hammer_no_tenant_that_is_down(issuer: Issuer) -> None:
    # given fresh keys, and a tenant that fails
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    issuer.answer = fail
    # when junk comes for a minute, then nobody can say that it is junk
    for number in range(10_000):
        with pytest.raises(KeysUnavailableError):
            cache.key_for(issuer.tenant, f"junk-{number}", START + 1 + number * 0.005)
    # and the tenant was asked once
    assert issuer.fetches == 2


def test_the_last_good_keys_stay_for_a_day_of_outage(issuer: Issuer) -> None:
    # given keys that were fetched once
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    # when the tenant is down
    issuer.answer = fail
    # then tokens of known keys are still verified
    for seconds in (REFRESH_SECONDS, FRESH_SECONDS, 3600, 10 * 3600, LAST_GOOD_SECONDS - 1):
        assert cache.key_for(issuer.tenant, "first", START + seconds)
        settle(cache)
    # and nobody can say whether another key is one
    with pytest.raises(KeysUnavailableError):
        cache.key_for(issuer.tenant, "second", START + LAST_GOOD_SECONDS - 1)
    # and after a day nobody believes them any more
    with pytest.raises(KeysUnavailableError):
        cache.key_for(issuer.tenant, "first", START + LAST_GOOD_SECONDS)


def test_an_outage_is_asked_about_every_five_seconds_and_waited_for_once(issuer: Issuer) -> None:
    # given old keys, and a tenant that is down
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    issuer.answer = fail
    # when visitors come for ten seconds
    for tenth in range(100):
        assert cache.key_for(issuer.tenant, "first", START + FRESH_SECONDS + tenth / 10)
        settle(cache)
    # then the tenant was asked twice
    assert issuer.fetches == 3
    # and a key that was revoked meanwhile is gone soon after the tenant is back
    issuer.answer, issuer.keys = None, [signing_key("second").as_jwk()]
    assert cache.key_for(issuer.tenant, "first", START + FRESH_SECONDS + 10)
    settle(cache)
    with pytest.raises(UnknownKeyError):
        cache.key_for(issuer.tenant, "first", START + FRESH_SECONDS + 10)


def test_keys_that_never_came_are_asked_for_again_soon(issuer: Issuer) -> None:
    # given a tenant that is down
    cache = KeyCache()
    issuer.answer = fail
    for seconds in (0, 1, 4):
        with pytest.raises(KeysUnavailableError):
            cache.key_for(issuer.tenant, "first", START + seconds)
    assert issuer.fetches == 1
    # when it comes back
    issuer.answer = None
    # then
    assert cache.key_for(issuer.tenant, "first", START + 5)


def test_garbage_takes_no_good_keys_away(issuer: Issuer) -> None:
    # given good keys
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    # when the tenant answers junk for an hour
    for number, body in enumerate([b"<html>", b'{"keys": []}', b'{"keys": [{}]}', b"[" * 9000, b" " * 300_000]):
        issuer.answer = say(body)
        # then the keys of before are good
        assert cache.key_for(issuer.tenant, "first", START + REFRESH_SECONDS + number * 700)
        settle(cache)
    assert issuer.fetches == 6


def test_a_slow_tenant_holds_a_bounded_number_of_threads_for_a_bounded_time(issuer: Issuer) -> None:
    # given a tenant that was never asked, and lets its answer drip
    drip = Drip(issuer.keys)
    issuer.answer = drip
    cache = KeyCache(max_waiting=2, timeout_seconds=0.5)
    refused: list[str] = []

    def log_in(number: int) -> None:
        with pytest.raises(KeysUnavailableError) as raised:
            cache.key_for(issuer.tenant, "first", START)
        assert raised.value.headers["Retry-After"] == "5"
        refused.append(raised.value.detail)

    with ThreadPoolExecutor(8) as visitors:
        # when eight come, then all get their answer
        list(visitors.map(log_in, range(8)))
    # and those who found a place to wait in that time are two
    assert sorted(refused) == [
        *["The signing keys of the tenant are being fetched."] * 6,
        *["The signing keys of the tenant cannot be fetched now."] * 2,
    ]
    assert issuer.fetches == 1
    drip.release()


def test_who_waits_for_a_tenant_keeps_nobody_of_another_waiting(issuer: Issuer) -> None:
    # given a tenant whose keys are known, and one that hangs while all places are taken
    other = Issuer()
    cache = KeyCache(max_waiting=1)
    cache.key_for(other.tenant, "first", START)
    drip = Drip(issuer.keys)
    issuer.answer = drip
    with ThreadPoolExecutor(1) as visitors:
        waiting = visitors.submit(cache.key_for, issuer.tenant, "first", START)
        assert drip.has_begun.wait(10)
        # when visitors of the other come, whose keys are due too
        assert cache.key_for(other.tenant, "first", START + REFRESH_SECONDS)
        # then they are served, and its keys come at once
        wait_until(lambda: other.fetches == 2)
        assert not waiting.done()
        drip.release()
        assert waiting.result(10)
    other.close()


def test_a_wait_that_takes_too_long_ends_with_the_keys_of_before(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given old keys, and a computer on which even the end of a fetch does not come
    cache = KeyCache(timeout_seconds=0.1)
    cache.key_for(issuer.tenant, "first", START)
    stuck, release = threading.Event(), threading.Event()

    async def never(*_arguments: object, **_options: object) -> KeySet:
        stuck.set()
        await asyncio.to_thread(release.wait, 10)
        raise FetchError("at last")

    monkeypatch.setattr("webapp.auth0.signing_keys.fetch_key_set", never)
    # when a visitor comes, then that is an outage like any other
    assert cache.key_for(issuer.tenant, "first", START + FRESH_SECONDS)
    assert stuck.is_set()
    release.set()
    settle(cache)


def test_a_fetch_that_is_lost_is_made_again(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a computer that has no thread left for a fetch
    cache = KeyCache(timeout_seconds=0.1)

    def refuse(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        with pytest.raises(KeysUnavailableError):
            cache.key_for(issuer.tenant, "first", START)
    # when it has one for the next visitor, then that one is served
    assert cache.key_for(issuer.tenant, "first", START + 5)


def test_threads_that_wait_share_one_request(issuer: Issuer) -> None:
    # given a slow tenant
    drip = Drip(issuer.keys)
    issuer.answer = drip
    cache = KeyCache()
    with ThreadPoolExecutor(8) as visitors:
        # when many need its keys for the first time
        logins = [visitors.submit(cache.key_for, issuer.tenant, "first", START) for _ in range(8)]
        assert drip.has_begun.wait(10)
        drip.release()
        # then all get them
        assert [numbers(login.result(10)) for login in logins] == [expected("first")] * 8
    assert issuer.fetches == 1


def test_keys_by_plain_http_are_an_outage() -> None:
    with pytest.raises(KeysUnavailableError):
        KeyCache().key_for(Tenant("http://tenant.example"), "first", START)


def test_production_takes_no_keys_by_http(issuer: Issuer) -> None:
    with pytest.raises(KeysUnavailableError):
        KeyCache(https_only=True).key_for(issuer.tenant, "first", START)
    assert issuer.fetches == 0


def test_a_clock_that_is_set_back_does_not_keep_old_keys_forever(issuer: Issuer) -> None:
    # given keys that were fetched when the clock was a year ahead
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START + 365 * 86_400)
    # when it is right again and the keys have changed
    issuer.keys = [signing_key("second").as_jwk()]
    # then
    assert cache.key_for(issuer.tenant, "second", START)


def test_tenants_do_not_share_keys(issuer: Issuer) -> None:
    # given two tenants
    other = Issuer()
    other.keys = [signing_key("second").as_jwk()]
    cache = KeyCache()
    try:
        cache.key_for(issuer.tenant, "first", START)
        # then the key of one isn't the other's
        with pytest.raises(UnknownKeyError):
            cache.key_for(other.tenant, "first", START)
    finally:
        other.close()
