"""What came of users: counts and problems of a chunk, added up to those of a run."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from webapp.profiles.linking import NOT_VERIFIED
from webapp.profiles.store import ProfileState
from webapp.runs.importers import MAX_LISTED_PROBLEMS, Position

MAX_NEWEST = 5
MAX_KEPT_PROBLEMS = 1000
"""Of several chunks together, to be shown at the end. Of one chunk as many as a run's error list has room for."""


class ImportProblem(NamedTuple):
    """Why a line, or one field of its user, was not imported. ``reason`` says nothing of the person.

    ``auth0_field`` is empty if it is about the line as a whole, ``user_id`` if nobody knows whose line that is.
    """

    line: int
    reason: str
    auth0_field: str = ""
    user_id: str = ""


class Conflict(NamedTuple):
    """A user whom the goal's link at ``position`` leads to somebody else's profile, by the user's own word alone."""

    user_id: str
    profile_id: str
    position: int


@dataclass(slots=True)
class ImportResult:
    """Counts of users, with what is to be told of them.

    ``read`` are all lines with something in them. Of these ``invalid`` are no users, or users who cannot be told apart;
    ``elsewhere`` are of a database that the goal does not import; of the ``unchanged`` nothing has changed since the
    last import, so they were left out. All others were ``checked`` against the profiles, and ``states`` say what became
    of them. ``problem_count`` counts problems by their reasons, ``problems`` has the first of them; ``newest`` are ids
    of the profiles that were created or updated last, the newest first. ``swept`` counts users whom the tenant no
    longer has by what became of them. ``conflicts`` are those of one chunk, for people to decide. ``place`` is where
    the run goes on after this chunk, if it has said so before.
    """

    read: int = 0
    invalid: int = 0
    elsewhere: int = 0
    unchanged: int = 0
    states: Counter[ProfileState] = field(default_factory=Counter)
    problem_count: Counter[str] = field(default_factory=Counter)
    problems: list[ImportProblem] = field(default_factory=list)
    newest: list[str] = field(default_factory=list)
    swept: Counter[str] = field(default_factory=Counter)
    conflicts: list[Conflict] = field(default_factory=list)
    place: Position | None = None

    @property
    def checked(self) -> int:
        """Users that were compared with their profiles."""
        return self.states.total()

    @property
    def has_problems(self) -> bool:
        """Whether anything was not imported for a reason that somebody could mend.

        Every tenant has addresses that nobody has verified yet: the list tells of them, and the run is as it should be.
        """
        return not self.problem_count.keys() <= {NOT_VERIFIED}

    def note(self, problems: Iterable[ImportProblem]) -> None:
        """Add problems."""
        for problem in problems:
            self.problem_count[problem.reason] += 1
            if len(self.problems) < MAX_LISTED_PROBLEMS:
                self.problems.append(problem)

    def note_newest(self, profile_ids: Iterable[str]) -> None:
        """Add ids of profiles that were created or updated, the newest last."""
        self.newest = [*reversed(list(profile_ids)), *self.newest][:MAX_NEWEST]

    def add(self, other: "ImportResult") -> None:
        """Add what came of the next chunk."""
        self.read += other.read
        self.invalid += other.invalid
        self.elsewhere += other.elsewhere
        self.unchanged += other.unchanged
        self.states.update(other.states)
        self.problem_count.update(other.problem_count)
        self.problems += other.problems[: max(0, MAX_KEPT_PROBLEMS - len(self.problems))]
        self.newest = [*other.newest, *self.newest][:MAX_NEWEST]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "read": self.read,
            "invalid": self.invalid,
            "elsewhere": self.elsewhere,
            "unchanged": self.unchanged,
            "states": {state.value: count for state, count in self.states.items()},
            "problem_count": dict(self.problem_count),
            "problems": [list(problem) for problem in self.problems],
            "newest": self.newest,
            "swept": dict(self.swept),
            "conflicts": [list(conflict) for conflict in self.conflicts],
            "place": self.place,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "ImportResult":
        """Return what `as_json` was made of."""
        return cls(
            **{name: plain[name] for name in ("read", "invalid", "elsewhere", "unchanged")},
            states=Counter({ProfileState(state): count for state, count in plain["states"].items()}),
            problem_count=Counter(plain["problem_count"]),
            problems=[ImportProblem(*problem) for problem in plain["problems"]],
            newest=list(plain["newest"]),
            swept=Counter(plain.get("swept", {})),
            conflicts=[Conflict(*conflict) for conflict in plain.get("conflicts", ())],
            place=plain.get("place"),
        )
