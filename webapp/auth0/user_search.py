"""Users who changed in a time, by Auth0's search: for imports that need not fetch everybody.

The search gives the first 1,000 users of a query and no more, and lags behind what happened. Source: Auth0 docs,
manage-users/user-search (query syntax; view-search-results-by-page; retrieve-users-with-get-users-endpoint).
"""

from collections.abc import Collection, Iterator
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic.dataclasses import dataclass

from webapp.auth0.answers import Auth0AnswerError, ChangesUnknownError, read
from webapp.auth0.management_calls import ManagementCalls

User = dict[str, Any]

MAX_FOUND = 1_000
MAX_COUNTS = 40
"""So many times is asked how many users changed, for ever shorter times; then it is more than can be said."""
PAGE_SIZE = 50
OVERLAP = timedelta(minutes=5)
"""How far a window reaches back into the one before it: the search may know of a change only later."""
TICK = timedelta(milliseconds=1)
SEARCH_FIELDS = frozenset(
    (
        *("user_id", "email", "email_verified", "username", "phone_number", "name", "given_name", "family_name"),
        *("nickname", "picture", "created_at", "updated_at", "last_login", "last_ip", "logins_count", "blocked"),
        *("identities", "user_metadata", "app_metadata"),
    )
)
"""What a search can be narrowed to. Source: Auth0 Management API v2, "List or search users" (``fields``)."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time, both ends included, in milliseconds: Auth0's ``updated_at`` is no finer."""

    since: datetime
    until: datetime

    @property
    def query(self) -> str:
        """The window as a part of a query."""
        return f"updated_at:[{_written(self.since)} TO {_written(self.until)}]"


def next_window(covered_until: datetime, now: datetime) -> Window:
    """Return the window after one that ended at ``covered_until``: up to ``now``, and reaching back by `OVERLAP`."""
    return Window(min(covered_until, now) - OVERLAP, now)


@dataclass(frozen=True, slots=True)
class _Page:
    total: int
    users: list[User] = field(default_factory=list)


def count_changed_users(client: ManagementCalls, window: Window, connection: str | None = None) -> int:
    """Return how many users changed in ``window``; `MAX_FOUND` may mean more. Needs ``read:users``.

    Past a few thousand an export is faster than a search.
    """
    return _page(client, window, connection, (), per_page=1).total


def count_changes(client: ManagementCalls, window: Window, connection: str | None, *, most: int) -> int:
    """Return how many users changed in ``window``, also where that is more than a search tells; past ``most``, any.

    Needs ``read:users``.
    """
    count, waiting = 0, [window]
    for _ in range(MAX_COUNTS):
        if not waiting or count > most:
            return count
        each = waiting.pop()
        found = count_changed_users(client, each, connection)
        middle = _whole(each.since + (each.until - each.since) / 2)
        if found < MAX_FOUND or middle <= each.since:
            count += found
        else:
            waiting += [Window(middle, each.until), Window(each.since, middle - TICK)]
    return most + 1


def count_users(client: ManagementCalls) -> int:
    """Return how many users the tenant has, of all connections. Needs ``read:users``."""
    params = {"page": "0", "per_page": "1", "include_totals": "true", "fields": "user_id"}
    return read(_Page, client.read_patiently("users", params)).total


def changed_users(
    client: ManagementCalls, window: Window, connection: str | None = None, auth0_fields: Collection[str] = ()
) -> Iterator[User]:
    """Yield the users of a connection (its name), or of all, whose ``updated_at`` is in ``window``, the oldest first.

    No query reaches Auth0's 1,000: each next window begins where the last page ended, so that nobody is lost when
    somebody changes meanwhile and leaves it. A user may come twice, and may be newer than ``window``.
    ``auth0_fields`` are the fields that are needed; none stands for all.

    Raises:
        ChangesUnknownError: a thousand users changed in one millisecond, or the answers are in no order.
    """
    fields, seen = _roots(auth0_fields), frozenset[str]()
    window = replace(window, since=_whole(window.since))
    while window.since <= window.until:
        page = _page(client, window, connection, fields)
        yield from (user for user in page.users if user["user_id"] not in seen)
        if not page.users or len(page.users) >= page.total:
            return
        moments = _moments(page.users, window)
        last = max(moments)
        if last > window.since:
            seen = frozenset(user["user_id"] for user in page.users if moment_of(user) == last)
            window = replace(window, since=last)
        elif len(moments) < len(page.users):
            raise ChangesUnknownError("The search answers in no order. Export all users instead.")
        else:
            yield from _of_one_moment(client, replace(window, until=last), connection, fields)
            seen, window = frozenset(), replace(window, since=last + TICK)


def has_user(client: ManagementCalls, user_id: str) -> bool:
    """Say if the tenant has this user, at once and not as late as a search. Needs ``read:users``."""
    try:
        client.read_patiently(f"users/{quote(user_id, safe='')}", {"fields": "user_id"})
    except Auth0AnswerError as error:
        if error.members.get("auth0_status") == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


def linked_user_id(client: ManagementCalls, user_id: str) -> str | None:
    """Return the id of the user to whom ``user_id`` was linked, or None. Needs ``read:users``.

    Whoever was linked is no user of their own any more, and has not left. The search may know of it only later.
    Source: Auth0 docs, manage-users/user-accounts/user-account-linking.
    """
    provider, _, identity = user_id.partition("|")
    query = {"q": f"identities.user_id:{quoted(identity)}", "search_engine": "v3", "include_totals": "true"}
    page = read(_Page, client.read_patiently("users", query | {"fields": "user_id,identities"}))
    for user in page.users:
        identities = user.get("identities")
        known = [each for each in identities if isinstance(each, dict)] if isinstance(identities, list) else []
        # An identity's id may be a number.
        if any(each.get("provider") == provider and str(each.get("user_id")) == identity for each in known):
            return str(user.get("user_id", "")) or None
    return None


def _of_one_moment(
    client: ManagementCalls, window: Window, connection: str | None, fields: tuple[str, ...]
) -> Iterator[User]:
    """Yield the users of one millisecond, more than a page of them.

    The last page comes first: whoever leaves meanwhile moves others to a page that is still to come.
    """
    total = _page(client, window, connection, fields, per_page=1).total
    if total >= MAX_FOUND:
        raise ChangesUnknownError(f"{total} users or more changed in the same millisecond. Export all users instead.")
    for number in reversed(range(-(-total // PAGE_SIZE))):
        yield from _page(client, window, connection, fields, number=number).users


def _page(
    client: ManagementCalls,
    window: Window,
    connection: str | None,
    fields: tuple[str, ...],
    *,
    number: int = 0,
    per_page: int = PAGE_SIZE,
) -> _Page:
    terms = [window.query] if connection is None else [f"identities.connection:{quoted(connection)}", window.query]
    params = {
        "q": " AND ".join(terms),
        "search_engine": "v3",
        "sort": "updated_at:1",
        "page": str(number),
        "per_page": str(per_page),
        "include_totals": "true",
    }
    page = read(_Page, client.read_patiently("users", params | ({"fields": ",".join(fields)} if fields else {})))
    if not all(isinstance(user.get("user_id"), str) for user in page.users):
        raise Auth0AnswerError("The answer has a user without a user_id.")
    return page


def _moments(users: list[User], window: Window) -> list[datetime]:
    """Return the moments in ``window``. The search may find a user as they were, and show them as they are: newer."""
    moments = [moment for user in users if window.since <= (moment := moment_of(user)) <= window.until]
    if not moments:
        raise ChangesUnknownError("The search answers with users of another time. Export all users instead.")
    return moments


def moment_of(user: User) -> datetime:
    """Return the millisecond in which a user changed last. Raises ChangesUnknownError if that is not said."""
    text = user.get("updated_at")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ChangesUnknownError("The search does not say when a user changed. Export all users instead.")
    return _whole(moment)


def _whole(moment: datetime) -> datetime:
    """Return the beginning of the moment's millisecond."""
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def _roots(auth0_fields: Collection[str]) -> tuple[str, ...]:
    """Return what to narrow the answers to; nothing if a field cannot be named: an identity provider's own, say."""
    roots = {field.split(".")[0].split("[")[0] for field in auth0_fields}
    return tuple(sorted(roots | {"user_id", "updated_at"})) if roots and roots <= SEARCH_FIELDS else ()


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quoted(text: str) -> str:
    """Return a text as a value of a query."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
