"""A run's error list and its log: the first lines for a page, all of them for a download."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.database import Database
from webapp.runs.models import Run, RunLogLine, RunProblem

SHOWN_PROBLEMS = 25
SHOWN_LOG_LINES = 30
BATCH_LINES = 2_000
"""So many lines are in memory at a time, and read in one look at the database."""

Line = TypeVar("Line", RunProblem, RunLogLine)


def list_problems(session: Session, run: Run, *, after: int = 0, length: int = SHOWN_PROBLEMS) -> Sequence[RunProblem]:
    """Return lines of the error list, in its order; those with an id above ``after``."""
    return _lines(session, RunProblem, run.id, after, length)


def newest_log_lines(session: Session, run: Run, *, length: int = SHOWN_LOG_LINES) -> Sequence[RunLogLine]:
    """Return the last lines of the log, in its order."""
    query = select(RunLogLine).where(RunLogLine.run_id == run.id).order_by(RunLogLine.id.desc()).limit(length)
    return session.scalars(query).all()[::-1]


def all_lines(database: Database, kind: type[Line], run_id: int) -> Iterator[Sequence[Line]]:
    """Yield all lines of a run, a batch at a time. No transaction is open while the caller works on them."""
    after = 0
    while True:
        with database.reading() as session:
            batch = _lines(session, kind, run_id, after, BATCH_LINES)
        if not batch:
            return
        yield batch
        after = batch[-1].id


def _lines(session: Session, kind: type[Line], run_id: int, after: int, length: int) -> Sequence[Line]:
    query = select(kind).where(kind.run_id == run_id, kind.id > after).order_by(kind.id).limit(length)
    return session.scalars(query).all()
