"""The tenant's databases of users, from which an import goal chooses. Source: Auth0 Management API v2 (connections)."""

from pydantic.dataclasses import dataclass

from webapp.auth0.answers import read
from webapp.auth0.management_calls import ManagementCalls

DATABASE_STRATEGY = "auth0"
PAGE_SIZE = 50
MAX_DATABASES = 1_000
"""More are not read: a list without an end would be read forever."""


@dataclass(frozen=True, slots=True)
class UserDatabase:
    """A database connection. Exports know it by its id, searches and people by its name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class _Page:
    connections: tuple[UserDatabase, ...]
    next: str | None = None


def user_databases(client: ManagementCalls) -> tuple[UserDatabase, ...]:
    """Return the tenant's databases, by name. Needs ``read:connections``."""
    found: list[UserDatabase] = []
    query = {"strategy": DATABASE_STRATEGY, "take": str(PAGE_SIZE), "fields": "id,name,strategy"}
    page = _Page((), "")
    while page.next is not None and len(found) < MAX_DATABASES:
        start = {"from": page.next} if page.next else {}
        answer = client.call("GET", "connections", params=query | start)
        page = read(_Page, answer if isinstance(answer, dict) else {"connections": answer})
        found += page.connections
        if not page.connections:
            break
    return tuple(sorted(found, key=lambda database: database.name))
