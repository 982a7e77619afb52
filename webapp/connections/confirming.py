"""Warnings about Auth0's limits: whoever saves a goal sees each of them once, and then decides."""

import hashlib
from collections.abc import Iterable

from snippets.goals import Problem, WebGoal
from snippets.limits import warnings_of


class UnseenWarningsError(Exception):
    """The goal may be saved, but it has warnings that nobody has seen yet. ``warnings`` has all that it has."""

    def __init__(self, warnings: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, warnings)))
        self.warnings = warnings


def check_warnings_seen(web_goal: WebGoal, *, before: WebGoal | None, seen: str) -> None:
    """Raise UnseenWarningsError if a warning is new: the goal ``before`` had it not, and ``seen`` has no mark of it."""
    warnings = warnings_of(web_goal)
    known = {*seen.split(), *marks_of(warnings_of(before) if before else ()).split()}
    if not known.issuperset(marks_of(warnings).split()):
        raise UnseenWarningsError(warnings)


def marks_of(warnings: Iterable[Problem]) -> str:
    """Return what a hidden field carries to say that these warnings were seen, wherever their rows are by then."""
    return " ".join(sorted({_mark(warning) for warning in warnings}))


def _mark(warning: Problem) -> str:
    text = f"{warning.place[0]} {warning.message}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]
