"""Heartbeats of the workers: who lives, and who has left its runs behind."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from webapp.rows import upsert
from webapp.runs.models import WorkerHeartbeat

_COLUMNS = ("executor_id", "started_at", "beat_at", "has_left")


def begin_beating(session: Session, executor_id: str, now: datetime) -> None:
    """Note that a worker has started."""
    upsert(session, WorkerHeartbeat, _COLUMNS, [(executor_id, now, now, False)], changing=_COLUMNS[1:])


def beat(session: Session, executor_id: str, now: datetime) -> None:
    """Note that a worker lives, also if another has taken its row for that of a dead one."""
    row = (executor_id, now, now, False)
    upsert(session, WorkerHeartbeat, _COLUMNS, [row], changing=("beat_at", "has_left"))


def leave(session: Session, executor_id: str, now: datetime) -> None:
    """Note that a worker stops in order: another may take over its runs at once."""
    upsert(session, WorkerHeartbeat, _COLUMNS, [(executor_id, now, now, True)], changing=("beat_at", "has_left"))


def forget_worker(session: Session, executor_id: str) -> None:
    """Delete the row of a worker whose runs have been taken over."""
    session.execute(delete(WorkerHeartbeat).where(WorkerHeartbeat.executor_id == executor_id))


def lost_workers(session: Session, now: datetime, *, lost_after: timedelta) -> Sequence[str]:
    """Return the executor ids of those that have left, or whose heart has not been heard for so long."""
    is_lost = or_(WorkerHeartbeat.has_left, WorkerHeartbeat.beat_at < now - lost_after)
    return session.scalars(select(WorkerHeartbeat.executor_id).where(is_lost)).all()


def count_living(session: Session, now: datetime, *, lost_after: timedelta) -> int:
    """Return how many workers live."""
    is_alive = ~WorkerHeartbeat.has_left, WorkerHeartbeat.beat_at >= now - lost_after
    return session.scalar(select(func.count()).select_from(WorkerHeartbeat).where(*is_alive)) or 0
