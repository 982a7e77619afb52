"""Fetching a key set from a tenant that misbehaves, over real HTTP."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.auth0.faults import Answer, Drip, endless, fail, hang_up, redirect_to, say, stop_halfway
from tests.tokens.issuer import Issuer, signing_key
from webapp.auth0.key_fetching import FetchError, fetch_key_set
from webapp.auth0.key_sets import KeySet
from webapp.auth0.tenant import Tenant


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def fetch(tenant: Tenant, *, seconds: float = 10.0, https_only: bool = False) -> KeySet:
    return asyncio.run(fetch_key_set(tenant, https_only=https_only, seconds=seconds))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fail, "status 500"),
        (say(b"", 204), "status 204"),
        (say(b"", 404), "status 404"),
        (say(b"slow down", 429), "status 429"),
        (hang_up, "RemoteProtocolError"),
        (stop_halfway, "RemoteProtocolError"),
        (endless, "too large"),
        (say(b'{"keys": [' + b" " * 300_000 + b"]}"), "too large"),
        (say(b"<html>"), "no key set"),
        (say(b'{"keys": {"kid": "first"}}'), "no key set"),
        (say(b'{"keys": [{"kid": 7}]}'), "no key that can be used"),
        (say(b"[" * 100_000), "no key set"),
        (say(b"\x1f\x8b\x08" + b"x" * 100, headers={"Content-Encoding": "gzip"}), "no key set"),
    ],
)
def test_an_answer_that_is_no_key_set_says_why(issuer: Issuer, answer: Answer, reason: str) -> None:
    issuer.answer = answer
    with pytest.raises(FetchError, match=reason):
        fetch(issuer.tenant)


def test_a_redirect_is_not_followed(issuer: Issuer) -> None:
    # given a tenant that sends who asks for its keys to another server, which has some
    other = Issuer()
    other.keys = [signing_key("second").as_jwk()]
    issuer.answer = redirect_to(other.tenant.jwks_url)
    try:
        # when they are fetched
        with pytest.raises(FetchError, match="status 302"):
            fetch(issuer.tenant)
        # then the other one was not even asked
        assert (issuer.fetches, other.fetches) == (1, 0)
    finally:
        other.close()


@pytest.mark.parametrize("in_head", [False, True])
def test_a_slow_drip_ends_with_its_time(issuer: Issuer, in_head: bool) -> None:
    # given a tenant that sends its answer byte for byte, each soon after the last, for half a minute and more
    drip = Drip(issuer.keys, in_head=in_head)
    issuer.answer = drip
    started = time.monotonic()
    # when its keys are fetched
    with pytest.raises(FetchError, match="took longer"):
        fetch(issuer.tenant, seconds=0.3)
    # then that is over in the time that it was given
    assert time.monotonic() - started < 5
    drip.release()


def test_a_tenant_that_is_gone_is_told(issuer: Issuer) -> None:
    with pytest.raises(FetchError, match="ConnectError"):
        fetch(Tenant("http://localhost:1"))


def test_a_computer_without_certificates_is_told(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a computer whose file of certificate authorities is gone
    def refuse() -> None:
        raise FileNotFoundError

    monkeypatch.setattr("webapp.auth0.key_fetching._trusted_authorities", refuse)
    # when keys are fetched, then that fails like any other fetch
    with pytest.raises(FetchError, match="FileNotFoundError"):
        fetch(issuer.tenant)


@pytest.mark.parametrize(
    "base_url", ["http://tenant.example", "http://127.0.0.2:80", "ftp://localhost", "http://localhost.example:80"]
)
def test_keys_come_by_https_or_from_this_computer_only(base_url: str) -> None:
    with pytest.raises(FetchError, match="not https"):
        fetch(Tenant(base_url))


def test_a_service_in_production_takes_no_keys_by_http(issuer: Issuer) -> None:
    # given a service that has no business with a tenant on its own computer
    with pytest.raises(FetchError, match="not https"):
        fetch(issuer.tenant, https_only=True)
    # then that one was not asked
    assert issuer.fetches == 0
