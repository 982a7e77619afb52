"""The list of connections: what it shows of each, searched and filtered."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.connections.models import Connection, StoredGoal
from webapp.profiles.models import PropertyDefinition

MAX_SUGGESTIONS = 500


@dataclass(frozen=True, slots=True)
class ConnectionLine:
    """One line of the list. ``goals`` are of both kinds; ``active_goals`` are switched on."""

    key: str
    name: str
    auth0_domain: str
    description: str
    labels: tuple[str, ...]
    is_favourite: bool
    is_on: bool
    goals: int
    active_goals: int


def list_connections(session: Session) -> list[ConnectionLine]:
    """Return a line for each connection: favourites first, then by name. There is about one for each Auth0 tenant."""
    counts = (
        select(
            StoredGoal.connection_id,
            func.count().label("goals"),
            func.count().filter(StoredGoal.is_on.is_(True)).label("active_goals"),
        )
        .group_by(StoredGoal.connection_id)
        .subquery()
    )
    found = session.execute(
        select(
            Connection.key,
            Connection.name,
            Connection.auth0_domain,
            Connection.description,
            Connection.labels,
            Connection.is_favourite,
            Connection.is_on,
            func.coalesce(counts.c.goals, 0),
            func.coalesce(counts.c.active_goals, 0),
        ).outerjoin(counts, counts.c.connection_id == Connection.id)
    )
    lines = [
        ConnectionLine(key, name, domain, description, tuple(labels), is_favourite, is_on, goals, active_goals)
        for key, name, domain, description, labels, is_favourite, is_on, goals, active_goals in found
    ]
    return sorted(lines, key=lambda line: (not line.is_favourite, line.name.casefold(), line.key))


def matching(lines: Sequence[ConnectionLine], *, text: str, label: str) -> list[ConnectionLine]:
    """Return the lines that have ``text`` in name, domain, description or a label, and that have ``label``.

    Empty stands for any.
    """
    wanted = text.strip().casefold()
    return [
        line
        for line in lines
        if (not label or label in line.labels)
        and any(wanted in place.casefold() for place in (line.name, line.auth0_domain, line.description, *line.labels))
    ]


def known_labels(lines: Sequence[ConnectionLine]) -> list[str]:
    """Return all labels in use, sorted as people read them."""
    return sorted({label for line in lines for label in line.labels}, key=str.casefold)


def suggested_properties(session: Session) -> dict[str, str]:
    """Return profile properties that the editor offers, with their types; any other may be typed."""
    columns = PropertyDefinition.id, PropertyDefinition.property_type
    rows = session.execute(select(*columns).order_by(PropertyDefinition.id).limit(MAX_SUGGESTIONS))
    return {row.id: row.property_type for row in rows}
