"""A received token or login: noted while its request is worked on, counted and kept when the answer is ready.

A view says of which goal it is and what came of it; whatever else happens is read off the answer.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from flask import Blueprint, Response, g, request

from webapp.errors import problem_slug
from webapp.live.keeping import NewItem, item_keeper
from webapp.metrics import metrics


@dataclass(slots=True)
class Receiving:
    """What is known of the item so far. ``goal_key`` is empty until the goal was found, ``state`` until it is applied.

    ``subject`` and ``profile_id`` are as they came: they are masked before they are kept.
    """

    kind: str
    started: float = field(default_factory=time.perf_counter)
    goal_id: int | None = None
    goal_key: str = ""
    state: str = ""
    subject: str = ""
    profile_id: str | None = None

    def of_goal(self, goal_id: int, goal_key: str) -> None:
        """Note the goal, which exists."""
        self.goal_id, self.goal_key = goal_id, goal_key

    def of_person(self, subject: str) -> None:
        """Note whom the item speaks of. From here on that is proven, so a refusal shows the person too."""
        self.subject = subject

    def applied(self, state: str, profile_id: str | None) -> None:
        """Note what became of it."""
        self.state, self.profile_id = state, profile_id


def watch_received(bp: Blueprint, kinds: Mapping[str, str]) -> None:
    """Count what comes to the blueprint's views: ``kinds`` has a view's name and the kind of what it receives."""
    bp.before_request(partial(_begin, kinds))
    bp.after_request(_finish)


def receiving() -> Receiving:
    """Return the item of this request; elsewhere (a preflight) one that nobody counts."""
    if "receiving" not in g:
        g.receiving = Receiving("")
    found: Receiving = g.receiving
    return found


def _begin(kinds: Mapping[str, str]) -> None:
    kind = kinds.get((request.endpoint or "").rpartition(".")[2])
    if kind is not None:
        g.receiving = Receiving(kind)


def _finish(response: Response) -> Response:
    item = receiving()
    if item.kind:
        count_received(item, response.status_code, problem_slug())
    return response


def count_received(item: Receiving, status: int, slug: str | None) -> None:
    """Count an item that is answered with this status, and for a problem with its slug, and keep it for the page."""
    is_applied = bool(item.state) and status < HTTPStatus.BAD_REQUEST
    outcome = item.state if is_applied else slug or f"status-{status:d}"
    seconds = time.perf_counter() - item.started
    metrics().count_received(item.goal_key, item.kind, outcome, is_applied=is_applied, seconds=seconds)
    if item.goal_id is not None:
        answered_at = datetime.now(UTC)
        item_keeper().keep(
            NewItem(item.goal_id, answered_at, item.kind, outcome, is_applied, seconds, item.subject, item.profile_id)
        )
