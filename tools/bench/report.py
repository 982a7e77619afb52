"""From rounds to figures: medians, ratios within a round, and the targets of docs/performance.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from tools.bench.load import Load

Rounds = Mapping[str, Sequence[Load]]
"""The loads of each server (by its name), one for each round; all lists are equally long."""


class Rated(Protocol):
    """What was done at a rate."""

    @property
    def rate(self) -> float:
        """How many a second."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that has a target. ``more_is_better`` says on which side of ``must`` and ``aim`` it belongs."""

    name: str
    figure: float
    must: float
    aim: float
    more_is_better: bool = True

    @property
    def verdict(self) -> str:
        """What is reached: the aim, what must be, or not even that."""
        if self._reaches(self.aim):
            return "met, the aim too"
        return "met" if self._reaches(self.must) else "not met"

    def _reaches(self, bound: float) -> bool:
        return self.figure >= bound if self.more_is_better else self.figure <= bound


def rate_ratio(rounds: Mapping[str, Sequence[Rated]], name: str, base: str) -> float:
    """Return how many requests (or users) ``name`` does for one of ``base``: the median of the rounds' own ratios.

    The two took turns within each round, so what the machine did to one round it did to both.
    """
    return median(one.rate / other.rate for one, other in zip(rounds[name], rounds[base], strict=True))


def p99_ratio(rounds: Rounds, name: str, base: str) -> float:
    """Return the slowest hundredth's time of ``name`` for one of ``base``, as the median of the rounds' ratios."""
    return median(one.p99_ms / other.p99_ms for one, other in zip(rounds[name], rounds[base], strict=True))


def figures(rounds: Rounds, base: str) -> dict[str, dict[str, float | None]]:
    """Return the medians of each server, as build/bench.json has them."""
    return {
        name: {
            "requests per second": median(load.rate for load in loads),
            f"ratio to {base}": rate_ratio(rounds, name, base),
            "p50 ms": median(load.p50_ms for load in loads),
            "p99 ms": median(load.p99_ms for load in loads),
            "CPU us per request": _median_or_none([load.cpu_us for load in loads]),
            "requests": sum(load.sent for load in loads),
            "generator busy": max(load.generator_busy for load in loads),
        }
        for name, loads in rounds.items()
    }


def table(title: str, rounds: Rounds, base: str) -> str:
    """Return the figures of one database as people read them."""
    lines = [f"{title}, medians of {max(map(len, rounds.values()))} rounds"]
    lines += [f"  {'':28} {'req/s':>8} {'ratio':>7} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'generator':>10}"]
    for name, row in figures(rounds, base).items():
        cpu = row["CPU us per request"]
        lines.append(
            f"  {name:28} {row['requests per second']:8,.0f} {row[f'ratio to {base}']:7.2f} {row['p50 ms']:8.2f} "
            f"{row['p99 ms']:8.2f} {'' if cpu is None else f'{cpu:.0f}':>8} {row['generator busy']:10.0%}"
        )
    return "\n".join(lines)


def target_table(targets: Sequence[Target]) -> str:
    """Return the targets, beside what was reached."""
    lines = [f"{'Targets':62} {'must':>6} {'aim':>6} {'found':>7}"]
    lines += [
        f"  {target.name:60} {_bound(target, target.must)} {_bound(target, target.aim)} {target.figure:7.2f}  "
        f"{target.verdict}"
        for target in targets
    ]
    return "\n".join(lines)


def _bound(target: Target, bound: float) -> str:
    return f"{'' if target.more_is_better else '<='}{bound:g}".rjust(6)


def _median_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
