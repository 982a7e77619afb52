"""Importing all users of a tenant, as a run that a worker carries: an export job, its file, its chunks.

A run that goes on in another process fetches the file again and reads it up to where it was: Auth0 keeps it for a day.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import NamedTuple

from snippets.fields import VERIFIED_BY
from webapp.auth0.answers import ExportFileError
from webapp.auth0.export_download import download_export
from webapp.auth0.export_fields import ExportField, as_user, export_fields
from webapp.auth0.export_jobs import ExportJob, ExportWatch, create_export
from webapp.auth0.management import ManagementClient
from webapp.connections.import_goals import ImportGoal
from webapp.connections.import_saving import LiveImportGoal, live_import_goal
from webapp.connections.models import ImportGoalRow
from webapp.database import Database
from webapp.errors import NotFoundError, WebsyncError
from webapp.importer.applying import ChunkApplier, Entry, ImportRun, chunks_of
from webapp.importer.memory import forget_other_runs, forget_run
from webapp.importer.reading import FileFormat, UnreadableFileError, User, open_users, stream_of
from webapp.importer.results import ImportResult
from webapp.runs.importers import Applied, Later, OpenImport, Position, Problem, RunOrder
from webapp.runs.progress import PROBLEMS
from webapp.sealing import SealBrokenError, sealer
from webapp.settings import settings

_DATABASE_FIELD = "identities[0].connection"


class NotImportableError(WebsyncError):
    """The goal or its connection lacks something that a run needs, or is switched off.

    What to do: ``detail`` says what is missing; add it on the connection's page and run the import again.
    """

    slug, title, status = "not-importable", "The goal cannot be imported", HTTPStatus.CONFLICT


class GoalChangedError(WebsyncError):
    """The goal was saved while its run was under way, and the file that Auth0 made has not what it needs now.

    What to do: run the import again.
    """

    slug, title, status = "goal-changed", "The goal was changed during its run", HTTPStatus.CONFLICT


class _Place(NamedTuple):
    """Where a run is: its export job, the goal's revision that this was made for, and the chunks that are done."""

    job: str
    revision: int
    chunks: int

    def as_position(self) -> Position:
        return self._asdict()


class TenantImporter:
    """Begins and opens imports of tenants. Runs within an app context."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, order: RunOrder) -> Position:
        """Have Auth0 begin to export the users."""
        goal, client = self._open_goal(order)
        with client:
            job = create_export(client, _fields(goal.goal))
        with self._database.transaction() as session:
            forget_other_runs(session, goal.id, order.run_key)
        return _Place(job, goal.goal.revision, 0).as_position()

    @contextmanager
    def open(self, order: RunOrder, position: Position) -> Iterator[OpenImport]:
        """Go on with a job that has been begun."""
        goal, client = self._open_goal(order)
        place = _Place(**position)
        with client:
            if goal.goal.revision != place.revision:
                raise GoalChangedError("Its mappings are others now.")
            run = ImportRun(order.run_key, goal, is_full=order.is_full)
            with closing(TenantImport(self._database, run, client, place)) as opened:
                yield opened

    def _open_goal(self, order: RunOrder) -> tuple[LiveImportGoal, ManagementClient]:
        with self._database.reading() as session:
            row = session.get(ImportGoalRow, order.goal_id)
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
        return goal, ManagementClient(goal.tenant, connection.auth0_client_id, secret)


class TenantImport:
    """An import that waits for its file, or reads it. Close it."""

    def __init__(self, database: Database, run: ImportRun, client: ManagementClient, place: _Place) -> None:
        self._database, self._run, self._client, self._place = database, run, client, place
        self._fields = _fields(run.goal.goal)
        self._applier = ChunkApplier(database, run)
        self._watch = ExportWatch(client, place.job)
        self._blocks: Iterator[bytes] | None = None
        self._chunks: Iterator[list[Entry]] = iter(())

    @property
    def expected_users(self) -> int | None:
        """Unknown: Auth0 does not say how many users a file has."""
        return None

    def next_chunk(self) -> list[Entry] | Later | None:
        """Return the next users of the file, `Later` while Auth0 still writes it, None at its end."""
        if self._blocks is None and (pause := self._look()) is not None:
            return pause
        try:
            chunk = next(self._chunks, None)
        except UnreadableFileError as error:
            raise ExportFileError(f"The file cannot be read: {error}.") from error
        if chunk is None:
            with self._database.transaction() as session:
                forget_run(session, self._run.id)
        return chunk

    def apply(self, chunk: Sequence[Entry], *, now: datetime) -> Applied:
        """Apply a chunk, once for this run."""
        result = self._applier.apply(chunk, now=now)
        self._place = self._place._replace(chunks=self._place.chunks + 1)
        return Applied(
            self._place.as_position(),
            _counts(result),
            has_errors=result.has_problems,
            problems=[Problem(each.line, each.user_id, each.auth0_field, each.reason) for each in result.problems],
            newest=result.newest,
        )

    def close(self) -> None:
        """End the download."""
        if self._blocks is not None:
            self._blocks.close()  # type: ignore[attr-defined]  # it is a generator

    def _look(self) -> Later | None:
        """Look at the job: begin to read if it has completed, else say when to look again."""
        found = self._watch.look()
        if not isinstance(found, ExportJob):
            return Later(found)
        self._blocks = download_export(self._client, self._place.job)
        users = open_users(stream_of(self._blocks), FileFormat.NDJSON)
        # Whoever reads the same file from its beginning gets the same chunks.
        self._chunks = islice(chunks_of(_as_users(users, self._fields)), self._place.chunks, None)
        return None


def _fields(goal: ImportGoal) -> tuple[ExportField, ...]:
    """Return what the goal reads of a user."""
    read = {row.auth0_field for row in goal.mappings} | {link.auth0_field for link in goal.links}
    verified = {VERIFIED_BY[field] for field in read & VERIFIED_BY.keys()}
    return export_fields(read | verified | {_DATABASE_FIELD})


def _as_users(entries: Iterator[Entry], fields: Sequence[ExportField]) -> Iterator[Entry]:
    for entry in entries:
        yield entry._replace(fields=as_user(entry.fields, fields)) if type(entry) is User else entry


def _counts(result: ImportResult) -> dict[str, int]:
    counts = Counter({name: getattr(result, name) for name in ("read", "checked", "unchanged", "elsewhere", "invalid")})
    counts.update({state.value.lower(): count for state, count in result.states.items()})
    counts[PROBLEMS] = result.problem_count.total()
    return {name: count for name, count in counts.items() if count}
