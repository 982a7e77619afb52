"""A run of an import that is open in a worker: first its users, then the sweep of those who are gone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.auth0.answers import ChangesUnknownError
from webapp.auth0.management import ManagementClient
from webapp.auth0.user_search import OVERLAP
from webapp.connections.import_goals import DeletionPolicy
from webapp.database import Database
from webapp.importer.applying import ChunkApplier, ImportRun, Step
from webapp.importer.beginning import begin_export, needed_fields
from webapp.importer.coverage import note_coverage
from webapp.importer.exported_users import ExportedUsers
from webapp.importer.mapping import ReadEntry
from webapp.importer.memory import find_result, forget_run, step_key
from webapp.importer.places import Place
from webapp.importer.planning import CONFLICT
from webapp.importer.reading import User
from webapp.importer.results import ImportProblem, ImportResult
from webapp.importer.searched_users import FoundUsers, searched_users
from webapp.importer.seen import SeenUsers
from webapp.importer.sweeping import Missing, Sweep
from webapp.runs.importers import Applied, Later, Problem
from webapp.runs.progress import PROBLEMS

SETTLED_AFTER = OVERLAP
"""Nobody is swept earlier after the export has begun."""


class EarlierStep(NamedTuple):
    """A step that was applied, but not noted, before its worker was killed."""

    result: ImportResult


class ExportInstead(NamedTuple):
    """The search cannot say who changed, for this reason: everybody is exported."""

    reason: str


class SweepStep(NamedTuple):
    """Users who are to be swept, or why nobody is."""

    missing: Sequence[Missing]
    objection: str = ""


Work = list[ReadEntry] | FoundUsers | EarlierStep | ExportInstead | SweepStep


class OpenedImport:
    """An import at a place. Close it."""

    def __init__(self, database: Database, run: ImportRun, client: ManagementClient, place: Place) -> None:
        self._database, self._run, self._client, self._place = database, run, client, place
        self._goal = run.goal.goal
        self._applier = ChunkApplier(database, run)
        self._seen: SeenUsers | None = None
        self._export: ExportedUsers[ReadEntry] | None = None
        self._found: Iterator[FoundUsers] | None = None
        self._sweep: Sweep | None = None
        self._is_resumed = True

    @property
    def expected_users(self) -> int | None:
        """About how many users come in all."""
        return self._place.expected

    def next_chunk(self) -> Work | Later | None:
        """Return what to apply next: users, a step of the sweep; None at the end, which is remembered."""
        if self._is_resumed and (earlier := self._earlier()) is not None:
            return earlier
        self._is_resumed = False
        try:
            work: Work | Later | None = self._next_users()
        except ChangesUnknownError as error:
            return ExportInstead(error.detail)
        if work is None:
            work = self._next_sweep()
        if work is None:
            self._finish()
        return work

    def apply(self, chunk: Work, *, now: datetime) -> Applied:
        """Apply it, once for this run."""
        result, place, remark = self._apply(chunk, now)
        # Of who is no user nothing is remembered. A conflict is: people decide it.
        unread = result.invalid - result.problem_count[CONFLICT]
        self._place = place._replace(unread=self._place.unread + unread)
        return Applied(
            self._place.as_position(),
            _counts(result),
            has_errors=result.has_problems,
            problems=[_listed(each) for each in result.problems],
            newest=result.newest,
            remark=remark,
        )

    def _apply(self, chunk: Work, now: datetime) -> tuple[ImportResult, Place, str]:
        """Apply it, and return what came of it, where the run stands then, and what its log says instead of counts."""
        match chunk:
            case EarlierStep(result):
                return result, Place(**result.place) if result.place else self._swept(), ""
            case FoundUsers(users, after):
                step = Step(_search_step(self._place), after._replace(chunks=self._place.chunks + 1).as_position())
                read = [self._applier.read(User(0, user)) for user in users]
                result = self._applier.apply(read, now=now, step=step)
                return result, Place(**(result.place or step.after)), ""
            case ExportInstead(reason):
                self._found = None
                return ImportResult(), begin_export(self._client, self._goal, now), f"All users are exported. {reason}"
            case SweepStep(missing, objection):
                return self._apply_sweep(missing, objection, now)
        result = self._applier.apply(chunk, now=now)
        return result, self._place._replace(chunks=self._place.chunks + 1), ""

    def close(self) -> None:
        """End the download."""
        if self._export is not None:
            self._export.close()

    def _earlier(self) -> EarlierStep | None:
        """Return the next step if it was applied already. Chunks of a file are the same again: see `ChunkApplier`."""
        step = f"sweep {self._place.swept}" if self._place.job else _search_step(self._place)
        with self._database.reading() as session:
            found = find_result(session, step_key(self._run.id, step))
        return None if found is None else EarlierStep(found)

    def _next_users(self) -> list[ReadEntry] | FoundUsers | Later | None:
        if not self._place.job:
            if self._found is None:
                self._found = searched_users(self._client, self._goal, self._place)
            return next(self._found, None)
        if self._export is None:
            sweeps = self._goal.deletion_policy is not DeletionPolicy.IGNORE and not self._place.is_swept
            self._seen = SeenUsers(self._run.id) if sweeps else None
            fields = needed_fields(self._goal)
            self._export = ExportedUsers(self._client, fields, self._place, self._seen, self._applier.read)
        return self._export.next_chunk()

    def _next_sweep(self) -> SweepStep | Later | None:
        if self._seen is None or self._place.is_swept:
            return None
        if self._sweep is None:
            sweep = Sweep(self._database, self._run, self._client, self._seen)
            if objection := sweep.objection():
                return SweepStep((), objection)
            if sweep.has_somebody and (seconds := self._settles_in()) > 0:
                return Later(seconds)
            self._sweep = sweep
        missing = self._sweep.next_step()
        return None if missing is None else SweepStep(missing)

    def _settles_in(self) -> float:
        """Return in how many seconds the search knows who was linked to another user before the export."""
        return (self._place.until + SETTLED_AFTER - datetime.now(UTC)).total_seconds()

    def _apply_sweep(
        self, missing: Sequence[Missing], objection: str, now: datetime
    ) -> tuple[ImportResult, Place, str]:
        if objection:
            result = ImportResult()
            result.note([ImportProblem(0, objection)])
            return result, self._place._replace(is_swept=True), objection
        if self._sweep is None:
            raise RuntimeError("a step comes from a sweep")
        return self._sweep.apply(missing, self._place.swept, now=now), self._swept(), ""

    def _swept(self) -> Place:
        return self._place._replace(swept=self._place.swept + 1)

    def _finish(self) -> None:
        """Remember that the run has brought everybody, unless some lines could not be read, and forget its chunks."""
        with self._database.transaction() as session:
            if self._place.covered_until and not self._place.unread:
                is_export = bool(self._place.job)
                note_coverage(session, self._run.goal, self._place.until, is_export=is_export)
            forget_run(session, self._run.id)


def _listed(problem: ImportProblem) -> Problem:
    """Return a line of the run's error list. Users who were found by a search stand in no line."""
    return Problem(problem.line or None, problem.user_id, problem.auth0_field, problem.reason)


def _search_step(place: Place) -> str:
    return f"search {place.chunks}"


def _counts(result: ImportResult) -> dict[str, int]:
    counts = Counter({name: getattr(result, name) for name in ("read", "checked", "unchanged", "elsewhere", "invalid")})
    counts.update({state.value.lower(): count for state, count in result.states.items()})
    counts.update(result.swept)
    counts[PROBLEMS] = result.problem_count.total()
    return {name: count for name, count in counts.items() if count}
