"""Changing objectives and the modes of zones: the goals of connections that use them follow, as new revisions."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.connections.models import Connection
from webapp.connections.saving import Change, renew_consent
from webapp.profiles.models import Objective
from webapp.profiles.objectives import ObjectiveDetails, lock_objectives, store_objective, store_opt_out_zones


class ObjectiveInUseError(ValueError):
    """Connections have the objective. ``connections`` are their names."""

    def __init__(self, connections: list[str]) -> None:
        super().__init__(f"These connections have it: {', '.join(connections)}.")
        self.connections = connections


def connections_with(session: Session, objective_id: str) -> list[Connection]:
    """Return the connections that have an objective, by name. There is about one connection for each Auth0 tenant."""
    found = session.scalars(select(Connection).order_by(Connection.name, Connection.id))
    return [connection for connection in found if objective_id in connection.objectives]


def save_objective(session: Session, objective_id: str, details: ObjectiveDetails, change: Change) -> str:
    """Store an objective, new or not, with what follows for goals; say "created", "updated" or "unchanged"."""
    lock_objectives(session)
    state = store_objective(session, objective_id, details, now=change.now)
    if state == "unchanged":
        return state
    goals = [
        goal.key
        for connection in connections_with(session, objective_id)
        for goal in renew_consent(session, connection, change)
    ]
    _record(session, change, "created" if state == "created" else "saved", objective_id, name=details.name, goals=goals)
    return state


def save_opt_out_zones(session: Session, zones: Collection[str], change: Change) -> bool:
    """Let visitors opt out in these zones and opt in in all others, and say if that is new."""
    lock_objectives(session)
    if not store_opt_out_zones(session, zones):
        return False
    connections = session.scalars(select(Connection).order_by(Connection.id)).all()
    goals = [goal.key for connection in connections for goal in renew_consent(session, connection, change)]
    _record(session, change, "saved", "opt-out zones", zones=sorted(zones), goals=goals)
    return True


def delete_objective(session: Session, objective: Objective, change: Change) -> None:
    """Delete an objective that no connection has. Profiles keep what visitors said of it.

    Raises:
        ObjectiveInUseError: a connection has it.
    """
    lock_objectives(session)
    if using := connections_with(session, objective.id):
        raise ObjectiveInUseError([connection.name for connection in using])
    session.delete(objective)
    _record(session, change, "deleted", objective.id, name=objective.name)


def _record(session: Session, change: Change, action: str, key: str, **detail: object) -> None:
    record(
        session,
        actor=change.actor,
        action=action,
        object_type="objective",
        object_key=key[:64],
        now=change.now,
        **detail,
    )
