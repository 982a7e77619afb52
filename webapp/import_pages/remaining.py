""" "Add remaining fields": from a look at a few real users to rows of the form. Nothing of the users is kept."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from snippets.goals import MAX_MAPPINGS, PROPERTY_ID, InvalidGoalError, MergeStrategy, Problem
from webapp.auth0.user_sample import sample_users
from webapp.connections.editor import Edited, with_data
from webapp.connections.models import Connection
from webapp.connections.tenant_access import tenant_client
from webapp.database import reading
from webapp.import_pages.forms import ImportGoalForm
from webapp.import_pages.sampling import Found, find_fields, folded, propose
from webapp.profiles.definitions import property_types
from webapp.profiles.models import PropertyDefinition
from webapp.profiles.values import PropertyType, PropertyTypes

FIND_BUTTON = "find-fields"
TITLE = "remaining-title"

Row = dict[str, Any]


def list_remaining(form: ImportGoalForm, connection: Connection) -> Edited:
    """Return the form with the fields that users of the tenant have and no row reads, each with a property for it.

    Raises one of `tenant_access.CALL_ERRORS`.
    """
    with tenant_client(connection) as client:
        users = sample_users(client, form.chosen_databases)
    found = find_fields(users)
    mapped = {(row["auth0_field"] or "").strip() for row in form.mappings.data}
    taken = {(row["profile_property"] or "").strip() for row in form.mappings.data}
    with reading() as session:
        proposals = propose(found, mapped, taken, _known(session))
    room = max(0, MAX_MAPPINGS - len(form.mappings.data))
    rows = [
        {
            "is_chosen": True,
            "auth0_field": each.auth0_field,
            "example": each.example,
            "profile_property": each.profile_property,
            "property_type": each.property_type or "",
        }
        for each in proposals[:room]
    ]
    changed = with_data(form, {"remaining": rows})
    return Edited(changed, TITLE if rows else FIND_BUTTON, _found_words(len(users), len(proposals), len(rows), found))


def add_chosen(form: ImportGoalForm) -> Edited:
    """Return the form with a mapping more for each field that was chosen. A field that is mapped already is left out.

    Raises:
        InvalidGoalError: the prefix cannot be part of a property's id.
    """
    prefix = (form.remaining_prefix.data or "").strip()
    if prefix and not PROPERTY_ID.fullmatch(prefix):
        problem = Problem(("remaining_prefix",), "Letters, digits, - and _ only (at most 100 characters).")
        raise InvalidGoalError((problem,))
    mappings = list(form.mappings.data)
    mapped = {(row["auth0_field"] or "").strip() for row in mappings}
    chosen = [row for row in form.remaining.data if row["is_chosen"] and row["auth0_field"] not in mapped]
    if not chosen:
        return Edited(form, TITLE, "No field is checked, so nothing was added.")
    with reading() as session:
        types = property_types(session, {(row["profile_property"] or "").strip() for row in chosen})
    added = [_mapping(row, form.remaining_strategy.data, prefix, types) for row in chosen]
    notice = f"{_count(len(added), 'mapping was', 'mappings were')} added. Nothing is saved yet."
    unsummed = sum(row["strategy"] != form.remaining_strategy.data for row in added)
    if unsummed:
        notice += f" {_count(unsummed, 'holds', 'hold')} no numbers, so Set stands there instead of Sum."
    changed = with_data(form, {"mappings": [*mappings, *added], "remaining": []})
    return Edited(changed, f"mappings-{len(mappings)}-auth0_field", notice)


def close_remaining(form: ImportGoalForm) -> Edited:
    """Return the form without the list of fields."""
    return Edited(with_data(form, {"remaining": []}), FIND_BUTTON, "No field was added.")


def _mapping(row: Row, strategy: str, prefix: str, types: PropertyTypes) -> Row:
    name, wanted = (row["profile_property"] or "").strip(), row["property_type"] or ""
    stored = types.get(name)
    is_number = stored.is_numeric if stored else wanted in {PropertyType.NUMBER, PropertyType.DECIMAL}
    return {
        "auth0_field": row["auth0_field"],
        "profile_property": name if stored or name.startswith(prefix) else f"{prefix}{name}",
        "property_type": "" if stored else wanted,
        "strategy": MergeStrategy.SET if strategy == MergeStrategy.SUM and not is_number else strategy,
    }


def _known(session: Session) -> dict[str, str]:
    """Return the ids of all properties by what their names and ids come to, ids first."""
    rows = session.execute(select(PropertyDefinition.id, PropertyDefinition.name).order_by(PropertyDefinition.id)).all()
    return {folded(row.name): row.id for row in reversed(rows)} | {folded(row.id): row.id for row in reversed(rows)}


def _found_words(users: int, proposed: int, listed: int, found: Found) -> str:
    if not users:
        return "The tenant has no users (in these databases), so there are no fields to read off."
    people = _count(users, "user", "users")
    said = f"{_count(listed, 'field', 'fields')} of {people} listed below. Nothing is saved yet."
    if not proposed:
        said = f"All fields that {people} of the tenant have are mapped already."
    elif listed < proposed:
        said += f" {proposed - listed} more are left out: a goal has at most {MAX_MAPPINGS} mappings."
    if found.unmappable:
        fields = _count(found.unmappable, "field cannot", "fields cannot")
        said += f" {fields} be mapped: their names have dots, or what else no path can have."
    return said


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
