"""Runs in the words of people: states, counts, how long, how fast, how far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from webapp.runs.models import ACTIVE_STATES, Run, RunState, RunTrigger
from webapp.runs.progress import ERRORS, PROBLEMS, UNLISTED

STATES = {
    RunState.QUEUED: "Queued",
    RunState.STARTING: "Starting",
    RunState.RUNNING: "Running",
    RunState.STOPPING: "Stopping",
    RunState.FINISHED: "Finished",
    RunState.FINISHED_WITH_ERRORS: "Finished with errors",
    RunState.FAILED: "Failed",
    RunState.STOPPED: "Stopped",
}
TRIGGERS = {RunTrigger.SCHEDULE: "Schedule", RunTrigger.MANUAL: "Run now", RunTrigger.CLI: "Command line"}
COUNTS = {
    "read": "Read",
    "checked": "Checked",
    "created": "Created",
    "modified": "Updated",
    "unchanged": "Unchanged",
    "notfound": "Not found",
    "consent_mismatch": "Skipped for consent",
    "restriction_mismatch": "Skipped for a restriction",
    "skipped": "Skipped",
    "elsewhere": "Of other databases",
    "invalid": "Invalid",
    "deleted": "Deleted, gone from Auth0",
    "cleared": "Cleared, gone from Auth0",
    "kept": "Kept for another user",
    "linked": "Linked to another user",
    PROBLEMS: "Errors",
}
"""The counts in the order of the page. What else an importer counts follows, by its own name."""
IN_LISTS = ("created", "modified", "unchanged", PROBLEMS)
_HIDDEN = frozenset({ERRORS, PROBLEMS, UNLISTED})
"""The error list says more."""
_UNITS = (("d", 24 * 3600), ("h", 3600), ("min", 60), ("s", 1))
SHORT_ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Count:
    """A count of a run with its name."""

    name: str
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. What is not known is None: the share until somebody knows how many users there are."""

    read: int
    expected: int | None
    percent: int | None
    users_per_second: float | None
    left: timedelta | None

    @property
    def words(self) -> str:
        """All of it as one line."""
        parts = [f"{self.read:,} of about {self.expected:,} users" if self.expected else f"{self.read:,} users"]
        if self.percent is not None:
            parts.append(f"{self.percent} %")
        if self.users_per_second is not None:
            parts.append(f"{self.users_per_second:,.0f} users a second")
        if self.left is not None:
            parts.append(f"{duration_words(self.left)} left")
        return ", ".join(parts)


def progress_of(run: Run, now: datetime) -> Progress:
    """Return how far a run is, and how fast.

    The time before the first chunk, in which Auth0 writes its export, tells nothing of the speed, and so does the first
    chunk itself.
    """
    read, expected = run.counts.get("read", 0), run.expected_users
    percent = min(100, 100 * read // expected) if expected else None
    seconds = (now - run.first_chunk_at).total_seconds() if run.first_chunk_at else 0.0
    rate = read * (run.chunks - 1) / run.chunks / seconds if run.chunks > 1 and seconds > 0 else None
    left = None
    if rate and expected and read <= expected:
        left = timedelta(seconds=round((expected - read) / rate))
    return Progress(read, expected, percent, rate, left)


def is_under_way(run: Run) -> bool:
    """Say if the run is carried, or waits for it."""
    return run.state == RunState.QUEUED or run.state in ACTIVE_STATES


def may_be_stopped(run: Run) -> bool:
    """Say if asking for its stop changes anything."""
    return is_under_way(run) and run.state != RunState.STOPPING


def counts_of(counts: Mapping[str, int]) -> list[Count]:
    """Return all counts of a run in words, in the order of the page."""
    names = [*(name for name in COUNTS if name in counts), *(name for name in counts if name not in COUNTS)]
    return [Count(name, count_words(name), counts[name]) for name in names if name not in _HIDDEN]


def count_words(name: str) -> str:
    """Return what a count is called."""
    return COUNTS.get(name, name.replace("_", " ").capitalize())


def count_errors(run: Run) -> tuple[int, int]:
    """Return how many errors a run had, and how many of them its error list has no room for."""
    return run.counts.get(PROBLEMS, 0), run.counts.get(UNLISTED, 0)


def duration(run: Run, now: datetime) -> timedelta | None:
    """Return how long the run took, or takes by now; None if it has not started."""
    return (run.ended_at or now) - run.started_at if run.started_at else None


def duration_words(span: timedelta) -> str:
    """Return a time span by its two largest units: "1 h 5 min"."""
    seconds = max(0, round(span.total_seconds()))
    parts: list[str] = []
    for unit, unit_seconds in _UNITS:
        count, seconds = divmod(seconds, unit_seconds)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def until_words(moment: datetime, now: datetime) -> str:
    """Return how far away a moment is: "in 3 h 5 min"."""
    return f"in {duration_words(moment - now)}" if moment - now >= timedelta(minutes=1) else "in less than a minute"


def short_id(profile_id: str) -> str:
    """Return a profile's id as short as people can tell them apart by. The end differs most: they grow with time."""
    return profile_id if len(profile_id) <= SHORT_ID_LENGTH else f"…{profile_id[-SHORT_ID_LENGTH:]}"
