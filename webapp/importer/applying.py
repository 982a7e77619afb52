"""Applying: a chunk of users becomes changes of profiles, in one transaction, once."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy.orm import Session

from webapp.connections.import_saving import LiveImportGoal, ask_consent
from webapp.database import Database
from webapp.importer.conflicts import keep_conflicts
from webapp.importer.ledger import Ledger
from webapp.importer.mapping import DIGEST_BYTES, Elsewhere, MappedUser, ReadEntry, UserMapper
from webapp.importer.memory import (
    ChunkKey,
    Remembered,
    ask_changed,
    ask_result,
    ask_users,
    keep_new_users,
    keep_result,
    keep_users,
    step_key,
)
from webapp.importer.planning import Candidate, Terms, candidate_of
from webapp.importer.reading import BrokenLine, Entry, User
from webapp.importer.results import ImportProblem, ImportResult
from webapp.profiles.consent import CONSENT_PROPERTIES
from webapp.profiles.definitions import ask_definitions, hold_property_set, read_definitions
from webapp.profiles.embedded import lock_all_identifiers, lock_identifiers
from webapp.profiles.ids import new_ids
from webapp.profiles.linking import identifiers_to_lock
from webapp.profiles.rounds import in_rounds
from webapp.rows import together
from webapp.runs.importers import Position

FEW_USERS = 50
"""So many are locked one by one: PostgreSQL has room for that, whatever else goes on. Of more, those who are new are
written in the way for many."""


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One execution of an import goal.

    With ``is_full`` users are compared with their profiles also if nothing of them has changed since the last import.
    With ``is_dry`` nothing is written.
    """

    id: str
    goal: LiveImportGoal
    is_full: bool = False
    is_dry: bool = False


class Step(NamedTuple):
    """What a chunk is remembered by if its users may not come the same again, and where the run goes on after it."""

    name: str
    after: Position


class _DryRunError(Exception):
    """Takes everything back."""


class _OtherDefinitionsError(Exception):
    """Takes everything back: somebody has changed a property since the chunk was mapped."""


class _Chunk(NamedTuple):
    """A chunk. ``users`` are those who can be told apart; ``result`` counts the others."""

    key: ChunkKey
    users: list[MappedUser]
    result: ImportResult


class _Prepared(NamedTuple):
    """What a chunk may need, found out beforehand: the candidates of its users, by the ids of these objects."""

    entries: Sequence[ReadEntry]
    candidates: dict[int, Candidate]


class ChunkApplier:
    """Reads the users of one run as its goal maps them, and applies them in chunks.

    Each entry is read as it comes: of a whole user little is needed, and a thousand whole ones would not fit the
    processor's caches.
    """

    def __init__(self, database: Database, run: ImportRun) -> None:
        self._database = database
        self._run = run
        self._known_mapper: UserMapper | None = None
        self._prepared = _Prepared((), {})

    def read(self, entry: Entry) -> ReadEntry:
        """Return what the goal needs of an entry."""
        return self._mapper.read(entry) if type(entry) is User else entry  # type: ignore[return-value]

    def prepare(self, entries: Sequence[ReadEntry]) -> None:
        """Do what is to be done with a chunk of users who have changed, before it is applied, in whatever thread."""
        mapper = self._mapper
        candidates = {id(each): candidate_of(mapper, each) for each in entries if type(each) is MappedUser}
        self._prepared = _Prepared(entries, candidates)

    def apply(
        self,
        entries: Sequence[ReadEntry],
        *,
        now: datetime,
        step: Step | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> ImportResult:
        """Apply a chunk that was read here, and return what came of it: the same again if this run has applied it.

        What makes two chunks the same is the ``step``, or else their users.

        Users of whom nothing has changed since the goal's last import are left out before anything is locked. Where
        many are written, ``meanwhile`` is called as soon as only the database has still to do with them. It must
        neither wait nor fail.

        Raises:
            NotFoundError: the goal was deleted meanwhile.
        """
        while True:
            try:
                result = self._apply_once(entries, now, step, meanwhile or _nothing)
                break
            except _OtherDefinitionsError:
                self._known_mapper = None
                again = self._mapper.read_again
                entries = [again(each) if type(each) is MappedUser else each for each in entries]
        if not self._run.is_dry:
            keep_conflicts(self._database, self._run.goal, result.conflicts, now=now)
        return result

    def _apply_once(
        self, entries: Sequence[ReadEntry], now: datetime, step: Step | None, meanwhile: Callable[[], object]
    ) -> ImportResult:
        chunk = self._chunk(entries, step)
        with self._database.reading() as session:
            earlier, changed = self._look(session, chunk)
        if earlier is not None:
            return earlier
        if not changed:
            chunk.result.unchanged = len(chunk.users)
            return chunk.result
        result = chunk.result
        with suppress(_DryRunError), self._database.transaction() as session:
            result = self._apply(session, chunk, self._candidates(entries, changed), now, meanwhile)
            if self._run.is_dry:
                raise _DryRunError
        return result

    @property
    def _mapper(self) -> UserMapper:
        """What reads the users. Nearly always the definitions stay what they are, and whoever relies on them asks."""
        if self._known_mapper is None:
            with self._database.reading() as session:
                definitions = read_definitions(session, self._properties)
            self._known_mapper = UserMapper(self._run.goal.goal, definitions, issuer=self._run.goal.tenant.issuer)
        return self._known_mapper

    def _candidates(self, entries: Sequence[ReadEntry], users: Iterable[MappedUser]) -> list[Candidate]:
        if entries is self._prepared.entries:  # and not read again, for other definitions
            return [self._prepared.candidates[id(user)] for user in users]
        return [candidate_of(self._mapper, user) for user in users]

    def _look(self, session: Session, chunk: _Chunk) -> tuple[ImportResult | None, list[MappedUser]]:
        """Return what came of the chunk if it was applied before, and who has changed since the last import."""
        with together(session):
            defined = ask_definitions(session, self._properties)
            earlier = ask_result(session, chunk.key)
            news = ask_changed(session, self._run.goal.id, () if self._run.is_full else chunk.users)
        if defined() != self._mapper.definitions:
            raise _OtherDefinitionsError
        ids = news()
        return earlier(), [each for each in chunk.users if self._run.is_full or each.user_id in ids]

    @property
    def _properties(self) -> frozenset[str]:
        return self._run.goal.goal.properties | CONSENT_PROPERTIES

    def _chunk(self, entries: Sequence[ReadEntry], step: Step | None) -> _Chunk:
        users, result = [], ImportResult(read=len(entries), place=step.after if step else None)
        for entry in entries:
            match entry:
                case MappedUser():
                    users.append(entry)
                case Elsewhere():
                    result.elsewhere += 1
                case BrokenLine(line=line, reason=reason):
                    result.invalid += 1
                    result.note([ImportProblem(line, reason)])
        parts = [f"{entries[0].line}".encode(), *(user.digest for user in users)]
        key = step_key(self._run.id, step.name) if step else ChunkKey(self._run.id, _digest(parts))
        return _Chunk(key, users, result)

    def _apply(
        self,
        session: Session,
        chunk: _Chunk,
        candidates: Sequence[Candidate],
        now: datetime,
        meanwhile: Callable[[], object],
    ) -> ImportResult:
        goal, is_small = self._run.goal, len(candidates) <= FEW_USERS
        with together(session):
            if is_small:
                hold_property_set(session)
                lock_identifiers(session, set().union(*(identifiers_to_lock(each.sought) for each in candidates)))
            else:
                lock_all_identifiers(session)
            defined = ask_definitions(session, self._properties)
            # Whoever else brings this chunk has waited for the locks: it is applied by now, or this is the first.
            earlier = ask_result(session, chunk.key)
            users = ask_users(session, goal.id, [each.user.user_id for each in candidates])
            consent = ask_consent(session, goal.id)
        if defined() != self._mapper.definitions:
            raise _OtherDefinitionsError
        if (applied := earlier()) is not None:
            return applied
        remembered = users()
        candidates = self._still_changed(candidates, remembered)
        chunk.result.unchanged = len(chunk.users) - len(candidates)
        terms = Terms(goal.goal, self._mapper, consent(), now, new_ids().__next__)
        ledger = Ledger(session, terms, chunk.result)
        for facts, numbers, is_last in in_rounds(
            session, range(len(candidates)), lambda number: candidates[number].sought
        ):
            planned = [candidates[number] for number in numbers]
            unwritten = ledger.apply_round(facts, planned, are_many=len(planned) > FEW_USERS)
            with together(session):
                unwritten.write(session, self._mapper.definitions.identifying)
                if is_last:
                    self._keep(session, ledger.applied, ledger.applied if is_small else remembered)
                    keep_result(session, chunk.key, goal.id, chunk.result, now=now)
                    if not is_small:
                        meanwhile()
        if not candidates:
            keep_result(session, chunk.key, goal.id, chunk.result, now=now)
        return chunk.result

    def _keep(self, session: Session, applied: Mapping[str, MappedUser], known: Collection[str]) -> None:
        """Remember users as they are now. While all identifiers are locked, who is not ``known`` stays new."""
        new = [user for user_id, user in applied.items() if user_id not in known]
        old = [user for user_id, user in applied.items() if user_id in known]
        keep_new_users(session, self._run.goal.id, new, run_id=self._run.id)
        keep_users(session, self._run.goal.id, old, run_id=self._run.id)

    def _still_changed(self, candidates: Sequence[Candidate], remembered: Mapping[str, Remembered]) -> list[Candidate]:
        """Leave out who was imported meanwhile, and say whose sums were counted already."""
        still = []
        for each in candidates:
            last = remembered.get(each.user.user_id)
            if last is None:
                still.append(each)
            elif self._run.is_full or last.digest != each.user.digest:
                still.append(each._replace(has_new_sums=last.sums != each.user.sums))
        return still


def _nothing() -> None:
    pass


def _digest(parts: Iterable[bytes]) -> bytes:
    return blake2b(b" ".join(parts), digest_size=DIGEST_BYTES).digest()
