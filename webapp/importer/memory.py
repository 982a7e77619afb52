"""What imports remember in the database: each user's digests of the last time, and the chunks that were applied."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.importer.mapping import DIGEST_BYTES, MappedUser
from webapp.importer.models import AppliedChunk, ImportedUser
from webapp.importer.results import ImportResult
from webapp.rows import Lookup, Row, insert_new, table_of, upsert

_users, _chunks = table_of(ImportedUser), table_of(AppliedChunk)
_USERS = Lookup(
    "SELECT u.goal_id, u.user_id, u.digest, u.sums FROM {wanted} imported_users AS u WHERE {keyed}",
    keys=("u.goal_id", "u.user_id"),
    columns=[_users.c.goal_id, _users.c.user_id, _users.c.digest, _users.c.sums],
)
_CHUNKS = Lookup(
    "SELECT c.run_id, c.digest, c.result FROM {wanted} applied_chunks AS c WHERE {keyed}",
    keys=("c.run_id", "c.digest"),
    columns=[_chunks.c.run_id, _chunks.c.digest, _chunks.c.result],
)

_OF_LAST_TIME = "digest", "sums", "run_id"
_COLUMNS = "goal_id", "user_id", *_OF_LAST_TIME


class Remembered(NamedTuple):
    """The digests of a user when the goal last imported it."""

    digest: bytes
    sums: bytes


class ChunkKey(NamedTuple):
    """What a chunk of a run is remembered by."""

    run_id: str
    digest: bytes


def step_key(run_id: str, step: str) -> ChunkKey:
    """Return what a step of a run is remembered by, whoever is in it: the same users may not come again."""
    return ChunkKey(run_id, blake2b(step.encode(), digest_size=DIGEST_BYTES).digest())


def imported_user_ids(session: Session, goal_id: int, *, after: str, limit: int = 1000) -> Sequence[str]:
    """Return the next ids of users that a goal has imported, in their order."""
    query = select(ImportedUser.user_id).where(ImportedUser.goal_id == goal_id, ImportedUser.user_id > after)
    return session.scalars(query.order_by(ImportedUser.user_id).limit(limit)).all()


def find_users(session: Session, goal_id: int, user_ids: Iterable[str]) -> dict[str, Remembered]:
    """Return what is remembered of users, by their ids."""
    return ask_users(session, goal_id, user_ids)()


def ask_users(session: Session, goal_id: int, user_ids: Iterable[str]) -> Callable[[], dict[str, Remembered]]:
    """Ask what `find_users` returns, and return what reads the answer (`webapp.rows.together`)."""
    found = _USERS.ask(session, [(goal_id, user_id) for user_id in dict.fromkeys(user_ids)])
    return lambda: {user_id: Remembered(digest, sums) for _, user_id, digest, sums in found()}


def ask_changed(session: Session, goal_id: int, users: Collection[MappedUser]) -> Callable[[], set[str]]:
    """Ask for the ids of those users of whom something else is remembered, or nothing; return what reads them."""
    found = _USERS.ask(session, [(goal_id, user.user_id) for user in users])

    def read() -> set[str]:
        last = {user_id: digest for _, user_id, digest, _ in found()}
        return {user.user_id for user in users if last.get(user.user_id) != user.digest}

    return read


def keep_users(session: Session, goal_id: int, users: Iterable[MappedUser], *, run_id: str) -> None:
    """Remember users as they are now, each once, and which run imported them."""
    upsert(session, ImportedUser, _COLUMNS, _rows(goal_id, users, run_id), changing=_OF_LAST_TIME)


def keep_new_users(session: Session, goal_id: int, users: Iterable[MappedUser], *, run_id: str) -> None:
    """Do what `keep_users` does with users of none of whom anything is remembered."""
    insert_new(session, ImportedUser, _COLUMNS, _rows(goal_id, users, run_id))


def _rows(goal_id: int, users: Iterable[MappedUser], run_id: str) -> list[Row]:
    # In order, since that is how an index grows fastest.
    return sorted((goal_id, user.user_id, user.digest, user.sums, run_id) for user in users)


def find_result(session: Session, key: ChunkKey) -> ImportResult | None:
    """Return what came of a chunk if its run has applied it."""
    return ask_result(session, key)()


def ask_result(session: Session, key: ChunkKey) -> Callable[[], ImportResult | None]:
    """Ask what `find_result` returns, and return what reads the answer."""
    found = _CHUNKS.ask(session, [key])
    return lambda: next((ImportResult.from_json(result) for _, _, result in found()), None)


def keep_result(session: Session, key: ChunkKey, goal_id: int, result: ImportResult, *, now: datetime) -> None:
    """Remember that a run has applied a chunk. Raises IntegrityError if it had, or the goal is gone."""
    row = (*key, goal_id, result.as_json(), now)
    insert_new(session, AppliedChunk, ("run_id", "digest", "goal_id", "result", "applied_at"), [row])


def forget_run(session: Session, run_id: str) -> None:
    """Forget the chunks of a run that is over: none of them will come again."""
    session.execute(delete(AppliedChunk).where(AppliedChunk.run_id == run_id))


def forget_other_runs(session: Session, goal_id: int, run_id: str) -> None:
    """Forget the chunks of a goal's earlier runs, which were stopped or failed before their end."""
    session.execute(delete(AppliedChunk).where(AppliedChunk.goal_id == goal_id, AppliedChunk.run_id != run_id))


def forget_users(session: Session, goal_id: int, user_ids: Sequence[str]) -> None:
    """Forget users, so that the next import takes them as new."""
    session.execute(delete(ImportedUser).where(ImportedUser.goal_id == goal_id, ImportedUser.user_id.in_(user_ids)))
