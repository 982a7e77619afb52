from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.connections.schedule import (
    LAST,
    TIMES_PER_DAY,
    InvalidScheduleError,
    Schedule,
    ScheduleKind,
    Weekday,
    next_runs,
    plain_schedule,
    read_schedule,
    shortest_gap,
)

BERLIN = "Europe/Berlin"
zones = st.sampled_from(sorted(available_timezones()))
times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
seconds_of_2020_to_2036 = st.integers(1_577_836_800, 2_114_380_800)
moments = seconds_of_2020_to_2036.map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
counts = st.sampled_from(TIMES_PER_DAY)
weekdays = st.lists(st.sampled_from(Weekday), min_size=1, unique=True).map(tuple)


def schedule(kind: str, **fields: Any) -> Schedule:
    return Schedule(ScheduleKind(kind), **fields)


def runs(plan: Schedule, after: str, count: int) -> list[str]:
    """The next runs in wall time, with what it is ahead of UTC."""
    found = next_runs(plan, datetime.fromisoformat(after), count)
    return [moment.isoformat(timespec="minutes") for moment in found]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (schedule("times_per_day", at=time(3)), ["2026-11-24T03:00", "2026-11-25T03:00"]),
        (schedule("times_per_day", at=time(22, 15), times_per_day=3), ["2026-11-23T14:15", "2026-11-23T22:15"]),
        (schedule("times_per_day", at=time(0, 30), times_per_day=24), ["2026-11-23T12:30", "2026-11-23T13:30"]),
        (
            schedule("weekdays", at=time(9), weekdays=(Weekday.TUESDAY, Weekday.SUNDAY)),
            ["2026-11-24T09:00", "2026-11-29T09:00"],
        ),
        (schedule("day_of_month", at=time(9), day=31), ["2026-12-31T09:00", "2027-01-31T09:00", "2027-03-31T09:00"]),
        (schedule("day_of_month", at=time(9), day=LAST), ["2026-11-30T09:00", "2026-12-31T09:00"]),
        (
            schedule("weekday_of_month", at=time(9), weekdays=(Weekday.FRIDAY,), nth=2),
            ["2026-12-11T09:00", "2027-01-08T09:00"],
        ),
        (
            schedule("weekday_of_month", at=time(9), weekdays=(Weekday.FRIDAY,), nth=LAST),
            ["2026-11-27T09:00", "2026-12-25T09:00"],
        ),
        (schedule("cron", cron_text=" 5  4 * * 1-5 "), ["2026-11-24T04:05", "2026-11-25T04:05"]),
        (schedule("cron", cron_text="0 12 29 2 *"), ["2028-02-29T12:00", "2032-02-29T12:00"]),
    ],
)
def test_each_kind_of_schedule_has_its_next_runs(plan: Schedule, expected: list[str]) -> None:
    # given a Monday at noon, when the next runs are asked for, then they are these
    found = runs(plan, "2026-11-23T12:00:00+00:00", len(expected))
    assert [moment.removesuffix("+00:00") for moment in found] == expected


def test_a_run_keeps_its_wall_time_when_clocks_change() -> None:
    # given a run at nine in Berlin, over the end of the summer time
    found = runs(schedule("times_per_day", at=time(9), time_zone=BERLIN), "2027-10-30T00:00:00+00:00", 2)
    # then it stays at nine
    assert found == ["2027-10-30T09:00+02:00", "2027-10-31T09:00+01:00"]


def test_a_run_in_the_hour_that_comes_twice_is_made_once() -> None:
    found = runs(schedule("times_per_day", at=time(2, 30), time_zone=BERLIN), "2027-10-30T12:00:00+00:00", 2)
    assert found == ["2027-10-31T02:30+02:00", "2027-11-01T02:30+01:00"]


def test_a_run_in_the_hour_that_is_left_out_is_made_at_its_end() -> None:
    found = runs(schedule("times_per_day", at=time(2, 30), time_zone=BERLIN), "2027-03-27T12:00:00+00:00", 2)
    assert found == ["2027-03-28T03:00+02:00", "2027-03-29T02:30+02:00"]


def test_what_runs_every_hour_runs_in_the_hour_that_comes_twice_too() -> None:
    hourly = schedule("times_per_day", at=time(0, 15), times_per_day=24, time_zone=BERLIN)
    found = runs(hourly, "2027-10-30T23:30:00+00:00", 4)
    assert found == [
        "2027-10-31T02:15+02:00",
        "2027-10-31T02:15+01:00",
        "2027-10-31T03:15+01:00",
        "2027-10-31T04:15+01:00",
    ]


@given(zones, times, counts, moments)
def test_runs_of_each_day_are_as_many_as_were_asked_for(zone: str, at: time, count: int, after: datetime) -> None:
    # given some times a day, anywhere and whenever
    plan = schedule("times_per_day", time_zone=zone, at=at, times_per_day=count)
    # when the runs of the next days are planned
    found = next_runs(plan, after, 3 * count + 2)
    # then each is later than the one before, and none is left out or made twice, but for an hour that clocks leave out
    assert found[0] > after
    assert all(one < other for one, other in pairwise(found))
    longest = timedelta(hours=24 / count) + timedelta(hours=2 if count < 24 else 1)
    if zone not in {"Pacific/Apia", "Pacific/Kwajalein"}:  # which have once left out a whole day
        assert max(other - one for one, other in pairwise(found)) <= longest


@given(zones, times, weekdays, moments)
def test_runs_are_on_the_chosen_days_at_the_chosen_time(
    zone: str, at: time, days: tuple[Weekday, ...], after: datetime
) -> None:
    # given days of the week, anywhere
    plan = schedule("weekdays", time_zone=zone, at=at, weekdays=days)
    # when the next runs are planned
    for moment in next_runs(plan, after):
        # then each is on such a day at that time, or right after the hour that clocks left out
        planned = moment.replace(hour=at.hour, minute=at.minute, fold=0)
        is_there = planned.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(fold=0) == planned
        if is_there:
            assert moment.isoweekday() % 7 in days
            assert moment.time() == at
        assert moment.fold == 0


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"time_zone": "Middle/Earth"}, "time_zone", "Europe/Amsterdam"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "Europe/Amsterdam"),
        ({"times_per_day": 5}, "times_per_day", "1, 2, 3"),
        ({"kind": ScheduleKind.WEEKDAYS}, "weekdays", "at least one"),
        ({"kind": ScheduleKind.DAY_OF_MONTH, "day": 32}, "day", "1 to 31"),
        ({"kind": ScheduleKind.WEEKDAY_OF_MONTH}, "weekdays", "one day"),
        ({"kind": ScheduleKind.WEEKDAY_OF_MONTH, "weekdays": (Weekday.MONDAY,), "nth": 5}, "nth", "fourth"),
        *(
            ({"kind": ScheduleKind.CRON, "cron_text": text}, "cron_text", words)
            for text, words in {
                "": "five fields",
                "@daily": "five fields",
                "* * * * * *": "five fields",
                "0 3 * * " + "1," * 200 + "1": "five fields",
                "61 * * * *": "no cron text",
                "R * * * *": "no cron text",
                "a b c d e": "no cron text",
                "0 12 30 2 *": "No year",
            }.items()
        ),
    ],
)
def test_a_schedule_that_never_runs_says_what_to_mend(fields: dict[str, Any], field: str, words: str) -> None:
    # when such a schedule is made, then it names the field and how to mend it
    with pytest.raises(InvalidScheduleError, match=words) as caught:
        Schedule(**fields)
    assert caught.value.field == field


@given(st.text(max_size=40))
def test_no_cron_text_breaks_anything(text: str) -> None:
    # given any text, when it is taken for cron text, then it is refused, or it has runs
    try:
        plan = schedule("cron", cron_text=text)
    except InvalidScheduleError:
        return
    assert next_runs(plan, datetime(2026, 11, 23, tzinfo=UTC), 1)


schedules = st.one_of(
    st.builds(Schedule, time_zone=zones, at=times, times_per_day=counts),
    st.builds(Schedule, st.just(ScheduleKind.WEEKDAYS), zones, times, weekdays=weekdays),
    st.builds(Schedule, st.just(ScheduleKind.DAY_OF_MONTH), zones, times, day=st.integers(LAST, 31)),
    st.builds(
        Schedule,
        st.just(ScheduleKind.WEEKDAY_OF_MONTH),
        zones,
        times,
        weekdays=st.tuples(st.sampled_from(Weekday)),
        nth=st.integers(LAST, 4),
    ),
    st.builds(Schedule, st.just(ScheduleKind.CRON), zones, cron_text=st.sampled_from(["0 3 * * 1-5", "*/7 * 1 * *"])),
)


@given(schedules)
def test_plain_data_of_a_schedule_says_when_it_runs(plan: Schedule) -> None:
    # given any schedule
    # when it is made plain data and read again
    read = read_schedule(plain_schedule(plan))
    # then it runs at the same times, in the same zone
    assert (read.kind, read.cron, read.time_zone) == (plan.kind, plan.cron, plan.time_zone)


@pytest.mark.parametrize(
    ("plain", "field"),
    [
        ({"kind": "hourly"}, "kind"),
        ({"kind": 5}, "kind"),
        ({"at": "25:00"}, "at"),
        ({"at": "3 o'clock"}, "at"),
        ({"at": -1}, "at"),
        ({"at": True}, "at"),
        ({"at": None}, "at"),
        ({"times_per_day": 5}, "times_per_day"),
        ({"times_per_day": True}, "times_per_day"),
        ({"times_per_day": "last"}, "times_per_day"),
        ({"kind": "weekdays"}, "weekdays"),
        ({"kind": "weekdays", "weekdays": "monday"}, "weekdays"),
        ({"kind": "weekdays", "weekdays": [1]}, "weekdays"),
        ({"kind": "day_of_month", "day": 0}, "day"),
        ({"kind": "day_of_month", "day": 32}, "day"),
        ({"kind": "weekday_of_month", "weekdays": ["monday"], "nth": 5}, "nth"),
        ({"kind": "weekday_of_month", "weekdays": ["monday", "friday"]}, "weekdays"),
        ({"kind": "cron", "cron": 5}, "cron"),
        ({"kind": "cron"}, "cron_text"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": None}, "time_zone"),
        ({"every": "day"}, "every"),
    ],
)
def test_plain_data_that_says_nothing_good_is_refused_at_its_field(plain: dict[str, object], field: str) -> None:
    # given plain data of a stranger
    # when it is read, then the field to mend is told
    with pytest.raises(InvalidScheduleError) as caught:
        read_schedule(plain)
    assert caught.value.field == field


@pytest.mark.parametrize("at", ["03:05", "3:05", 185])
def test_a_time_of_day_may_be_what_yaml_makes_of_it(at: object) -> None:
    # given a time of day with or without quotes, which YAML reads as a number of base 60
    # when it is read, then it is the same
    assert read_schedule({"at": at}).at == time(3, 5)


@pytest.mark.parametrize(
    ("plan", "gap"),
    [
        (schedule("times_per_day", times_per_day=24), timedelta(hours=1)),
        (schedule("weekdays", weekdays=(Weekday.MONDAY, Weekday.TUESDAY, Weekday.FRIDAY)), timedelta(days=1)),
        (schedule("cron", cron_text="0,5 3 * * *"), timedelta(minutes=5)),
        (schedule("day_of_month", day=31), timedelta(days=31)),
    ],
)
def test_the_shortest_time_between_two_runs_is_known(plan: Schedule, gap: timedelta) -> None:
    assert shortest_gap(plan, datetime(2026, 11, 23, tzinfo=UTC)) == gap
