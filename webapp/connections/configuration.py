"""Connections and goals between the database and a YAML file: `websync config apply` and `websync config export`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from snippets.goals import InvalidGoalError, Place, Problem
from snippets.reading import plain_web_goal
from webapp.connections.configuration_file import (
    KEY_TO_COME,
    Configuration,
    ConnectionConfiguration,
    GoalConfiguration,
    ImportGoalConfiguration,
    InvalidConfigurationError,
    ScheduleConfiguration,
)
from webapp.connections.configured_notifications import (
    apply_notifications,
    check_webhook_secret,
    plain_notifications,
)
from webapp.connections.goals import new_key, to_web_goal
from webapp.connections.import_goals import plain_import_goal
from webapp.connections.import_saving import add_import_goal, save_import_goal, to_import_goal
from webapp.connections.models import Connection, Goal, ImportGoalRow, StoredGoal
from webapp.connections.objectives import save_objective, save_opt_out_zones
from webapp.connections.saving import (
    Change,
    ConnectionDetails,
    SecretNeededError,
    UnknownObjectiveError,
    add_connection,
    add_web_goal,
    save_connection,
    save_web_goal,
)
from webapp.connections.schedules import find_schedule, save_schedule
from webapp.connections.signing_secrets import check_signing_secret
from webapp.profiles.objectives import all_objectives, details_of, opt_out_zones
from webapp.sealing import Sealer

_Goal = TypeVar("_Goal", Goal, ImportGoalRow)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one objective, connection or goal: ``state`` is "created", "updated" or "unchanged"."""

    kind: str
    name: str
    key: str
    state: str


def apply_configuration(
    session: Session,
    wanted: Configuration,
    change: Change,
    *,
    environment: Mapping[str, str],
    sealer: Sealer,
) -> list[Applied]:
    """Make the database agree with the file; a second time changes nothing. What the file doesn't name stays.

    A connection is known by its name; a goal by its key if the file has one, else by its name; an objective by its id.

    Raises:
        InvalidConfigurationError: a secret's variable is not set, a name or key is not unique, an objective is not
            known, or a row does not suit the property that it writes.
    """
    applied = [
        Applied("objective", details.name, objective_id, save_objective(session, objective_id, details, change))
        for objective_id, details in wanted.objectives.items()
    ]
    if wanted.opt_out_zones is not None:
        save_opt_out_zones(session, wanted.opt_out_zones, change)
    for index, row in enumerate(wanted.connections):
        place: Place = ("connections", index)
        secret = _secret(row.secret_variable, (*place, "auth0", "client_secret"), environment)
        connection, state = _apply_connection(session, row, place, change, _Sealing(sealer, secret))
        if _apply_schedule(session, connection, row.schedule, change) and state == "unchanged":
            state = "updated"
        applied.append(Applied("connection", connection.name, connection.key, state))
        for goal in row.goals:
            goal_place: Place = (*place, "goals", goal.position)
            secret = _secret(goal.secret_variable, (*goal_place, "signing_secret"), environment)
            applied.append(_apply_goal(session, connection, goal, goal_place, change, _Sealing(sealer, secret)))
        for wanted_import in row.import_goals:
            goal_place = (*place, "goals", wanted_import.position)
            applied.append(_apply_import_goal(session, connection, wanted_import, goal_place, change))
        if row.notifications is not None:
            secret_place: Place = (*place, "notifications", "webhook", "secret")
            secret = _secret(row.notifications.secret_variable, secret_place, environment)
            check_webhook_secret(secret, secret_place)
            state = apply_notifications(session, connection, row.notifications, change, secret=secret, sealer=sealer)
            applied.append(Applied("notifications", connection.name, connection.key, state))
    return applied


def export_configuration(session: Session, *, public_url: str) -> str:
    """Return all objectives, connections and goals as YAML. Secrets become references to environment variables."""
    rows = []
    for connection in session.scalars(select(Connection).order_by(Connection.id)):
        auth0: dict[str, object] = {"domain": connection.auth0_domain, "client_id": connection.auth0_client_id}
        if connection.sealed_client_secret is not None:
            auth0["client_secret"] = {"env": secret_variable_name(connection.name)}
        told = plain_notifications(session, connection, secret_variable_name(connection.name, of="WEBHOOK_SECRET"))
        rows.append(
            {
                "name": connection.name,
                "favourite": connection.is_favourite,
                "labels": list(connection.labels),
                "description": connection.description,
                "enabled": connection.is_on,
                "auth0": auth0,
                "objectives": list(connection.objectives),
                **_plain_schedule(session, connection),
                **({"notifications": told} if told else {}),
                "goals": [
                    *(_plain_goal(goal, public_url=public_url) for goal in connection.goals),
                    *map(_plain_import_goal, connection.import_goals),
                ],
            }
        )
    return yaml.safe_dump(
        _plain_consent(session) | {"connections": rows}, sort_keys=False, allow_unicode=True, width=110
    )


def secret_variable_name(name: str, *, of: str = "AUTH0_CLIENT_SECRET") -> str:
    """Return the environment variable that an exported file names for the secret of a connection or goal."""
    return f"{of}_{re.sub(r'[^A-Z0-9]+', '_', name.upper()).strip('_') or 'X'}"


def _plain_consent(session: Session) -> dict[str, object]:
    """Return the objectives and zones; nothing where nobody made any."""
    objectives, zones = all_objectives(session), opt_out_zones(session)
    if not objectives and not zones:
        return {}
    rows = [{"id": each.id} | asdict(details_of(each)) for each in sorted(objectives, key=lambda each: each.id)]
    return {
        "objectives": [row | {"legislations": list(row["legislations"])} for row in rows],
        "opt_out_zones": zones,
    }


def _plain_schedule(session: Session, connection: Connection) -> dict[str, object]:
    row = find_schedule(session, connection)
    return {} if row is None else {"schedule": {**row.plain, "enabled": row.is_on, "run_missed": row.run_missed}}


def _plain_goal(goal: Goal, *, public_url: str) -> dict[str, object]:
    plain = plain_web_goal(to_web_goal(goal, public_url=public_url))
    # A file says what is wanted: which revision that becomes is the database's business.
    named = {"kind": "web", "name": plain["name"], "key": plain["key"], "enabled": goal.is_on}
    if goal.sealed_signing_secret is not None:
        plain["signing_secret"] = {"env": secret_variable_name(goal.name, of="AUTH0_SIGNING_SECRET")}
    return named | {name: value for name, value in plain.items() if name not in {"revision", "consent"}}


def _plain_import_goal(row: ImportGoalRow) -> dict[str, object]:
    plain = plain_import_goal(to_import_goal(row))
    named = {"kind": "import", "name": plain["name"], "key": plain["key"], "enabled": row.is_on}
    return named | {name: value for name, value in plain.items() if name != "revision"}


@dataclass(frozen=True, slots=True)
class _Sealing:
    """Seals the secret of the file. One that is stored already stays as it is: sealed anew it would look changed."""

    sealer: Sealer
    secret: str | None

    def sealed(self, stored: str | None, *, is_same_tenant: bool) -> str | None:
        if self.secret is None:
            return stored
        is_stored = stored is not None and is_same_tenant and self.sealer.is_current(stored, self.secret)
        return stored if is_stored else self.sealer.seal(self.secret)


def _apply_connection(
    session: Session, wanted: ConnectionConfiguration, place: Place, change: Change, sealing: _Sealing
) -> tuple[Connection, str]:
    found = list(session.scalars(select(Connection).where(Connection.name == wanted.name)))
    if len(found) > 1:
        raise InvalidConfigurationError([Problem((*place, "name"), "Several stored connections have this name.")])
    stored = found[0].sealed_client_secret if found else None
    is_same_tenant = bool(found) and found[0].auth0_domain == wanted.auth0_domain
    details = ConnectionDetails(
        name=wanted.name,
        auth0_domain=wanted.auth0_domain,
        auth0_client_id=wanted.auth0_client_id,
        sealed_client_secret=sealing.sealed(stored, is_same_tenant=is_same_tenant),
        is_favourite=wanted.is_favourite,
        labels=list(wanted.labels),
        description=wanted.description,
        is_on=wanted.is_on,
        objectives=list(wanted.objectives),
    )
    try:
        if not found:
            return add_connection(session, details, change), "created"
        (connection,) = found
        changed = save_connection(session, connection, details, change, expected_version=connection.version)
    except SecretNeededError as error:
        raise InvalidConfigurationError([Problem((*place, "auth0", "client_secret"), str(error))]) from error
    except UnknownObjectiveError as error:
        message = f"{error} Define it in the file, under objectives."
        raise InvalidConfigurationError([Problem((*place, "objectives"), message)]) from error
    return connection, "updated" if changed else "unchanged"


def _apply_schedule(
    session: Session, connection: Connection, wanted: ScheduleConfiguration | None, change: Change
) -> bool:
    if wanted is None:
        return False
    switches = {"is_on": wanted.is_on, "run_missed": wanted.run_missed}
    return save_schedule(session, connection, wanted.schedule, change, **switches)


def _secret(variable: str | None, place: Place, environment: Mapping[str, str]) -> str | None:
    if variable is None:
        return None
    if not (secret := environment.get(variable, "")):
        raise InvalidConfigurationError([Problem(place, f"The environment variable {variable} is not set.")])
    return secret


def _apply_goal(
    session: Session,
    connection: Connection,
    wanted: GoalConfiguration,
    place: Place,
    change: Change,
    sealing: _Sealing,
) -> Applied:
    web_goal = wanted.web_goal
    goal = _find_goal(session, connection, Goal, (web_goal.key, web_goal.name), place)
    stored = goal.sealed_signing_secret if goal else None
    with _problems_at(place):
        if sealing.secret is not None:
            check_signing_secret(sealing.secret)
        change = replace(change, sealed_signing_secret=sealing.sealed(stored, is_same_tenant=True))
        if goal is None:
            web_goal = replace(web_goal, key=new_key()) if web_goal.key == KEY_TO_COME else web_goal
            saved = add_web_goal(session, connection, web_goal, change, is_on=wanted.is_on)
            return Applied("goal", saved.goal.name, saved.goal.key, "created")
        saved = save_web_goal(session, goal, web_goal, change, is_on=wanted.is_on, expected_revision=goal.revision)
    is_updated = saved.is_changed or saved.has_new_secret
    return Applied("goal", goal.name, goal.key, "updated" if is_updated else "unchanged")


def _apply_import_goal(
    session: Session, connection: Connection, wanted: ImportGoalConfiguration, place: Place, change: Change
) -> Applied:
    goal = wanted.import_goal
    row = _find_goal(session, connection, ImportGoalRow, (goal.key, goal.name), place)
    with _problems_at(place):
        if row is None:
            goal = replace(goal, key=new_key()) if goal.key == KEY_TO_COME else goal
            saved = add_import_goal(session, connection, goal, change, is_on=wanted.is_on)
            return Applied("goal", saved.goal.name, saved.goal.key, "created")
        saved = save_import_goal(session, row, goal, change, is_on=wanted.is_on, expected_revision=row.revision)
    return Applied("goal", row.name, row.key, "updated" if saved.is_changed else "unchanged")


@contextmanager
def _problems_at(place: Place) -> Iterator[None]:
    """Say of a goal's problems where in the file they are."""
    try:
        yield
    except InvalidGoalError as error:
        problems = [Problem((*place, *problem.place), problem.message) for problem in error.problems]
        raise InvalidConfigurationError(problems) from error


def _find_goal(
    session: Session, connection: Connection, kind: type[_Goal], key_and_name: tuple[str, str], place: Place
) -> _Goal | None:
    """Return the goal that a file means: by its key if the file has one, else by its name."""
    key, name = key_and_name
    has_key = key != KEY_TO_COME
    by_name = (
        StoredGoal.connection_id == connection.id,
        StoredGoal.name == name,
        StoredGoal.kind == kind.__mapper__.polymorphic_identity,
    )
    found = list(session.scalars(select(StoredGoal).where(*((StoredGoal.key == key,) if has_key else by_name))))
    if not found:
        return None
    goal = found[0]
    if len(found) > 1 or goal.connection_id != connection.id or not isinstance(goal, kind):
        message = "Names no single goal of this connection and kind."
        raise InvalidConfigurationError([Problem((*place, "key" if has_key else "name"), message)])
    return goal
