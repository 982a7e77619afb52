"""Users who changed since a goal's last run, found by Auth0's search, in chunks that end between two moments.

So a run that goes on in another process asks from the next moment on, and needs to know nothing else of the chunks
before it: the search's answers may have changed meanwhile.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from webapp.auth0.management_calls import ManagementCalls
from webapp.auth0.user_search import TICK, User, Window, changed_users, moment_of
from webapp.connections.import_goals import ImportGoal
from webapp.importer.beginning import needed_names
from webapp.importer.places import Place

MOST_SEARCHED = 500
"""Users of a chunk, unless more changed in one millisecond: fewer than a thousand, else no search would tell them."""


class FoundUsers(NamedTuple):
    """The users of a chunk, and where the run stands after it."""

    users: list[User]
    after: Place


def searched_users(client: ManagementCalls, goal: ImportGoal, place: Place) -> Iterator[FoundUsers]:
    """Yield the users who changed, from ``place`` on, the oldest change of a database first.

    Raises:
        ChangesUnknownError: a thousand users changed in one millisecond, or the answers are in no order.
    """
    for number, database in enumerate(goal.databases or (None,)):
        if number < place.database:
            continue
        begun = place.searched if number == place.database else ""
        window = Window(datetime.fromisoformat(begun or place.since), place.until)
        found = changed_users(client, window, database, needed_names(goal))
        for users, last in in_chunks(found, window, most=MOST_SEARCHED):
            after = place._replace(database=number, searched=(last + TICK).isoformat())
            yield FoundUsers(users, after)


def in_chunks(users: Iterable[User], window: Window, *, most: int) -> Iterator[tuple[list[User], datetime]]:
    """Yield ``users`` in chunks, each with its last moment. Those of one moment are never in two chunks.

    Whoever is newer than the window, or older than whoever came before, stands at the moment of that one.
    """
    chunk: list[User] = []
    chunk_last = last = window.since
    group: list[User] = []
    for user in users:
        moment = moment_of(user)
        if last < moment <= window.until:
            if chunk and len(chunk) + len(group) > most:
                yield chunk, chunk_last
                chunk = []
            chunk, chunk_last, group, last = chunk + group, last, [], moment
        group.append(user)
    if chunk and len(chunk) + len(group) > most:
        yield chunk, chunk_last
        chunk = []
    if chunk or group:
        yield chunk + group, last
