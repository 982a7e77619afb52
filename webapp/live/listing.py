"""What the Live page lists: kept items in the words of people, newest first."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from webapp.errors import MalformedRequestError, problem_types
from webapp.live.models import ReceivedItem
from webapp.profiles.store import ProfileState
from webapp.rows import table_of

PAGE_LENGTH = 50
ACCEPTED, REFUSED = "accepted", "refused"
_OUTCOME = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
_STATES: dict[str, str] = {
    ProfileState.CREATED: "Profile created",
    ProfileState.MODIFIED: "Profile changed",
    ProfileState.UNCHANGED: "Profile unchanged",
    ProfileState.NOTFOUND: "No profile found, none created",
    ProfileState.CONSENT_MISMATCH: "No consent, nothing written",
}
_KINDS = {"token": "Token", "login": "Login"}


@dataclass(frozen=True, slots=True)
class ShownItem:
    """A row of the list. ``slug`` names the problem that refused it, None if no problem of Websync did."""

    id: int
    at: str
    at_words: str
    kind: str
    is_accepted: bool
    verdict: str
    outcome: str
    reason: str
    slug: str | None
    took: str
    person: str
    profile: str

    def as_json(self) -> dict[str, Any]:
        """Return it for static/js/live.js."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of the list. ``next_place`` is where the next one begins, None on the last."""

    items: tuple[ShownItem, ...]
    next_place: int | None


@dataclass(frozen=True, slots=True)
class OutcomeChoice:
    """An outcome that the list can be limited to."""

    outcome: str
    words: str


def check_outcome(outcome: str) -> str:
    """Return what a list is limited to: ``accepted``, ``refused``, an outcome, or nothing.

    Raises:
        MalformedRequestError: it has not the form of an outcome.
    """
    if outcome and not _OUTCOME.fullmatch(outcome):
        raise MalformedRequestError("An outcome is a word such as CREATED or token-expired.")
    return outcome


def list_items(session: Session, goal_id: int, *, outcome: str = "", before: int | None = None) -> ItemPage:
    """Return a page of a goal's items, the newest first; those with an id below ``before``, if it is given."""
    items = table_of(ReceivedItem)
    query = _items_of(goal_id, outcome).limit(PAGE_LENGTH + 1)
    if before is not None:
        query = query.where(items.c.id < before)
    titles = problem_titles()
    found = [shown_item(row, titles) for row in session.execute(query)]
    has_more = len(found) > PAGE_LENGTH
    return ItemPage(tuple(found[:PAGE_LENGTH]), found[PAGE_LENGTH - 1].id if has_more else None)


def news(session: Session, goal_id: int, *, outcome: str, after: int) -> list[ShownItem]:
    """Return the items with an id above ``after``, oldest first: of many, the newest page."""
    query = _items_of(goal_id, outcome).where(table_of(ReceivedItem).c.id > after).limit(PAGE_LENGTH)
    rows: Sequence[Row[Any]] = session.execute(query).all()
    titles = problem_titles() if rows else {}
    return [shown_item(row, titles) for row in reversed(rows)]


def list_outcomes(session: Session, goal_id: int) -> list[OutcomeChoice]:
    """Return the outcomes that a goal's kept items have."""
    items = table_of(ReceivedItem)
    found = session.scalars(select(items.c.outcome).where(items.c.goal_id == goal_id).distinct())
    titles = problem_titles()
    return [OutcomeChoice(outcome, reason_words(outcome, titles)) for outcome in sorted(found)]


def shown_item(row: Row[Any], titles: dict[str, str]) -> ShownItem:
    """Return a row of the table in words. ``titles`` are the problems' by their slugs."""
    at: datetime = row.received_at
    return ShownItem(
        row.id,
        at.isoformat(timespec="milliseconds"),
        f"{at:%Y-%m-%d %H:%M:%S}",
        _KINDS.get(row.kind, row.kind),
        row.is_accepted,
        "Accepted" if row.is_accepted else "Refused",
        row.outcome,
        reason_words(row.outcome, titles),
        row.outcome if row.outcome in titles else None,
        f"{row.milliseconds:.1f} ms",
        row.person,
        row.profile,
    )


def reason_words(outcome: str, titles: dict[str, str]) -> str:
    """Return what an outcome means, in a few words."""
    if outcome in titles:
        return titles[outcome]
    if outcome.startswith("status-"):
        return f"Error {outcome.removeprefix('status-')}"
    return _STATES.get(outcome, outcome)


def problem_titles() -> dict[str, str]:
    """Return the titles of all problems by their slugs."""
    return {kind.slug: kind.title for kind in problem_types()}


def _items_of(goal_id: int, outcome: str) -> Select[Any]:
    items = table_of(ReceivedItem)
    query = select(items).where(items.c.goal_id == goal_id).order_by(items.c.id.desc())
    if outcome in {ACCEPTED, REFUSED}:
        return query.where(items.c.is_accepted.is_(outcome == ACCEPTED))
    return query.where(items.c.outcome == outcome) if outcome else query
