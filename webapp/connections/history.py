"""A goal's history: every saved revision is kept as plain data, and can be looked at and restored."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from snippets.goals import InvalidGoalError, Problem, WebGoal
from snippets.reading import read_web_goal
from webapp.connections.changes import Plain, summary
from webapp.connections.import_goals import ImportGoal, read_import_goal
from webapp.connections.models import Goal, GoalRevision, ImportGoalRow, StoredGoal
from webapp.errors import NotFoundError

PAGE_LENGTH = 50


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of the list: a revision, and what it changed in words since the one before, if that is kept."""

    row: GoalRevision
    summary: str
    revision_before: int | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Revisions, newest first. ``next_before`` is where the next page begins, None on the last."""

    lines: tuple[HistoryLine, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class SeenRevision:
    """A kept revision and the goal that it was. Without one, ``problems`` say why this version takes it no more."""

    row: GoalRevision
    goal: WebGoal | ImportGoal | None
    problems: tuple[Problem, ...] = ()

    @property
    def web_goal(self) -> WebGoal | None:
        """The goal, if it is one that has code."""
        return self.goal if isinstance(self.goal, WebGoal) else None


def keep_revision(session: Session, goal: StoredGoal, plain: dict[str, object], *, saved_by: str) -> None:
    """Keep the goal as it stands now. ``saved_by`` is an admin's e-mail address, ``"cli"`` or ``"demo"``."""
    session.add(
        GoalRevision(
            goal_id=goal.id,
            revision=goal.revision,
            plain=plain,
            is_on=goal.is_on,
            saved_at=goal.updated_at,
            saved_by=saved_by,
        )
    )
    session.flush()


def find_revision(session: Session, goal: StoredGoal, revision: int) -> GoalRevision:
    """Return a kept revision. Raises NotFoundError."""
    row = session.get(GoalRevision, (goal.id, revision))
    if row is None:
        raise NotFoundError(f"Revision {revision} of this goal is not kept.")
    return row


def find_revisions(session: Session, goal: Goal, revisions: Collection[int]) -> list[GoalRevision]:
    """Return those of the ``revisions`` that are kept."""
    chosen = select(GoalRevision).where(GoalRevision.goal_id == goal.id, GoalRevision.revision.in_(revisions))
    return list(session.scalars(chosen.order_by(GoalRevision.revision)))


def list_history(session: Session, goal: StoredGoal, *, before: int | None) -> HistoryPage:
    """Return up to `PAGE_LENGTH` revisions, only those older than ``before`` if it is given."""
    query = select(GoalRevision).where(GoalRevision.goal_id == goal.id)
    if before is not None:
        query = query.where(GoalRevision.revision < before)
    # One more than the page shows: the last line too says what it changed.
    rows = list(session.scalars(query.order_by(GoalRevision.revision.desc()).limit(PAGE_LENGTH + 1)))
    shown = rows[:PAGE_LENGTH]
    lines = tuple(_line(row, older) for row, older in zip(shown, [*rows[1:], None], strict=False))
    return HistoryPage(lines, shown[-1].revision if len(rows) > PAGE_LENGTH else None)


def read_revision(row: GoalRevision, *, public_url: str) -> WebGoal:
    """Return what a kept revision of a web goal said.

    Raises:
        InvalidGoalError: an older version of Websync took what this one refuses.
    """
    return read_web_goal({**row.plain, "revision": row.revision}, public_url=public_url)


def read_import_revision(row: GoalRevision) -> ImportGoal:
    """Return what a kept revision of an import goal said. Raises InvalidGoalError."""
    return read_import_goal({**row.plain, "revision": row.revision})


def look_at_revision(goal: StoredGoal, row: GoalRevision, *, public_url: str) -> SeenRevision:
    """Return a kept revision with what it said, or with why it cannot be a goal any more."""
    is_import = isinstance(goal, ImportGoalRow)
    try:
        return SeenRevision(row, read_import_revision(row) if is_import else read_revision(row, public_url=public_url))
    except InvalidGoalError as error:
        return SeenRevision(row, None, error.problems)


def content(row: GoalRevision) -> Plain:
    """Return what a revision says as plain data, for `webapp.connections.changes`."""
    return {**row.plain, "is_on": row.is_on}


def _line(row: GoalRevision, older: GoalRevision | None) -> HistoryLine:
    if older is not None:
        return HistoryLine(row, summary(content(older), content(row)), older.revision)
    return HistoryLine(row, "created" if row.revision == 1 else "the first revision that was kept", None)
