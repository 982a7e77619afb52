"""A few users of a tenant, to see which fields they have. Source: Auth0 Management API v2, "List or search users"."""

from collections.abc import Sequence
from typing import Any

from webapp.auth0.answers import read
from webapp.auth0.management_calls import ManagementCalls
from webapp.auth0.user_search import quoted

User = dict[str, Any]

SAMPLE_SIZE = 50
MAX_SAMPLED_DATABASES = 5
"""Of so many databases users are read, so that nobody waits for a call for each of fifty."""


def sample_users(client: ManagementCalls, databases: Sequence[str] = ()) -> list[User]:
    """Return users who changed last, at most `SAMPLE_SIZE`: of these databases (their names), or of all.

    Needs ``read:users``.
    """
    some: Sequence[str | None] = databases[:MAX_SAMPLED_DATABASES] or (None,)
    return [user for name in some for user in _latest(client, name, SAMPLE_SIZE // len(some))]


def _latest(client: ManagementCalls, database: str | None, count: int) -> list[User]:
    query = {} if database is None else {"q": f"identities.connection:{quoted(database)}"}
    page = {"search_engine": "v3", "sort": "updated_at:-1", "page": "0", "per_page": str(count)}
    return read(list[User], client.call("GET", "users", params=query | page))
