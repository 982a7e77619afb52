"""What a token costs when there are millions of profiles, against a store that has only those who are asked for."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from tools.bench.contestants import Stage, TokenServer, websync
from tools.bench.filling import fill
from tools.bench.load import Load
from tools.bench.report import Rounds, Target, rate_ratio
from tools.bench.tokens import DATABASES, Plan, Poster
from tools.bench.world import Post, Tenant, make_posts

FIRST_KNOWN = 1_000_000
FIRST_NEW = 1_000_000_000
_COST = (1.3, 1.1)
"""Must and aim, from docs/performance.md."""


def names(profiles: int) -> dict[str, tuple[str, str]]:
    """Return what the loads on few and on many profiles are called, for tokens of new and of known people."""
    return {
        kind: (f"{kind} people, few profiles", f"{kind} people, {profiles:,} profiles") for kind in ("new", "known")
    }


def bench_crowd(plan: Plan, stage: Stage, issuer: Tenant, database: str, profiles: int) -> Rounds:
    """Post the same tokens to a service with few profiles and to one with many. Raises BenchError, StartError."""
    count = plan.crowd_tokens
    known = make_posts(issuer, plan.rounds * count, FIRST_KNOWN)
    new = make_posts(issuer, (plan.rounds + 1) * count, FIRST_NEW)
    with ExitStack() as stack:
        make_database = stack.enter_context(DATABASES[database](stage.folder))
        few, many = (stack.enter_context(websync(stage, issuer, make_database(name))) for name in ("few", "many"))
        _fill(few, issuer, range(FIRST_KNOWN, FIRST_KNOWN + len(known)))
        _fill(many, issuer, range(FIRST_KNOWN, FIRST_KNOWN + profiles))
        posters = [Poster(few, stage), Poster(many, stage)]
        for poster in posters:
            poster.warm_up(new[:count])
        rounds: dict[str, list[Load]] = {}
        for start in range(0, plan.rounds * count, count):
            turns: dict[str, Sequence[Post]] = {
                "new": new[start + count : start + 2 * count],
                "known": known[start : start + count],
            }
            for kind, posts in turns.items():
                for name, poster in zip(names(profiles)[kind], posters, strict=True):
                    rounds.setdefault(name, []).append(poster.post(posts))
    return rounds


def crowd_targets(database: str, rounds: Rounds, profiles: int) -> list[Target]:
    """Return the targets of a crowded store: the cost of a token there for one where there are few profiles."""
    return [
        Target(
            f"{database}: cost of a token of {kind} people at {profiles:,} profiles",
            rate_ratio(rounds, few, many),
            *_COST,
            more_is_better=False,
        )
        for kind, (few, many) in names(profiles).items()
    ]


def _fill(taker: TokenServer, issuer: Tenant, people: range) -> None:
    begin = time.monotonic()
    fill(taker.database_url, issuer, people)
    seconds = time.monotonic() - begin
    if seconds > 10:
        print(f"Filled a database with {len(people):,} profiles in {seconds:.0f} s.", flush=True)
