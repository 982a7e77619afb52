"""Users of an export's file, chunk by chunk, once Auth0 has written it.

A run that goes on in another process fetches the file again and reads it up to where it was: Auth0 keeps it for a day.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Generic

from webapp.auth0.answers import ExportFileError
from webapp.auth0.export_download import download_export
from webapp.auth0.export_fields import ExportField, as_user
from webapp.auth0.export_jobs import ExportJob, ExportWatch, create_export
from webapp.auth0.management_calls import ManagementCalls
from webapp.connections.import_goals import ImportGoal
from webapp.importer.beginning import needed_fields
from webapp.importer.chunks import S, chunks_of
from webapp.importer.places import Place
from webapp.importer.reading import Entry, FileFormat, UnreadableFileError, User, open_users, stream_of
from webapp.importer.seen import SeenUsers
from webapp.runs.importers import Later


def export_now(
    client: ManagementCalls, goal: ImportGoal, wait: Callable[[float], object], *, limit: int | None = None
) -> Iterator[Entry]:
    """Have Auth0 export its users, or so many of them; yield them as they come. ``wait`` waits so many seconds."""
    place = Place(goal.revision, create_export(client, needed_fields(goal), limit=limit))
    with closing(ExportedUsers(client, needed_fields(goal), place, None, _as_it_is)) as users:
        while (chunk := users.next_chunk()) is not None:
            if isinstance(chunk, Later):
                wait(chunk.wait_seconds)
            else:
                yield from chunk


def _as_it_is(entry: Entry) -> Entry:
    return entry


class ExportedUsers(Generic[S]):
    """An export that is waited for, then read. Close it. Users are noted as ``seen``, also those of earlier chunks.

    ``read`` returns what is kept of an entry until its chunk is full.
    """

    def __init__(
        self,
        client: ManagementCalls,
        fields: Sequence[ExportField],
        place: Place,
        seen: SeenUsers | None,
        read: Callable[[Entry], S],
    ) -> None:
        self._client, self._fields, self._place, self._seen = client, fields, place, seen
        self._read = read
        self._watch = ExportWatch(client, place.job)
        self._blocks: Iterator[bytes] | None = None
        self._chunks: Iterator[list[S]] = iter(())

    def next_chunk(self) -> list[S] | Later | None:
        """Return the next users of the file, `Later` while Auth0 still writes it, None at its end."""
        if self._blocks is None and (pause := self._look()) is not None:
            return pause
        try:
            return next(self._chunks, None)
        except UnreadableFileError as error:
            raise ExportFileError(f"The file cannot be read: {error}.") from error

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
        users = self._as_users(open_users(stream_of(self._blocks), FileFormat.NDJSON))
        # Whoever reads the same file from its beginning gets the same chunks.
        self._chunks = islice(chunks_of(map(self._read, users)), self._place.chunks, None)
        return None

    def _as_users(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if type(entry) is not User:
                yield entry
                continue
            fields = as_user(entry.fields, self._fields)
            if self._seen is not None and isinstance(user_id := fields.get("user_id"), str):
                self._seen.add(user_id)
            yield entry._replace(fields=fields)
