"""Reading ahead: the next chunk of a file is read in a thread of its own while the database writes the one before."""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """Takes items from an iterator, the next one beforehand where its user says that it is the moment.

    At other moments the thread would take Python's lock from whoever has more to do than to wait. What is read
    beforehand is given to ``prepare`` too. Who ends before the end calls `join`.
    """

    def __init__(self, items: Iterator[T], prepare: Callable[[T], None]) -> None:
        self._items = items
        self._prepare = prepare
        self._thread: Thread | None = None
        self._item: T | None = None
        self._error: BaseException | None = None

    def begin(self) -> None:
        """Begin to read the next item, unless that has begun."""
        if self._thread is None:
            self._thread = Thread(target=self._read, name="reading ahead")
            self._thread.start()

    def take(self) -> T | None:
        """Return the next item, None at the end. Raises what the iterator raises."""
        if self._thread is None:
            return next(self._items, None)
        self.join()
        item, error, self._thread, self._item, self._error = self._item, self._error, None, None, None
        if error is not None:
            raise error
        return item

    def join(self) -> None:
        """Wait until nothing is read."""
        if self._thread is not None:
            self._thread.join()

    def _read(self) -> None:
        try:
            self._item = next(self._items, None)
            if self._item is not None:
                self._prepare(self._item)
        except BaseException as error:  # noqa: BLE001, it is raised again where the item is taken
            self._error = error
