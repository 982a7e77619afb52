"""How many different profiles a connection's imports have reached.

Counted once, when a run ends: the users that were imported are looked up one by one.
"""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from webapp.auth0.tenant import InvalidDomainError, parse_domain
from webapp.connections.models import Connection, ImportGoalRow
from webapp.importer.models import ImportedUser
from webapp.profiles.models import ProfileIdentity
from webapp.runs.importers import Reach, RunOrder


def count_profiles(session: Session, order: RunOrder, *, allow_loopback: bool) -> Reach | None:
    """Return how many profiles the run has imported, and its connection ever; None if that cannot be told any more."""
    connection = session.get(Connection, order.connection_id)
    try:
        issuer = parse_domain(connection.auth0_domain if connection else "", allow_loopback=allow_loopback).issuer
    except InvalidDomainError:
        return None
    goals = select(ImportGoalRow.id).where(ImportGoalRow.connection_id == order.connection_id)
    of_run = ImportedUser.goal_id == order.goal_id, ImportedUser.run_id == order.run_key
    return Reach(_count(session, issuer, *of_run), _count(session, issuer, ImportedUser.goal_id.in_(goals)))


def _count(session: Session, issuer: str, *which: ColumnElement[bool]) -> int:
    is_identity = (ProfileIdentity.issuer == issuer) & (ProfileIdentity.subject == ImportedUser.user_id)
    query = select(func.count(ProfileIdentity.profile_id.distinct())).select_from(ImportedUser)
    return session.scalar(query.join(ProfileIdentity, is_identity).where(*which)) or 0
