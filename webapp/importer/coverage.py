"""Until when a goal's runs have brought every change of its tenant's users: what a later run need not ask for again."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from webapp.connections.import_goals import DeletionPolicy
from webapp.connections.import_saving import LiveImportGoal
from webapp.importer.models import ImportCoverage
from webapp.rows import upsert

SWEEP_EVERY = timedelta(days=7)
"""So often a goal that sweeps exports everybody, whatever its mode: a search does not tell who is gone."""
_COLUMNS = ("goal_id", "revision", "issuer", "covered_until", "exported_at")


def covered_until(session: Session, goal: LiveImportGoal, *, now: datetime) -> datetime | None:
    """Return from when on changes are to be asked for, None if everybody is.

    So it is if the goal or its tenant is another now, or its sweep is due.
    """
    found = session.get(ImportCoverage, goal.id)
    if found is None or (found.revision, found.issuer) != (goal.goal.revision, goal.tenant.issuer):
        return None
    sweeps = goal.goal.deletion_policy is not DeletionPolicy.IGNORE
    return None if sweeps and now - found.exported_at >= SWEEP_EVERY else found.covered_until


def note_coverage(session: Session, goal: LiveImportGoal, until: datetime, *, is_export: bool) -> None:
    """Note that a run has finished which brought every change until then."""
    row = (goal.id, goal.goal.revision, goal.tenant.issuer, until, until)
    changing = _COLUMNS[1:] if is_export else ("covered_until",)
    upsert(session, ImportCoverage, _COLUMNS, [row], changing=changing)
