"""Run the benchmarks, print them, and keep the figures in build/bench.json (docs/performance.md)."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.bench.databases import MakeDatabase, found_sums, postgresql, sqlite
from tools.bench.load import BenchError, Load, run_load
from tools.bench.machine import Cores, choose_cores, describe
from tools.bench.rates import rendering_ms, verification_rates
from tools.bench.report import Rounds, Target, figures, rate_ratio, table, target_table
from tools.bench.servers import (
    HOME,
    Server,
    StartError,
    clean_environment,
    free_port,
    noop_command,
    running,
    websync_command,
    websync_environment,
)
from tools.bench.world import (
    GOAL_KEY,
    Post,
    Tenant,
    configuration,
    expected_sums,
    http_request,
    make_posts,
    tenant,
    websync_request,
)

RESULTS = HOME / "build" / "bench.json"
WARM_UP_TOKENS = 500
LONGEST_SECONDS = 30.0
"""After which a round of distinct tokens ends, if not all are posted yet."""
RENDERING_MS = 50, 15
FLASK, WSGI, HEALTH, DISTINCT, REPEAT = (
    "Flask no-op",
    "WSGI no-op",
    "Websync no-op",
    "distinct tokens",
    "repeated tokens",
)
MUST_TO_FLASK = {"SQLite": (0.30, 0.50), "PostgreSQL": (0.25, 0.40)}
REPEAT_TO_FLASK = 0.40, 0.70


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: rounds, tokens of a round, and seconds of a load that goes round and round."""

    rounds: int
    tokens: int
    seconds: float
    databases: tuple[str, ...]
    cores: Cores
    folder: Path


def main() -> None:
    """Read the options and run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # as Ctrl+C does: everything started is ended
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often all take their turn")
    parser.add_argument("--tokens", type=int, default=5000, help="distinct tokens of a round")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a no-op or a repeat in a round")
    parser.add_argument("--database", choices=tuple(DATABASES), action="append", help="only this one")
    options = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=RESULTS.parent, prefix="bench-") as folder:
            run(
                Plan(
                    options.rounds,
                    options.tokens,
                    options.seconds,
                    tuple(options.database or DATABASES),
                    choose_cores(),
                    Path(folder),
                )
            )
    except (BenchError, StartError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped")


def run(plan: Plan) -> None:
    """Measure everything and print it."""
    results: dict[str, object] = {"machine": describe()}
    targets: list[Target] = []
    rendering = rendering_ms()
    results["all kinds of code, 100 mappings, ms"] = rendering
    targets += [
        Target(f"All kinds of code of 100 mappings, {name}, ms", found, *RENDERING_MS, more_is_better=False)
        for name, found in rendering.items()
    ]
    with tenant() as issuer:
        posts = make_posts(issuer, WARM_UP_TOKENS + plan.rounds * plan.tokens, first_person=0)
        results["token bytes"] = len(posts[0].token)
        results["verifications per second"] = speeds = verification_rates(issuer, posts)
        print(
            "Verifications per second, one core: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in speeds.items())
        )
        for name in plan.databases:
            rounds = bench_tokens(plan, issuer, posts, name)
            results[name] = figures(rounds, FLASK)
            print(f"\n{table(name, rounds, FLASK)}", flush=True)
            targets += token_targets(name, rounds)
    print(f"\n{target_table(targets)}")
    results["targets"] = {
        target.name: {"must": target.must, "aim": target.aim, "found": target.figure, "verdict": target.verdict}
        for target in targets
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\nThe figures are in {RESULTS.relative_to(HOME)}.")


def token_targets(database: str, rounds: Rounds) -> list[Target]:
    """Return the targets of the token service on one database."""
    return [
        Target(
            f"{database}: distinct tokens, ratio to Flask no-op",
            rate_ratio(rounds, DISTINCT, FLASK),
            *MUST_TO_FLASK[database],
        ),
        Target(
            f"{database}: repeated tokens, ratio to Flask no-op", rate_ratio(rounds, REPEAT, FLASK), *REPEAT_TO_FLASK
        ),
    ]


def bench_tokens(plan: Plan, issuer: Tenant, posts: Sequence[Post], database: str) -> Rounds:
    """Let all servers take their turn on one database, and prove afterwards that no answered token was lost."""
    with ExitStack() as stack:
        url = stack.enter_context(DATABASES[database](plan.folder))("websync")
        flask = stack.enter_context(noop(plan, "flask"))
        wsgi = stack.enter_context(noop(plan, "wsgi"))
        service = stack.enter_context(websync(plan, issuer, url))
        load = partial(run_load, cores=plan.cores)
        answered: list[Post] = []

        def post(new: Sequence[Post]) -> Load:
            found = load(service, list(map(websync_request, new)), seconds=LONGEST_SECONDS, repeat=False)
            answered.extend(new[: found.sent])
            return found

        post(posts[:WARM_UP_TOKENS])
        rounds: dict[str, list[Load]] = {name: [] for name in (WSGI, FLASK, HEALTH, DISTINCT, REPEAT)}
        requests = list(map(websync_request, posts[:WARM_UP_TOKENS]))
        for number in range(plan.rounds):
            start = WARM_UP_TOKENS + number * plan.tokens
            new = posts[start : start + plan.tokens]
            plain = [request.replace(f"/sync/{GOAL_KEY}/token", "/", 1) for request in requests]
            health = [http_request("GET", "/healthz")]
            rounds[WSGI].append(load(wsgi, plain, seconds=plan.seconds, repeat=True))
            rounds[FLASK].append(load(flask, plain, seconds=plan.seconds, repeat=True))
            rounds[HEALTH].append(load(service, health, seconds=plan.seconds, repeat=True))
            rounds[DISTINCT].append(found := post(new))
            again = list(map(websync_request, new[: found.sent]))
            rounds[REPEAT].append(load(service, again, seconds=plan.seconds, repeat=True))
        check_sums("Websync", expected_sums(answered), found_sums(url))
    return rounds


def check_sums(name: str, expected: tuple[int, int, int], found: tuple[int, int, int]) -> None:
    """Raise BenchError unless the database has what was answered."""
    if found != expected:
        raise BenchError(f"{name} has (people, points, interests) {found}, and answered for {expected}.")


@contextmanager
def websync(plan: Plan, issuer: Tenant, database_url: str) -> Iterator[Server]:
    """Run the production server on a database, with the goal in it."""
    port = free_port()
    settings = websync_environment(database_url, port)
    goals = plan.folder / "goals.yaml"
    goals.write_text(json.dumps(configuration(issuer)), encoding="utf-8")
    applied = subprocess.run(
        websync_command("config", "apply", str(goals)),
        env={**clean_environment(), **settings},
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    if applied.returncode != 0:
        raise BenchError(f"websync config apply failed: {applied.stdout}{applied.stderr}")
    command = websync_command("serve")
    with running("Websync", command, port, folder=plan.folder, cores=plan.cores, environment=settings) as server:
        yield server


def noop(plan: Plan, name: str) -> AbstractContextManager[Server]:
    """Run a server that does nothing."""
    port = free_port()
    return running(f"{name} no-op", noop_command(name, port), port, folder=plan.folder, cores=plan.cores)


DATABASES: dict[str, Callable[[Path], AbstractContextManager[MakeDatabase]]] = {
    "SQLite": sqlite,
    "PostgreSQL": postgresql,
}


if __name__ == "__main__":
    main()
