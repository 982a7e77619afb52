"""How far a run is, with its log and its error list: noted after each chunk, by the one worker that has the run."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.rows import insert_new
from webapp.runs.announcing import announce_end
from webapp.runs.importers import MAX_LISTED_PROBLEMS, Applied, Begun, Problem, RunOrder
from webapp.runs.models import ACTIVE_STATES, Run, RunLogLine, RunProblem, RunState

ERRORS = "errors"
"""The count that makes a finished run *finished with errors*: chunks of which not everything was imported."""
PROBLEMS = "problems"
"""The count of all lines that the error list has, or would have if it were longer."""
UNLISTED = "problems_not_listed"
"""The count of those for which the error list had no room."""
MAX_NEWEST = 5
MAX_REASONS = 50
"""So many are counted apart: an importer has about a dozen, and a run is read often."""
OTHER_REASONS = "other reasons"
_PROBLEM_COLUMNS = ("run_id", "line", "user_id", "auth0_field", "reason")


class RunTakenError(Exception):
    """The run is not this worker's any more: another has it, or it is gone or over. Nothing was noted."""


def take_run(session: Session, run_key: str, executor_id: str, *, now: datetime) -> Run:
    """Make the run this worker's, which has just been handed it. Raises RunTakenError if it is over or gone."""
    run = _active_run(session, run_key)
    run.executor_id = executor_id
    after = f", after {run.chunks} chunks" if run.chunks else ""
    _log(session, run, f"{executor_id} takes the run{after}.", now)
    if run.state == RunState.STARTING:
        run.state = RunState.RUNNING
    return run


def keep_run(session: Session, run_key: str, executor_id: str) -> Run:
    """Return the run, held until the transaction ends. Raises RunTakenError if it is not this worker's."""
    run = _active_run(session, run_key)
    if run.executor_id != executor_id:
        raise RunTakenError(run_key)
    return run


def note_beginning(session: Session, run: Run, begun: Begun, *, now: datetime) -> None:
    """Note the first position, unless one was noted already."""
    if run.position is None:
        run.position, run.expected_users = begun.position, begun.expected_users
        _log(session, run, begun.remark or "The import has begun.", now)


def note_chunk(session: Session, run: Run, applied: Applied, *, after: int, now: datetime) -> None:
    """Note a chunk, which follows ``after`` others. Raises RunTakenError if it was noted already."""
    if run.chunks != after:
        raise RunTakenError(run.key)
    run.chunks = after + 1
    run.position = applied.position
    counts = Counter(run.counts)
    counts.update(applied.counts)
    counts[ERRORS] += applied.has_errors
    room = max(0, MAX_LISTED_PROBLEMS - run.counts.get(PROBLEMS, 0))
    if (unlisted := applied.counts.get(PROBLEMS, 0) - room) > 0:
        counts[UNLISTED] += unlisted
    run.first_chunk_at = run.first_chunk_at or now
    run.reasons = _counted(run.reasons, applied.problems)
    run.newest = [*applied.newest, *run.newest][:MAX_NEWEST]
    insert_new(session, RunProblem, _PROBLEM_COLUMNS, [(run.id, *each) for each in applied.problems[:room]])
    told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in applied.counts.items()) or "nothing"
    _log(session, run, applied.remark or f"Chunk {run.chunks}: {told}.", now)
    if counts[UNLISTED] and UNLISTED not in run.counts:
        _log(session, run, f"The error list is full: it keeps {MAX_LISTED_PROBLEMS:,}, the others are counted.", now)
    run.counts = {name: count for name, count in counts.items() if count or name == ERRORS}


def end_run(session: Session, run: Run, state: RunState, *, now: datetime, problem: str = "", detail: str = "") -> None:
    """Note how the run ended, and have those told who want to hear of it."""
    if state is RunState.FINISHED and run.counts.get(ERRORS):
        state = RunState.FINISHED_WITH_ERRORS
    run.state, run.ended_at, run.problem, run.problem_detail = state, now, problem, detail
    why = f" ({problem}): {detail}" if problem else f": {detail}" if detail else "."
    ended = "has failed" if state is RunState.FAILED else f"is {state.replace('_', ' ')}"
    _log(session, run, f"The run {ended}{why}", now)
    announce_end(session, run, now=now)


def order_of(run: Run) -> RunOrder:
    """Return what the run is to import."""
    return RunOrder(run.key, run.goal_id, run.connection_id, run.is_full)


def _counted(reasons: Mapping[str, int], problems: Iterable[Problem]) -> dict[str, int]:
    """Return the counts with those of more problems. Beyond a number of reasons, what is new counts as another."""
    counts = Counter(reasons)
    for problem in problems:
        is_known = problem.reason in counts or len(counts) < MAX_REASONS
        counts[problem.reason if is_known else OTHER_REASONS] += 1
    return dict(counts)


def _log(session: Session, run: Run, line: str, now: datetime) -> None:
    session.add(RunLogLine(run_id=run.id, at=now, text=line))


def _active_run(session: Session, run_key: str) -> Run:
    # Held for as long as it takes to change it: a stop that is asked for meanwhile waits, and is not overwritten.
    query = select(Run).where(Run.key == run_key, Run.state.in_(ACTIVE_STATES)).with_for_update()
    if (run := session.scalar(query)) is None:
        raise RunTakenError(run_key)
    return run
