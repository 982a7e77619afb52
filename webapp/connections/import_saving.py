"""Finds, adds, saves and deletes import goals: plain data, revisions.

The caller opens the transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from snippets.consent import ConsentRule
from snippets.goals import Direction, MergeStrategy
from webapp.auth0.tenant import InvalidDomainError, Tenant, parse_domain
from webapp.connections.goals import NoTenantError, StaleRevisionError, link_rows, to_links
from webapp.connections.history import keep_revision
from webapp.connections.import_goals import (
    DeletionPolicy,
    ImportGoal,
    ImportMapping,
    ImportMode,
    plain_import_goal,
    plain_transform,
    read_transforms,
)
from webapp.connections.import_properties import ensure_goal_properties
from webapp.connections.models import Connection, ImportGoalRow, MappingRow
from webapp.connections.saving import Change, record_change
from webapp.errors import NotFoundError
from webapp.profiles.objectives import rule_for
from webapp.rows import Lookup, table_of

_goals, _connections = table_of(ImportGoalRow), table_of(Connection)
_OBJECTIVES = Lookup(
    """
    SELECT g.id, c.objectives FROM {wanted} goals AS g CROSS JOIN connections AS c
    WHERE {keyed} AND g.kind = 'import' AND c.id = g.connection_id
    """,
    keys=("g.id",),
    columns=[_goals.c.id, _connections.c.objectives],
)
_SETTINGS = ("databases", "database_property", "enable_batch", "enable_webhook", "mode", "deletion_policy")
"""Fields of the goal that stand in the column ``import_settings``."""


@dataclass(frozen=True, slots=True)
class LiveImportGoal:
    """An import goal as a run needs it. ``is_open`` is true while goal and connection are both switched on."""

    id: int
    goal: ImportGoal
    is_open: bool
    tenant: Tenant


@dataclass(frozen=True, slots=True)
class SavedImportGoal:
    """A stored goal: whether anything had changed, and the profile properties that were made for it."""

    goal: ImportGoalRow
    is_changed: bool
    new_properties: tuple[str, ...] = ()


def find_import_goals(session: Session, name: str) -> list[ImportGoalRow]:
    """Return the import goals with this key or name."""
    is_it = or_(ImportGoalRow.key == name, ImportGoalRow.name == name)
    return list(session.scalars(select(ImportGoalRow).where(is_it).order_by(ImportGoalRow.id)))


def find_import_goal(session: Session, key: str) -> ImportGoalRow:
    """Return the import goal with this public key. Raises NotFoundError."""
    row = session.scalar(select(ImportGoalRow).where(ImportGoalRow.key == key))
    if row is None:
        raise NotFoundError("There is no import goal with this key.")
    return row


def live_import_goal(row: ImportGoalRow, *, allow_loopback: bool) -> LiveImportGoal:
    """Return a stored goal as a run needs it. Raises NoTenantError."""
    try:
        tenant = parse_domain(row.connection.auth0_domain, allow_loopback=allow_loopback)
    except InvalidDomainError as error:
        raise NoTenantError("The goal imports nobody: its connection names no tenant.") from error
    return LiveImportGoal(row.id, to_import_goal(row), row.is_on and row.connection.is_on, tenant)


def ask_consent(session: Session, goal_id: int) -> Callable[[], ConsentRule | None]:
    """Ask what the objectives of a goal's connection come to now.

    What is returned reads the answer (`webapp.rows.together`), and raises NotFoundError if the goal is gone.
    """
    found = _OBJECTIVES.ask(session, [(goal_id,)])

    def read() -> ConsentRule | None:
        for _, objectives in found():
            return rule_for(session, objectives)
        raise NotFoundError("The import goal was deleted.")

    return read


def to_import_goal(row: ImportGoalRow) -> ImportGoal:
    """Return the plain data of a stored goal."""
    settings: Mapping[str, object] = row.import_settings or {}
    plain = {name: settings[name] for name in _SETTINGS if name in settings}
    databases = plain.pop("databases", ())
    return ImportGoal(
        key=row.key,
        name=row.name,
        revision=row.revision,
        databases=tuple(databases if isinstance(databases, list) else ()),
        mappings=tuple(
            ImportMapping(
                each.auth0_field,
                each.profile_property,
                MergeStrategy(each.strategy),
                read_transforms(each.transforms),
            )
            for each in row.mappings
        ),
        links=to_links(row.links),
        allow_creation=row.allow_creation,
        mode=ImportMode(str(plain.pop("mode", ImportMode.FULL))),
        deletion_policy=DeletionPolicy(str(plain.pop("deletion_policy", DeletionPolicy.IGNORE))),
        **plain,  # type: ignore[arg-type]  # written by `_copy` from the same fields
    )


def add_import_goal(
    session: Session, connection: Connection, goal: ImportGoal, change: Change, *, is_on: bool
) -> SavedImportGoal:
    """Store a new import goal of ``connection`` as revision 1.

    Raises:
        InvalidGoalError: a row does not suit the property that it writes.
    """
    row = ImportGoalRow(key=goal.key, connection_id=connection.id, is_on=is_on, revision=1, created_at=change.now)
    _copy(goal, row, change.now)
    session.add(row)
    session.flush()
    new_properties = ensure_goal_properties(session, goal, change.new_types, now=change.now)
    _keep(session, row, change)
    record_change(session, change, "created", row, name=row.name, revision=row.revision)
    return SavedImportGoal(row, is_changed=True, new_properties=tuple(new_properties))


def save_import_goal(
    session: Session, row: ImportGoalRow, goal: ImportGoal, change: Change, *, is_on: bool, expected_revision: int
) -> SavedImportGoal:
    """Store ``goal`` as the next revision if anything changed.

    Raises:
        StaleRevisionError: the goal is no longer at ``expected_revision``.
        InvalidGoalError: a row does not suit the property that it writes.
    """
    # Before the row: a run holds the definitions, and then writes what points at the row.
    new_properties = ensure_goal_properties(session, goal, change.new_types, now=change.now)
    session.refresh(row, with_for_update=True)
    if row.revision != expected_revision:
        raise StaleRevisionError(f"The goal is at revision {row.revision} now; this page began at {expected_revision}.")
    stored = to_import_goal(row)
    wanted = replace(goal, key=row.key, revision=row.revision)
    changed = [each.name for each in fields(goal) if getattr(stored, each.name) != getattr(wanted, each.name)]
    changed += ["is_on"] if row.is_on != is_on else []
    if not changed:
        return SavedImportGoal(row, is_changed=False)
    row.mappings, row.links = [], []
    session.flush()
    _copy(wanted, row, change.now)
    row.is_on, row.revision = is_on, row.revision + 1
    session.flush()
    _keep(session, row, change)
    record_change(session, change, "saved", row, revision=row.revision, changed=changed)
    return SavedImportGoal(row, True, tuple(new_properties))


def delete_import_goal(session: Session, row: ImportGoalRow, change: Change) -> None:
    """Delete an import goal, and with it what is remembered of the users that it imported. Profiles stay."""
    session.delete(row)
    record_change(session, change, "deleted", row, name=row.name)


def _copy(goal: ImportGoal, row: ImportGoalRow, now: datetime) -> None:
    plain = plain_import_goal(goal)
    row.name, row.allow_creation, row.updated_at = goal.name, goal.allow_creation, now
    row.import_settings = {name: plain[name] for name in _SETTINGS}
    row.mappings = [
        MappingRow(
            position=position,
            auth0_field=mapping.auth0_field,
            profile_property=mapping.profile_property,
            direction=Direction.TO_PROFILE,
            strategy=mapping.strategy,
            transforms=[plain_transform(each) for each in mapping.transforms],
        )
        for position, mapping in enumerate(goal.mappings)
    ]
    row.links = link_rows(goal.links)


def _keep(session: Session, row: ImportGoalRow, change: Change) -> None:
    keep_revision(session, row, plain_import_goal(to_import_goal(row)), saved_by=change.actor)
