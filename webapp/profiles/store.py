"""What a profile store answers. The words are BlueConic's (REST v2, result of the bulk ``PUT /profiles``)."""

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


def written_state(*, is_new: bool, has_changes: bool) -> ProfileState:
    """Return what became of a profile that could be written."""
    if is_new:
        return ProfileState.CREATED
    return ProfileState.MODIFIED if has_changes else ProfileState.UNCHANGED
