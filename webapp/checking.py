"""`websync check`: what is wrong with an installation, and how to mend it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import selectinload

from webapp.auth0.key_fetching import FetchError, fetch_key_set
from webapp.auth0.key_sets import KeySet
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import InvalidDomainError, Tenant, parse_domain
from webapp.code_pages.deployment import DEPLOY_SCOPES
from webapp.code_pages.old_rules import RULE_SCOPE
from webapp.connections.models import Connection, ConnectionNotifications
from webapp.connections.notifications import settings_of
from webapp.database import database, reading
from webapp.errors import WebsyncError
from webapp.mail import MailError, ask_mail_server
from webapp.rates import MEMORY_URL, rates
from webapp.runs.heartbeats import count_living
from webapp.runs.requesting import count_waiting
from webapp.sealing import SealBrokenError, sealer
from webapp.settings import settings

IMPORT_SCOPES = frozenset({"read:users"})
"""Without these no import goal can run."""
OPTIONAL_SCOPES = {
    "read:users": "imports users, and tries a goal on a real user",
    "read:connections": "lists the databases to import from",
    RULE_SCOPE: "finds an old Rule by its name",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. ``remedy`` says how to mend it."""

    is_good: bool
    text: str
    remedy: str = ""


def check_all(connection_name: str | None = None) -> Iterator[Finding]:
    """Check settings, database, and every connection (or only the one with this name or key)."""
    yield Finding(True, f"settings: mode {settings().mode}, reached at {settings().public_url}")
    try:
        database().upgrade()
        with reading() as session:
            query = select(Connection).options(selectinload(Connection.import_goals)).order_by(Connection.id)
            connections = list(session.scalars(query))
    except SQLAlchemyError as error:
        remedy = "Look at WEBSYNC_DATABASE_URL: is the server up, and may this user create tables?"
        yield Finding(False, f"database: {type(error).__name__}", remedy)
        return
    yield Finding(True, f"database: {database().engine.dialect.name}, tables up to date")
    yield _check_limits()
    yield _check_worker()
    yield _check_mail()
    chosen = [each for each in connections if connection_name in {None, each.name, each.key}]
    if not chosen and connection_name is not None:
        yield Finding(False, f"connections: none is called {connection_name}", "See the page Connections.")
    elif not chosen:
        yield Finding(True, "connections: none yet", "Add one on the page Connections, or: websync config apply FILE")
    for connection in chosen:
        yield from _check_connection(connection)


def _check_limits() -> Finding:
    if settings().limits_url == MEMORY_URL:
        return Finding(True, "limits: counted in each web process")
    try:
        rates().ask_redis()
    except redis.RedisError as error:
        remedy = "Look at WEBSYNC_LIMITS_URL: is that Redis up? Meanwhile each web process counts by itself."
        return Finding(False, f"limits: Redis: {type(error).__name__}", remedy)
    return Finding(True, "limits: counted in Redis")


def _check_worker() -> Finding:
    lost_after = timedelta(seconds=settings().worker_lost_seconds)
    with reading() as session:
        count = count_living(session, datetime.now(UTC), lost_after=lost_after)
        waiting = count_waiting(session)
    if count:
        return Finding(True, f"workers: {count}")
    remedy = "Start one: websync worker (websync serve has one, unless it is started with --no-worker)."
    # Without one nothing is lost, so it is wrong only if something waits for it.
    if not waiting:
        return Finding(True, "workers: none", remedy)
    return Finding(False, f"workers: none, and {waiting} run{'s wait' if waiting > 1 else ' waits'} for one", remedy)


def _check_mail() -> Finding:
    server = settings().mail_server
    if server is None:
        remedy = "Name a mail server in WEBSYNC_SMTP_URL, such as smtp://user:password@mail.example.com:587."
        with reading() as session:
            waiting = sum(bool(settings_of(row).emails) for row in session.scalars(select(ConnectionNotifications)))
        if waiting:
            told = "1 connection has" if waiting == 1 else f"{waiting} connections have"
            return Finding(False, f"mail: no server, and {told} addresses to notify", remedy)
        return Finding(True, "mail: no server, so no e-mail is sent", remedy)
    try:
        ask_mail_server(settings())
    except MailError as error:
        remedy = "Look at WEBSYNC_SMTP_URL and WEBSYNC_MAIL_FROM, and if this machine can reach that server."
        return Finding(False, f"mail: {error}", remedy)
    return Finding(True, f"mail: {server.host} takes mail from {settings().mail_sender}")


def _check_connection(connection: Connection) -> Iterator[Finding]:
    name = connection.name
    try:
        tenant = parse_domain(connection.auth0_domain, allow_loopback=settings().allows_loopback_tenant)
    except InvalidDomainError as error:
        yield Finding(False, f"{name}: the Auth0 domain cannot be used", str(error))
        return
    yield _check_keys(name, tenant)
    if not connection.auth0_client_id or connection.sealed_client_secret is None:
        remedy = "Fill in client id and client secret of a machine-to-machine application on the connection's page."
        yield Finding(False, f"{name}: no credentials for the Management API", remedy)
        return
    try:
        secret = sealer().unseal(connection.sealed_client_secret)
        with ManagementClient(tenant, connection.auth0_client_id, secret) as client:
            granted = client.granted_scopes()
    except SealBrokenError as error:
        yield Finding(False, f"{name}: the client secret cannot be opened", str(error))
        return
    except WebsyncError as error:
        remedy = "Look at domain, client id and client secret on the connection's page."
        yield Finding(False, f"{name}: {error.title}: {error.detail}", remedy)
        return
    yield Finding(True, f"{name}: Auth0 accepts the credentials")
    needed = DEPLOY_SCOPES | (IMPORT_SCOPES if connection.import_goals else frozenset())
    for scope in sorted(needed):
        remedy = "" if scope in granted else "Auth0: Applications > APIs > Auth0 Management API > Machine to Machine."
        yield Finding(scope in granted, f"{name}: scope {scope}", remedy)
    for scope, purpose in ((scope, purpose) for scope, purpose in OPTIONAL_SCOPES.items() if scope not in needed):
        is_granted = "" if scope in granted else "not granted, "
        yield Finding(True, f"{name}: scope {scope} ({is_granted}optional: {purpose})")


def _check_keys(name: str, tenant: Tenant) -> Finding:
    try:
        keys = asyncio.run(fetch_key_set(tenant, https_only=not settings().allows_loopback_tenant))
    except FetchError as error:
        return Finding(False, f"{name}: signing keys: {error}", f"Can this machine reach {tenant.jwks_url}?")
    return Finding(True, f"{name}: {_count(keys)} at {tenant.jwks_url}")


def _count(keys: KeySet) -> str:
    number = len(keys.jwks)
    algorithms = sorted({name for key in keys.by_id.values() for name in key.algorithms})
    return f"{number} signing key{'' if number == 1 else 's'} ({', '.join(algorithms)})"
