"""Pages of connections and of their web goals."""

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from snippets.goals import InvalidGoalError
from snippets.policy import SigningAlgorithm
from snippets.reading import read_web_goal
from webapp.accounts.session import signed_in_admin
from webapp.connections.confirming import UnseenWarningsError, check_warnings_seen
from webapp.connections.editor import edit, parse_action, place_problems, refuse_what_no_page_sends
from webapp.connections.forms import (
    ConnectionForm,
    GoalForm,
    as_number,
    connection_form,
    new_goal_form,
)
from webapp.connections.goal_page import goal_page, page_status
from webapp.connections.goals import StaleRevisionError, find_connection, find_goal, new_key, to_web_goal
from webapp.connections.listing import known_labels, list_connections, matching
from webapp.connections.saving import (
    Change,
    SavedGoal,
    SecretNeededError,
    UnknownObjectiveError,
    add_connection,
    add_web_goal,
    delete_connection,
    delete_web_goal,
    save_connection,
    save_web_goal,
)
from webapp.connections.signing_secrets import check_signing_secret
from webapp.database import reading, transaction
from webapp.profiles.objectives import all_objectives
from webapp.sealing import sealer
from webapp.settings import settings

bp = Blueprint("connections", __name__)
bp.before_request(refuse_what_no_page_sends)


@bp.get("/")
def home() -> ResponseReturnValue:
    """Begin with the connections."""
    return redirect(url_for(".index"))


@bp.get("/connections")
def index() -> ResponseReturnValue:
    """List the connections, searched by text and filtered by label."""
    text, label = request.args.get("q", ""), request.args.get("label", "")
    with reading() as session:
        lines = list_connections(session)
    found = matching(lines, text=text, label=label)
    return render_template(
        "connections/index.html", lines=found, total=len(lines), labels=known_labels(lines), text=text, label=label
    )


@bp.route("/connections/new", methods=["GET", "POST"])
def create() -> ResponseReturnValue:
    """Add a connection."""
    form = _posted_connection()
    if not form.validate_on_submit():
        return _connection_page(form)
    try:
        with transaction() as session:
            details = form.details(sealed_client_secret=_sealed_secret(form, stored=None))
            connection = add_connection(session, details, _change())
    except UnknownObjectiveError as error:
        form.objectives.errors = [str(error)]
        return _connection_page(form)
    flash("The connection is saved. Now add a goal to it.", "success")
    return _see_other(url_for(".show", key=connection.key))


@bp.route("/connections/<key>", methods=["GET", "POST"])
def show(key: str) -> ResponseReturnValue:
    """Show a connection, or save it."""
    form = _posted_connection()
    if not form.validate_on_submit():
        return _connection_page(form, key)
    try:
        with transaction() as session:
            connection = find_connection(session, key)
            details = form.details(sealed_client_secret=_sealed_secret(form, stored=connection.sealed_client_secret))
            version = as_number(form.version.data)
            changed = save_connection(session, connection, details, _change(), expected_version=version)
    except StaleRevisionError as error:
        return _connection_page(form, key, stale=error)
    except SecretNeededError as error:
        form.client_secret.errors = [str(error)]
        return _connection_page(form, key)
    except UnknownObjectiveError as error:
        form.objectives.errors = [str(error)]
        return _connection_page(form, key)
    flash("The connection is saved." if changed else "Nothing had changed.", "success" if changed else "info")
    if "objectives" in changed:
        # The snippet that was pasted before asks for other consent, or for none: visitors would go on by that.
        flash("Its objectives changed: put the new token snippets of its web goals on your sites.", "info")
    return _see_other(url_for(".show", key=key))


@bp.post("/connections/<key>/delete")
def delete(key: str) -> ResponseReturnValue:
    """Delete a connection with its goals."""
    with transaction() as session:
        connection = find_connection(session, key)
        delete_connection(session, connection, _change())
    flash(f"The connection {connection.name} is deleted.", "success")
    return _see_other(url_for(".index"))


@bp.route("/connections/<key>/goals/new", methods=["GET", "POST"])
def create_goal(key: str) -> ResponseReturnValue:
    """Add a web goal to a connection."""
    if request.method == "GET":
        return goal_page(new_goal_form(public_url=settings().public_url), connection_key=key)
    form = GoalForm()
    if (pressed := request.form.get("do", "save")) != "save":
        return goal_page(edit(form, parse_action(pressed)), connection_key=key)
    try:
        web_goal = read_web_goal(form.plain(key=new_key()), public_url=settings().public_url)
        with transaction() as session:
            connection = find_connection(session, key)
            saved = add_web_goal(session, connection, web_goal, _goal_change(form), is_on=form.is_on.data)
            check_warnings_seen(web_goal, before=None, seen=form.seen_warnings.data or "")
    except InvalidGoalError as error:
        return goal_page(form, connection_key=key, mistakes=place_problems(form, error.problems))
    except UnseenWarningsError as error:
        return goal_page(form, connection_key=key, unseen=error)
    return _to_saved(saved)


@bp.route("/goals/<key>", methods=["GET", "POST"])
def goal(key: str) -> ResponseReturnValue:
    """Show a web goal with its code, or save it as its next revision."""
    if request.method == "GET":
        return goal_page(None, goal_key=key)
    with reading() as session:
        find_goal(session, key)  # a key that nothing has is no mistake in the form
    form = GoalForm()
    if (pressed := request.form.get("do", "save")) != "save":
        return goal_page(edit(form, parse_action(pressed)), goal_key=key)
    try:
        web_goal = read_web_goal(form.plain(key=key), public_url=settings().public_url)
        with transaction() as session:
            stored = find_goal(session, key)
            before = to_web_goal(stored, public_url=settings().public_url)
            saved = save_web_goal(
                session,
                stored,
                web_goal,
                _goal_change(form),
                is_on=form.is_on.data,
                expected_revision=as_number(form.expected_revision.data),
            )
            check_warnings_seen(web_goal, before=before, seen=form.seen_warnings.data or "")
    except InvalidGoalError as error:
        return goal_page(form, goal_key=key, mistakes=place_problems(form, error.problems))
    except UnseenWarningsError as error:
        return goal_page(form, goal_key=key, unseen=error)
    except StaleRevisionError as error:
        return goal_page(form, goal_key=key, stale=error)
    return _to_saved(saved)


@bp.post("/goals/<key>/delete")
def delete_goal(key: str) -> ResponseReturnValue:
    """Delete a web goal."""
    with transaction() as session:
        found = find_goal(session, key)
        connection_key = found.connection.key
        delete_web_goal(session, found, _change())
    flash(f"The web goal {found.name} is deleted.", "success")
    return _see_other(url_for(".show", key=connection_key))


def _posted_connection() -> ConnectionForm:
    form = ConnectionForm()
    with reading() as session:
        form.let_choose(all_objectives(session))
    return form


def _connection_page(
    form: ConnectionForm, key: str | None = None, *, stale: StaleRevisionError | None = None
) -> ResponseReturnValue:
    with reading() as session:
        connection = find_connection(session, key) if key else None
        if connection and request.method == "GET":
            form = connection_form(connection)
        form.let_choose(all_objectives(session))
        if connection and stale:
            form.version.data = str(connection.version)  # saving again replaces the other's, as the page says
        page = render_template("connections/connection.html", form=form, connection=connection, stale=stale)
    return page, page_status(has_mistakes=bool(form.errors), stale=stale)


def _to_saved(saved: SavedGoal) -> ResponseReturnValue:
    if saved.is_changed:
        flash(f"Saved as revision {saved.goal.revision}.", "success")
    elif saved.has_new_secret:
        flash("The client secret for HS256 is saved.", "success")
    else:
        flash("Nothing had changed.", "info")
    if saved.new_properties:
        flash(f"New profile properties were made: {', '.join(saved.new_properties)}.", "info")
    return _see_other(url_for(".goal", key=saved.goal.key))


def _sealed_secret(form: ConnectionForm, *, stored: str | None) -> str | None:
    if form.client_secret.data:
        return sealer().seal(form.client_secret.data)
    return None if form.remove_secret.data else stored


def _goal_change(form: GoalForm) -> Change:
    """Return the change, with the secret that was typed for HS256. Raises InvalidGoalError."""
    secret = form.signing_secret.data
    if not secret or SigningAlgorithm.HS256 not in (form.algorithms.data or []):
        return _change()
    check_signing_secret(secret)
    return replace(_change(), sealed_signing_secret=sealer().seal(secret))


def _change() -> Change:
    return Change(signed_in_admin().email, datetime.now(UTC))


def _see_other(url: str) -> ResponseReturnValue:
    return redirect(url, HTTPStatus.SEE_OTHER)
