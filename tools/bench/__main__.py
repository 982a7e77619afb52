"""Run the benchmarks, print them, and keep the figures in build/bench.json (docs/performance.md)."""

import argparse
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tools.bench.contestants import Stage
from tools.bench.crowd import bench_crowd, crowd_targets
from tools.bench.exports import write_exports
from tools.bench.imports import (
    MEMORY_USERS,
    bench_imports,
    import_figures,
    import_table,
    import_targets,
    memory_targets,
    worker_memory,
)
from tools.bench.load import BenchError
from tools.bench.machine import choose_cores, describe
from tools.bench.rates import disk_rate, rendering_ms, verification_rates
from tools.bench.report import Target, figures, table, target_table
from tools.bench.servers import HOME, StartError
from tools.bench.tokens import DATABASES, FLASK, Plan, bench_tokens, token_targets
from tools.bench.world import make_posts, tenant

RESULTS = HOME / "build" / "bench.json"
PARTS = ("tokens", "imports")
RENDERING_MS = (50.0, 15.0)
"""What all kinds of code of a goal with 100 mappings must and should not pass."""
STOPPING = (signal.SIGINT, signal.SIGTERM)


def stop(*_signal: object) -> None:
    """Leave, which ends everything that was started; a second Ctrl+C does not disturb that."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit("stopped")


def main() -> None:
    """Read the options and run. Whatever happens, everything that was started is ended."""
    for number in STOPPING:  # set anew: a shell that starts it in the background lets it ignore Ctrl+C
        signal.signal(number, stop)
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often all take their turn (default: 5)")
    parser.add_argument("--tokens", type=int, default=5000, help="distinct tokens of a round (default: 5000)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each no-op and repeat in a round (default: 2)")
    parser.add_argument("--database", choices=tuple(DATABASES), action="append", help="only this one")
    parser.add_argument("--no-peer", action="store_true", help="without the Express peer")
    parser.add_argument(
        "--crowd-tokens", type=int, default=2000, help="tokens of a load on many profiles (default: 2000)"
    )
    parser.add_argument(
        "--profiles", type=int, default=100_000, help="of the crowded store (default: 100000; 0: without)"
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one")
    parser.add_argument("--users", type=int, default=200_000, help="of the imported files (default: 200000)")
    parser.add_argument("--import-rounds", type=int, default=3, help="how often they are imported (default: 3)")
    options = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    plan = Plan(options.rounds, options.tokens, options.seconds, not options.no_peer, options.crowd_tokens)
    databases = options.database or list(DATABASES)
    results: dict[str, object] = {"machine": describe()}
    targets: list[Target] = []
    try:
        with tempfile.TemporaryDirectory(dir=RESULTS.parent, prefix="bench-") as folder:
            stage = Stage(Path(folder), choose_cores())
            if "tokens" in (options.part or PARTS):
                targets += bench_all_tokens(plan, stage, databases, options.profiles, results)
            if "imports" in (options.part or PARTS):
                targets += bench_all_imports(stage, databases, options.users, options.import_rounds, results)
    except (BenchError, StartError) as error:
        sys.exit(str(error))
    print(f"\n{target_table(targets)}")
    results["targets"] = [{**asdict(target), "verdict": target.verdict} for target in targets]
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\nThe figures are in {RESULTS.relative_to(HOME)}.")


def bench_all_tokens(
    plan: Plan, stage: Stage, databases: list[str], profiles: int, results: dict[str, object]
) -> list[Target]:
    """Measure what tokens take, print it and add it to ``results``; return the targets."""
    rendering = rendering_ms()
    results["all kinds of code, 100 mappings, ms"] = rendering
    targets = [
        Target(f"All kinds of code of 100 mappings, {name}, ms", found, *RENDERING_MS, more_is_better=False)
        for name, found in rendering.items()
    ]
    results["disk confirmations per second"] = confirmations = disk_rate(stage)
    print(f"The disk confirms {confirmations:,.0f} single pages a second.")
    with tenant() as issuer:
        posts = make_posts(issuer, plan.all_tokens, first_person=0)
        speeds = verification_rates(stage, issuer, posts)
        results |= {"token bytes": len(posts[0].token), "verifications per second": speeds}
        print(
            "Verifications per second, one core: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in speeds.items())
        )
        for database in databases:
            rounds = bench_tokens(plan, stage, issuer, posts, database)
            results[database] = figures(rounds, FLASK)
            print(f"\n{table(database, rounds, FLASK)}", flush=True)
            targets += token_targets(database, rounds)
            if profiles:
                rounds = bench_crowd(plan, stage, issuer, database, profiles)
                base = next(iter(rounds))
                results[f"{database}, {profiles} profiles"] = figures(rounds, base)
                print(f"\n{table(f'{database} with many profiles', rounds, base)}", flush=True)
                targets += crowd_targets(database, rounds, profiles)
    return targets


def bench_all_imports(
    stage: Stage, databases: list[str], users: int, rounds: int, results: dict[str, object]
) -> list[Target]:
    """Measure what imports take, print it and add it to ``results``; return the targets."""
    exports, targets = write_exports(stage.folder, users), []
    for database in databases:
        readings = bench_imports(stage, exports, database, rounds)
        results[f"{database}, imports"] = import_figures(readings)
        print(f"\n{import_table(f'Imports into {database}', readings)}", flush=True)
        targets += import_targets(database, readings)
    if sys.platform == "linux":  # others do not tell how much memory a process had
        results["worker's peak bytes, by users"] = peaks = worker_memory(stage, min(users, MEMORY_USERS))
        targets += memory_targets(peaks)
    return targets


if __name__ == "__main__":
    main()
