"""A run's error list and its log: the first lines for a page, all of them for a download."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from webapp.database import Database
from webapp.rows import table_of
from webapp.runs.models import Run, RunLogLine, RunProblem

SHOWN_PROBLEMS = 25
SHOWN_LOG_LINES = 30
BATCH_LINES = 2_000
"""So many lines are in memory at a time, and read in one look at the database."""

Line = RunProblem | RunLogLine


def list_problems(session: Session, run: Run, *, after: int = 0, length: int = SHOWN_PROBLEMS) -> Sequence[RunProblem]:
    """Return lines of the error list, in its order; those with an id above ``after``."""
    query = select(RunProblem).where(RunProblem.run_id == run.id, RunProblem.id > after)
    return session.scalars(query.order_by(RunProblem.id).limit(length)).all()


def newest_log_lines(session: Session, run: Run, *, length: int = SHOWN_LOG_LINES) -> Sequence[RunLogLine]:
    """Return the last lines of the log, in its order."""
    query = select(RunLogLine).where(RunLogLine.run_id == run.id).order_by(RunLogLine.id.desc()).limit(length)
    return session.scalars(query).all()[::-1]


def all_lines(database: Database, kind: type[Line], run_id: int) -> Iterator[Sequence[Row[Any]]]:
    """Yield all lines of a run as plain rows, a batch at a time. No transaction is open while the caller has one."""
    lines, after = table_of(kind), 0
    while True:
        query = select(lines).where(lines.c.run_id == run_id, lines.c.id > after).order_by(lines.c.id)
        with database.reading() as session:
            batch = session.execute(query.limit(BATCH_LINES)).all()
        if not batch:
            return
        yield batch
        after = batch[-1].id
