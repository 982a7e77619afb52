"""The import goal's page: the goal as it is stored, or a form as it was typed with what came of a button."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from snippets.fields import USER_FIELDS
from snippets.goals import PROFILE_ID, InvalidGoalError, Problem
from webapp.connections.editor import Edited, Mistake, place_warnings
from webapp.connections.forms import LinkForm
from webapp.connections.goal_page import page_status
from webapp.connections.goals import StaleRevisionError, find_connection, new_key
from webapp.connections.import_goals import read_import_goal
from webapp.connections.import_properties import definitions_after_saving
from webapp.connections.import_saving import find_import_goal, to_import_goal
from webapp.connections.listing import suggested_properties
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.tenant_access import has_credentials
from webapp.database import reading
from webapp.import_pages.databases import NOT_READ, DatabaseList
from webapp.import_pages.forms import (
    TRANSFORMS,
    ImportGoalForm,
    ImportMappingForm,
    TransformForm,
    import_goal_form,
    new_import_goal_form,
)
from webapp.import_pages.preview import ShownPreview
from webapp.import_pages.warnings import warnings_of
from webapp.profiles.definitions import property_types

SUGGESTED_FIELDS = (
    *(field for field in USER_FIELDS if field not in {"identities", "user_metadata", "app_metadata"}),
    *("last_login", "last_ip", "logins_count", "blocked", "identities[0].provider", "user_metadata.", "app_metadata."),
)
"""What the mappings offer; any other path may be typed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which goal the page is of: one that is stored, or one to come of a connection."""

    goal_key: str | None = None
    connection_key: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows beside the form: what came of the button that was pressed."""

    edited: Edited | None = None
    mistakes: Sequence[Mistake] = ()
    stale: StaleRevisionError | None = None
    databases: DatabaseList = NOT_READ
    fields_problem: str | None = None
    preview: ShownPreview | None = None


NOTHING = Shown()


def goal_page(place: Place, form: ImportGoalForm | None = None, shown: Shown = NOTHING) -> ResponseReturnValue:
    """Show what was typed, or, if ``form`` is None, the goal as it is stored or as a new one begins."""
    with reading() as session:
        stored = find_import_goal(session, place.goal_key) if place.goal_key else None
        connection = stored.connection if stored else find_connection(session, place.connection_key)
        form = form or _first_form(stored, connection)
        if stored and shown.stale:
            form.expected_revision.data = str(stored.revision)  # saving again replaces the other's, as the page says
        form.let_choose(shown.databases.names)
        _tell_types(session, form)
        warnings = place_warnings(form, _look_ahead(session, form))
        page = render_template(
            "import_pages/goal.html",
            form=form,
            goal=stored,
            connection=connection,
            shown=shown,
            warnings=warnings,
            is_unsaved=request.method == "POST" and not _is_as_stored(form, stored),
            blank_mapping=ImportMappingForm(prefix="mappings-__index__-"),
            blank_link=LinkForm(prefix="links-__index__-"),
            blank_chips=[_blank_chip(str(each.value)) for each in TRANSFORMS],
            suggested_fields=SUGGESTED_FIELDS,
            suggested_properties=suggested_properties(session),
            profile_id=PROFILE_ID,
            can_call_tenant=has_credentials(connection),
        )
    return page, page_status(has_mistakes=bool(shown.mistakes), stale=shown.stale)


def _first_form(stored: ImportGoalRow | None, connection: Connection) -> ImportGoalForm:
    if stored is None:
        return new_import_goal_form({goal.name for goal in connection.import_goals})
    return import_goal_form(to_import_goal(stored), is_on=stored.is_on)


def _look_ahead(session: Session, form: ImportGoalForm) -> tuple[Problem, ...]:
    """Let each row know the type that its new property would get, and return the warnings about what was typed.

    Nothing is known as long as the goal cannot be saved at all.
    """
    try:
        goal = read_import_goal(form.plain(key=new_key()))
        definitions = definitions_after_saving(session, goal, form.new_types())
    except InvalidGoalError:
        return ()
    for entry, mapping in zip(form.mappings, goal.mappings, strict=True):
        entry.form.automatic_type = definitions.types[mapping.profile_property]
    return warnings_of(goal, definitions.identifying)


def _is_as_stored(form: ImportGoalForm, stored: ImportGoalRow | None) -> bool:
    """Say if saving would change nothing, so that a preview of a stored goal leaves no changes to be saved."""
    if stored is None or form.is_on.data != stored.is_on:
        return False
    return form.plain(key=stored.key) == _first_form(stored, stored.connection).plain(key=stored.key)


def _tell_types(session: Session, form: ImportGoalForm) -> None:
    """Let each row know the type of its property, if that is defined."""
    rows = [entry.form for entry in (*form.mappings, *form.remaining)]
    types = property_types(session, {(row.profile_property.data or "").strip() for row in rows})
    for row in rows:
        row.stored_type = types.get((row.profile_property.data or "").strip())


def _blank_chip(kind: str) -> TransformForm:
    return TransformForm(prefix="mappings-__index__-transforms-__chip__-", data={"kind": kind})
