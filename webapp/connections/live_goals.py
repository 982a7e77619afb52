"""Live goals: kept in memory, so that the steady state asks no database for what hardly ever changes.

What this process changes, it sees at once; what another one changes, within `FRESH_SECONDS`.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from flask import current_app

from webapp.connections.goals import LiveGoal, find_live_goal
from webapp.database import Database

FRESH_SECONDS = 1.0
MAX_GOALS = 1000


@dataclass(slots=True)
class _Kept:
    """A goal, when it was last looked at (monotonic seconds), and after how many changes of this process's."""

    goal: LiveGoal
    looked_at: float
    changes: int


class LiveGoals:
    """The goals that were called last. Threads share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: str) -> LiveGoal:
        """Return the goal that browsers call by ``key``: the same object as before if nothing of it has changed.

        Raises NotFoundError or NoTenantError.
        """
        now, changes = time.monotonic(), self._database.changes
        kept = self._kept.get(key)
        if kept is not None and kept.changes == changes:
            if now - kept.looked_at < FRESH_SECONDS:
                return kept.goal
            kept.looked_at = now  # one thread looks, the others go on with what is known
        try:
            with self._database.reading() as session:
                goal = find_live_goal(session, key)
        except Exception:
            self.forget(key)
            raise
        if kept is not None and kept.goal == goal:
            goal = kept.goal
        with self._lock:
            self._kept[key] = _Kept(goal, now, changes)
            while len(self._kept) > MAX_GOALS:
                self._kept.popitem(last=False)
        return goal

    def forget(self, key: str) -> None:
        """Look anew at the next call."""
        with self._lock:
            self._kept.pop(key, None)


def live_goal(key: str) -> LiveGoal:
    """Return a goal of the running app, as `LiveGoals.find` does."""
    goals: LiveGoals = current_app.extensions["live_goals"]
    return goals.find(key)


def forget_live_goal(key: str) -> None:
    """Have the running app look at a goal anew."""
    goals: LiveGoals = current_app.extensions["live_goals"]
    goals.forget(key)
