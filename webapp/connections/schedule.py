"""When a connection's imports run: in the wall time of a time zone, also when its clocks are changed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum, StrEnum
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter

TIMES_PER_DAY = (1, 2, 3, 4, 6, 8, 12, 24)
"""How often a day an import can run: at the same times each day."""
LAST = 0
"""In place of a day's number, or of a weekday's: the last of the month."""
SHOWN_RUNS = 5
FIELDS = frozenset({"kind", "time_zone", "at", "times_per_day", "weekdays", "day", "nth", "cron"})
"""What plain data of a schedule may have."""
_LAST = "last"
_CRON_FIELDS = 5
_MAX_CRON_LENGTH = 200
_TIME = re.compile(r"([01]?\d|2[0-3]):[0-5]\d", re.ASCII)


class ScheduleKind(StrEnum):
    """The ways to say when. Source: BlueConic, the Schedule window; ``cron`` is ours."""

    TIMES_PER_DAY = "times_per_day"
    WEEKDAYS = "weekdays"
    DAY_OF_MONTH = "day_of_month"
    WEEKDAY_OF_MONTH = "weekday_of_month"
    CRON = "cron"


class Weekday(IntEnum):
    """Days as cron counts them."""

    SUNDAY = 0
    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6


class InvalidScheduleError(ValueError):
    """No run could be planned by that. ``field`` is what to mend; the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to run. ``kind`` says which of the other fields count. Raises InvalidScheduleError.

    ``at`` is the time of day of all kinds but cron, and the first of several times. ``weekdays`` are for *weekdays*,
    the first of them for *weekday of the month*. ``day`` is 1 to 31 or `LAST`, ``nth`` is 1 to 4 or `LAST`. Months
    without such a day have no run. ``time_zone`` is a name of the IANA database.
    """

    kind: ScheduleKind = ScheduleKind.TIMES_PER_DAY
    time_zone: str = "UTC"
    at: time = time(3)
    times_per_day: int = 1
    weekdays: tuple[Weekday, ...] = ()
    day: int = 1
    nth: int = 1
    cron_text: str = ""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def cron(self) -> str:
        """The same as cron text of five fields, which the worker goes by."""
        minute, hour = self.at.minute, self.at.hour
        match self.kind:
            case ScheduleKind.TIMES_PER_DAY:
                return f"{minute} {_hours(hour, self.times_per_day)} * * *"
            case ScheduleKind.WEEKDAYS:
                return f"{minute} {hour} * * {','.join(str(int(day)) for day in sorted(set(self.weekdays)))}"
            case ScheduleKind.DAY_OF_MONTH:
                return f"{minute} {hour} {'L' if self.day == LAST else self.day} * *"
            case ScheduleKind.WEEKDAY_OF_MONTH:
                day = int(self.weekdays[0])
                return f"{minute} {hour} * * {f'L{day}' if self.nth == LAST else f'{day}#{self.nth}'}"
            case ScheduleKind.CRON:
                return " ".join(self.cron_text.split())


def next_runs(schedule: Schedule, after: datetime, count: int = SHOWN_RUNS) -> list[datetime]:
    """Return the next run times after that moment, in the schedule's time zone."""
    return list(islice(_runs(schedule, after), count))


def shortest_gap(schedule: Schedule, after: datetime) -> timedelta:
    """Return the shortest time between two of the next runs, of which a week's are looked at."""
    runs = next_runs(schedule, after, 24 * 7)
    # In UTC: two moments of one zone are subtracted as if its clocks were never changed.
    moments = [each.astimezone(UTC) for each in runs]
    return min((later - earlier for earlier, later in pairwise(moments)), default=timedelta.max)


def plain_schedule(schedule: Schedule) -> dict[str, object]:
    """Return the schedule as plain data, with the fields that count: for the database, YAML and JSON."""
    plain: dict[str, object] = {"kind": schedule.kind.value, "time_zone": schedule.time_zone}
    if schedule.kind is ScheduleKind.CRON:
        return plain | {"cron": schedule.cron_text}
    plain["at"] = schedule.at.isoformat("minutes")
    match schedule.kind:
        case ScheduleKind.TIMES_PER_DAY:
            plain["times_per_day"] = schedule.times_per_day
        case ScheduleKind.DAY_OF_MONTH:
            plain["day"] = schedule.day or _LAST
        case ScheduleKind.WEEKDAY_OF_MONTH:
            plain["nth"] = schedule.nth or _LAST
    if schedule.kind in {ScheduleKind.WEEKDAYS, ScheduleKind.WEEKDAY_OF_MONTH}:
        plain["weekdays"] = [day.name.lower() for day in sorted(set(schedule.weekdays))]
    return plain


def read_schedule(plain: Mapping[str, object]) -> Schedule:
    """Return what `plain_schedule` was made of. What is left out has its default. Raises InvalidScheduleError."""
    if unknown := sorted(str(name) for name in plain.keys() - FIELDS):
        raise InvalidScheduleError(unknown[0], f"Unknown; known are {', '.join(sorted(FIELDS))}.")
    try:
        kind = ScheduleKind(str(plain.get("kind", ScheduleKind.TIMES_PER_DAY)))
    except ValueError as error:
        raise InvalidScheduleError("kind", f"Must be one of {', '.join(ScheduleKind)}.") from error
    return Schedule(
        kind=kind,
        time_zone=_read_text(plain, "time_zone", "UTC"),
        at=_read_time(plain.get("at", "03:00")),
        times_per_day=_read_number(plain, "times_per_day", 1),
        weekdays=_read_weekdays(plain.get("weekdays", [])),
        day=_read_number(plain, "day", 1),
        nth=_read_number(plain, "nth", 1),
        cron_text=_read_text(plain, "cron", ""),
    )


def is_run(schedule: Schedule, moment: datetime) -> bool:
    """Say if a moment that the cron text names is a run.

    When clocks go back, an hour comes twice. What runs every hour runs in both; anything else has run in the first.
    (When they go forward, what would be in the hour that is left out runs at its end.)
    """
    local = moment.astimezone(ZoneInfo(schedule.time_zone))
    return local.fold == 0 or schedule.cron.split()[1] == "*"


def _runs(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    moments = croniter(schedule.cron, after.astimezone(ZoneInfo(schedule.time_zone)))
    while True:
        moment: datetime = moments.get_next(datetime)
        if is_run(schedule, moment):
            yield moment


def _hours(first: int, count: int) -> str:
    step = 24 // count
    return "*" if step == 1 else ",".join(str(hour) for hour in range(first % step, 24, step))


def _check(schedule: Schedule) -> None:
    if schedule.time_zone not in _zones():
        raise InvalidScheduleError("time_zone", "Choose a time zone by its name, such as Europe/Amsterdam.")
    match schedule.kind:
        case ScheduleKind.TIMES_PER_DAY if schedule.times_per_day not in TIMES_PER_DAY:
            found = ", ".join(map(str, TIMES_PER_DAY))
            raise InvalidScheduleError("times_per_day", f"A day can have {found} runs.")
        case ScheduleKind.WEEKDAYS if not schedule.weekdays:
            raise InvalidScheduleError("weekdays", "Choose at least one day of the week.")
        case ScheduleKind.DAY_OF_MONTH if not 0 <= schedule.day <= 31:
            raise InvalidScheduleError("day", "Choose a day from 1 to 31, or the last one.")
        case ScheduleKind.WEEKDAY_OF_MONTH if len(schedule.weekdays) != 1:
            raise InvalidScheduleError("weekdays", "Choose one day of the week.")
        case ScheduleKind.WEEKDAY_OF_MONTH if not 0 <= schedule.nth <= 4:
            raise InvalidScheduleError("nth", "Choose the first to the fourth such day of the month, or the last.")
        case ScheduleKind.CRON:
            _check_cron(schedule)


def _check_cron(schedule: Schedule) -> None:
    fields = schedule.cron_text.split()
    if len(schedule.cron_text) > _MAX_CRON_LENGTH or len(fields) != _CRON_FIELDS:
        raise InvalidScheduleError("cron_text", "Write five fields: minute, hour, day, month, weekday (0 3 * * 1-5).")
    # Words for random or hashed moments are another time at each look.
    if any(field.upper().startswith(("R", "H")) for field in fields) or not croniter.is_valid(schedule.cron_text):
        raise InvalidScheduleError("cron_text", "That is no cron text. An example for 3:00 on weekdays: 0 3 * * 1-5")
    try:
        croniter(schedule.cron_text, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except CroniterBadDateError as error:
        raise InvalidScheduleError("cron_text", "No year has such a day.") from error


def _read_text(plain: Mapping[str, object], name: str, default: str) -> str:
    value = plain.get(name, default)
    if not isinstance(value, str):
        raise InvalidScheduleError(name, "Must be text (put it in quotes).")
    return value


def _read_number(plain: Mapping[str, object], name: str, default: int) -> int:
    value = plain.get(name, default)
    if name in {"day", "nth"} and value == _LAST:
        return LAST
    # 0 stands for the last one here, and for nothing that people would write.
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidScheduleError(name, "Must be a number from 1 on.")
    return value


def _read_time(value: object) -> time:
    # YAML 1.1 reads 13:30 as a number of base 60.
    minutes = value if isinstance(value, int) and not isinstance(value, bool) else None
    text = f"{minutes // 60:02}:{minutes % 60:02}" if minutes is not None and 0 <= minutes < 24 * 60 else str(value)
    if not _TIME.fullmatch(text):
        raise InvalidScheduleError("at", "Write the time of day as hours and minutes: 03:00.")
    return time.fromisoformat(text.zfill(len("00:00")))


def _read_weekdays(value: object) -> tuple[Weekday, ...]:
    names = {day.name.lower(): day for day in Weekday}
    if not isinstance(value, list) or not all(isinstance(name, str) and name in names for name in value):
        raise InvalidScheduleError("weekdays", f"Must be a list of {', '.join(names)}.")
    return tuple(dict.fromkeys(names[name] for name in value))


def time_zones() -> list[str]:
    """Return the names of all time zones, sorted."""
    return sorted(_zones())


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
