"""Telling of the end of a run: in the transaction that ends it, so that it is told whatever happens next."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from webapp.connections.models import Connection, StoredGoal
from webapp.connections.notifications import RunEvent
from webapp.notifications.messages import News
from webapp.notifications.outbox import queue_notifications
from webapp.runs.models import Run, RunState

_EVENTS = {
    RunState.FINISHED: frozenset({RunEvent.FINISH}),
    RunState.FINISHED_WITH_ERRORS: frozenset({RunEvent.FINISH, RunEvent.FAILURE}),
    RunState.FAILED: frozenset({RunEvent.FAILURE}),
    RunState.STOPPED: frozenset({RunEvent.FINISH}),
}


def announce_end(session: Session, run: Run, *, now: datetime) -> None:
    """Have those told who want to hear of it. ``run`` is over, and ``now`` is its end."""
    queue_notifications(
        session, run.id, run.connection_id, _EVENTS[RunState(run.state)], _news_of(session, run, now), now=now
    )


def _news_of(session: Session, run: Run, now: datetime) -> News:
    connection = session.get_one(Connection, run.connection_id)
    goal = session.get_one(StoredGoal, run.goal_id)
    return News(
        run=run.key,
        state=run.state,
        connection={"key": connection.key, "name": connection.name},
        goal={"key": goal.key, "name": goal.name},
        trigger=run.trigger,
        requested_at=_text(run.requested_at),
        started_at=_text(run.started_at) if run.started_at else None,
        ended_at=_text(now),
        counts=dict(run.counts),
        problem=run.problem,
        problem_detail=run.problem_detail,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
