"""Group commit: work that arrives while a commit is under way is written together by the next transaction.

A commit waits for the disk, however little it writes. So one thread takes what has gathered, writes it in one
transaction, and only after the commit are all of them answered. "A 2xx is durable" stays true, and one wait for the
disk serves many. The same thread does what comes right before and after: many threads that take turns at it pass
Python's lock and the processor's caches back and forth, which costs as much again.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar, cast

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp.database import Database, is_busy

MAX_GROUP = 64
"""Work waits for the group under way, and for one more for every `MAX_GROUP` pieces that came before it."""
IDLE_SECONDS = 30.0
"""So long the thread stays when nothing comes."""

Item = TypeVar("Item")
Done = TypeVar("Done")
Result = TypeVar("Result")
Item_co = TypeVar("Item_co", covariant=True)
Done_contra = TypeVar("Done_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

Work = Callable[[Session, Sequence[Item]], Sequence[Done | Exception]]
"""Does the items in their order. It returns what an item is refused with, and raises what spoils the transaction."""


class Task(Protocol[Item_co, Done_contra, Result_co]):
    """What comes before and after an item's transaction. Neither may wait for anybody: all others would, too."""

    def prepare(self) -> Item_co | None:
        """Return the item; None if there is nothing to write. What this raises is the outcome."""

    def finish(self, done: Done_contra | None) -> Result_co:
        """Return the outcome, now that this is committed. None is what nothing was written for."""


@dataclass(slots=True)
class _Bare(Generic[Item, Done]):
    """An item with nothing before and after."""

    item: Item

    def prepare(self) -> Item:
        return self.item

    def finish(self, done: Done | None) -> Done:
        return cast("Done", done)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A task whose thread sleeps until ``turn`` is released: then it has an outcome."""

    task: Task[Any, Any, Any]
    turn: threading.Lock = field(default_factory=threading.Lock)
    outcome: Any = None

    def __post_init__(self) -> None:
        self.turn.acquire()


class GroupCommit(Generic[Item, Done]):
    """Runs ``work`` on items that many threads hand in, in the order in which they come.

    Each group is done in the ``surroundings``.
    """

    def __init__(
        self,
        database: Database,
        work: Work[Item, Done],
        *,
        max_group: int = MAX_GROUP,
        surroundings: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._database = database
        self._work = work
        self._max_group = max_group
        self._surroundings = surroundings
        self._queue = SimpleQueue[_Waiting]()
        self._is_running = False
        self._lock = threading.Lock()

    def submit(self, item: Item) -> Done:
        """Return what came of ``item`` once that is committed. Raises what ``work`` refused it with, or failed with.

        An item with which the transaction fails does not fail its neighbours: each of them is then done by itself.
        """
        return self.run(_Bare[Item, Done](item))

    def run(self, task: Task[Item, Done, Result]) -> Result:
        """Return the outcome of ``task`` once its item is committed. Raises as `submit`, or what the task raises."""
        waiting = _Waiting(task)
        self._queue.put(waiting)
        if not self._is_running:
            self._start()
        waiting.turn.acquire()
        if isinstance(waiting.outcome, Exception):
            raise waiting.outcome
        return cast("Result", waiting.outcome)

    def _start(self) -> None:
        with self._lock:
            if not self._is_running:
                threading.Thread(target=self._serve, name="group commit", daemon=True).start()
                self._is_running = True

    def _serve(self) -> None:
        while True:
            try:
                group = [self._queue.get(timeout=IDLE_SECONDS), *self._gathered()]
            except Empty:
                if self._may_end():
                    return
                continue
            try:
                with self._surroundings():
                    outcomes = self._outcomes([waiting.task for waiting in group])
            except BaseException:  # noqa: BLE001, whatever it is: others wait for this thread
                outcomes = [RuntimeError("the transaction was given up")] * len(group)
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
                waiting.turn.release()

    def _gathered(self) -> Iterator[_Waiting]:
        for _ in range(min(self._max_group - 1, self._queue.qsize())):  # nobody else takes any
            yield self._queue.get()

    def _may_end(self) -> bool:
        self._is_running = False  # from here on whoever comes starts another one
        with self._lock:
            if self._is_running or self._queue.empty():
                return True
            self._is_running = True
        return False

    def _outcomes(self, tasks: Sequence[Task[Item, Done, Any]]) -> list[Any]:
        prepared = [_attempt(task.prepare) for task in tasks]
        items = [each for each in prepared if each is not None and not isinstance(each, Exception)]
        done = iter(self._commit(items) if items else ())
        outcomes = []
        for task, each in zip(tasks, prepared, strict=True):
            found = each if each is None or isinstance(each, Exception) else next(done)
            outcomes.append(found if isinstance(found, Exception) else _attempt(task.finish, found))
        return outcomes

    def _commit(self, items: Sequence[Item]) -> Sequence[Done | Exception]:
        try:
            with self._database.transaction() as session:
                return self._work(session, items)
        except Exception as error:  # noqa: BLE001, it is raised again in the thread that handed the item in
            # A database that is away stays so for the neighbours: asking for each would only make all of them wait.
            if len(items) == 1 or (isinstance(error, SQLAlchemyError) and is_busy(error)):
                return [error] * len(items)
        return [self._commit([item])[0] for item in items]


def _attempt(step: Callable[..., Any], *arguments: object) -> Any:
    """Return what the step returns, or the exception that it raises: it is raised again in the task's own thread."""
    try:
        return step(*arguments)
    except Exception as error:  # noqa: BLE001, as above
        return error
