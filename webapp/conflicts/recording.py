"""Keeping a refused post's conflict: once for each user, goal and profile, and only so many for each goal."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from snippets.goals import IdentifierLink
from webapp.conflicts.models import ConflictState, IdentityConflict
from webapp.connections.goals import new_key
from webapp.profiles.facts import Identity
from webapp.profiles.owners import owners_of
from webapp.rows import insert_missing, table_of

MAX_OPEN = 200
"""Undecided conflicts of one goal. Whoever makes accounts by the hundred pushes out the oldest, and fills no table."""
MAX_OWNERS = 50
"""Kept of each conflict."""


@dataclass(frozen=True, slots=True)
class RefusedPost:
    """A post that was answered with a conflict, or an imported user who was left out for one.

    It says who came, to which goal, and which link led to whose profile.
    """

    goal_id: int
    visitor: Identity
    profile_id: str
    link: IdentifierLink


def record_conflict(session: Session, post: RefusedPost, *, now: datetime) -> None:
    """Keep the conflict, or count one more post of it. The caller opens a transaction of its own for this.

    A conflict that somebody decided to keep as it is stays decided until the profile has other owners.
    """
    owners = owners_of(session, post.profile_id)
    if not owners or post.visitor in owners:
        return  # it is none any more
    row = _new_row(post, owners, now)
    is_new = insert_missing(session, IdentityConflict, tuple(row), [tuple(row.values())]) == 1
    conflict = session.scalars(select(IdentityConflict).where(*_is(post)).with_for_update()).one_or_none()
    if conflict is None:
        return  # just now it had to make room for others
    if is_new:
        _make_room(session, conflict)
        return
    again = {
        "owners": _plain(owners),
        "auth0_field": post.link.auth0_field,
        "profile_property": post.link.profile_property,
        "post_count": IdentityConflict.post_count + 1,
        "last_at": now,
    }
    if not (conflict.state == ConflictState.KEPT and conflict.owners == _plain(owners)):
        # Moved or split, and it is back all the same: somebody undid what was decided.
        again |= {"state": ConflictState.OPEN, "decided_by": "", "decided_at": None, "own_profile_id": None}
    # As plain rows: whoever posts must not make this process look at its goals anew.
    session.execute(update(table_of(IdentityConflict)).where(IdentityConflict.id == conflict.id).values(again))


def _new_row(post: RefusedPost, owners: list[Identity], now: datetime) -> dict[str, object]:
    issuer, subject = post.visitor
    return {
        "key": new_key(),
        "goal_id": post.goal_id,
        "issuer": issuer,
        "subject": subject,
        "profile_id": post.profile_id,
        "auth0_field": post.link.auth0_field,
        "profile_property": post.link.profile_property,
        "owners": _plain(owners),
        "post_count": 1,
        "first_at": now,
        "last_at": now,
        "state": ConflictState.OPEN,
        "decided_by": "",
    }


def _make_room(session: Session, newest: IdentityConflict) -> None:
    surplus = (
        select(IdentityConflict.id)
        .where(
            IdentityConflict.goal_id == newest.goal_id,
            IdentityConflict.state == ConflictState.OPEN,
            IdentityConflict.id != newest.id,
        )
        .order_by(IdentityConflict.last_at.desc(), IdentityConflict.id.desc())
        .offset(MAX_OPEN - 1)
    )
    ids = list(session.scalars(surplus))
    if ids:
        session.execute(
            delete(IdentityConflict).where(IdentityConflict.id.in_(ids)).execution_options(synchronize_session=False)
        )


def _plain(owners: list[Identity]) -> list[list[str]]:
    return [list(owner) for owner in owners[:MAX_OWNERS]]


def _is(post: RefusedPost) -> tuple[ColumnElement[bool], ...]:
    return (
        IdentityConflict.goal_id == post.goal_id,
        IdentityConflict.issuer == post.visitor[0],
        IdentityConflict.subject == post.visitor[1],
        IdentityConflict.profile_id == post.profile_id,
    )
