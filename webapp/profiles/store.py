"""What a profile store answers. The words are BlueConic's (REST v2, result of the bulk ``PUT /profiles``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ProfileState(StrEnum):
    """What became of one profile."""

    CREATED = "CREATED"
    MODIFIED = "MODIFIED"
    UNCHANGED = "UNCHANGED"
    NOTFOUND = "NOTFOUND"
    DELETED = "DELETED"
    SKIPPED = "SKIPPED"
    CONSENT_MISMATCH = "CONSENT_MISMATCH"
    RESTRICTION_MISMATCH = "RESTRICTION_MISMATCH"
    UNAUTHORIZED = "UNAUTHORIZED"


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """``updated`` are the ids of the properties that changed, sorted; ``problems`` say why a property did not."""

    state: ProfileState
    updated: tuple[str, ...]
    problems: Mapping[str, list[str]]
