"""Pages of import goals."""

from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from snippets.goals import MAX_MAPPINGS, InvalidGoalError, Problem
from webapp.accounts.session import signed_in_admin
from webapp.connections.editor import edit, parse_action, place_problems, refuse_what_no_page_sends
from webapp.connections.forms import as_number
from webapp.connections.goals import NoTenantError, StaleRevisionError, find_connection, new_key
from webapp.connections.import_goals import read_import_goal
from webapp.connections.import_saving import (
    SavedImportGoal,
    add_import_goal,
    delete_import_goal,
    find_import_goal,
    save_import_goal,
)
from webapp.connections.models import Connection
from webapp.connections.saving import Change
from webapp.connections.tenant_access import CALL_ERRORS, what_to_do
from webapp.connections.transforms import MAX_TRANSFORMS
from webapp.database import reading, transaction
from webapp.errors import MalformedRequestError
from webapp.import_pages.chips import edit_chips
from webapp.import_pages.databases import read_databases
from webapp.import_pages.forms import ImportGoalForm
from webapp.import_pages.page import Place, Shown, goal_page
from webapp.import_pages.preview import NoUserError, draft_of, find_sample, show_preview
from webapp.import_pages.remaining import FIND_BUTTON, add_chosen, close_remaining, list_remaining

bp = Blueprint("imports", __name__)
bp.before_request(refuse_what_no_page_sends)

MAX_POSTED_CHIP_FIELDS = 2 * MAX_TRANSFORMS * MAX_MAPPINGS + 2 * MAX_MAPPINGS
"""More than a goal's transforms may have, so that its own message can say so."""


@bp.before_request
def refuse_more_chips_than_a_page_has() -> None:
    """Refuse a form that no page could have sent, before it costs anything."""
    if sum("-transforms-" in name for name in request.form) > MAX_POSTED_CHIP_FIELDS:
        raise MalformedRequestError("These are more transforms than a goal may have.")


@bp.route("/connections/<key>/imports/new", methods=["GET", "POST"])
def create(key: str) -> ResponseReturnValue:
    """Add an import goal to a connection."""
    place = Place(connection_key=key)
    return goal_page(place) if request.method == "GET" else _press(place)


@bp.route("/imports/<key>", methods=["GET", "POST"])
def goal(key: str) -> ResponseReturnValue:
    """Show an import goal, or save it as its next revision."""
    place = Place(key)
    return goal_page(place) if request.method == "GET" else _press(place)


@bp.get("/connections/<key>/imports/databases")
def databases(key: str) -> ResponseReturnValue:
    """Return the boxes of the tenant's databases, for the page that is open (static/js/databases.js)."""
    with reading() as session:
        connection = find_connection(session, key)
    form = ImportGoalForm(formdata=None, data={"databases": request.args.getlist("chosen")})
    found = read_databases(connection)
    form.let_choose(found.names)
    return render_template("import_pages/databases.html", form=form, databases=found, connection=connection)


@bp.post("/imports/<key>/delete")
def delete(key: str) -> ResponseReturnValue:
    """Delete an import goal."""
    with transaction() as session:
        row = find_import_goal(session, key)
        connection_key = row.connection.key
        delete_import_goal(session, row, _change())
    flash(f"The import goal {row.name} is deleted.", "success")
    return _see_other(url_for("connections.show", key=connection_key))


def _press(place: Place) -> ResponseReturnValue:
    """Do what the button of a posted form says."""
    with reading() as session:  # a key that nothing has is no mistake in the form
        row = find_import_goal(session, place.goal_key) if place.goal_key else None
        connection = row.connection if row else find_connection(session, place.connection_key)
    form, pressed = ImportGoalForm(), request.form.get("do", "save")
    if pressed == "save":
        return _save(place, form)
    if pressed == "databases":
        return goal_page(place, form, Shown(databases=read_databases(connection)))
    if pressed == "preview":
        return _preview(place, form, connection, row.id if row else None)
    return _edit(place, form, connection, pressed)


def _edit(place: Place, form: ImportGoalForm, connection: Connection, pressed: str) -> ResponseReturnValue:
    """Change the form's rows by a button of theirs. Nothing is saved."""
    try:
        if pressed == FIND_BUTTON:
            edited = list_remaining(form, connection)
        elif pressed == "add-fields":
            edited = add_chosen(form)
        elif pressed == "close-fields":
            edited = close_remaining(form)
        else:
            edited = edit_chips(form, pressed) or edit(form, parse_action(pressed))
    except CALL_ERRORS as error:
        return goal_page(place, form, Shown(fields_problem=what_to_do(error)))
    except InvalidGoalError as error:
        return goal_page(place, form, Shown(mistakes=place_problems(form, error.problems)))
    return goal_page(place, edited.form, Shown(edited))


def _save(place: Place, form: ImportGoalForm) -> ResponseReturnValue:
    try:
        saved = _store(place, form)
    except InvalidGoalError as error:
        return goal_page(place, form, Shown(mistakes=place_problems(form, error.problems)))
    except StaleRevisionError as error:
        return goal_page(place, form, Shown(stale=error))
    if saved.is_changed:
        flash(f"Saved as revision {saved.goal.revision}.", "success")
    else:
        flash("Nothing had changed.", "info")
    if saved.new_properties:
        flash(f"New profile properties were made: {', '.join(saved.new_properties)}.", "info")
    return _see_other(url_for(".goal", key=saved.goal.key))


def _preview(place: Place, form: ImportGoalForm, connection: Connection, goal_id: int | None) -> ResponseReturnValue:
    """Show what the form as it is would do to one user."""
    try:
        import_goal, new_types = read_import_goal(form.plain(key=place.goal_key or new_key())), form.new_types()
        sample = find_sample(connection, form.lookup.data or "", form.pasted.data or "")  # it may take long
        with reading() as session:
            draft = draft_of(session, connection, import_goal, goal_id, new_types)
            preview = show_preview(session, draft, sample, now=datetime.now(UTC))
    except InvalidGoalError as error:
        return goal_page(place, form, Shown(mistakes=place_problems(form, error.problems)))
    except NoUserError as error:
        return goal_page(place, form, Shown(mistakes=place_problems(form, [Problem((error.field,), str(error))])))
    except NoTenantError as error:
        return goal_page(place, form, Shown(mistakes=place_problems(form, [Problem(("lookup",), error.detail)])))
    return goal_page(place, form, Shown(preview=preview))


def _store(place: Place, form: ImportGoalForm) -> SavedImportGoal:
    """Store what was typed. Raises InvalidGoalError, StaleRevisionError."""
    import_goal = read_import_goal(form.plain(key=place.goal_key or new_key()))
    change = Change(signed_in_admin().email, datetime.now(UTC), new_types=form.new_types())
    with transaction() as session:
        if place.goal_key is None:
            connection = find_connection(session, place.connection_key)
            return add_import_goal(session, connection, import_goal, change, is_on=form.is_on.data)
        return save_import_goal(
            session,
            find_import_goal(session, place.goal_key),
            import_goal,
            change,
            is_on=form.is_on.data,
            expected_revision=as_number(form.expected_revision.data),
        )


def _change() -> Change:
    return Change(signed_in_admin().email, datetime.now(UTC))


def _see_other(url: str) -> ResponseReturnValue:
    return redirect(url, HTTPStatus.SEE_OTHER)
