"""Until when a tenant takes no more calls, as one process learns it and all keep to it.

Auth0 counts the calls of a tenant, whichever worker makes them. A database that is busy or away costs nothing but that:
each process then learns it for itself. Source: Auth0, "Rate limit use cases".
"""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from webapp.auth0.models import TenantPause
from webapp.auth0.tenant import Tenant
from webapp.database import Database
from webapp.rows import insert_missing

log = structlog.get_logger()


class SharedPause:
    """The pause of one tenant."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self._database, self._tenant = database, tenant

    def seconds(self) -> float:
        """Return how long it still lasts."""
        try:
            with self._database.reading() as session:
                row = session.get(TenantPause, self._tenant.base_url)
        except SQLAlchemyError as error:
            log.warning("tenant_pause_not_read", tenant=self._tenant.base_url, reason=type(error).__name__)
            return 0.0
        return 0.0 if row is None else max(0.0, (row.until - datetime.now(UTC)).total_seconds())

    def note(self, seconds: float) -> None:
        """Have everybody keep off for so long, unless they do so for longer."""
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        row = (self._tenant.base_url, until)
        is_longer = TenantPause.base_url == self._tenant.base_url, TenantPause.until < until
        try:
            with self._database.transaction() as session:
                if not insert_missing(session, TenantPause, ("base_url", "until"), [row]):
                    session.execute(update(TenantPause).where(*is_longer).values(until=until))
        except SQLAlchemyError as error:
            log.warning("tenant_pause_not_kept", tenant=self._tenant.base_url, reason=type(error).__name__)
