"""How a run of an import begins: with a search for those who changed, where that will do, else with an export."""

from datetime import datetime
from typing import NamedTuple

import structlog

from snippets.fields import VERIFIED_BY
from webapp.auth0.export_fields import ExportField, export_fields
from webapp.auth0.export_jobs import create_export
from webapp.auth0.management_calls import ManagementCalls
from webapp.auth0.user_search import Window, count_changes, count_users, next_window
from webapp.connections.import_goals import ImportGoal, ImportMode
from webapp.errors import WebsyncError
from webapp.importer.coverage import Coverage
from webapp.importer.places import Place

MOST_CHANGES = 5_000
"""Past so many an export is faster than a search, which gives fifty users at a time."""
_DATABASE_FIELD = "identities[0].connection"

log = structlog.get_logger()


class Beginning(NamedTuple):
    """Where a run begins, and what its log says of it."""

    place: Place
    remark: str


def begin_place(
    client: ManagementCalls, goal: ImportGoal, coverage: Coverage, *, is_full: bool, now: datetime
) -> Beginning:
    """Return where a run begins, given what earlier ones have brought."""
    if is_full:
        reason = "it is a full run"
    elif goal.mode is not ImportMode.INCREMENTAL:
        reason = "the goal is in full mode"
    elif coverage.until is None:
        reason = coverage.reason
    else:
        window = next_window(coverage.until, now)
        if (count := _count_changes(client, window, goal)) <= MOST_CHANGES:
            return _begin_search(goal, window, count)
        reason = f"more than {MOST_CHANGES:,} have changed"
    return Beginning(begin_export(client, goal, now), f"All users are exported: {reason}.")


def begin_export(client: ManagementCalls, goal: ImportGoal, now: datetime) -> Place:
    """Have Auth0 export everybody. Changes from ``now`` on may or may not be in the file: the next run asks again."""
    expected = _expected_users(client)
    job = create_export(client, needed_fields(goal))
    return Place(goal.revision, job, covered_until=now.isoformat(), expected=expected)


def _begin_search(goal: ImportGoal, window: Window, count: int) -> Beginning:
    since, until = window.since.isoformat(), window.until.isoformat()
    remark = f"Those who have changed since {window.since:%Y-%m-%d %H:%M} UTC are searched: {count:,}."
    return Beginning(Place(goal.revision, covered_until=until, since=since, expected=count), remark)


def needed_fields(goal: ImportGoal) -> tuple[ExportField, ...]:
    """Return what the goal reads of a user."""
    return export_fields(needed_names(goal))


def needed_names(goal: ImportGoal) -> frozenset[str]:
    """Return the paths of what the goal reads of a user."""
    read = {row.auth0_field for row in goal.mappings if row.auth0_field} | {link.auth0_field for link in goal.links}
    verified = {VERIFIED_BY[field] for field in read & VERIFIED_BY.keys()}
    return frozenset(read | verified | {_DATABASE_FIELD})


def _count_changes(client: ManagementCalls, window: Window, goal: ImportGoal) -> int:
    count = 0
    for database in goal.databases or (None,):
        count += count_changes(client, window, database, most=MOST_CHANGES - count)
        if count > MOST_CHANGES:
            break
    return count


def _expected_users(client: ManagementCalls) -> int | None:
    """Return how many users a file will have about; None if the tenant does not say. An import can do without."""
    try:
        return count_users(client)
    except WebsyncError as error:
        log.info("users_not_counted", reason=error.slug)
        return None
