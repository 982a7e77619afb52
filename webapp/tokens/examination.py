"""Examination: every check of the checklist made on one token, and what became of each. Nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from webapp.auth0.signing_keys import KeyCache
from webapp.connections.goals import LiveGoal
from webapp.errors import WebsyncError
from webapp.tokens.checklist import CHECKLIST, Check
from webapp.tokens.verification import open_case


class CheckState(StrEnum):
    """What became of a check. It is not reached if one that it needs failed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class MadeCheck:
    """A check and what became of it; ``error`` is why it failed."""

    check: Check
    state: CheckState
    error: WebsyncError | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """All checks in their order. The header and the claims are None if they could not be read.

    Unless the token `is_accepted`, nothing of what they say is proven.
    """

    checks: tuple[MadeCheck, ...]
    header: Mapping[str, Any] | None
    claims: Mapping[str, Any] | None

    @property
    def is_accepted(self) -> bool:
        """Whether `verify_token` would return the claims."""
        return all(made.state is CheckState.PASSED for made in self.checks)

    @property
    def refusal(self) -> WebsyncError | None:
        """What `verify_token` would raise: the first failure."""
        return next((made.error for made in self.checks if made.error is not None), None)

    def has_passed(self, name: str) -> bool:
        """Say if the check of this name passed."""
        return any(made.check.name == name and made.state is CheckState.PASSED for made in self.checks)


def examine_token(token: str, goal: LiveGoal, keys: KeyCache, *, now: datetime, leeway_seconds: int) -> Examination:
    """Make the checks of `verify_token`, the very same ones, and go on after one that fails."""
    case = open_case(goal, now=now, leeway_seconds=leeway_seconds)
    case.token, case.keys = token, keys
    made: dict[str, MadeCheck] = {}
    for check in CHECKLIST:
        if any(made[name].state is not CheckState.PASSED for name in check.needs):
            made[check.name] = MadeCheck(check, CheckState.NOT_REACHED)
            continue
        try:
            check.run(case)
        except WebsyncError as error:
            made[check.name] = MadeCheck(check, CheckState.FAILED, error)
        else:
            made[check.name] = MadeCheck(check, CheckState.PASSED)
    has_header, has_claims = (made[name].state is CheckState.PASSED for name in ("header", "payload"))
    return Examination(tuple(made.values()), case.header if has_header else None, case.claims if has_claims else None)
