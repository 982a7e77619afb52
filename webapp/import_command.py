"""`websync import`: the users of a file are imported here, all users of a tenant by a worker."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import SQLAlchemyError

from webapp import garbage
from webapp.command_line import app_or_exit, exit_with_lines
from webapp.connections.import_saving import LiveImportGoal, find_import_goals, live_import_goal
from webapp.connections.models import ImportGoalRow
from webapp.database import database, reading, transaction
from webapp.errors import NotFoundError, WebsyncError
from webapp.importer.applying import ImportRun
from webapp.importer.exported_users import export_now
from webapp.importer.importing import import_users, new_run_id
from webapp.importer.reading import Entry, UnreadableFileError, format_of, open_users
from webapp.importer.results import ImportResult
from webapp.importer.summary import count_lines, summary_lines
from webapp.importer.tenant_import import open_goal
from webapp.runs.heartbeats import count_living
from webapp.runs.models import Run, RunState, RunTrigger
from webapp.runs.requesting import find_run, is_batch, record_request, request_run
from webapp.settings import settings

EXIT_CODES = {RunState.FINISHED: 0, RunState.FINISHED_WITH_ERRORS: 1}
LOOK_EVERY_SECONDS = 1.0


@click.command("import")
@click.argument("goal")
@click.option(
    "--file", type=click.File("rb"), help="An export of Auth0 (NDJSON or CSV), or - for a pipe; without it, all users."
)
@click.option("--full", is_flag=True, help="Compare all users with their profiles, also those of whom nothing changed.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and write nothing.")
@click.option("--limit", type=click.IntRange(min=1), help="Read at most so many users.")
def import_users_of(goal: str, file: BinaryIO | None, *, full: bool, dry_run: bool, limit: int | None) -> None:
    """Import the users of a file, or all users of the tenant, by the import goal GOAL (its name or key).

    A file is imported here, and so are users with --dry-run or --limit. All users are imported by a worker: that goes
    on if this command is ended.

    Ends with 0 if all went well, 1 if some users or values could not be imported, 2 if it failed.
    """
    with app_or_exit().app_context():
        found = _find_goal(goal)
        run = ImportRun(new_run_id(), found, is_full=full, is_dry=dry_run)
        if file is not None:
            _import_file(run, file, limit)
        elif dry_run or limit:
            _import_some(run, limit)
        else:
            _import_by_worker(found.id, full=full)


def _find_goal(name: str) -> LiveImportGoal:
    with reading() as session:
        found = find_import_goals(session, name)
        if not found:
            exit_with_lines(f"No import goal is called {name!r}.")
        if len(found) > 1:
            exit_with_lines(f"{len(found)} import goals are called {name!r}; a key names one (websync config export).")
        try:
            goal = live_import_goal(found[0], allow_loopback=settings().allows_loopback_tenant)
        except WebsyncError as error:
            exit_with_lines(str(error))
    if not goal.is_open:
        exit_with_lines(f"{goal.goal.name!r} or its connection is switched off.")
    return goal


def _import_by_worker(goal_id: int, *, full: bool) -> NoReturn:
    now, lost_after = datetime.now(UTC), timedelta(seconds=settings().worker_lost_seconds)
    with transaction() as session:
        row = session.get_one(ImportGoalRow, goal_id)
        if not is_batch(row):
            exit_with_lines(f"Batch import is not enabled for {row.name!r}; --file and --limit need no run.")
        run = request_run(session, row, RunTrigger.CLI, requested_by="", now=now, is_full=full)
        record_request(session, run, row, actor=RunTrigger.CLI, now=now)
        if not count_living(session, now, lost_after=lost_after):
            click.echo("No worker is alive: the run waits for one (websync worker).", err=True)
    try:
        run = _follow_run(run.key)
    except NotFoundError:
        exit_with_lines("The run is gone: its goal was deleted.")
    except SQLAlchemyError as error:
        exit_with_lines(f"The run goes on, but how far cannot be told. The database: {type(error).__name__}")
    words = run.state.replace("_", " ")
    click.echo(f"{words}, {run.problem_detail}" if run.problem else words)
    click.echo("\n".join(count_lines(run.counts)))
    sys.exit(EXIT_CODES.get(RunState(run.state), 2))


def _follow_run(key: str) -> Run:
    """Wait for the end of a run, and show meanwhile how far it is."""
    pause, said = threading.Event(), ""
    with _bar() as (progress, task):
        while True:
            with reading() as session:
                run = find_run(session, key)
            users = run.counts.get("read", 0)
            now = f"{run.state.replace('_', ' ')}, {users:,} users"
            # It is an estimate, and users may have come since.
            expected = None if run.expected_users is None else max(run.expected_users, users)
            progress.update(task, description=now, completed=users, total=expected)
            if now != said and progress.disable:
                click.echo(now, err=True)
            if run.ended_at is not None:
                return run
            said = now
            pause.wait(LOOK_EVERY_SECONDS)


def _import_file(run: ImportRun, file: BinaryIO, limit: int | None) -> NoReturn:
    name = str(getattr(file, "name", "-"))
    length = Path(name).stat().st_size if Path(name).is_file() else None  # nobody knows how long a pipe is
    users, is_file = open_users(file, format_of(name)), length is not None
    _import_here(run, users, limit, length, lambda _: file.tell() if length else None, reads_ahead=is_file)


def _import_some(run: ImportRun, limit: int | None) -> NoReturn:
    """Import users of the tenant to see what comes of it: it is no run, and nobody goes on if it is ended."""
    try:
        goal, client = open_goal(database(), run.goal.id)
        with client:
            users = export_now(client, goal.goal, threading.Event().wait, limit=limit)
            _import_here(run, users, limit, limit, lambda result: result.read)
    except WebsyncError as error:
        exit_with_lines(f"The import failed: {error}")


def _import_here(
    run: ImportRun,
    users: Iterator[Entry],
    limit: int | None,
    total: int | None,
    place_of: Callable[[ImportResult], int | None],
    *,
    reads_ahead: bool = False,
) -> NoReturn:
    """Import ``users`` in this process. ``place_of`` says how much of ``total`` is done."""
    garbage.look_seldom(garbage.OBJECTS_OF_AN_IMPORT)
    result, failure = ImportResult(), ""
    with _bar(total) as (progress, task):

        def show(so_far: ImportResult) -> None:
            nonlocal result
            result = so_far
            progress.update(task, description=f"{so_far.read:,} users", completed=place_of(so_far))

        try:
            result = import_users(database(), run, users, limit=limit, reads_ahead=reads_ahead, on_chunk=show)
        except SQLAlchemyError as error:
            failure = f"the database: {type(error).__name__}"
        except (UnreadableFileError, WebsyncError) as error:
            failure = str(error)
    if run.is_dry:
        click.echo("Nothing was written: this is what would happen.")
    click.echo("\n".join(summary_lines(result)))
    if failure:
        exit_with_lines(f"The import failed: {failure}")
    sys.exit(1 if result.has_problems else 0)


@contextmanager
def _bar(total: float | None = None) -> Iterator[tuple[Progress, TaskID]]:
    """Show a bar on a terminal, and nothing where nobody watches."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(show_speed=False), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield progress, progress.add_task("Importing", total=total)
