"""Importing: a file's users, chunk by chunk."""

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from webapp.database import Database
from webapp.importer.applying import ChunkApplier, ImportRun
from webapp.importer.chunks import chunks_of
from webapp.importer.memory import forget_run
from webapp.importer.reading import Entry
from webapp.importer.reading_ahead import ReadAhead
from webapp.importer.results import ImportResult


def new_run_id() -> str:
    """Return an id that no other run has."""
    return str(uuid.uuid4())


def import_users(
    database: Database,
    run: ImportRun,
    entries: Iterable[Entry],
    *,
    limit: int | None = None,
    reads_ahead: bool = False,
    on_chunk: Callable[[ImportResult], None] | None = None,
) -> ImportResult:
    """Apply the users of ``entries`` (at most ``limit``), and return what came of all of them.

    With ``reads_ahead`` the next chunk is read while the database writes one: for files, which let no reader wait.
    After each chunk ``on_chunk`` gets what has come of the run so far. It is committed then, whatever becomes of the
    next one.

    Raises:
        UnreadableFileError: the file cannot be read on.
        NotFoundError: the goal was deleted meanwhile.
    """
    applier, total = ChunkApplier(database, run), ImportResult()
    chunks = ReadAhead(chunks_of(map(applier.read, islice(entries, limit))), applier.prepare)
    meanwhile = chunks.begin if reads_ahead else None
    try:
        while (chunk := chunks.take()) is not None:
            total.add(applier.apply(chunk, now=datetime.now(UTC), meanwhile=meanwhile))
            if on_chunk is not None:
                on_chunk(total)
    finally:
        chunks.join()
        if not run.is_dry:
            with database.transaction() as session:
                forget_run(session, run.id)
    return total
