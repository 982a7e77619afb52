"""What an admin may decide about a conflict: keep the profile with its owner, move it to the visitor, or split.

The caller opens the transaction.
"""

from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.conflicts.listing import find_conflict, read_sides
from webapp.conflicts.models import ConflictState, IdentityConflict
from webapp.errors import WebsyncError
from webapp.profiles.owners import give_own_profile, lock_owners, move_profile, owners_of


class Choice(StrEnum):
    """The three things to do."""

    KEEP = "keep"
    MOVE = "move"
    SPLIT = "split"


STATES = {Choice.KEEP: ConflictState.KEPT, Choice.MOVE: ConflictState.MOVED, Choice.SPLIT: ConflictState.SPLIT}


class StaleConflictError(WebsyncError):
    """The identity conflict is no longer as the page showed it: somebody decided it, or one of the users logged in.

    Nothing was changed. What to do: look at its page again.
    """

    slug, title, status = "stale-conflict", "The conflict has changed", HTTPStatus.CONFLICT


def decide(session: Session, key: str, choice: Choice, *, seen: str, actor: str, now: datetime) -> IdentityConflict:
    """Do what was chosen on a page that showed the conflict as it was at the mark ``seen``.

    Raises:
        NotFoundError: there is no such conflict any more.
        StaleConflictError: it has changed since.
    """
    conflict = find_conflict(session, key)
    session.refresh(conflict, with_for_update=True)
    lock_owners(session, conflict.profile_id, [conflict.visitor, *owners_of(session, conflict.profile_id)])
    _check_unchanged(session, conflict, seen)
    if choice is Choice.MOVE:
        conflict.own_profile_id = move_profile(session, conflict.profile_id, conflict.visitor, now=now)
    elif choice is Choice.SPLIT:
        conflict.own_profile_id = give_own_profile(session, [conflict.visitor], now=now)
    conflict.state, conflict.decided_by, conflict.decided_at = STATES[choice], actor, now
    session.flush()
    record(
        session,
        actor=actor,
        action=STATES[choice].value,
        object_type="conflict",
        object_key=conflict.key,
        now=now,
        goal=conflict.goal.key,
        profile=conflict.profile_id,
        own_profile=conflict.own_profile_id,
    )
    return conflict


def _check_unchanged(session: Session, conflict: IdentityConflict, seen: str) -> None:
    sides = read_sides(session, conflict)
    if seen == sides.mark(conflict) and not sides.is_settled:
        return
    if conflict.decided_at is not None:
        raise StaleConflictError(f"{conflict.decided_by} has decided it meanwhile ({conflict.state}).")
    raise StaleConflictError("It has changed since this page was opened: one of the users has logged in meanwhile.")
