"""What a run needs of whoever imports: the next chunk, and to apply it once."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

Position = dict[str, Any]
"""Where to go on, in the importer's own words. It is kept with the run, so it has no personal data."""


MAX_LISTED_PROBLEMS = 100_000
"""Lines of a run's error list. What comes after them is counted."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a run is to import."""

    run_key: str
    goal_id: int
    connection_id: int
    is_full: bool


class Problem(NamedTuple):
    """What was not imported, and why: a line as a whole, or one field of its user, as far as these are known."""

    line: int | None
    user_id: str
    auth0_field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a chunk. ``counts`` are added to the run's; ``has_errors`` if some of the chunk was not imported.

    ``problems`` are all that ``counts`` has as *problems*, or the first `MAX_LISTED_PROBLEMS` of them. ``newest`` are
    ids of profiles that were created or updated, the newest first. A ``remark`` is what the run's log says of it.
    """

    position: Position
    counts: Mapping[str, int]
    has_errors: bool = False
    problems: Sequence[Problem] = ()
    newest: Sequence[str] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where an import begins, about how many users come, and a ``remark`` that the run's log has of it."""

    position: Position
    expected_users: int | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """There is nothing to apply yet: look again after so many seconds (the tenant still writes its export)."""

    wait_seconds: float


class NotNowError(Exception):
    """The tenant has no time now, and nothing was done: the same again after so many seconds."""

    def __init__(self, wait_seconds: float) -> None:
        """Have the run wait."""
        super().__init__(wait_seconds)
        self.wait_seconds = wait_seconds


class Reach(NamedTuple):
    """How many different profiles a run has imported, and all runs of its connection together."""

    profiles: int
    connection_profiles: int


class OpenImport(Protocol):
    """An import that has been opened at a position. One thread at a time uses it."""

    @property
    def expected_users(self) -> int | None:
        """How many users there are in all, if that is known."""

    def next_chunk(self) -> object | Later | None:
        """Return what to apply next, `Later`, or None at the end."""

    def apply(self, chunk: Any, *, now: datetime) -> Applied:
        """Apply a chunk, durably, and say what came of it.

        Whoever is killed before that was noted applies the chunk again: then nothing may change any more, and the
        answer is the same.
        """


class Importer(Protocol):
    """Knows how to begin an import, and to go on with it in another process.

    Every method, and those of what it opens, may raise NotNowError.
    """

    def begin(self, order: RunOrder) -> Begun:
        """Return the first position. What it starts outside (an export job) is started again if it is killed here."""

    def open(self, order: RunOrder, position: Position) -> AbstractContextManager[OpenImport]:
        """Open the import where ``position`` says. What it holds open (a download) ends with the context."""

    def count_profiles(self, order: RunOrder) -> Reach | None:
        """Return how many different profiles were imported, None if that cannot be told. Asked when a run ends."""
