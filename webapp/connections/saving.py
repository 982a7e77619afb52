"""Saves and deletes connections and web goals: the change, the properties that it needs, its revision and audit entry.

The caller opens the transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from snippets.goals import Direction, InvalidGoalError, MergeStrategy, Problem, WebGoal
from snippets.limits import problems_of
from snippets.reading import plain_web_goal
from webapp.accounts.audit import record
from webapp.connections.goals import StaleRevisionError, add_goal, new_key, save_consent, save_goal, to_web_goal
from webapp.connections.history import keep_revision
from webapp.connections.models import Connection, ConnectionSchedule, Goal, MappingRow, StoredGoal
from webapp.connections.signing_secrets import keep_signing_secret
from webapp.profiles.embedded import ensure_properties, hold_property_set, property_types, wanted_properties
from webapp.profiles.objectives import known_objectives, lock_objectives, rule_for
from webapp.profiles.values import PropertyType, PropertyTypes


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something, and when. ``actor`` is an admin's e-mail address.

    ``restored_revision`` is the goal's revision that the change brings back, if it does; ``sealed_signing_secret`` is a
    new secret of the goal, which is no part of its revisions. ``new_types`` are types for properties that an import
    goal names and that are not defined yet; the others get one that suits their rows.
    """

    actor: str
    now: datetime
    restored_revision: int | None = None
    sealed_signing_secret: str | None = None
    new_types: PropertyTypes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """What people say about a connection. ``auth0_domain`` is checked; the secret is sealed, or None for none.

    ``objectives`` are ids, sorted.
    """

    name: str
    auth0_domain: str
    auth0_client_id: str = ""
    sealed_client_secret: str | None = None
    is_favourite: bool = False
    labels: list[str] = field(default_factory=list)
    description: str = ""
    is_on: bool = True
    objectives: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SavedGoal:
    """A stored goal: whether anything had changed, and the profile properties that were made for it.

    A changed secret makes no revision: ``has_new_secret`` says so.
    """

    goal: Goal
    is_changed: bool
    has_new_secret: bool = False
    new_properties: tuple[str, ...] = ()


class SecretNeededError(ValueError):
    """The connection names another tenant now, and its stored secret belongs to the one before."""

    def __init__(self) -> None:
        super().__init__("The domain has changed: type the client secret of that tenant, or remove the stored one.")


class UnknownObjectiveError(ValueError):
    """The connection names objectives that nobody defined. ``ids`` has them."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"There is no objective {', '.join(ids)}.")
        self.ids = ids


def add_connection(session: Session, details: ConnectionDetails, change: Change) -> Connection:
    """Store a new connection. Raises UnknownObjectiveError."""
    lock_objectives(session)
    _check_objectives(session, details.objectives)
    connection = Connection(key=new_key(), version=1, created_at=change.now, updated_at=change.now)
    _copy(details, connection)
    session.add(connection)
    session.flush()
    record_change(session, change, "created", connection, name=connection.name)
    return connection


def save_connection(
    session: Session, connection: Connection, details: ConnectionDetails, change: Change, *, expected_version: int
) -> list[str]:
    """Store ``details`` and return the names of the fields that changed (none: nothing was written).

    Raises:
        StaleRevisionError: the connection is no longer at ``expected_version``.
        SecretNeededError: the domain changes, and ``details`` would send the stored secret there.
        UnknownObjectiveError: there is no such objective.
    """
    lock_objectives(session)
    session.refresh(connection, with_for_update=True)
    if connection.version != expected_version:
        raise StaleRevisionError("Somebody else saved this connection after you had opened the page.")
    if details.auth0_domain != connection.auth0_domain and _keeps_secret(details, connection):
        # Else whoever may edit a connection could read its secret, by naming a place of his own and deploying there.
        raise SecretNeededError
    if details.objectives != connection.objectives:
        _check_objectives(session, details.objectives)
    names = [each.name for each in fields(details) if getattr(details, each.name) != getattr(connection, each.name)]
    if not names:
        return []
    if details.auth0_domain != connection.auth0_domain:
        for goal in connection.goals:  # the Actions of the tenant before must not speak for this one
            goal.sealed_exchange_secrets, goal.sealed_signing_secret = [], None
    if details.is_on and not connection.is_on:
        _handle_times_until(session, connection, change.now)
    _copy(details, connection)
    connection.version, connection.updated_at = connection.version + 1, change.now
    renew_consent(session, connection, change)
    changed = [name.removeprefix("sealed_") for name in names]
    record_change(session, change, "saved", connection, changed=changed)
    return changed


def _handle_times_until(session: Session, connection: Connection, now: datetime) -> None:
    """Have no run made up for times that passed while the connection was off: nobody missed them."""
    row = session.get(ConnectionSchedule, connection.id, with_for_update=True)
    if row is not None and row.handled_until < now:
        row.handled_until = now


def delete_connection(session: Session, connection: Connection, change: Change) -> None:
    """Delete a connection with its goals. Profiles stay."""
    goals = [goal.key for goal in (*connection.goals, *connection.import_goals)]
    session.delete(connection)
    record_change(session, change, "deleted", connection, name=connection.name, goals=goals)


def add_web_goal(
    session: Session,
    connection: Connection,
    web_goal: WebGoal,
    change: Change,
    *,
    is_on: bool,
) -> SavedGoal:
    """Store a new web goal of ``connection`` as revision 1.

    Raises:
        InvalidGoalError: a row does not suit the property that it writes, Auth0 would refuse the goal's code, or the
            goal needs a signing secret.
    """
    _check_limits(web_goal)
    lock_objectives(session)
    session.refresh(connection)  # whoever held the lock may have changed its objectives
    web_goal = replace(web_goal, consent=rule_for(session, connection.objectives))
    goal = add_goal(session, connection, web_goal, is_on=is_on, now=change.now)
    keep_signing_secret(goal, web_goal, change.sealed_signing_secret)
    new_properties = _ensure_properties(session, web_goal, change)
    _keep_revision(session, goal, change)
    record_change(session, change, "created", goal, name=goal.name, revision=goal.revision)
    return SavedGoal(goal, is_changed=True, new_properties=tuple(new_properties))


def save_web_goal(
    session: Session,
    goal: Goal,
    web_goal: WebGoal,
    change: Change,
    *,
    is_on: bool,
    expected_revision: int,
) -> SavedGoal:
    """Store ``web_goal`` as the goal's next revision if anything changed. Without a new secret the stored one stays.

    Raises:
        StaleRevisionError: the goal is no longer at ``expected_revision``.
        InvalidGoalError: a row does not suit the property that it writes, Auth0 would refuse the goal's code, or the
            goal needs a signing secret.
    """
    _check_limits(web_goal)
    changed = _changed_fields(goal, web_goal, is_on=is_on)
    is_changed = save_goal(session, goal, web_goal, is_on=is_on, expected_revision=expected_revision, now=change.now)
    has_new_secret = keep_signing_secret(goal, web_goal, change.sealed_signing_secret)
    if has_new_secret:
        record_change(session, change, "saved", goal, changed=["signing_secret"])
    if not is_changed:
        return SavedGoal(goal, is_changed=False, has_new_secret=has_new_secret)
    new_properties = _ensure_properties(session, web_goal, change)
    _keep_revision(session, goal, change)
    detail: dict[str, object] = {"revision": goal.revision, "changed": changed}
    if change.restored_revision is None:
        record_change(session, change, "saved", goal, **detail)
    else:
        record_change(session, change, "restored", goal, **detail, restored_revision=change.restored_revision)
    return SavedGoal(goal, True, has_new_secret, tuple(new_properties))


def delete_web_goal(session: Session, goal: Goal, change: Change) -> None:
    """Delete a goal: its code finds nobody to talk to from now on. Profiles stay."""
    session.delete(goal)
    record_change(session, change, "deleted", goal, name=goal.name)


def renew_consent(session: Session, connection: Connection, change: Change) -> list[Goal]:
    """Give the connection's goals what its objectives come to now, and return those that have a new revision by it.

    The generated code of a goal knows the objectives, so it is other code from then on.
    """
    rule = rule_for(session, connection.objectives)
    renewed = [goal for goal in connection.goals if save_consent(session, goal, rule, now=change.now)]
    for goal in renewed:
        _keep_revision(session, goal, change)
        record_change(session, change, "saved", goal, revision=goal.revision, changed=["consent"])
    return renewed


def goals_that_sum(session: Session, property_id: str) -> list[str]:
    """Return the names of the goals that sum into a property: it has to stay a number for them."""
    rows = select(MappingRow.goal_id).where(
        MappingRow.profile_property == property_id,
        MappingRow.strategy == MergeStrategy.SUM,
        MappingRow.direction == Direction.TO_PROFILE,
    )
    return list(session.scalars(select(StoredGoal.name).where(StoredGoal.id.in_(rows)).order_by(StoredGoal.name)))


def _keep_revision(session: Session, goal: Goal, change: Change) -> None:
    web_goal = to_web_goal(goal, public_url="")  # which is no part of what is kept
    keep_revision(session, goal, plain_web_goal(web_goal), saved_by=change.actor)


def _check_objectives(session: Session, ids: Sequence[str]) -> None:
    if unknown := sorted(set(ids).difference(known_objectives(session, ids))):
        raise UnknownObjectiveError(unknown)


def _check_limits(web_goal: WebGoal) -> None:
    if problems := problems_of(web_goal):
        raise InvalidGoalError(problems)


def _ensure_properties(session: Session, web_goal: WebGoal, change: Change) -> list[str]:
    """Define the properties that are missing. Raise InvalidGoalError if a row does not suit one that is there."""
    new_properties = ensure_properties(session, wanted_properties(web_goal), now=change.now)
    hold_property_set(session)
    types = property_types(session, [mapping.profile_property for mapping in web_goal.mappings])
    if problems := tuple(_type_problems(web_goal, types)):
        raise InvalidGoalError(problems)
    return new_properties


def _type_problems(web_goal: WebGoal, types: Mapping[str, PropertyType]) -> Iterator[Problem]:
    for index, mapping in enumerate(web_goal.mappings):
        stored = types.get(mapping.profile_property)
        is_sum = mapping.strategy is MergeStrategy.SUM and mapping.direction is Direction.TO_PROFILE
        if is_sum and stored is not None and not stored.is_numeric:
            message = f"{mapping.profile_property} is stored as {stored}, and only numbers can be summed."
            yield Problem(("mappings", index, "strategy"), message)


def _keeps_secret(details: ConnectionDetails, connection: Connection) -> bool:
    stored = connection.sealed_client_secret
    return stored is not None and details.sealed_client_secret == stored


def record_change(
    session: Session, change: Change, action: str, thing: Connection | StoredGoal, **detail: object
) -> None:
    """Write an entry of the audit log."""
    kind = "connection" if isinstance(thing, Connection) else "goal"
    record(session, actor=change.actor, action=action, object_type=kind, object_key=thing.key, now=change.now, **detail)


def _copy(details: ConnectionDetails, connection: Connection) -> None:
    for each in fields(details):
        setattr(connection, each.name, getattr(details, each.name))


def _changed_fields(goal: Goal, web_goal: WebGoal, *, is_on: bool) -> list[str]:
    stored = to_web_goal(goal, public_url=web_goal.public_url)
    names = [each.name for each in fields(web_goal) if each.name not in {"key", "revision", "consent"}]
    changed = [name for name in names if getattr(stored, name) != getattr(web_goal, name)]
    return changed if goal.is_on == is_on else [*changed, "is_on"]
