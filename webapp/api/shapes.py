"""What the API answers and takes. Its OpenAPI document and its page are made of these, descriptions included."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.schedule import ScheduleKind
from webapp.runs.history import KnownRun
from webapp.runs.models import RunLogLine, RunProblem, RunState, RunTrigger
from webapp.runs.requesting import is_batch
from webapp.runs.showing import is_under_way, progress_of

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]


class Answer(BaseModel):
    """Whatever the API answers. New members may come."""

    model_config = ConfigDict(frozen=True)


class Request(BaseModel):
    """Whatever the API takes. A member that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Named(Answer):
    """Something that has a page of its own."""

    key: str = Field(description="Its name in addresses.")
    name: str


class ImportGoalAnswer(Named):
    """An import goal."""

    enabled: bool = Field(description="Whether the goal is switched on.")
    batch: bool = Field(description="Whether runs are for it.")

    @classmethod
    def of(cls, row: ImportGoalRow) -> Self:
        """Return the answer about a goal."""
        return cls(key=row.key, name=row.name, enabled=row.is_on, batch=is_batch(row))


class ConnectionAnswer(Named):
    """A connection with its import goals."""

    enabled: bool = Field(description="Whether the connection is switched on.")
    auth0_domain: str
    import_goals: list[ImportGoalAnswer]

    @classmethod
    def of(cls, row: Connection) -> Self:
        """Return the answer about a connection."""
        goals = [ImportGoalAnswer.of(goal) for goal in row.import_goals]
        domain = row.auth0_domain
        return cls(key=row.key, name=row.name, enabled=row.is_on, auth0_domain=domain, import_goals=goals)


class ConnectionsAnswer(Answer):
    """All connections, in the order in which they were made."""

    connections: list[ConnectionAnswer]


class RunProblemAnswer(Answer):
    """Why a run failed."""

    slug: str = Field(description="The slug of a problem (docs/problems.md).")
    detail: str


class RunAnswer(Answer):
    """A run."""

    key: str = Field(description="Its name in addresses.")
    url: str = Field(description="Its page.")
    connection: Named
    goal: Named
    state: RunState
    trigger: RunTrigger
    requested_by: str = Field(
        description="An admin's e-mail address, or the name of an API key, as `API key NAME`; empty for a schedule."
    )
    full: bool = Field(description="Whether everybody is compared with their profile.")
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expected_users: int | None = Field(description="How many users there are in all, once that is known.")
    counts: dict[str, int] = Field(description="Users by what became of them. What is zero may be missing.")
    users_per_second: float | None = Field(description="How fast it is, once some chunks are done.")
    seconds_left: int | None = Field(description="About how long it will take, if that can be said.")
    profiles: int | None = Field(description="How many different profiles it reached, once it is over.")
    connection_profiles: int | None = Field(
        description="How many different profiles the connection's imports have ever reached, when it was over."
    )
    newest_profiles: list[str] = Field(description="Ids of the last five profiles that were created or updated.")
    problem: RunProblemAnswer | None

    @classmethod
    def of(cls, known: KnownRun, now: datetime, *, public_url: str) -> Self:
        """Return the answer about a run."""
        run = known.run
        progress = progress_of(run, now) if is_under_way(run) else None
        return cls(
            key=run.key,
            url=f"{public_url}/runs/{run.key}",
            connection=Named(key=known.connection.key, name=known.connection.name),
            goal=Named(key=known.goal.key, name=known.goal.name),
            state=RunState(run.state),
            trigger=RunTrigger(run.trigger),
            requested_by=run.requested_by,
            full=run.is_full,
            requested_at=run.requested_at,
            started_at=run.started_at,
            ended_at=run.ended_at,
            expected_users=run.expected_users,
            counts=run.counts,
            users_per_second=progress.users_per_second if progress else None,
            seconds_left=round(progress.left.total_seconds()) if progress and progress.left is not None else None,
            profiles=run.profiles,
            connection_profiles=run.connection_profiles,
            newest_profiles=run.newest,
            problem=RunProblemAnswer(slug=run.problem, detail=run.problem_detail) if run.problem else None,
        )


class RunsAnswer(Answer):
    """Runs: those that wait or are under way on the first page, and those that are over, the newest first."""

    under_way: list[RunAnswer]
    runs: list[RunAnswer]
    next_cursor: str | None = Field(description="Ask for the next page with it; null on the last.")


class RequestedAnswer(Answer):
    """The runs that wait now: new ones, or those that waited already."""

    runs: list[RunAnswer]


class ErrorLine(Answer):
    """A line of a run's error list. Empty is what is not known, or not meant."""

    line: int | None
    user_id: str
    auth0_field: str
    reason: str

    @classmethod
    def of(cls, row: RunProblem) -> Self:
        """Return a line."""
        return cls(line=row.line, user_id=row.user_id, auth0_field=row.auth0_field, reason=row.reason)


class ErrorsAnswer(Answer):
    """A page of a run's error list."""

    errors: list[ErrorLine]
    next_cursor: str | None = Field(description="Ask for the next page with it; null on the last.")


class LogLine(Answer):
    """A line of a run's log."""

    at: datetime
    text: str

    @classmethod
    def of(cls, row: RunLogLine) -> Self:
        """Return a line."""
        return cls(at=row.at, text=row.text)


class LogAnswer(Answer):
    """The last lines of a run's log."""

    log: list[LogLine]


class ScheduleFields(Request):
    """When a connection's imports run. Which members count is a matter of ``kind``."""

    kind: ScheduleKind = Field(strict=False)
    time_zone: str = Field(default="UTC", description="A name of the IANA database, such as Europe/Amsterdam.")
    at: str | None = Field(default=None, description="The time of day, such as 03:00. Of all kinds but cron.")
    times_per_day: int | None = Field(
        default=None, description="1, 2, 3, 4, 6, 8, 12 or 24; the first of them at `at`."
    )
    weekdays: list[Weekday] | None = None
    day: int | Literal["last"] | None = Field(default=None, description="The day of the month.")
    nth: int | Literal["last"] | None = Field(default=None, description="The first (1) to fourth weekday of the month.")
    cron: str | None = Field(default=None, description="Five fields of cron text.")


class ScheduleAnswer(Answer):
    """When a connection's imports run. ``schedule`` is null while nobody has said."""

    enabled: bool
    run_missed: bool = Field(description="Whether times that pass while no worker is there get one run together.")
    schedule: ScheduleFields | None
    next_runs: list[datetime] = Field(description="The next five; none while schedule or connection are switched off.")


class ScheduleRequest(Request):
    """When a connection's imports are to run."""

    enabled: bool = True
    run_missed: bool = True
    schedule: ScheduleFields


class RunRequest(Request):
    """How to run."""

    full: bool = Field(default=False, description="Compare everybody with their profile.")


class Problem(Answer):
    """What went wrong (RFC 9457). ``type`` is the address of a page that explains it."""

    type: str
    title: str
    status: int
    detail: str
