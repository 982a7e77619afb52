"""The newest key set of each tenant in the database: for the next start, and for the other processes.

A database that is busy or away costs nothing but that: the keys in memory are as good without it.
"""

from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from webapp.auth0.key_sets import InvalidKeySetError, KeySet, read_key_set
from webapp.auth0.models import KeptKeySet
from webapp.auth0.tenant import Tenant
from webapp.database import Database

log = structlog.get_logger()


def load_keys(database: Database, tenant: Tenant) -> tuple[KeySet, float] | None:
    """Return the keys that were kept last, and when they were fetched (epoch seconds); None if there are none."""
    try:
        with database.reading() as session:
            row = session.get(KeptKeySet, tenant.base_url)
        return None if row is None else (read_key_set(row.jwks), row.fetched_at.timestamp())
    except (SQLAlchemyError, InvalidKeySetError) as error:
        log.warning("signing_keys_not_read", tenant=tenant.base_url, reason=type(error).__name__)
        return None


def keep_keys(database: Database, tenant: Tenant, keys: KeySet, fetched_at: float) -> None:
    """Keep the keys that were fetched at ``fetched_at`` (epoch seconds)."""
    moment = datetime.fromtimestamp(fetched_at, UTC)
    try:
        with database.transaction() as session:
            session.merge(KeptKeySet(base_url=tenant.base_url, jwks=keys.as_json(), fetched_at=moment))
    except SQLAlchemyError as error:
        log.warning("signing_keys_not_kept", tenant=tenant.base_url, reason=type(error).__name__)
