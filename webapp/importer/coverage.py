"""Until when a goal's runs have brought every change of its tenant's users: what a later run need not ask for again."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from webapp.connections.import_goals import DeletionPolicy
from webapp.connections.import_saving import LiveImportGoal
from webapp.importer.models import ImportCoverage
from webapp.rows import upsert

SWEEP_EVERY = timedelta(days=7)
"""So often a goal that sweeps exports everybody, whatever its mode: a search does not tell who is gone."""
_COLUMNS = ("goal_id", "revision", "issuer", "covered_until", "exported_at")


class Coverage(NamedTuple):
    """From when on changes are to be asked for; None if everybody is, for that reason."""

    until: datetime | None
    reason: str = ""


def find_coverage(session: Session, goal: LiveImportGoal, *, now: datetime) -> Coverage:
    """Return what earlier runs of the goal, as it is now, have brought."""
    found = session.get(ImportCoverage, goal.id)
    if found is None:
        return Coverage(None, "no run of this goal has finished yet")
    if (found.revision, found.issuer) != (goal.goal.revision, goal.tenant.issuer):
        return Coverage(None, "the goal or its tenant is another than at the last run")
    if goal.goal.deletion_policy is not DeletionPolicy.IGNORE and now - found.exported_at >= SWEEP_EVERY:
        return Coverage(None, "those who are gone are to be found")
    return Coverage(found.covered_until)


def note_coverage(session: Session, goal: LiveImportGoal, until: datetime, *, is_export: bool) -> None:
    """Note that a run has finished which brought every change until then."""
    row = (goal.id, goal.goal.revision, goal.tenant.issuer, until, until)
    changing = _COLUMNS[1:] if is_export else ("covered_until",)
    upsert(session, ImportCoverage, _COLUMNS, [row], changing=changing)
