"""What one worker learns of a tenant's limit holds the others back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import jsonify

from tests.auth0.scripted import ScriptedTenant, problem
from tests.demo.conftest import serve
from webapp.auth0.answers import Auth0UnavailableError
from webapp.auth0.management import ManagementClient
from webapp.auth0.shared_pauses import SharedPause
from webapp.auth0.tenant import Tenant
from webapp.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@contextmanager
def two_workers(
    database: Database, scripted: ScriptedTenant, wait: Callable[[float], Any]
) -> Iterator[tuple[ManagementClient, ManagementClient]]:
    """Two clients of one tenant, as two processes have them; ``wait`` is the second one's."""
    for base_url in serve(lambda _: scripted.app()):
        tenant = Tenant(base_url)
        shared = [SharedPause(database, tenant) for _ in range(2)]
        with (
            ManagementClient(tenant, "client", "secret", wait=lambda _: None, shared=shared[0]) as first,
            ManagementClient(tenant, "client", "secret", wait=wait, shared=shared[1]) as second,
        ):
            yield first, second


def last_call() -> Any:
    answer = jsonify({"user_id": "auth0|ann"})
    answer.headers.update({"x-ratelimit-remaining": "0", "retry-after": "7"})
    return answer


def test_after_the_last_call_that_a_tenant_takes_all_workers_wait(database: Database) -> None:
    # given a tenant that takes no more calls for seven seconds
    waits: list[float] = []
    with two_workers(database, ScriptedTenant([last_call]), waits.append) as (first, second):
        # when one worker has made the last one, and another has something to ask
        first.get_user("auth0|ann")
        second.get_user("auth0|ann")
    # then that one waits first
    assert len(waits) == 1
    assert 5 < waits[0] <= 7


def test_a_limit_of_minutes_is_not_asked_again_by_another_worker(database: Database) -> None:
    # given a tenant whose limit one worker has come over, for an hour
    scripted = ScriptedTenant([problem(429, "Global limit", **{"Retry-After": "3600"})])
    with two_workers(database, scripted, lambda _: None) as (first, second):
        with pytest.raises(Auth0UnavailableError, match="Global limit"):
            first.get_user("auth0|ann")
        asked = len(scripted.requests)
        # when another has something to ask, then it leaves the tenant alone, and says when to come again
        with pytest.raises(Auth0UnavailableError, match="others wait") as caught:
            second.get_user("auth0|ann")
    assert len(scripted.requests) == asked
    assert 3_590 < (caught.value.retry_after_seconds or 0) <= 3_600


def test_a_shorter_pause_ends_no_longer_one_and_each_tenant_has_its_own(database: Database) -> None:
    # given a pause, and then a shorter one
    shared = SharedPause(database, Tenant("https://acme.eu.auth0.com"))
    assert shared.seconds() == 0
    shared.note(60)
    shared.note(1)
    # when it is asked for, then it is the longer one, and another tenant has none
    assert 50 < shared.seconds() <= 60
    assert SharedPause(database, Tenant("https://other.eu.auth0.com")).seconds() == 0


def test_a_database_that_is_away_holds_nobody_back(database: Database) -> None:
    # given a database without the table
    shared = SharedPause(database, Tenant("https://acme.eu.auth0.com"))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE tenant_pauses")
    # when a pause is noted and asked for, then nothing fails
    shared.note(60)
    assert shared.seconds() == 0
