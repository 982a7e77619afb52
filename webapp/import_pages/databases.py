"""The tenant's databases, to choose from."""

from dataclasses import dataclass

from webapp.auth0.user_databases import user_databases
from webapp.connections.models import Connection
from webapp.connections.tenant_access import CALL_ERRORS, tenant_client, what_to_do


@dataclass(frozen=True, slots=True)
class DatabaseList:
    """The names of the tenant's databases, or why it could not be asked."""

    names: tuple[str, ...] = ()
    problem: str | None = None


NOT_READ = DatabaseList()


def read_databases(connection: Connection) -> DatabaseList:
    """Ask the connection's tenant for its databases."""
    try:
        with tenant_client(connection) as client:
            return DatabaseList(tuple(database.name for database in user_databases(client)))
    except CALL_ERRORS as error:
        return DatabaseList(problem=what_to_do(error))
