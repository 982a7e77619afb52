"""Pages of objectives, and of the legislation zones in which visitors opt in or out."""

from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp.accounts.session import signed_in_admin
from webapp.connections.editor import refuse_what_no_page_sends
from webapp.connections.objectives import (
    ObjectiveInUseError,
    connections_with,
    delete_objective,
    save_objective,
    save_opt_out_zones,
)
from webapp.connections.saving import Change
from webapp.database import reading, transaction
from webapp.profile_pages.forms import NewObjectiveForm, ObjectiveForm, ZonesForm, objective_form
from webapp.profiles.legislation import zone_name
from webapp.profiles.objectives import all_objectives, find_objective, known_objectives, lock_objectives, opt_out_zones

bp = Blueprint("objectives", __name__)
bp.before_request(refuse_what_no_page_sends)

_NEW_REVISIONS = "Web goals that this concerns got a new revision: put their new token snippets on your sites."


@bp.get("/objectives")
def index() -> ResponseReturnValue:
    """List the objectives, and say where visitors opt out."""
    with reading() as session:
        rows = [(each, len(connections_with(session, each.id))) for each in all_objectives(session)]
        zones = opt_out_zones(session)
    return render_template("profile_pages/objectives.html", rows=rows, opt_out=zones, zone_name=zone_name)


@bp.route("/objectives/new", methods=["GET", "POST"])
def create() -> ResponseReturnValue:
    """Add an objective."""
    form = NewObjectiveForm(data={"needs_consent": True, "legislations": ["GDPR"]})
    if form.validate_on_submit():
        with transaction() as session:
            is_added = _add(session, form)
        if is_added:
            flash(f"The objective {form.name.data} is added. Now give it to a connection.", "success")
            return _to_list()
        form.id.errors = ["There is an objective with this id already."]
    return render_template("profile_pages/objective.html", form=form, objective=None, connections=()), _status(form)


@bp.route("/objectives/<objective_id>", methods=["GET", "POST"])
def edit(objective_id: str) -> ResponseReturnValue:
    """Show an objective, or save it."""
    form = ObjectiveForm()
    if form.validate_on_submit():
        with transaction() as session:
            lock_objectives(session)
            find_objective(session, objective_id)
            state = save_objective(session, objective_id, form.details(), _change())
        if state == "unchanged":
            flash("Nothing had changed.", "info")
        else:
            flash(f"The objective {form.name.data} is saved. {_NEW_REVISIONS}", "success")
        return _to_list()
    with reading() as session:
        objective = find_objective(session, objective_id)
        if not form.is_submitted():
            form = objective_form(objective)
        connections = [(each.key, each.name) for each in connections_with(session, objective_id)]
    page = render_template("profile_pages/objective.html", form=form, objective=objective, connections=connections)
    return page, _status(form)


@bp.post("/objectives/<objective_id>/delete")
def delete(objective_id: str) -> ResponseReturnValue:
    """Delete an objective that no connection has."""
    try:
        with transaction() as session:
            delete_objective(session, find_objective(session, objective_id), _change())
    except ObjectiveInUseError as error:
        flash(f"The objective is not deleted. {error} Take it out there first.", "danger")
        return redirect(url_for(".edit", objective_id=objective_id), HTTPStatus.SEE_OTHER)
    flash(f"The objective {objective_id} is deleted.", "success")
    return _to_list()


@bp.route("/objectives/zones", methods=["GET", "POST"])
def zones() -> ResponseReturnValue:
    """Say in which legislation zones visitors opt out; in all others they opt in."""
    form = ZonesForm()
    if form.validate_on_submit():
        with transaction() as session:
            is_changed = save_opt_out_zones(session, form.opt_out.data or [], _change())
        if is_changed:
            flash(f"The legislation zones are saved. {_NEW_REVISIONS}", "success")
        else:
            flash("Nothing had changed.", "info")
        return _to_list()
    if not form.is_submitted():
        with reading() as session:
            form = ZonesForm(formdata=None, data={"opt_out": opt_out_zones(session)})
    return render_template("profile_pages/zones.html", form=form), _status(form)


def _add(session: Session, form: NewObjectiveForm) -> bool:
    objective_id = form.id.data or ""
    lock_objectives(session)
    if known_objectives(session, [objective_id]):
        return False
    save_objective(session, objective_id, form.details(), _change())
    return True


def _change() -> Change:
    return Change(signed_in_admin().email, datetime.now(UTC))


def _status(form: ObjectiveForm | ZonesForm) -> HTTPStatus:
    return HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK


def _to_list() -> ResponseReturnValue:
    return redirect(url_for("objectives.index"), HTTPStatus.SEE_OTHER)
