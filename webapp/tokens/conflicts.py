"""Keeping what a refused post was about, in a transaction of its own: that of the post is rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from webapp.conflicts.recording import RefusedPost, record_conflict
from webapp.connections.goals import LiveGoal
from webapp.database import transaction
from webapp.profiles.linking import IdentityConflictError

log = structlog.get_logger()


@contextmanager
def keeping_conflicts(goal: LiveGoal, *, now: datetime) -> Iterator[None]:
    """Record an identity conflict of the block for an admin to decide. The error goes on to whoever posted."""
    try:
        yield
    except IdentityConflictError as error:
        # Should somebody have saved other links since the goal was read, the next post tells it right.
        link = dict(enumerate(goal.web_goal.links)).get(error.position)
        if link is not None:
            _keep(goal, RefusedPost(goal.id, error.visitor, error.profile_id, link), now)
        raise


def _keep(goal: LiveGoal, post: RefusedPost, now: datetime) -> None:
    try:
        with transaction() as session:
            record_conflict(session, post, now=now)
    except SQLAlchemyError as error:
        # The database is busy, or the goal or profile is gone: the refusal holds all the same.
        log.warning("conflict_not_kept", goal=goal.web_goal.key, reason=type(error).__name__)
