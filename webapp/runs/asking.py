"""What people ask of runs: to run now, and to stop. Whoever asks is in the audit log.

The caller opens the transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.saving import Change
from webapp.errors import WebsyncError
from webapp.runs.models import IS_QUEUED, Run, RunState, RunTrigger
from webapp.runs.requesting import batch_goals, find_run, is_batch, record_request, request_run, stop_run


class NothingToRunError(WebsyncError):
    """No import goal of the connection can be run: it, or its goals, are switched off, or no goal enables batch import.

    What to do: switch the connection and a goal on, and enable batch import on the goal.
    """

    slug, title, status = "nothing-to-run", "There is nothing to run", HTTPStatus.CONFLICT


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that was asked for. ``was_queued`` if one waited already, which serves whoever asks now too."""

    run: Run
    goal: ImportGoalRow
    was_queued: bool


def run_now(session: Session, connection: Connection, change: Change, *, is_full: bool) -> list[Asked]:
    """Queue a run of each of a connection's goals. Raises NothingToRunError."""
    goals = batch_goals(session, connection.id)
    if not connection.is_on:
        raise NothingToRunError("The connection is switched off, so none of its imports runs.")
    if not goals:
        raise NothingToRunError("The connection has no import goal that is switched on with batch import enabled.")
    return _request(session, goals, change, is_full=is_full)


def run_goal_now(session: Session, goal: ImportGoalRow, change: Change, *, is_full: bool) -> Asked:
    """Queue a run of one goal. Raises NothingToRunError."""
    if not goal.connection.is_on:
        raise NothingToRunError("The goal's connection is switched off, so it does not run.")
    if not goal.is_on or not is_batch(goal):
        raise NothingToRunError("The goal is switched off, or batch import is not enabled for it.")
    return _request(session, [goal], change, is_full=is_full)[0]


def stop(session: Session, key: str, change: Change) -> RunState:
    """Stop a run: at once while it waits, else after its current chunk. Raises NotFoundError or RunOverError."""
    before = find_run(session, key).state
    state = stop_run(session, key, now=change.now)
    if state != before:
        record(session, actor=change.actor, action="stopped", object_type="run", object_key=key, now=change.now)
    return state


def _request(session: Session, goals: Sequence[ImportGoalRow], change: Change, *, is_full: bool) -> list[Asked]:
    waiting = select(Run.goal_id).where(Run.goal_id.in_([goal.id for goal in goals]), IS_QUEUED)
    queued = set(session.scalars(waiting))
    asked = []
    for goal in goals:
        run = request_run(session, goal, RunTrigger.MANUAL, requested_by=change.actor, now=change.now, is_full=is_full)
        if goal.id not in queued:
            record_request(session, run, goal, actor=change.actor, now=change.now)
        asked.append(Asked(run, goal, goal.id in queued))
    return asked
