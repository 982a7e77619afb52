"""The form of a connection's schedule: what people type, and the way from there to a `Schedule` and back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types

from webapp.connections.forms import CheckBoxesField
from webapp.connections.models import ConnectionSchedule
from webapp.connections.schedule import (
    TIMES_PER_DAY,
    InvalidScheduleError,
    Schedule,
    ScheduleKind,
    Weekday,
    plain_schedule,
    read_schedule,
)
from webapp.connections.schedules import schedule_of

KINDS = (
    SelectChoice(ScheduleKind.TIMES_PER_DAY, "A number of times a day"),
    SelectChoice(ScheduleKind.WEEKDAYS, "On days of the week"),
    SelectChoice(ScheduleKind.DAY_OF_MONTH, "On a day of the month"),
    SelectChoice(ScheduleKind.WEEKDAY_OF_MONTH, "On a weekday of the month"),
    SelectChoice(ScheduleKind.CRON, "By cron text, for experts"),
)
WEEK = (*(day for day in Weekday if day is not Weekday.SUNDAY), Weekday.SUNDAY)
WEEKDAYS = tuple(SelectChoice(day.name.lower(), day.name.capitalize()) for day in WEEK)
TIMES = tuple(SelectChoice(str(count), "Once" if count == 1 else f"{count} times") for count in TIMES_PER_DAY)
LAST = "last"
DAYS = (*(SelectChoice(str(day), str(day)) for day in range(1, 32)), SelectChoice(LAST, "the last day"))
NTHS = (
    SelectChoice("1", "the first"),
    SelectChoice("2", "the second"),
    SelectChoice("3", "the third"),
    SelectChoice("4", "the fourth"),
    SelectChoice(LAST, "the last"),
)
_FIELD_OF = {"cron": "cron_text"}
"""Where a field of the plain data is called otherwise in the form."""
_NAMED_ALIKE = ("kind", "time_zone", "at", "times_per_day", "day", "nth")


class ScheduleForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """When a connection's imports run. ``kind`` says which of the fields count; `read_schedule` checks them.

    Names have a prefix: the window stands on a page with another form.
    """

    is_on = BooleanField("Run on schedule", default=True)
    kind = RadioField("How often", choices=KINDS, default=ScheduleKind.TIMES_PER_DAY)
    times_per_day = SelectField("Times a day", choices=TIMES, default="1")
    weekdays = CheckBoxesField("Days of the week", choices=WEEKDAYS)
    day = SelectField("Day of the month", choices=DAYS, default="1")
    nth = SelectField("Which one of the month", choices=NTHS, default="1")
    weekday = SelectField("Weekday", choices=WEEKDAYS, default="monday")
    at = StringField("At", default="03:00")
    cron_text = StringField("Cron text")
    time_zone = StringField("Time zone", default="UTC")
    run_missed = BooleanField("Run missed ones once on start", default=True)

    def __init__(self, **arguments: Any) -> None:
        super().__init__(prefix="schedule", **arguments)

    def schedule(self) -> Schedule | None:
        """Return what the form says; None if that is no schedule, with the mistakes at their fields."""
        if not self.validate():
            return None
        try:
            return read_schedule(self._plain())
        except InvalidScheduleError as error:
            field = self[_FIELD_OF.get(error.field, error.field)]
            field.errors = [str(error)]
            return None

    def _plain(self) -> dict[str, object]:
        kind = ScheduleKind(self.kind.data)
        plain: dict[str, object] = {"kind": kind.value, "time_zone": (self.time_zone.data or "").strip()}
        match kind:
            case ScheduleKind.TIMES_PER_DAY:
                plain["times_per_day"] = int(self.times_per_day.data)
            case ScheduleKind.WEEKDAYS:
                plain["weekdays"] = self.weekdays.data
            case ScheduleKind.DAY_OF_MONTH:
                plain["day"] = _number(self.day.data)
            case ScheduleKind.WEEKDAY_OF_MONTH:
                plain |= {"nth": _number(self.nth.data), "weekdays": [self.weekday.data]}
            case ScheduleKind.CRON:
                return plain | {"cron": self.cron_text.data or ""}
        return plain | {"at": (self.at.data or "").strip()}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule comes to: its next runs, and a hint if it is likely to bring the next before one has ended."""

    times: tuple[datetime, ...]
    hint: str


def schedule_form(row: ConnectionSchedule | None) -> ScheduleForm:
    """Return the form of a stored schedule, or of one that a new connection may begin with."""
    if row is None:
        return ScheduleForm(formdata=None)
    schedule = schedule_of(row)
    plain = plain_schedule(schedule)
    data: dict[str, object] = {name: str(plain[name]) for name in _NAMED_ALIKE if name in plain}
    if days := [day.name.lower() for day in schedule.weekdays]:
        data |= {"weekdays": days, "weekday": days[0]}
    # Whoever turns to cron text finds there what the schedule is now.
    data |= {"cron_text": schedule.cron, "is_on": row.is_on, "run_missed": row.run_missed}
    return ScheduleForm(formdata=None, data=data)


def _number(text: str) -> int | str:
    return text if text == LAST else int(text)
