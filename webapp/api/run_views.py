"""The calls about runs: the history, one run with its log and error list, running and stopping."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp.accounts.api_keys import Scope
from webapp.api.calls import QueryParameter, call, change, read_body
from webapp.api.shapes import (
    ErrorLine,
    ErrorsAnswer,
    LogAnswer,
    LogLine,
    RequestedAnswer,
    RunAnswer,
    RunRequest,
    RunsAnswer,
)
from webapp.connections.goals import find_connection
from webapp.connections.import_saving import find_import_goal
from webapp.database import database, reading, transaction
from webapp.errors import MalformedRequestError
from webapp.run_pages.downloads import CONTENT_TYPES, CSV, ERRORS, LOG, NDJSON, WRITERS, Listing
from webapp.runs.asking import run_goal_now, run_now, stop
from webapp.runs.history import PAGE_LENGTH, KnownRun, find_known_run, list_ended, list_under_way
from webapp.runs.history import Scope as Whose
from webapp.runs.records import all_lines, list_problems, newest_log_lines
from webapp.runs.requesting import find_run
from webapp.settings import settings
from webapp.slow_clients import STREAMS

MAX_LIMIT = 200
LOG_LINES = 200
MAX_ID = 2**63 - 1
PAGING = (
    QueryParameter("cursor", "`next_cursor` of the page before"),
    QueryParameter("limit", f"how many, at most {MAX_LIMIT} ({PAGE_LENGTH} unless said)", "integer"),
)
STREAMED = (CONTENT_TYPES[NDJSON], CONTENT_TYPES[CSV].partition(";")[0])


@call("GET /runs", Scope.READ_RUNS, RunsAnswer, query=PAGING)
def list_runs() -> RunsAnswer:
    """List the runs of all connections."""
    return _history(lambda _: None)


@call("GET /connections/<key>/runs", Scope.READ_RUNS, RunsAnswer, query=PAGING)
def list_runs_of_connection(key: str) -> RunsAnswer:
    """List the runs of a connection."""
    return _history(lambda session: find_connection(session, key))


@call("GET /import-goals/<key>/runs", Scope.READ_RUNS, RunsAnswer, query=PAGING)
def list_runs_of_goal(key: str) -> RunsAnswer:
    """List the runs of an import goal."""
    return _history(lambda session: find_import_goal(session, key))


@call("POST /connections/<key>/runs", Scope.RUN_IMPORTS, RequestedAnswer, body=RunRequest)
def run_connection(key: str) -> RequestedAnswer:
    """Run each import goal of a connection. One that waits already is not queued twice."""
    wanted = read_body(RunRequest)
    with transaction() as session:
        asked = run_now(session, find_connection(session, key), change(), is_full=wanted.full)
        return RequestedAnswer(runs=[_answer(find_known_run(session, each.run)) for each in asked])


@call("POST /import-goals/<key>/runs", Scope.RUN_IMPORTS, RunAnswer, body=RunRequest)
def run_goal(key: str) -> RunAnswer:
    """Run an import goal. If a run of it waits already, that one is returned."""
    wanted = read_body(RunRequest)
    with transaction() as session:
        asked = run_goal_now(session, find_import_goal(session, key), change(), is_full=wanted.full)
        return _answer(find_known_run(session, asked.run))


@call("GET /runs/<key>", Scope.READ_RUNS, RunAnswer)
def show_run(key: str) -> RunAnswer:
    """Return a run as it is now."""
    with reading() as session:
        return _answer(find_known_run(session, find_run(session, key)))


@call("POST /runs/<key>/stop", Scope.RUN_IMPORTS, RunAnswer)
def stop_run(key: str) -> RunAnswer:
    """Stop a run: at once while it waits, else after its current chunk."""
    with transaction() as session:
        stop(session, key, change())
        return _answer(find_known_run(session, find_run(session, key)))


@call("GET /runs/<key>/errors", Scope.READ_RUNS, ErrorsAnswer, query=PAGING, also=STREAMED)
def show_errors(key: str) -> ErrorsAnswer | ResponseReturnValue:
    """Return a page of a run's error list, or all of it as NDJSON or CSV."""
    if (streamed := _streamed(ERRORS, key)) is not None:
        return streamed
    limit = _limit()
    with reading() as session:
        found = list_problems(session, find_run(session, key), after=_cursor() or 0, length=limit + 1)
    lines = [ErrorLine.of(row) for row in found[:limit]]
    return ErrorsAnswer(errors=lines, next_cursor=str(found[limit - 1].id) if len(found) > limit else None)


@call("GET /runs/<key>/log", Scope.READ_RUNS, LogAnswer, also=STREAMED)
def show_log(key: str) -> LogAnswer | ResponseReturnValue:
    """Return the last lines of a run's log, or all of it as NDJSON or CSV."""
    if (streamed := _streamed(LOG, key)) is not None:
        return streamed
    with reading() as session:
        found = newest_log_lines(session, find_run(session, key), length=LOG_LINES)
    return LogAnswer(log=[LogLine.of(row) for row in found])


def _history(whose: Callable[[Session], Whose]) -> RunsAnswer:
    before, limit = _cursor(), _limit()
    with reading() as session:
        scope = whose(session)
        page = list_ended(session, scope, before=before, length=limit)
        under_way = list_under_way(session, scope) if before is None else []
    return RunsAnswer(
        under_way=[_answer(each) for each in under_way],
        runs=[_answer(each) for each in page.runs],
        next_cursor=None if page.next_before is None else str(page.next_before),
    )


def _answer(known: KnownRun) -> RunAnswer:
    return RunAnswer.of(known, datetime.now(UTC), public_url=settings().public_url)


def _streamed(listing: Listing, key: str) -> ResponseReturnValue | None:
    """Return all lines as they are read, if the request prefers them so."""
    wanted = request.accept_mimetypes.best_match(["application/json", *STREAMED])
    form = {STREAMED[0]: NDJSON, STREAMED[1]: CSV}.get(wanted or "")
    if form is None:
        return None
    with reading() as session:
        run_id = find_run(session, key).id
    batches: Any = all_lines(database(), listing.kind, run_id)
    request.environ[STREAMS] = True
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    return Response(WRITERS[form](listing, batches), headers=headers, content_type=CONTENT_TYPES[form])


def _cursor() -> int | None:
    return _number("cursor", MAX_ID)


def _limit() -> int:
    return _number("limit", MAX_LIMIT) or PAGE_LENGTH


def _number(name: str, largest: int) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= largest):
        raise MalformedRequestError(f"{name}: must be a number from 1 to {largest}.")
    return int(text)
