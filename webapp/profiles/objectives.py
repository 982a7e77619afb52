"""Objectives, and in which legislation zones visitors opt in or out: what the embedded store keeps of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from snippets.consent import ConsentRule
from webapp.errors import NotFoundError
from webapp.profiles.consent import CONSENTED, LEGISLATION, REFUSED, ObjectiveTerms, consent_rule
from webapp.profiles.definitions import ensure_properties
from webapp.profiles.models import Objective, OptOutZone
from webapp.profiles.values import PropertyType
from webapp.rows import insert_missing

RESERVED_IDS = frozenset({"new", "zones"})
"""Pages of their own."""
MAX_NAME_LENGTH = 200
MAX_DESCRIPTION_LENGTH = 5000
_OBJECTIVES_LOCK = 0x5765_6273_6F62_6A65
"""PostgreSQL advisory lock: held by who changes objectives or zones, or what rests on them."""


@dataclass(frozen=True, slots=True)
class ObjectiveDetails:
    """What people can set of an objective. ``legislations`` are sorted and count only if it ``needs_consent``."""

    name: str
    description: str = ""
    needs_consent: bool = True
    legislations: tuple[str, ...] = ()


def lock_objectives(session: Session) -> None:
    """Let nobody else change objectives, zones or who uses them until this transaction ends: first of all its locks.

    On SQLite a writer is alone anyway.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.execute(select(func.pg_advisory_xact_lock(_OBJECTIVES_LOCK)))


def find_objective(session: Session, objective_id: str) -> Objective:
    """Return the objective with this id. Raises NotFoundError."""
    objective = session.get(Objective, objective_id)
    if objective is None:
        raise NotFoundError("There is no objective with this id.")
    return objective


def all_objectives(session: Session) -> list[Objective]:
    """Return the objectives in the order of their names."""
    return sorted(session.scalars(select(Objective)), key=lambda each: (each.name.casefold(), each.id))


def known_objectives(session: Session, ids: Collection[str]) -> set[str]:
    """Return those ``ids`` that objectives have."""
    return set(session.scalars(select(Objective.id).where(Objective.id.in_(ids))))


def opt_out_zones(session: Session) -> list[str]:
    """Return the zones in which visitors opt out, sorted."""
    return list(session.scalars(select(OptOutZone.zone).order_by(OptOutZone.zone)))


def rule_for(session: Session, objective_ids: Collection[str]) -> ConsentRule | None:
    """Return what these objectives come to, or None if no visitor has to consent."""
    if not objective_ids:
        return None
    linked = session.scalars(select(Objective).where(Objective.id.in_(objective_ids)))
    return consent_rule([terms_of(each.id, details_of(each)) for each in linked], opt_out_zones(session))


def terms_of(objective_id: str, details: ObjectiveDetails) -> ObjectiveTerms:
    """Return what matters of an objective for consent."""
    return ObjectiveTerms(objective_id, frozenset(details.legislations if details.needs_consent else ()))


def details_of(objective: Objective) -> ObjectiveDetails:
    """Return a stored objective as plain data."""
    return ObjectiveDetails(
        objective.name, objective.description, objective.needs_consent, tuple(objective.legislations)
    )


def store_objective(session: Session, objective_id: str, details: ObjectiveDetails, *, now: datetime) -> str:
    """Store an objective and say what became of it: "created", "updated" or "unchanged".

    The caller has called `lock_objectives`. A new one also defines the properties in which profiles keep consent.
    """
    objective = session.get(Objective, objective_id)
    if objective is not None and details_of(objective) == details:
        return "unchanged"
    state = "updated" if objective is not None else "created"
    if objective is None:
        ensure_properties(session, dict.fromkeys((CONSENTED, REFUSED, LEGISLATION), (PropertyType.TEXT, False)), now)
        objective = Objective(id=objective_id, created_at=now)
    objective.name, objective.description = details.name, details.description
    objective.needs_consent, objective.legislations = details.needs_consent, list(details.legislations)
    objective.updated_at = now
    session.add(objective)
    session.flush()
    return state


def store_opt_out_zones(session: Session, zones: Collection[str]) -> bool:
    """Let visitors opt out in these zones and opt in in all others, and say if that is new.

    The caller has called `lock_objectives`.
    """
    if set(opt_out_zones(session)) == set(zones):
        return False
    session.execute(delete(OptOutZone).where(OptOutZone.zone.not_in(zones)))
    if zones:
        insert_missing(session, OptOutZone, ["zone"], [(zone,) for zone in sorted(zones)])
    return True
