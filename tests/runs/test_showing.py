from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.run_pages.chart import HEIGHT, PARTS, SMALLEST, WIDTH, chart_of
from webapp.runs.history import KnownRun
from webapp.runs.models import Run, RunState
from webapp.runs.showing import counts_of, duration_words, progress_of, short_id, until_words

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
counts = st.dictionaries(st.sampled_from([*PARTS, "read", "errors"]), st.integers(0, 10_000_000))


def a_run(**fields: Any) -> Run:
    return Run(**{"state": RunState.RUNNING, "counts": {}, "chunks": 0} | fields)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (3_660, "1 h 1 min"),
        (90_061, "1 d 1 h"),
        (86_400, "1 d"),
        (-5, "0 s"),
    ],
)
def test_a_time_span_has_at_most_two_units(seconds: float, words: str) -> None:
    assert duration_words(timedelta(seconds=seconds)) == words


def test_a_moment_that_is_near_is_said_so() -> None:
    assert until_words(NOW + timedelta(seconds=20), NOW) == "in less than a minute"
    assert until_words(NOW + timedelta(hours=2, minutes=3), NOW) == "in 2 h 3 min"


def test_progress_says_share_rate_and_time_left_when_they_are_known() -> None:
    # given a run that has done four of ten thousand in four chunks, in two minutes since the first
    began = NOW - timedelta(minutes=2)
    run = a_run(counts={"read": 4_000}, chunks=4, first_chunk_at=began, expected_users=10_000)
    # when its progress is told, then the first chunk, whose time nobody knows, is left out of the rate
    found = progress_of(run, NOW)
    assert (found.percent, found.users_per_second, found.left) == (40, 25.0, timedelta(seconds=240))
    assert found.words == "4,000 of about 10,000 users, 40 %, 25 users a second, 4 min left"


def test_progress_without_a_known_end_says_number_and_rate() -> None:
    # given runs of which nobody knows how many users there are, at different places
    began = NOW - timedelta(seconds=10)
    going = a_run(counts={"read": 3_000}, chunks=3, first_chunk_at=began)
    # when their progress is told, then there is no share and no time left
    assert progress_of(going, NOW).words == "3,000 users, 200 users a second"
    assert progress_of(a_run(counts={"read": 1_000}, chunks=1, first_chunk_at=NOW), NOW).words == "1,000 users"
    assert progress_of(a_run(), NOW).words == "0 users"


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.none() | st.integers(0, 10**9), st.integers(-10, 10**7))
def test_progress_is_never_more_than_all_and_never_fails(
    read: int, chunks: int, expected: int | None, seconds: int
) -> None:
    # given any run, also one with more users than were expected, or a clock that was set back
    began = NOW - timedelta(seconds=seconds) if chunks else None
    run = a_run(counts={"read": read}, chunks=chunks, first_chunk_at=began, expected_users=expected)
    # when its progress is told, then it is possible
    found = progress_of(run, NOW)
    assert found.percent is None or 0 <= found.percent <= 100
    assert found.left is None or found.left >= timedelta()
    assert found.words


def test_counts_stand_in_the_order_of_the_page_and_unknown_ones_at_its_end() -> None:
    # given counts as an importer adds them up
    found = counts_of({"errors": 3, "made_up": 1, "invalid": 2, "read": 9, "problems": 4})
    # when they are named, then what the error list tells better is left out
    assert [(each.words, each.count) for each in found] == [("Read", 9), ("Invalid", 2), ("Made up", 1)]


def test_the_end_of_an_id_is_shown() -> None:
    assert short_id("0193a1f2-7f1e-7aaa-9abc-1234567890ab") == "…567890ab"
    assert short_id("short") == "short"


@given(st.lists(st.tuples(counts, st.sampled_from(RunState)), max_size=30))
def test_bars_stay_inside_the_chart_and_show_whatever_is_there(runs: list[tuple[dict[str, int], RunState]]) -> None:
    # given runs with any counts
    known = [KnownRun(a_run(counts=found, state=state), None, None) for found, state in runs]  # type: ignore[arg-type]
    # when their chart is made
    chart = chart_of(known)
    # then the newest is on the right, parts stand on each other, inside, and none that has users is too small to see
    assert [bar.run for bar in chart.bars] == known[::-1]
    xs = [bar.x for bar in chart.bars]
    assert xs == sorted(xs)
    for bar in chart.bars:
        assert 0 <= bar.x < bar.x + bar.width <= WIDTH
        named = dict(bar.figures)
        assert [part.name for part in bar.parts] == [name for name, words in PARTS.items() if named[words]]
        bottom = float(HEIGHT)
        for part in bar.parts:
            assert part.height >= SMALLEST - 0.01
            assert part.y + part.height == pytest.approx(bottom, abs=0.02)
            bottom = part.y
        assert bottom >= -0.01
