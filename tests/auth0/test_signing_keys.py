"""The key cache: rotation, outages, junk, and as few requests as possible."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.tokens.issuer import Issuer, reply, signing_key
from webapp.auth0.signing_keys import KeyCache, KeysUnavailableError, SigningKey, UnknownKeyError
from webapp.auth0.tenant import Tenant

START = 1_800_000_000.0


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def fail(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 500, b"{}")


def numbers(key: SigningKey) -> Any:
    return key.public_key.public_numbers()


def ec_jwk(kid: str, curve: ec.EllipticCurve) -> dict[str, Any]:
    """Return the public key of a new pair on ``curve``, as a tenant would publish it."""
    public: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key()))
    return public | {"kid": kid, "use": "sig"}


def test_the_keys_are_fetched_once_in_ten_minutes(issuer: Issuer) -> None:
    # given
    cache = KeyCache()
    # when a key is needed again and again
    found = [cache.key_for(issuer.tenant, "first", START + seconds) for seconds in (0, 1, 599)]
    # then
    assert {numbers(key) for key in found} == {signing_key("first").private.public_key().public_numbers()}
    assert issuer.fetches == 1
    # and after ten minutes a revoked key is gone
    issuer.keys = [signing_key("second").as_jwk()]
    with pytest.raises(UnknownKeyError):
        cache.key_for(issuer.tenant, "first", START + 601)
    assert issuer.fetches == 2


def test_a_new_key_is_found_at_once(issuer: Issuer) -> None:
    # given a cache with fresh keys
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    # when the tenant signs with its next key
    issuer.keys.append(signing_key("second").as_jwk())
    # then
    assert cache.key_for(issuer.tenant, "second", START + 1)
    assert cache.key_for(issuer.tenant, "first", START + 1)
    assert issuer.fetches == 2


def test_invented_key_ids_fetch_at_most_once_a_minute(issuer: Issuer) -> None:
    # given
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    # when junk comes
    for number in range(50):
        with pytest.raises(UnknownKeyError):
            cache.key_for(issuer.tenant, f"junk-{number}", START + 1 + number)
    # then
    assert issuer.fetches == 2
    # and a minute later a new key is found
    issuer.keys.append(signing_key("second").as_jwk())
    assert cache.key_for(issuer.tenant, "second", START + 62)


def test_the_last_good_keys_stay_through_an_outage(issuer: Issuer) -> None:
    # given keys that were fetched once
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    # when the tenant is down for hours
    issuer.answer = fail
    # then tokens of known keys are still verified
    for hours in range(1, 5):
        assert cache.key_for(issuer.tenant, "first", START + hours * 3600)
    # and nobody can say whether another key is one
    with pytest.raises(KeysUnavailableError):
        cache.key_for(issuer.tenant, "second", START + 5 * 3600)


def test_keys_that_never_came_are_asked_for_again_soon(issuer: Issuer) -> None:
    # given a tenant that is down
    cache = KeyCache()
    issuer.answer = fail
    for seconds in (0, 1, 2):
        with pytest.raises(KeysUnavailableError):
            cache.key_for(issuer.tenant, "first", START + seconds)
    assert issuer.fetches == 1
    # when it comes back
    issuer.answer = None
    # then
    assert cache.key_for(issuer.tenant, "first", START + 6)


def test_threads_that_wait_share_one_request(issuer: Issuer) -> None:
    # given a slow tenant
    release = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        release.wait(timeout=10)
        reply(handler, 200, json.dumps({"keys": issuer.keys}).encode())

    issuer.answer = slow
    cache = KeyCache()
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(numbers(cache.key_for(issuer.tenant, "first", START))))
        for _ in range(8)
    ]
    # when many need its keys for the first time
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while issuer.fetches == 0 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    release.set()
    for thread in threads:
        thread.join(timeout=10)
    # then
    assert len(found) == 8
    assert issuer.fetches == 1


def test_who_has_old_keys_does_not_wait_for_new_ones(issuer: Issuer) -> None:
    # given keys that are due, and a tenant that hangs
    cache = KeyCache()
    cache.key_for(issuer.tenant, "first", START)
    hanging, release = threading.Event(), threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        hanging.set()
        release.wait(timeout=10)
        reply(handler, 500, b"")

    issuer.answer = hang
    refresher = threading.Thread(target=lambda: cache.key_for(issuer.tenant, "first", START + 700))
    refresher.start()
    assert hanging.wait(timeout=10)
    # when another token comes meanwhile, then it is verified
    assert cache.key_for(issuer.tenant, "first", START + 700)
    release.set()
    refresher.join(timeout=10)


@pytest.mark.parametrize(
    "unfit",
    [
        {"kty": "EC"},
        {"kty": ["RSA"]},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"use": "enc"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"alg": "ES256"},
        {"alg": 256},
        {"n": "!"},
        {"n": None},
        {"e": None},
        {"e": 3},
        {"kid": 7},
        {"n": "AQAB"},
        {"e": "A" * 9000},
        {"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"},
        ec_jwk("unfit", ec.SECP384R1()),
        ec_jwk("unfit", ec.SECP256K1()),
        ec_jwk("unfit", ec.SECP256R1()) | {"alg": "RS256"},
    ],
)
def test_keys_of_other_kinds_are_left_out_one_by_one(issuer: Issuer, unfit: dict[str, Any]) -> None:
    # given a key set with one key that is unfit and one that is fine
    issuer.keys = [signing_key("unfit").as_jwk(**unfit), "no key", signing_key("first").as_jwk(alg=None, use=None)]  # type: ignore[list-item]
    cache = KeyCache()
    # then only the second is a key
    assert cache.key_for(issuer.tenant, "first", START)
    with pytest.raises(UnknownKeyError):
        cache.key_for(issuer.tenant, "unfit", START + 1)


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (signing_key("first").as_jwk(alg=None), {"RS256", "PS256"}),
        (signing_key("first").as_jwk(alg="RS256"), {"RS256"}),
        (signing_key("first").as_jwk(alg="PS256"), {"PS256"}),
        (ec_jwk("first", ec.SECP256R1()), {"ES256"}),
        (ec_jwk("first", ec.SECP256R1()) | {"alg": "ES256"}, {"ES256"}),
    ],
)
def test_a_key_is_for_the_algorithms_of_its_kind_or_for_the_one_that_it_names(
    issuer: Issuer, jwk: dict[str, Any], algorithms: set[str]
) -> None:
    issuer.keys = [jwk]
    assert KeyCache().key_for(issuer.tenant, "first", START).algorithms == algorithms


def test_a_short_key_signs_nothing(issuer: Issuer) -> None:
    # given a tenant with a key of 1024 bits
    issuer.keys = [signing_key("short", 1024).as_jwk()]
    # then
    with pytest.raises(KeysUnavailableError):
        KeyCache().key_for(issuer.tenant, "short", START)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (302, b"", {"Location": "/.well-known/jwks.json"}),
        (200, b"<html>", {}),
        (200, b"[]", {}),
        (200, b'{"keys": 1}', {}),
        (200, b'{"keys": []}', {}),
        (200, b'{"keys": [' + b" " * 300_000 + b"]}", {}),
        (200, b"[" * 100_000, {}),
    ],
)
def test_an_answer_that_is_no_key_set_is_an_outage(
    issuer: Issuer, status: int, body: bytes, headers: dict[str, str]
) -> None:
    # given
    issuer.answer = lambda handler: reply(handler, status, body, **headers)
    # then redirects aren't followed either: one request was made
    with pytest.raises(KeysUnavailableError):
        KeyCache().key_for(issuer.tenant, "first", START)
    assert issuer.fetches == 1


def test_keys_come_by_https_or_from_this_computer_only() -> None:
    with pytest.raises(KeysUnavailableError):
        KeyCache().key_for(Tenant("http://tenant.example"), "first", START)


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
