"""The token bench: all contestants take their turn in each round, and afterwards the databases prove what was done."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.bench.contestants import Stage, TokenServer, barest, express, noop, websync
from tools.bench.databases import MakeDatabase, postgresql, sqlite, stored_properties
from tools.bench.load import BenchError, Load, run_load
from tools.bench.rates import bare_verification
from tools.bench.report import Rounds, Target, p99_ratio, rate_ratio
from tools.bench.servers import Server
from tools.bench.world import Post, Tenant, expected_sums, http_request

DATABASES: dict[str, Callable[[Path], AbstractContextManager[MakeDatabase]]] = {
    "SQLite": sqlite,
    "PostgreSQL": postgresql,
}
WARM_UP_TOKENS = 500
LONGEST_SECONDS = 20.0
"""After which a round of distinct tokens ends, if not all are posted yet."""
BARE = "bare RSA verification"
WSGI, FLASK, HEALTH = "WSGI no-op", "Flask no-op", "Websync no-op"
DISTINCT, REPEAT = "Websync, distinct tokens", "Websync, repeated tokens"
PEER_DISTINCT, PEER_REPEAT = "Express, distinct tokens", "Express, repeated tokens"
LEAST_DISTINCT, LEAST_REPEAT = "least in Python, distinct", "least in Python, repeated"

# Must and aim, from docs/performance.md.
_TO_FLASK = {"SQLite": (0.30, 0.50), "PostgreSQL": (0.25, 0.40)}
_TO_PEER = {"SQLite": (2.5, 4.0), "PostgreSQL": (1.3, 2.0)}
_REPEAT_TO_FLASK = (0.40, 0.70)
_P99_TO_PEER = (1.0, 0.5)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: rounds, tokens of a round, the seconds of a load that goes round and round, and more."""

    rounds: int
    tokens: int
    seconds: float
    has_peer: bool
    crowd_tokens: int

    @property
    def all_tokens(self) -> int:
        """How many tokens the rounds and the warm-up take."""
        return WARM_UP_TOKENS + self.rounds * self.tokens


class Poster:
    """Posts tokens to one server, and keeps in mind which were answered."""

    def __init__(self, taker: TokenServer, stage: Stage) -> None:
        self.taker = taker
        self._load = partial(run_load, taker.server, cores=stage.cores)
        self._answered: list[Post] = []
        self._latest: Sequence[Post] = ()

    def warm_up(self, posts: Sequence[Post]) -> None:
        """Post these so that the server has its keys, its connections and its statements."""
        self.post(posts[:1])  # fetches the tenant's keys
        self.post(posts[1:])

    def post(self, posts: Sequence[Post]) -> Load:
        """Post each once, in order, until the time is up."""
        found = self._load(self._requests(posts), seconds=LONGEST_SECONDS, repeat=False)
        self._latest = posts[: found.sent]
        self._answered.extend(self._latest)
        return found

    def post_again(self, seconds: float) -> Load:
        """Post those of the last round again and again."""
        return self._load(self._requests(self._latest), seconds=seconds, repeat=True)

    def prove(self) -> None:
        """Raise BenchError unless the database has exactly what was answered."""
        sums = list(map(self.taker.sums_of, stored_properties(self.taker.database_url)))
        found = (len(sums), sum(points for points, _ in sums), sum(interests for _, interests in sums))
        if found != (expected := expected_sums(self._answered)):
            raise BenchError(
                f"{self.taker.server.name} has {found} people, points and interests, but answered for {expected}."
            )

    def _requests(self, posts: Sequence[Post]) -> list[str]:
        return list(map(self.taker.request_of, posts))


def bench_tokens(plan: Plan, stage: Stage, issuer: Tenant, posts: Sequence[Post], database: str) -> Rounds:
    """Let all contestants take their turn on one kind of database. Raises BenchError, StartError."""
    with ExitStack() as stack:
        make_database = stack.enter_context(DATABASES[database](stage.folder))
        service = stack.enter_context(websync(stage, issuer, make_database("websync")))
        noops: dict[str, tuple[Server, Callable[[Post], str]]] = {
            WSGI: (stack.enter_context(noop(stage, "wsgi")), _noop_request),
            FLASK: (stack.enter_context(noop(stage, "flask")), _noop_request),
            HEALTH: (service.server, lambda _post: http_request("GET", "/healthz")),
        }
        posters = {(DISTINCT, REPEAT): Poster(service, stage)}
        if plan.has_peer:
            peer = stack.enter_context(express(stage, issuer, make_database("express")))
            posters[PEER_DISTINCT, PEER_REPEAT] = Poster(peer, stage)
        if database == "SQLite":
            least = stack.enter_context(barest(stage, issuer, make_database("least")))
            posters[LEAST_DISTINCT, LEAST_REPEAT] = Poster(least, stage)
        for poster in posters.values():
            poster.warm_up(posts[:WARM_UP_TOKENS])
        rounds: dict[str, list[Load]] = {}
        for start in range(WARM_UP_TOKENS, plan.all_tokens, plan.tokens):
            new = posts[start : start + plan.tokens]
            rounds.setdefault(BARE, []).append(bare_verification(issuer, new, stage.cores, seconds=plan.seconds / 4))
            for name, (server, request_of) in noops.items():
                found = run_load(server, list(map(request_of, new)), stage.cores, seconds=plan.seconds, repeat=True)
                rounds.setdefault(name, []).append(found)
            for (distinct, _), poster in posters.items():
                rounds.setdefault(distinct, []).append(poster.post(new))
            for (_, repeat), poster in posters.items():
                rounds.setdefault(repeat, []).append(poster.post_again(plan.seconds))
        for poster in posters.values():
            poster.prove()
    return rounds


def _noop_request(post: Post) -> str:
    return http_request("POST", "/", json.dumps({"token": post.token, "profileId": None}))


def token_targets(database: str, rounds: Rounds) -> list[Target]:
    """Return the targets of the token service on one kind of database."""
    targets = [
        Target(
            f"{database}: distinct tokens, ratio to Flask no-op",
            rate_ratio(rounds, DISTINCT, FLASK),
            *_TO_FLASK[database],
        ),
        Target(
            f"{database}: repeated tokens, ratio to Flask no-op", rate_ratio(rounds, REPEAT, FLASK), *_REPEAT_TO_FLASK
        ),
    ]
    if PEER_DISTINCT in rounds:
        targets += [
            Target(
                f"{database}: distinct tokens, ratio to Express",
                rate_ratio(rounds, DISTINCT, PEER_DISTINCT),
                *_TO_PEER[database],
            ),
            Target(
                f"{database}: p99 of distinct tokens, ratio to Express",
                p99_ratio(rounds, DISTINCT, PEER_DISTINCT),
                *_P99_TO_PEER,
                more_is_better=False,
            ),
        ]
    return targets
