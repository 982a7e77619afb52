"""Pages of a goal's history: its revisions, what changed between two of them, and restoring one."""

from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from snippets.goals import InvalidGoalError
from webapp.accounts.session import signed_in_admin
from webapp.connections.changes import compare_goals
from webapp.connections.changes_table import IMPORT_COLUMNS, LINK_COLUMNS, MAPPING_COLUMNS, row_table, shown_setting
from webapp.connections.forms import as_number
from webapp.connections.goals import AnyGoal, StaleRevisionError, find_any_goal, goal_url
from webapp.connections.history import (
    content,
    find_revision,
    list_history,
    look_at_revision,
    read_import_revision,
    read_revision,
)
from webapp.connections.import_saving import SavedImportGoal, save_import_goal
from webapp.connections.models import GoalRevision, ImportGoalRow
from webapp.connections.saving import Change, SavedGoal, save_web_goal
from webapp.database import reading, transaction
from webapp.errors import MalformedRequestError
from webapp.settings import settings

bp = Blueprint("history", __name__)
bp.add_app_template_global(goal_url)


@bp.get("/goals/<key>/history")
def index(key: str) -> ResponseReturnValue:
    """List the revisions of a goal, the newest first."""
    before = _revision_argument("before") if "before" in request.args else None
    with reading() as session:
        goal = find_any_goal(session, key)
        page = list_history(session, goal, before=before)
        return render_template("connections/history.html", goal=goal, page=page, is_first=before is None)


@bp.get("/goals/<key>/history/changes")
def changes(key: str) -> ResponseReturnValue:
    """Show what changed from one revision to another: the rows, the settings, the generated code."""
    from_revision, to_revision = _revision_argument("from"), _revision_argument("to")
    with reading() as session:
        goal = find_any_goal(session, key)
        rows = [find_revision(session, goal, each) for each in (from_revision, to_revision)]
        found = compare_goals(*(content(row) for row in rows))
        before, after = (look_at_revision(goal, row, public_url=settings().public_url) for row in rows)
        return render_template(
            "connections/changes.html",
            goal=goal,
            before=before,
            after=after,
            changes=found,
            mappings=row_table(found.mappings, IMPORT_COLUMNS if isinstance(goal, ImportGoalRow) else MAPPING_COLUMNS),
            links=row_table(found.links, LINK_COLUMNS),
            settings=[shown_setting(setting) for setting in found.settings],
        )


@bp.post("/goals/<key>/history/<int(max=999999999):revision>/restore")
def restore(key: str, revision: int) -> ResponseReturnValue:
    """Save what a revision said as the goal's next one. The page told which revision that follows."""
    change = Change(signed_in_admin().email, datetime.now(UTC), restored_revision=revision)
    expected_revision = as_number(request.form.get("expected_revision"))
    try:
        with transaction() as session:
            goal = find_any_goal(session, key)
            row = find_revision(session, goal, revision)
            saved = _save_again(session, goal, row, change, expected_revision)
    except InvalidGoalError as error:
        problems = " ".join(map(str, error.problems))
        flash(f"Revision {revision} cannot be restored, and nothing has changed. {problems}", "danger")
        return _see_other(url_for(".index", key=key))
    except StaleRevisionError as error:
        flash(f"{error.title}: {error.detail} Nothing was restored; look at the list again.", "warning")
        return _see_other(url_for(".index", key=key))
    return _to_restored(saved, revision)


def _save_again(
    session: Session, goal: AnyGoal, row: GoalRevision, change: Change, expected_revision: int
) -> SavedGoal | SavedImportGoal:
    """Save what a revision said. The switch stays as it is: nobody restores mappings to switch a goal on or off."""
    if isinstance(goal, ImportGoalRow):
        plain = read_import_revision(row)
        return save_import_goal(session, goal, plain, change, is_on=goal.is_on, expected_revision=expected_revision)
    web_goal = read_revision(row, public_url=settings().public_url)
    return save_web_goal(session, goal, web_goal, change, is_on=goal.is_on, expected_revision=expected_revision)


def _to_restored(saved: SavedGoal | SavedImportGoal, revision: int) -> ResponseReturnValue:
    if saved.is_changed:
        flash(f"Revision {revision} is restored as revision {saved.goal.revision}.", "success")
    else:
        flash("Nothing had changed.", "info")
    if saved.new_properties:
        flash(f"New profile properties were made: {', '.join(saved.new_properties)}.", "info")
    return _see_other(goal_url(saved.goal))


def _revision_argument(name: str) -> int:
    revision = as_number(request.args.get(name))
    if not revision:
        raise MalformedRequestError(f"“{name}” must be the number of a revision, such as 1.")
    return revision


def _see_other(url: str) -> ResponseReturnValue:
    return redirect(url, HTTPStatus.SEE_OTHER)
