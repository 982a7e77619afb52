"""Importing the users of a tenant, as a run that a worker carries: everybody by an export, or those who changed."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial

from webapp.auth0.answers import Auth0UnavailableError
from webapp.auth0.export_jobs import LONGEST_ABSENCE_SECONDS, MAX_MISSED_LOOKS, pause_seconds
from webapp.auth0.management import ManagementClient
from webapp.auth0.shared_pauses import SharedPause
from webapp.connections.import_saving import LiveImportGoal, live_import_goal
from webapp.connections.models import ImportGoalRow
from webapp.database import Database
from webapp.errors import NotFoundError
from webapp.importer.applying import ImportRun
from webapp.importer.beginning import begin_place
from webapp.importer.coverage import find_coverage
from webapp.importer.memory import forget_other_runs
from webapp.importer.opened_import import OpenedImport, Work
from webapp.importer.places import Place
from webapp.importer.reach import count_profiles
from webapp.importer.refusals import GoalChangedError, NotImportableError
from webapp.runs.importers import Applied, Begun, Later, NotNowError, OpenImport, Position, Reach, RunOrder
from webapp.sealing import SealBrokenError, sealer
from webapp.settings import settings


class TenantImporter:
    """Begins and opens imports of tenants. Runs within an app context."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._missed: Counter[str] = Counter()

    def begin(self, order: RunOrder) -> Begun:
        """Look for those who changed since the last run, if that will do; else have Auth0 begin to export everybody."""
        goal, client = open_goal(self._database, order.goal_id)
        now = datetime.now(UTC)
        with self._database.reading() as session:
            coverage = find_coverage(session, goal, now=now)
        with client, self._patience(order.run_key):
            place, remark = begin_place(client, goal.goal, coverage, is_full=order.is_full, now=now)
        with self._database.transaction() as session:
            forget_other_runs(session, goal.id, order.run_key)
        return Begun(place.as_position(), place.expected, remark)

    @contextmanager
    def open(self, order: RunOrder, position: Position) -> Iterator[OpenImport]:
        """Go on with what has been begun."""
        goal, client = open_goal(self._database, order.goal_id)
        place = Place(**position)
        with client:
            if goal.goal.revision != place.revision:
                raise GoalChangedError("Its mappings are others now.")
            run = ImportRun(order.run_key, goal, is_full=order.is_full)
            with closing(OpenedImport(self._database, run, client, place)) as opened:
                yield _PatientImport(opened, partial(self._patience, order.run_key))

    def count_profiles(self, order: RunOrder) -> Reach | None:
        """Return how many different profiles were imported."""
        with self._database.reading() as session:
            return count_profiles(session, order, allow_loopback=settings().allows_loopback_tenant)

    @contextmanager
    def _patience(self, run_key: str) -> Iterator[None]:
        """Have the run wait while Auth0 has no time for it, and fail only if that lasts."""
        try:
            yield
        except Auth0UnavailableError as error:
            self._missed[run_key] += 1
            if self._missed[run_key] > MAX_MISSED_LOOKS:
                raise
            absence_seconds = min(error.retry_after_seconds or 0.0, LONGEST_ABSENCE_SECONDS)
            raise NotNowError(max(pause_seconds(self._missed[run_key]), absence_seconds)) from error
        self._missed.pop(run_key, None)


def open_goal(database: Database, goal_id: int) -> tuple[LiveImportGoal, ManagementClient]:
    """Return a goal that may be imported now, and a client of its tenant. Raises NotFoundError, NotImportableError."""
    with database.reading() as session:
        row = session.get(ImportGoalRow, goal_id)
        if row is None:
            raise NotFoundError("There is no such import goal.")
        goal, connection = live_import_goal(row, allow_loopback=settings().allows_loopback_tenant), row.connection
    if not goal.is_open:
        raise NotImportableError("The goal or its connection is switched off.")
    if not connection.auth0_client_id or connection.sealed_client_secret is None:
        raise NotImportableError("Give the connection a client id and a client secret.")
    try:
        secret = sealer().unseal(connection.sealed_client_secret)
    except SealBrokenError as error:
        raise NotImportableError(str(error)) from error
    shared = SharedPause(database, goal.tenant)
    return goal, ManagementClient(goal.tenant, connection.auth0_client_id, secret, shared=shared)


class _PatientImport:
    """An import that is open, and waits while Auth0 has no time."""

    def __init__(self, opened: OpenedImport, patience: Callable[[], AbstractContextManager[None]]) -> None:
        self._opened, self._patience = opened, patience

    @property
    def expected_users(self) -> int | None:
        """About how many users come in all."""
        return self._opened.expected_users

    def next_chunk(self) -> Work | Later | None:
        """Return what to apply next."""
        with self._patience():
            return self._opened.next_chunk()

    def apply(self, chunk: Work, *, now: datetime) -> Applied:
        """Apply it, once for this run."""
        with self._patience():
            return self._opened.apply(chunk, now=now)
