"""Jobs with which Auth0 exports its users: begun, looked at, waited for.

Source: Auth0 docs, manage-users/user-migration/bulk-user-exports; Management API v2 (jobs).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import field
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic.dataclasses import dataclass

from webapp.auth0.answers import (
    Auth0AnswerError,
    Auth0UnavailableError,
    ExportFailedError,
    ExportGoneError,
    ExportLateError,
    read,
    tidy,
)
from webapp.auth0.export_fields import ExportField
from webapp.auth0.management_calls import ManagementCalls

LONGEST_JOB_SECONDS = 6 * 60 * 60.0
LONGEST_PAUSE_SECONDS = 15.0
LONGEST_ABSENCE_SECONDS = 300.0
"""How long a tenant that has no time for us may send us away at once."""
MAX_MISSED_LOOKS = 20
"""So many looks in a row may fail: five minutes and more."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, as whoever waits sees it: seconds that only go forward, and waiting for some."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


class ExportState(StrEnum):
    """How far a job is. Words that Auth0 does not document are a job that is running."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A job at one moment. ``location`` is where the file is, for 60 seconds, for whoever knows it."""

    id: str
    state: ExportState
    percentage_done: float | None = None
    seconds_left: float | None = None
    location: str | None = field(default=None, repr=False)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    id: str
    status: str
    percentage_done: float | None = None
    time_left_seconds: float | None = None
    location: str | None = field(default=None, repr=False)
    status_details: Any = None


def create_export(
    client: ManagementCalls,
    fields: Sequence[ExportField],
    *,
    connection_id: str | None = None,
    limit: int | None = None,
) -> str:
    """Have Auth0 begin to export the users of a connection, or of all, and return the job's id. Needs ``read:users``.

    All users come, unless there is a ``limit``.
    """
    body: dict[str, Any] = {
        "format": "json",
        "fields": [{"name": field.name, "export_as": field.export_as} for field in fields],
    }
    if connection_id is not None:
        body["connection_id"] = connection_id
    if limit is not None:
        body["limit"] = limit
    return read(_Answer, client.call("POST", "jobs/users-exports", body=body)).id


def look_at_export(client: ManagementCalls, job_id: str) -> ExportJob:
    """Return how far the job is; if it has completed, with a new link. Raises ExportGoneError."""
    try:
        answer = read(_Answer, client.read_patiently(f"jobs/{quote(job_id, safe='')}"))
    except Auth0AnswerError as error:
        if error.members.get("auth0_status") == HTTPStatus.NOT_FOUND:
            raise ExportGoneError("Auth0 has no such job any more. Start the import again.") from error
        raise
    if answer.status == "completed" and not answer.location:
        raise Auth0AnswerError("The export has completed, and Auth0 does not say where the file is.")
    state = ExportState(answer.status) if answer.status in set(ExportState) else ExportState.RUNNING
    details = answer.status_details if isinstance(answer.status_details, str) else ""
    return ExportJob(job_id, state, answer.percentage_done, answer.time_left_seconds, answer.location, tidy(details))


def pause_seconds(looks: int, seconds_left: float | None = None) -> float:
    """Return how long to wait after so many looks at a job: longer each time, and as long as Auth0 says it takes."""
    return min(LONGEST_PAUSE_SECONDS, max(1.5 ** min(looks, 20), seconds_left or 0.0))


class ExportWatch:
    """Looks at a job until it has completed; whoever watches waits between the looks.

    A tenant that has no time for a while does not end that. ``job`` is what was seen last.
    """

    def __init__(
        self,
        client: ManagementCalls,
        job_id: str,
        *,
        now: Callable[[], float] = time.monotonic,
        longest_seconds: float = LONGEST_JOB_SECONDS,
    ) -> None:
        self.job: ExportJob | None = None
        self._client, self._job_id, self._now = client, job_id, now
        self._longest_seconds, self._end = longest_seconds, now() + longest_seconds
        self._looks = self._missed = 0

    def look(self) -> ExportJob | float:
        """Return the job if it has completed, else after how many seconds to look again.

        Raises:
            ExportFailedError: Auth0 gave the job up.
            ExportLateError: it did not complete within ``longest_seconds``.
            ExportGoneError: Auth0 does not know it (any more).
        """
        try:
            job = self.job = look_at_export(self._client, self._job_id)
        except Auth0UnavailableError as error:
            self._missed += 1
            if self._missed > MAX_MISSED_LOOKS:
                raise
            absence_seconds = min(error.retry_after_seconds or 0.0, LONGEST_ABSENCE_SECONDS)
            return self._in_time(max(pause_seconds(self._looks), absence_seconds))
        self._missed = 0
        if job.state is ExportState.FAILED:
            raise ExportFailedError(f"Auth0 said: {job.failure or 'nothing'}")
        return (
            job if job.state is ExportState.COMPLETED else self._in_time(pause_seconds(self._looks, job.seconds_left))
        )

    def _in_time(self, seconds: float) -> float:
        if self._now() + seconds > self._end:
            raise ExportLateError(f"The export had not ended after {self._longest_seconds / 60:.0f} minutes.")
        self._looks += 1
        return seconds
