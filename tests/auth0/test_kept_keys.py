"""Keys across restarts and processes, on each kind of database."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import make_url

from tests.auth0.faults import fail
from tests.conftest import wait_until
from tests.tokens.issuer import Issuer, signing_key
from webapp.auth0.key_ages import FRESH_SECONDS, LAST_GOOD_SECONDS, REFRESH_SECONDS
from webapp.auth0.models import KeptKeySet
from webapp.auth0.signing_keys import KeyCache, KeysUnavailableError, UnknownKeyError
from webapp.database import Database

START = 1_800_000_000.0


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def settle(cache: KeyCache) -> None:
    wait_until(lambda: cache.is_idle)


def log_in(database: Database, issuer: Issuer, now: float, kid: str = "first") -> KeyCache:
    """Let a visitor come to a process that has just started; return its cache when all is still again."""
    cache = KeyCache(database)
    assert cache.key_for(issuer.tenant, kid, now)
    settle(cache)
    return cache


def test_a_restart_asks_no_tenant_whose_keys_are_fresh(issuer: Issuer, database: Database) -> None:
    # given a process that fetched keys, and ended
    log_in(database, issuer, START)
    # when the next one needs them
    log_in(database, issuer, START + REFRESH_SECONDS - 1)
    # then they are in the database
    assert issuer.fetches == 1


def test_processes_share_what_one_has_fetched(issuer: Issuer, database: Database) -> None:
    # given two processes with keys of the same age
    caches = [log_in(database, issuer, START) for _ in range(2)]
    # when both find them due
    for cache in caches:
        assert cache.key_for(issuer.tenant, "first", START + REFRESH_SECONDS)
        settle(cache)
    # then one of them asked the tenant, for both
    assert issuer.fetches == 2
    assert caches[1].key_for(issuer.tenant, "first", START + REFRESH_SECONDS + 10)
    settle(caches[1])
    assert issuer.fetches == 2


def test_a_new_key_that_one_process_has_found_is_known_to_the_other(issuer: Issuer, database: Database) -> None:
    # given two processes, and a new key that came to the first
    caches = [log_in(database, issuer, START) for _ in range(2)]
    issuer.keys.append(signing_key("second").as_jwk())
    assert caches[0].key_for(issuer.tenant, "second", START + 1)
    settle(caches[0])
    # when it comes to the second
    assert caches[1].key_for(issuer.tenant, "second", START + 2)
    # then that one needs no tenant
    assert issuer.fetches == 2


def test_a_restart_during_an_outage_has_the_last_good_keys(issuer: Issuer, database: Database) -> None:
    # given keys that were fetched yesterday, and a tenant that is down
    log_in(database, issuer, START)
    issuer.answer = fail
    # when a process starts after the keys are no longer fresh, then they are believed, since the tenant was asked
    cache = log_in(database, issuer, START + LAST_GOOD_SECONDS - 1)
    assert issuer.fetches == 2
    assert cache.key_for(issuer.tenant, "first", START + LAST_GOOD_SECONDS - 1)
    # and after a day they are not
    with pytest.raises(KeysUnavailableError):
        KeyCache(database).key_for(issuer.tenant, "first", START + LAST_GOOD_SECONDS)


def test_a_restart_does_not_bring_a_revoked_key_back(issuer: Issuer, database: Database) -> None:
    # given keys in the database, of which one was revoked while the service was down
    log_in(database, issuer, START)
    issuer.keys = [signing_key("second").as_jwk()]
    # when it starts after their time
    with pytest.raises(UnknownKeyError):
        KeyCache(database).key_for(issuer.tenant, "first", START + FRESH_SECONDS)
    # then the tenant has the word
    assert issuer.fetches == 2


def test_each_tenant_has_its_own_keys(issuer: Issuer, database: Database) -> None:
    # given keys of one tenant
    log_in(database, issuer, START)
    other = Issuer()
    other.keys = [signing_key("second").as_jwk()]
    # when another's are needed, then they are the other's
    log_in(database, other, START, "second")
    with pytest.raises(UnknownKeyError):
        KeyCache(database).key_for(other.tenant, "first", START + 1)
    other.close()


@pytest.mark.parametrize("jwks", ["", "junk", '{"keys": []}'])
def test_junk_in_the_database_is_no_key_set(issuer: Issuer, database: Database, jwks: str) -> None:
    # given a row that somebody changed
    with database.transaction() as session:
        moment = datetime.fromtimestamp(START, UTC)
        session.add(KeptKeySet(base_url=issuer.tenant.base_url, jwks=jwks, fetched_at=moment))
    # when keys are needed, then they come from the tenant, and are kept in its place
    log_in(database, issuer, START)
    log_in(database, issuer, START)
    assert issuer.fetches == 1


def test_a_database_that_is_away_fails_no_login(issuer: Issuer, database: Database) -> None:
    # given a database that nobody can reach
    url = make_url(database.url)
    there = {"database": "/nowhere/it.db"} if database.is_sqlite else {"host": "localhost", "port": 1, "query": {}}
    away = Database(url.set(**there).render_as_string(hide_password=False))
    # when keys are needed, now and later
    cache = log_in(away, issuer, START)
    assert cache.key_for(issuer.tenant, "first", START + REFRESH_SECONDS)
    settle(cache)
    # then they come from the tenant
    assert issuer.fetches == 2
    away.close()


def test_a_database_that_is_busy_keeps_no_login_waiting(issuer: Issuer, database: Database) -> None:
    # given a database on which somebody writes for a long time
    cache = KeyCache(database)
    with database.transaction() as session:
        session.merge(KeptKeySet(base_url=issuer.tenant.base_url, jwks="", fetched_at=datetime.fromtimestamp(0, UTC)))
        session.flush()
        # when visitors come, then they have their keys before that is over
        assert cache.key_for(issuer.tenant, "first", START)
        assert cache.key_for(issuer.tenant, "first", START + REFRESH_SECONDS)
    settle(cache)
    # and what was fetched is kept as soon as it can be
    with database.reading() as session:
        kept = session.get(KeptKeySet, issuer.tenant.base_url)
    assert kept is not None
    assert "first" in kept.jwks


def test_a_database_that_hangs_keeps_no_login_waiting_for_long(
    issuer: Issuer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a database that takes its time to say what it keeps
    release = threading.Event()
    monkeypatch.setattr("webapp.auth0.signing_keys.DATABASE_SECONDS", 0.05)
    monkeypatch.setattr("webapp.auth0.signing_keys.load_keys", lambda *_arguments: release.wait(10) and None)
    # when keys are needed, then the tenant is asked meanwhile
    cache = KeyCache(database)
    assert cache.key_for(issuer.tenant, "first", START)
    release.set()
    settle(cache)
