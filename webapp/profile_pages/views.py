"""Pages of profiles and of profile properties."""

from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.accounts.session import signed_in_admin
from webapp.connections.saving import goals_that_sum
from webapp.database import reading, transaction
from webapp.errors import MalformedRequestError, NotFoundError
from webapp.profile_pages.forms import TYPE_NAMES, NewPropertyForm, PropertyForm
from webapp.profiles.embedded import (
    ensure_properties,
    get_profile,
    lock_property_set,
    newest_profiles,
    set_indexed,
)
from webapp.profiles.models import Profile, PropertyDefinition
from webapp.profiles.showing import (
    any_profile_has,
    definitions,
    identities,
    listed,
    search_profiles,
    shown_consent,
    shown_properties,
)
from webapp.profiles.values import PropertyType

PAGE_LENGTH = 50
MAX_SEARCH_LENGTH = 500

bp = Blueprint("profile_pages", __name__)


@bp.get("/profiles")
def index() -> ResponseReturnValue:
    """List the profiles that changed last, or those that a search finds."""
    text = request.args.get("q", "").strip()[:MAX_SEARCH_LENGTH].replace("\0", "")
    after = _read_place(request.args.get("after"))
    with reading() as session:
        known = definitions(session)
        if text:
            found = search_profiles(session, text, known, PAGE_LENGTH)
        else:
            found = newest_profiles(session, after, PAGE_LENGTH + 1)
    page = found[:PAGE_LENGTH]
    next_place = _write_place(page[-1]) if len(found) > PAGE_LENGTH else None
    indexed = [definition.name for definition in known.values() if definition.is_indexed]
    return render_template(
        "profile_pages/index.html",
        profiles=listed(page, known),
        text=text,
        indexed=indexed,
        next_place=next_place,
        is_first=after is None,
    )


@bp.get("/profiles/<profile_id>")
def show(profile_id: str) -> ResponseReturnValue:
    """Show a profile: its properties, where they come from, and the Auth0 users linked to it."""
    with reading() as session:
        profile = get_profile(session, profile_id)
        if profile is None:
            raise NotFoundError("There is no profile with this id. The first login that is synced makes it.")
        rows = shown_properties(profile, definitions(session))
        linked = identities(session, profile_id)
        consent = shown_consent(session, profile)
    return render_template("profile_pages/show.html", profile=profile, rows=rows, identities=linked, consent=consent)


@bp.route("/properties", methods=["GET", "POST"])
def properties() -> ResponseReturnValue:
    """List the property definitions, and add one."""
    form = NewPropertyForm(data={"property_type": PropertyType.TEXT})
    if form.validate_on_submit():
        with transaction() as session:
            is_added = _add_property(session, form)
        if is_added:
            flash(f"The property {form.id.data} is added.", "success")
            return redirect(url_for("profile_pages.properties"), HTTPStatus.SEE_OTHER)
        form.id.errors = ["There is a property with this id already."]
    with reading() as session:
        known = definitions(session)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
    return render_template(
        "profile_pages/properties.html", form=form, known=known.values(), type_names=TYPE_NAMES
    ), status


@bp.route("/properties/<property_id>", methods=["GET", "POST"])
def edit_property(property_id: str) -> ResponseReturnValue:
    """Change a property's name, its type while no profile has a value, and make it a unique identifier."""
    with reading() as session:
        definition = _find_property(session, property_id)
    form = PropertyForm(obj=definition)
    if form.validate_on_submit():
        with transaction() as session:
            why_not = _change_property(session, property_id, form)
        if why_not is None:
            flash(f"The property {property_id} is saved.", "success")
            return redirect(url_for("profile_pages.properties"), HTTPStatus.SEE_OTHER)
        form.property_type.errors = [why_not]
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
    return render_template("profile_pages/property.html", form=form, definition=definition), status


def _add_property(session: Session, form: NewPropertyForm) -> bool:
    property_id, now = form.id.data or "", datetime.now(UTC)
    wanted = {property_id: (PropertyType(form.property_type.data), bool(form.is_indexed.data))}
    if session.get(PropertyDefinition, property_id) or not ensure_properties(session, wanted, now):
        return False
    session.get_one(PropertyDefinition, property_id).name = form.name.data or property_id
    _record(session, "created", property_id, now)
    return True


def _change_property(session: Session, property_id: str, form: PropertyForm) -> str | None:
    """Change the property, or return why its type has to stay."""
    lock_property_set(session)
    definition = _find_property(session, property_id)
    wanted = PropertyType(form.property_type.data)
    if wanted != definition.property_type and (reason := _why_type_stays(session, property_id, wanted)):
        return reason
    definition.property_type = wanted
    definition.name = form.name.data or property_id
    # Identifier links of goals rely on identifiers, so there is no way back.
    is_new_identifier = bool(form.is_indexed.data) and not definition.is_indexed
    if session.is_modified(definition) or is_new_identifier:
        _record(session, "saved", property_id, datetime.now(UTC))
    if is_new_identifier:
        set_indexed(session, definition, is_indexed=True)
    return None


def _why_type_stays(session: Session, property_id: str, wanted: PropertyType) -> str | None:
    if any_profile_has(session, property_id):
        return "Profiles have values of the present type, so it has to stay."
    if not wanted.is_numeric and (goals := goals_that_sum(session, property_id)):
        return f"Only numbers can be summed, and this goal sums here: {goals[0]}."
    return None


def _find_property(session: Session, property_id: str) -> PropertyDefinition:
    definition = session.get(PropertyDefinition, property_id)
    if definition is None:
        raise NotFoundError("There is no profile property with this id.")
    return definition


def _record(session: Session, action: str, property_id: str, now: datetime) -> None:
    actor = signed_in_admin().email
    record(session, actor=actor, action=action, object_type="property", object_key=property_id[:64], now=now)


def _write_place(profile: Profile) -> str:
    return f"{profile.modified_at.isoformat()}~{profile.id}"


def _read_place(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    moment, separator, profile_id = text.partition("~")
    try:
        modified_at = datetime.fromisoformat(moment)
    except ValueError:
        modified_at = None
    if not separator or modified_at is None or modified_at.tzinfo is None or "\0" in profile_id:
        raise MalformedRequestError("The place in the list is not one that a page of it named.")
    return modified_at, profile_id
