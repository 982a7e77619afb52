"""Importing: a file's users, chunk by chunk."""

import gc
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice

from webapp.database import Database
from webapp.importer.applying import ChunkApplier, Entry, ImportRun, chunks_of
from webapp.importer.memory import forget_run
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
    on_chunk: Callable[[ImportResult], None] | None = None,
) -> ImportResult:
    """Apply the users of ``entries`` (at most ``limit``), and return what came of all of them.

    After each chunk ``on_chunk`` gets what has come of the run so far. It is committed then, whatever becomes of the
    next one.

    Raises:
        UnreadableFileError: the file cannot be read on.
        NotFoundError: the goal was deleted meanwhile.
    """
    applier, total = ChunkApplier(database, run), ImportResult()
    try:
        with _collecting_rarely():
            for chunk in chunks_of(islice(entries, limit)):
                total.add(applier.apply(chunk, now=datetime.now(UTC)))
                gc.collect(0)  # what is new
                if on_chunk is not None:
                    on_chunk(total)
    finally:
        if not run.is_dry:
            with database.transaction() as session:
                forget_run(session, run.id)
    return total


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Leave the search for cyclic garbage to the caller.

    A chunk makes hundreds of thousands of objects that live until it is done and form no cycles. To look through them
    again and again takes longer than everything else.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
