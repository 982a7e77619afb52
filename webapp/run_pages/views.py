"""Pages of runs: the history of a goal, of a connection and of all, one run, its downloads, and asking for runs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.session import signed_in_admin
from webapp.connections.goals import find_connection
from webapp.connections.import_saving import find_import_goal
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.saving import Change
from webapp.database import database, reading, transaction
from webapp.errors import MalformedRequestError, NotFoundError
from webapp.profiles.models import Profile
from webapp.run_pages.chart import CHART_RUNS, PARTS, chart_of
from webapp.run_pages.downloads import CONTENT_TYPES, LISTINGS, WRITERS
from webapp.run_pages.section import has_worker, runs_section
from webapp.runs import showing
from webapp.runs.asking import Asked, NothingToRunError, run_goal_now, run_now, stop
from webapp.runs.history import Scope, find_known_run, list_ended, list_under_way, upcoming, upcoming_of_all
from webapp.runs.models import RunState
from webapp.runs.records import SHOWN_LOG_LINES, SHOWN_PROBLEMS, all_lines, list_problems, newest_log_lines
from webapp.runs.requesting import RunOverError, batch_goals, find_run, is_batch
from webapp.slow_clients import STREAMS

MAX_ID = 2**63 - 1
MAX_DIGITS = 19

bp = Blueprint("runs", __name__)
bp.add_app_template_global(runs_section)


@bp.get("/runs")
def index() -> ResponseReturnValue:
    """List the runs of all connections."""
    with reading() as session:
        return _history(session, None)


@bp.get("/connections/<key>/runs")
def of_connection(key: str) -> ResponseReturnValue:
    """List the runs of a connection: now, next, and past."""
    with reading() as session:
        return _history(session, find_connection(session, key))


@bp.get("/imports/<key>/runs")
def of_goal(key: str) -> ResponseReturnValue:
    """List the runs of an import goal: now, next, and past."""
    with reading() as session:
        return _history(session, find_import_goal(session, key))


@bp.post("/connections/<key>/runs")
def ask(key: str) -> ResponseReturnValue:
    """Run the imports of a connection now, or that of one of its goals."""
    goal_key, is_full = request.form.get("goal", ""), "is_full" in request.form
    change = Change(signed_in_admin().email, datetime.now(UTC))
    try:
        with transaction() as session:
            connection = find_connection(session, key)
            if goal_key:
                goal = find_import_goal(session, goal_key)
                if goal.connection_id != connection.id:
                    raise NotFoundError("The connection has no such import goal.")
                asked = [run_goal_now(session, goal, change, is_full=is_full)]
            else:
                asked = run_now(session, connection, change, is_full=is_full)
            is_carried = has_worker(session)
    except NothingToRunError as error:
        flash(f"{error.title}. {error.detail}", "warning")
        return _see_other(url_for("connections.show", key=key))
    _tell(asked, is_carried=is_carried)
    if len(asked) == 1:
        return _see_other(url_for(".show", key=asked[0].run.key))
    return _see_other(url_for(".of_connection", key=key))


@bp.get("/runs/<key>")
def show(key: str) -> ResponseReturnValue:
    """Show all of one run."""
    after = _read_id("after")
    with reading() as session:
        run = find_run(session, key)
        known = find_known_run(session, run)
        problems = list_problems(session, run, after=after or 0, length=SHOWN_PROBLEMS + 1)
        return render_template(
            "run_pages/run.html",
            known=known,
            may_run=known.connection.is_on and known.goal.is_on and is_batch(known.goal),
            run=run,
            now=datetime.now(UTC),
            problems=problems[:SHOWN_PROBLEMS],
            next_after=problems[SHOWN_PROBLEMS - 1].id if len(problems) > SHOWN_PROBLEMS else None,
            is_first=after is None,
            log=newest_log_lines(session, run),
            shown_log_lines=SHOWN_LOG_LINES,
            existing=_existing(session, run.newest),
            has_worker=has_worker(session),
            shown=showing,
        )


@bp.post("/runs/<key>/stop")
def end(key: str) -> ResponseReturnValue:
    """Stop a run: at once while it waits, else after its current chunk."""
    try:
        with transaction() as session:
            state = stop(session, key, Change(signed_in_admin().email, datetime.now(UTC)))
    except RunOverError as error:
        flash(f"{error.title}: {error.detail}", "info")
        return _see_other(url_for(".show", key=key))
    stops_later = state is RunState.STOPPING
    flash("The run stops after its current chunk." if stops_later else "The run is stopped.", "success")
    return _see_other(url_for(".show", key=key))


@bp.get("/runs/<key>/<any(errors, log):name>.<any(csv, ndjson):form>")
def download(key: str, name: str, form: str) -> ResponseReturnValue:
    """Send a run's error list or log as a file, as long as it may be."""
    listing = LISTINGS[name]
    with reading() as session:
        run = find_run(session, key)
    lines = WRITERS[form](listing, all_lines(database(), listing.kind, run.id))
    request.environ[STREAMS] = True
    headers = {"Content-Disposition": f'attachment; filename="websync-run-{run.key}-{name}.{form}"'}
    return Response(lines, content_type=CONTENT_TYPES[form], headers=headers)


def _history(session: Session, scope: Scope) -> ResponseReturnValue:
    before, now = _read_id("before"), datetime.now(UTC)
    connection = scope.connection if isinstance(scope, ImportGoalRow) else scope
    goal = scope if isinstance(scope, ImportGoalRow) else None
    return render_template(
        "run_pages/history.html",
        connection=connection,
        goal=goal,
        goals=_runnable(session, connection, goal),
        under_way=list_under_way(session, scope),
        upcoming=upcoming(session, connection, now) if connection else None,
        upcoming_of_all=[] if connection else upcoming_of_all(session, now),
        page=list_ended(session, scope, before=before),
        is_first=before is None,
        chart=chart_of(list_ended(session, scope, length=CHART_RUNS).runs) if before is None else None,
        chart_parts=PARTS,
        has_worker=has_worker(session),
        here=_here(connection, goal),
        now=now,
        shown=showing,
    )


def _runnable(session: Session, connection: Connection | None, goal: ImportGoalRow | None) -> list[ImportGoalRow]:
    goals = batch_goals(session, connection.id) if connection else []
    return [each for each in goals if goal is None or each.id == goal.id]


def _here(connection: Connection | None, goal: ImportGoalRow | None) -> str:
    if goal is not None:
        return url_for(".of_goal", key=goal.key)
    return url_for(".of_connection", key=connection.key) if connection else url_for(".index")


def _existing(session: Session, profile_ids: Sequence[str]) -> frozenset[str]:
    """Return those of the profiles that are still there."""
    return frozenset(session.scalars(select(Profile.id).where(Profile.id.in_(profile_ids))))


def _tell(asked: Sequence[Asked], *, is_carried: bool) -> None:
    for each in asked:
        name = each.goal.name
        flash(f"A run of {name} is queued already." if each.was_queued else f"A run of {name} is queued.", "success")
    if not is_carried:
        flash("No worker is alive: the run waits until one is started (websync worker).", "warning")


def _read_id(name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and int(text) <= MAX_ID):
        raise MalformedRequestError(f"“{name}” must be the number of a line.")
    return int(text)


def _see_other(url: str) -> ResponseReturnValue:
    return redirect(url, HTTPStatus.SEE_OTHER)
