"""Chunks: what is read, grouped so that memory holds little of it at a time."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from webapp.importer.reading import UnreadableFileError

MAX_CHUNK_USERS = 1000
MAX_CHUNK_BYTES = 8_000_000


class Sized(Protocol):
    """What a chunk is made of. No more bytes than ``size`` are kept of it."""

    @property
    def size(self) -> int: ...  # noqa: D102, the class says it


S = TypeVar("S", bound=Sized)


def chunks_of(entries: Iterable[S]) -> Iterator[list[S]]:
    """Group what is read into chunks, which are bounded in number and in bytes.

    Raises:
        UnreadableFileError: the file cannot be read on; what came before is in chunks.
    """
    chunk: list[S] = []
    size = 0
    try:
        for entry in entries:
            chunk.append(entry)
            size += entry.size
            if len(chunk) >= MAX_CHUNK_USERS or size >= MAX_CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    except UnreadableFileError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk
