"""The preview on the import goal's page: a user of the tenant, or a pasted one, before and after. Nothing is kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from snippets.fields import VERIFIED_BY
from webapp.auth0.tenant import InvalidDomainError, parse_domain
from webapp.connections.goals import NoTenantError
from webapp.connections.import_goals import ImportGoal
from webapp.connections.import_properties import definitions_after_saving
from webapp.connections.models import Connection
from webapp.connections.tenant_access import UserNotLoadedError, load_users
from webapp.importer.fields import value_at
from webapp.importer.mapping import Elsewhere
from webapp.importer.preview import Draft, Preview, preview_user
from webapp.importer.reading import BrokenLine
from webapp.json_text import TypedJsonError, compact, parse_object
from webapp.profiles.definitions import Definitions
from webapp.profiles.linking import FoundBy
from webapp.profiles.objectives import rule_for
from webapp.profiles.previewing import PropertyRow, ShownLink, property_rows, shown_links
from webapp.profiles.store import ProfileState
from webapp.profiles.values import PropertyTypes
from webapp.settings import settings

MAX_SHOWN_CHARACTERS = 300

Json = dict[str, Any]


class NoUserError(ValueError):
    """There is no user to preview. ``field`` of the form is where the message belongs."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Sample:
    """A user to preview. ``others`` is how many more users the tenant has by the address that was typed."""

    fields: Json
    others: int = 0


@dataclass(frozen=True, slots=True)
class ReadValue:
    """What a row found in the user (JSON, cut), and what is wrong with it. ``position`` counts from 0."""

    position: int
    auth0_field: str
    profile_property: str
    value: str | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownPreview:
    """What the page shows. With a ``refusal`` the user would not be imported, and there is nothing else to show."""

    user_id: str
    others: int = 0
    refusal: str | None = None
    state: ProfileState | None = None
    profile_id: str | None = None
    found_by: FoundBy | None = None
    link_position: int | None = None
    is_unchanged: bool = False
    links: tuple[ShownLink, ...] = ()
    values: tuple[ReadValue, ...] = ()
    rows: tuple[PropertyRow, ...] = ()


def find_sample(connection: Connection, lookup: str, pasted: str) -> Sample:
    """Return the user that was pasted, or else the one that was asked for. Raises NoUserError."""
    if pasted:
        try:
            return Sample(parse_object(pasted))
        except TypedJsonError as error:
            raise NoUserError("pasted", str(error)) from error
    try:
        user, *others = load_users(connection, lookup)
    except UserNotLoadedError as error:
        raise NoUserError("lookup", str(error)) from error
    return Sample(user, len(others))


def draft_of(
    session: Session, connection: Connection, goal: ImportGoal, goal_id: int | None, new_types: PropertyTypes
) -> Draft:
    """Return the goal as saving it now would make it. Raises InvalidGoalError, NoTenantError."""
    try:
        tenant = parse_domain(connection.auth0_domain, allow_loopback=settings().allows_loopback_tenant)
    except InvalidDomainError as error:
        raise NoTenantError("Give the connection its Auth0 domain first: users are told apart by it.") from error
    definitions = definitions_after_saving(session, goal, new_types)
    return Draft(goal, definitions, tenant.issuer, rule_for(session, connection.objectives), goal_id)


def show_preview(session: Session, draft: Draft, sample: Sample, *, now: datetime) -> ShownPreview:
    """Return what an import of this user would do, to be read."""
    user_id = str(sample.fields.get("user_id", ""))
    if not user_id.isprintable():
        return ShownPreview("", refusal="The user cannot be imported: the user_id has characters that no id has.")
    found = preview_user(session, draft, sample.fields, now=now)
    if isinstance(found, Elsewhere):
        return ShownPreview(user_id, sample.others, "The user is of a database that this goal does not import.")
    if isinstance(found, BrokenLine):
        return ShownPreview(user_id, sample.others, f"The user cannot be imported: {found.reason}.")
    values = tuple(_values(draft.goal, found, sample.fields))
    plan, linked = found.plan, found.linked
    if plan.state is None or linked is None:
        reasons = "; ".join(problem.reason for problem in plan.problems)
        return ShownPreview(user_id, sample.others, f"The user would not be imported: {reasons}.", values=values)
    return ShownPreview(
        user_id,
        sample.others,
        state=plan.state,
        profile_id=linked.profile.id if linked.profile else None,
        found_by=linked.found_by,
        link_position=linked.link.position if linked.link else None,
        is_unchanged=found.is_unchanged,
        links=shown_links(draft.goal.links, found.candidate.links, linked, _unverified(sample.fields), "user"),
        values=values,
        rows=_rows(draft.goal, found, draft.definitions) if plan.profile_id is not None else (),
    )


def _values(goal: ImportGoal, preview: Preview, fields: Json) -> Iterator[ReadValue]:
    for position, mapping in enumerate(goal.mappings):
        found = value_at(fields, mapping.auth0_field) if mapping.auth0_field else None
        reasons = (each.reason for each in preview.plan.problems if each.auth0_field == mapping.auth0_field)
        value = None if found is None else _cut(compact(found))
        yield ReadValue(position, mapping.auth0_field, mapping.profile_property, value, tuple(dict.fromkeys(reasons)))


def _rows(goal: ImportGoal, preview: Preview, definitions: Definitions) -> tuple[PropertyRow, ...]:
    change, linked = preview.plan.change, preview.linked
    before = linked.profile.values if linked is not None and linked.profile is not None else {}
    changed = change.changed if change is not None else {}
    written_by: dict[str, list[int]] = {}
    for position, mapping in enumerate(goal.mappings):
        written_by.setdefault(mapping.profile_property, []).append(position)
    names = {*written_by, *changed, *(name for name in goal.properties if name in before)}
    return property_rows(names, before, changed, definitions.types, written_by)


def _unverified(fields: Json) -> set[str]:
    return {field for field, verified_by in VERIFIED_BY.items() if value_at(fields, verified_by) is not True}


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
