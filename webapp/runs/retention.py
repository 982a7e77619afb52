"""Deletes runs that have become old, with their error lists and logs, a small step at a time.

An error list may have a hundred thousand lines. Deleted at once, they would keep the posts of tokens waiting.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session, aliased

from webapp.runs.models import Run, RunLogLine, RunProblem

STEP_LINES = 2_000


def delete_old_runs(session: Session, ended_before: datetime) -> bool:
    """Do one step: delete lines of the oldest run that ended before, or that run. Say if there may be more to do.

    The newest run of a goal stays, however old it is.
    """
    oldest = select(Run.id).where(Run.ended_at < ended_before, _is_followed()).order_by(Run.id).limit(1)
    if (run_id := session.scalar(oldest)) is None:
        return False
    for kind in (RunProblem, RunLogLine):
        lines = select(kind.id).where(kind.run_id == run_id).order_by(kind.id).limit(STEP_LINES)
        if ids := session.scalars(lines).all():
            session.execute(delete(kind).where(kind.run_id == run_id, kind.id <= ids[-1]))
            return True
    session.execute(delete(Run).where(Run.id == run_id))
    return True


def _is_followed() -> ColumnElement[bool]:
    """Say that a later run of the goal has ended."""
    later = aliased(Run)
    follows = select(later.id).where(later.goal_id == Run.goal_id, later.id > Run.id, later.ended_at.is_not(None))
    return follows.exists()
