"""Conflicts of imported users are kept for people to decide, as those of posts are."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from webapp.conflicts.recording import MAX_OPEN, RefusedPost, record_conflict
from webapp.connections.import_saving import LiveImportGoal
from webapp.database import Database
from webapp.importer.results import Conflict

log = structlog.get_logger()


def keep_conflicts(database: Database, goal: LiveImportGoal, conflicts: Sequence[Conflict], *, now: datetime) -> None:
    """Keep conflicts, each in a transaction of its own: not while the chunk holds what whoever decides one waits for.

    More than a goal has room for are not kept: the oldest would go at once.
    """
    for conflict in conflicts[-MAX_OPEN:]:
        visitor, link = (goal.tenant.issuer, conflict.user_id), goal.goal.links[conflict.position]
        try:
            with database.transaction() as session:
                record_conflict(session, RefusedPost(goal.id, visitor, conflict.profile_id, link), now=now)
        except SQLAlchemyError as error:
            # The database is busy, or the goal or profile is gone: the user is in the error list all the same.
            log.warning("conflict_not_kept", goal=goal.goal.key, reason=type(error).__name__)
