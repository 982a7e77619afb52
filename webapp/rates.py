"""How often somebody may do something: counted in this process's memory, or in a Redis that several processes share.

A sliding window of two counters: what was counted in the window before still counts by the part of it that is not over.
Source: RFC 6585, 4 (429); RFC 9110, 10.2.3 (Retry-After).
"""

import ipaddress
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol, cast

import redis
import structlog
from flask import current_app, request

from webapp.errors import WebsyncError

log = structlog.get_logger()

MEMORY_URL = "memory://"
REDIS_TIMEOUT_SECONDS = 0.25
"""A login waits for Redis no longer than this, and then only one in `AWAY_SECONDS`."""
AWAY_SECONDS = 5.0
NOBODY = "unknown"


class TooManyRequestsError(WebsyncError):
    """Somebody's address, or everybody together at one goal, has sent more than is allowed. Nothing was read.

    What to do: try again after ``Retry-After`` seconds, with the same token or form. If these are ordinary visitors,
    raise the limit (docs/operate.md, "Limits").
    """

    slug, title, status = "too-many-requests", "Too many requests", HTTPStatus.TOO_MANY_REQUESTS


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``limit`` in ``seconds``. ``name`` says what is counted."""

    name: str
    limit: int
    seconds: int


class Counters(Protocol):
    """Counts by key and window."""

    def take(self, rate: Rate, who: str, now: float) -> tuple[int, int]:
        """Return what was counted in this window and in the one before; this one is counted too if it is allowed."""


class MemoryCounters:
    """Counters of this process. Threads share them. What is older than two windows is forgotten as a whole."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[int, dict[str, int], dict[str, int]]] = {}
        self._lock = threading.Lock()

    def take(self, rate: Rate, who: str, now: float) -> tuple[int, int]:
        """Count one."""
        number = int(now // rate.seconds)
        with self._lock:
            kept, current, before = self._windows.get(rate.name, (number, {}, {}))
            if kept != number:
                current, before = {}, current if kept == number - 1 else {}
            self._windows[rate.name] = (number, current, before)
            counts = current.get(who, 0), before.get(who, 0)
            if is_allowed(rate, *counts, now):
                current[who] = counts[0] + 1
        return counts


class RedisCounters:
    """Counters in Redis, in one round trip. They end by themselves after two windows."""

    SCRIPT = """
    local current = tonumber(redis.call('GET', KEYS[1]) or '0')
    local before = tonumber(redis.call('GET', KEYS[2]) or '0')
    if math.floor(before * tonumber(ARGV[2])) + current < tonumber(ARGV[1]) then
      redis.call('INCR', KEYS[1])
      redis.call('EXPIRE', KEYS[1], ARGV[3])
    end
    return {current, before}
    """

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_SECONDS, socket_connect_timeout=REDIS_TIMEOUT_SECONDS
        )
        self._script = self._redis.register_script(self.SCRIPT)

    def take(self, rate: Rate, who: str, now: float) -> tuple[int, int]:
        """Count one. Raises redis.RedisError."""
        number = int(now // rate.seconds)
        # In braces what decides on which machine of a cluster the key is: both are on the same.
        keys = [f"websync:{{{rate.name}:{who}}}:{each}" for each in (number, number - 1)]
        counts: Any = self._script(keys=keys, args=[rate.limit, _left(rate, now), rate.seconds * 2])
        current, before = cast("tuple[int, int]", counts)
        return current, before

    def ping(self) -> None:
        """Raise redis.RedisError if it is away."""
        self._redis.ping()


class Rates:
    """The counters of one app: those of ``url``, and the memory's while that Redis is away."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._memory = MemoryCounters()
        self._redis = None if url == MEMORY_URL else RedisCounters(url)
        self._clock = clock
        self._away_until = 0.0
        self._is_away = False

    @property
    def is_degraded(self) -> bool:
        """Whether each process counts by itself because Redis is away."""
        return self._is_away

    def check(self, rate: Rate, who: str) -> None:
        """Count one more of ``who``. Raises TooManyRequestsError if that is one too many."""
        now = self._clock()
        counts = self._take(rate, who, now)
        if not is_allowed(rate, *counts, now):
            error = TooManyRequestsError("Try again later.")
            error.retry_after_seconds = wait_seconds(rate, *counts, now)
            raise error

    def ask_redis(self) -> None:
        """Find out if Redis is there, for those who want to know. Raises redis.RedisError."""
        if self._redis is not None:
            self._redis.ping()

    def _take(self, rate: Rate, who: str, now: float) -> tuple[int, int]:
        if self._redis is None or now < self._away_until:
            return self._memory.take(rate, who, now)
        if self._is_away:
            self._away_until = now + AWAY_SECONDS  # this thread looks if it is back; the others go on meanwhile
        try:
            counts = self._redis.take(rate, who, now)
        except redis.RedisError as error:
            self._away_until = now + AWAY_SECONDS
            if not self._is_away:
                self._is_away = True
                log.warning("limits_redis_away", reason=type(error).__name__)
            return self._memory.take(rate, who, now)
        if self._is_away:
            self._is_away, self._away_until = False, 0.0
            log.info("limits_redis_back")
        return counts


def rates() -> Rates:
    """Return the counters of the running app."""
    found: Rates = current_app.extensions["rates"]
    return found


def is_allowed(rate: Rate, current: int, before: int, now: float) -> bool:
    """Say if one more fits."""
    return int(before * _left(rate, now)) + current < rate.limit


def wait_seconds(rate: Rate, current: int, before: int, now: float) -> int:
    """Return after how many seconds one more fits, if nothing else comes meanwhile."""
    rest = rate.seconds - now % rate.seconds
    if current >= rate.limit:  # then in the next window, once this one counts little enough
        over = max(0.0, 1 - rate.limit / current)
        return _later(rest + over * rate.seconds)
    over = 1 - (rate.limit - current) / before
    return _later(over * rate.seconds - now % rate.seconds)


def client_address() -> str:
    """Return whom a request of this address is counted for."""
    return address_group(request.remote_addr or "")


@lru_cache(maxsize=4096)
def address_group(text: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address: what one customer of a provider has.

    Some proxies append a port. Whatever is no address is counted together.
    """
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return NOBODY
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address)


@lru_cache(maxsize=4096)
def is_own_address(group: str) -> bool:
    """Say if a group is this computer: `address_group` of a loopback address."""
    return group == "::/64" or (group != NOBODY and ipaddress.ip_network(group).is_loopback)


def _later(seconds: float) -> int:
    """Return whole seconds that are surely more: at the moment itself it is not yet allowed."""
    return max(1, math.floor(seconds + 0.01) + 1)


def _left(rate: Rate, now: float) -> float:
    """Return the part of the window that is not over."""
    return 1 - (now % rate.seconds) / rate.seconds
