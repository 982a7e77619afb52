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
    """Runs ``work`` on items that many threads hand in, in the order in which they come.

    Where two transactions can write at once (PostgreSQL), a second of ``max_leaders`` works while the first waits for
    the disk. Then the order is that of the transactions: of what was handed in at once, either may be first.
    """

    def __init__(
        self, database: Database, work: Work[Item, Result], *, max_group: int = MAX_GROUP, max_leaders: int = 1
    ) -> None:
        self._database = database
        self._work = work
        self._max_group = max_group
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._free_leaders = max_leaders
        """While there is one, nothing waits in the queue."""
        self._lock = threading.Lock()

    def submit(self, item: Item) -> Result:
        """Return what came of ``item`` once that is committed. Raises what ``work`` refused it with, or failed with.

        An item with which the transaction fails does not fail its neighbours: each of them is then done by itself.
        """
        waiting = _Waiting[Item, Result](item)
        with self._lock:
            leads = self._free_leaders > 0
            if leads:
                self._free_leaders -= 1
            else:
                self._queue.append(waiting)
        if not leads:
            waiting.turn.acquire()
        if waiting.outcome is None:
            self._lead(waiting)
        if isinstance(waiting.outcome, Exception):
            raise waiting.outcome
        assert waiting.outcome is not None  # noqa: S101, whoever leads is in the group
        return waiting.outcome

    def _lead(self, first: _Waiting[Item, Result]) -> None:
        with self._lock:
            others = min(self._max_group - 1, len(self._queue))
            group = [first, *(self._queue.popleft() for _ in range(others))]
        try:
            outcomes = self._commit([waiting.item for waiting in group])
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
        finally:
            with self._lock:
                heir = self._queue.popleft() if self._queue else None
                if heir is None:
                    self._free_leaders += 1
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
