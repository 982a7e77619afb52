"""Keeps received items for the Live page: written in the background, so that no request waits for it.

They are there to be looked at, not to be relied on: under a flood, or while the database is away, some are dropped and
counted. What was applied is in the receipts and the profiles, which never are.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

import structlog
from flask import Flask, current_app
from sqlalchemy import delete, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp.connections.models import Goal
from webapp.database import Database
from webapp.live.models import ReceivedItem
from webapp.metrics import Metrics
from webapp.rows import insert_new, table_of
from webapp.sealing import Sealer

MAX_KEPT = 1_000
"""So many items of a goal are kept, the newest."""
SWEEP_EVERY = 200
"""So many more there may be in between: each process looks after so many that it wrote."""
MAX_WAITING = 500
"""Items that wait to be written. More in one pause would soon push each other off the list, and cost the posts time."""
PAUSE_SECONDS = 0.3
"""Between two batches, so that many items share a transaction."""
IDLE_SECONDS = 30.0
"""So long the thread stays when nothing comes."""
EXIT_SECONDS = 2.0
WRITING_LOCK = 0x4C69_7665
"""PostgreSQL advisory lock of the writers, so that ids become visible in their order: the stream goes on after the last
one it has seen, and would miss a smaller one that is committed later."""

_COLUMNS = "goal_id", "received_at", "kind", "outcome", "is_accepted", "milliseconds", "person", "profile"

log = structlog.get_logger()


class NewItem(NamedTuple):
    """An item as it was received. ``subject`` and ``profile_id`` are masked before they are written."""

    goal_id: int
    answered_at: datetime
    kind: str
    outcome: str
    is_accepted: bool
    seconds: float
    subject: str
    profile_id: str | None


class ItemKeeper:
    """Writes items in one thread, which ends when nothing comes any more. Threads may share it."""

    def __init__(self, database: Database, sealer: Sealer, metrics: Metrics) -> None:
        self._database, self._sealer, self._metrics = database, sealer, metrics
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        self._waiting: list[NewItem] = []
        self._is_running = False
        self._ends = 0
        self._since_sweep: Counter[int] = Counter()

    def keep(self, item: NewItem) -> None:
        """Have the item written soon. It is dropped if too many wait, or if the computer has no thread left."""
        with self._changed:
            is_full = len(self._waiting) >= MAX_WAITING
            if not is_full:
                self._waiting.append(item)
                if len(self._waiting) == 1:
                    self._changed.notify_all()
            is_first, self._is_running = not self._is_running, True
        if is_full:
            self._metrics.count_live_dropped(1)
        if is_first:
            self._start()

    def flush(self, *, seconds: float = EXIT_SECONDS) -> bool:
        """Write what waits now, and say if that was done within ``seconds``."""
        with self._changed:
            if not self._is_running:
                return True
            self._hurry.set()
            self._changed.notify_all()
            ends = self._ends  # it may begin anew at once
            return self._changed.wait_for(lambda: self._ends > ends, seconds)

    def _start(self) -> None:
        # Not atexit, which is not for the server's processes: they are forked, and end without it.
        self._at_exit = Finalize(None, self.flush, exitpriority=10)
        try:
            threading.Thread(target=self._run, name="received items", daemon=True).start()
        except RuntimeError as error:
            self._give_up(error)

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._write(batch)
        except BaseException as error:
            self._give_up(error)
            raise

    def _next_batch(self) -> list[NewItem]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._hurry.is_set(), IDLE_SECONDS)
        self._hurry.wait(PAUSE_SECONDS)
        with self._changed:
            batch, self._waiting = self._waiting, []
            if not batch:
                self._end()
        return batch

    def _end(self) -> None:
        self._at_exit.cancel()
        self._is_running = False
        self._ends += 1
        self._hurry.clear()
        self._changed.notify_all()

    def _give_up(self, error: BaseException) -> None:
        with self._changed:
            self._drop(len(self._waiting), error)
            self._waiting = []
            self._end()

    def _drop(self, count: int, error: BaseException) -> None:
        log.warning("received_items_dropped", count=count, reason=type(error).__name__)
        self._metrics.count_live_dropped(count)

    def _write(self, batch: Sequence[NewItem]) -> None:
        try:
            rows = [self._row(item) for item in batch]
            with self._database.transaction() as session:
                if not self._database.is_sqlite:
                    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITING_LOCK})
                there = _existing_goals(session, {item.goal_id for item in batch})
                insert_new(session, ReceivedItem, _COLUMNS, [row for row in rows if row[0] in there])
                for goal_id in self._to_sweep(batch):
                    sweep_items(session, goal_id)
        except (SQLAlchemyError, ValueError) as error:  # the second: a subject that is no proper text
            self._drop(len(batch), error)

    def _row(self, item: NewItem) -> tuple[Any, ...]:
        return (
            item.goal_id,
            item.answered_at - timedelta(seconds=item.seconds),
            item.kind,
            item.outcome,
            item.is_accepted,
            round(item.seconds * 1000, 1),
            self._sealer.pseudonym(item.subject) if item.subject else "",
            mask_profile_id(item.profile_id) if item.profile_id else "",
        )

    def _to_sweep(self, batch: Sequence[NewItem]) -> list[int]:
        for goal_id, count in Counter(item.goal_id for item in batch).items():
            # One that this process has not seen yet is swept at once: it may be started anew again and again.
            self._since_sweep[goal_id] = self._since_sweep.get(goal_id, SWEEP_EVERY) + count
        due = [goal_id for goal_id, count in self._since_sweep.items() if count > SWEEP_EVERY]
        for goal_id in due:
            self._since_sweep[goal_id] = 0
        return due


def mask_profile_id(profile_id: str) -> str:
    """Return enough of a profile id to tell two apart that stand side by side, and too little to find a profile."""
    return f"…{profile_id[-4:]}" if len(profile_id) >= 16 else "…"


def sweep_items(session: Session, goal_id: int) -> None:
    """Delete all but the newest `MAX_KEPT` items of a goal."""
    items = table_of(ReceivedItem)
    mine = items.c.goal_id == goal_id
    newest_surplus = (
        select(items.c.id).where(mine).order_by(items.c.id.desc()).offset(MAX_KEPT).limit(1).scalar_subquery()
    )
    session.execute(delete(items).where(mine, items.c.id <= newest_surplus))


def install_keeper(app: Flask) -> None:
    """Give the app its keeper of received items."""
    parts = (app.extensions[name] for name in ("database", "sealer", "metrics"))
    app.extensions["item_keeper"] = ItemKeeper(*parts)


def item_keeper() -> ItemKeeper:
    """Return the keeper of the running app."""
    found: ItemKeeper = current_app.extensions["item_keeper"]
    return found


def _existing_goals(session: Session, goal_ids: set[int]) -> set[int]:
    """Return those that still exist, and will until the transaction ends: an item of another would fail them all."""
    goals = table_of(Goal)
    query = select(goals.c.id).where(goals.c.id.in_(goal_ids)).with_for_update(read=True, key_share=True)
    return set(session.scalars(query))
