"""What the demo tenant does badly on purpose, for tests and for whoever wants to see it in the demo."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

Data = dict[str, Any]


class JobOutcome(StrEnum):
    """How export jobs end."""

    COMPLETES = "completes"
    FAILS = "fails"
    NEVER_ENDS = "never_ends"


@dataclass(frozen=True, slots=True)
class Faults:
    """The tenant's behaviour where it can be bad. As it is here, all is well. ``…_one_in`` is off when it is 0.

    The numbers of downloads and answers count down to 0 as they happen.
    """

    job_seconds: float = 2.0
    job_outcome: JobOutcome = JobOutcome.COMPLETES
    link_seconds: int = 60
    is_compressed: bool = True
    missing_as_null: bool = False
    broken_line_one_in: int = 0
    """So often a line follows that is no user; the users are all there."""
    long_line_bytes: int = 0
    """If not 0, the file begins with a line of so many bytes."""
    expired_downloads: int = 0
    cut_downloads: int = 0
    cut_after_bytes: int = 10_000
    cut_looks_whole: bool = False
    """The file ends early, and nothing of HTTP says so."""
    search_lag_seconds: int = 0
    """How long the search does not know of a change of generated users: Auth0's is eventually consistent."""
    failing_calls: int = 0
    limited_calls: int = 0
    failing_call_one_in: int = 0
    limited_call_one_in: int = 0
    limit_seconds: int = 1


def faults_of(data: Data) -> Faults:
    """Return the tenant's present faults."""
    stored = dict(data["faults"])
    return Faults(**stored | {"job_outcome": JobOutcome(stored.get("job_outcome", JobOutcome.COMPLETES))})


def set_faults(data: Data, **changes: Any) -> None:
    """Change some faults. Raises TypeError for one that there is not."""
    data["faults"] = asdict(Faults(**data["faults"] | changes))


def take(data: Data, name: str) -> bool:
    """Say if one of the counted faults is left, and count it."""
    left: int = data["faults"].get(name, 0)
    if left:
        data["faults"][name] = left - 1
    return left > 0
