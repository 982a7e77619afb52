"""Group commit: work that arrives while a commit is under way is written together by the next transaction.

A commit waits for the disk, however little it writes. So one of the waiting threads leads: it takes what has gathered,
writes it in one transaction, and only after the commit are all of them answered. "A 2xx is durable" stays true, and one
wait for the disk serves many.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp.database import Database, is_busy

MAX_GROUP = 64
"""Work waits for the group under way, and for one more for every `MAX_GROUP` pieces that came before it."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Work = Callable[[Session, Sequence[Item]], Sequence[Result | Exception]]
"""Does the items in their order. It returns what an item is refused with, and raises what spoils the transaction."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    """An item whose thread sleeps until ``turn`` is released: then it has an outcome, or has to lead."""

    item: Item
    turn: threading.Lock = field(default_factory=threading.Lock)
    outcome: Result | Exception | None = None

    def __post_init__(self) -> None:
        self.turn.acquire()


class GroupCommit(Generic[Item, Result]):
    """Runs ``work`` on items that many threads hand in, in the order in which they come."""

    def __init__(self, database: Database, work: Work[Item, Result], *, max_group: int = MAX_GROUP) -> None:
        self._database = database
        self._work = work
        self._max_group = max_group
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._is_led = False
        self._lock = threading.Lock()

    def submit(self, item: Item) -> Result:
        """Return what came of ``item`` once that is committed. Raises what ``work`` refused it with, or failed with.

        An item with which the transaction fails does not fail its neighbours: each of them is then done by itself.
        """
        waiting = _Waiting[Item, Result](item)
        with self._lock:
            self._queue.append(waiting)
            leads, self._is_led = not self._is_led, True
        if not leads:
            waiting.turn.acquire()
        if waiting.outcome is None:
            self._lead()
        if isinstance(waiting.outcome, Exception):
            raise waiting.outcome
        assert waiting.outcome is not None  # noqa: S101, whoever leads is in the group
        return waiting.outcome

    def _lead(self) -> None:
        with self._lock:
            group = [self._queue.popleft() for _ in range(min(self._max_group, len(self._queue)))]
        try:
            outcomes = self._commit([waiting.item for waiting in group])
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
        finally:
            with self._lock:
                heir = self._queue[0] if self._queue else None
                self._is_led = heir is not None
            for waiting in group:
                if waiting.outcome is None:  # the leader's thread is being ended
                    waiting.outcome = RuntimeError("the transaction was given up")
                waiting.turn.release()
            if heir is not None:
                heir.turn.release()

    def _commit(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        try:
            with self._database.transaction() as session:
                return self._work(session, items)
        except Exception as error:  # noqa: BLE001, it is raised again in the thread that handed the item in
            # A database that is away stays so for the neighbours: asking for each would only make all of them wait.
            if len(items) == 1 or (isinstance(error, SQLAlchemyError) and is_busy(error)):
                return [error] * len(items)
        return [self._commit([item])[0] for item in items]
