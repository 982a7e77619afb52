"""The bar chart of runs: what came of the users of each, as plain numbers for an SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.runs.history import KnownRun
from webapp.runs.models import Run, RunState
from webapp.runs.showing import STATES

CHART_RUNS = 30
WIDTH, HEIGHT = 600, 120
SMALLEST = 2.0
"""The height of a part with few users beside many: it should still be seen."""
PARTS = {"created": "Created", "modified": "Updated", "unchanged": "Unchanged", "invalid": "Failed"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: its top and height in the chart."""

    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A run. ``figures`` are its users, by the words of `PARTS`. Without any, a mark says that it was there."""

    run: KnownRun
    state: str
    x: float
    width: float
    parts: tuple[Part, ...]
    figures: tuple[tuple[str, int], ...]
    is_failed: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars from the oldest run to the newest. ``most`` is the number of users of the highest."""

    bars: tuple[Bar, ...]
    most: int


def chart_of(runs: Sequence[KnownRun]) -> Chart:
    """Return the chart of runs that are over, which come with the newest first."""
    figures = [figures_of(each.run) for each in runs]
    most = max(map(sum, figures), default=0)
    step = WIDTH / CHART_RUNS
    bars = []
    for place, (each, found) in enumerate(zip(runs, figures, strict=True)):
        x = WIDTH - (place + 1) * step
        parts, named = tuple(_parts(found, most)), tuple(zip(PARTS.values(), found, strict=True))
        is_failed = each.run.state == RunState.FAILED
        state = STATES[RunState(each.run.state)]
        bars.append(Bar(each, state, round(x + step * 0.15, 2), round(step * 0.7, 2), parts, named, is_failed))
    return Chart(tuple(reversed(bars)), most)


def figures_of(run: Run) -> tuple[int, ...]:
    """Return the users of a run in the order of `PARTS`."""
    return tuple(max(0, run.counts.get(name, 0)) for name in PARTS)


def _parts(figures: Sequence[int], most: int) -> list[Part]:
    """Stack the parts from the bottom. Small ones are drawn larger than they are, and the largest gives way."""
    heights = [max(SMALLEST, HEIGHT * figure / most) if figure else 0.0 for figure in figures]
    largest = max(range(len(heights)), key=heights.__getitem__)
    heights[largest] -= max(0.0, sum(heights) - HEIGHT)
    parts, y = [], float(HEIGHT)
    for name, height in zip(PARTS, heights, strict=True):
        if height:
            y -= height
            parts.append(Part(name, round(y, 2), round(height, 2)))
    return parts
