"""Web goals between the database and the plain data that the generator and the token service work with."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from snippets.consent import ConsentRule, plain_rule, read_rule
from snippets.goals import Direction, IdentifierLink, Mapping, MergeStrategy, TokenKind, WebGoal
from snippets.reading import plain_policy, read_policy
from webapp.auth0.tenant import InvalidDomainError, Tenant, parse_domain
from webapp.connections.models import Connection, Goal, ImportGoalRow, LinkRow, MappingRow, StoredGoal
from webapp.errors import NotFoundError, WebsyncError
from webapp.settings import settings

AnyGoal = Goal | ImportGoalRow
DEFAULT_MAPPINGS = (Mapping("email", "email"), Mapping("name", "full_name"), Mapping("user_id", "auth0_user_id"))
DEFAULT_LINKS = (IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email"))
ITS_KEY_STAYS = {"key_share": True}
"""How a goal is locked that is saved: posts write what points at it meanwhile, so neither waits for the other. Source:
PostgreSQL, 13.3.2 (FOR NO KEY UPDATE)."""


class StaleRevisionError(WebsyncError):
    """Somebody else saved the goal or connection while this page was open. Nothing was overwritten.

    What to do: open the page again, and repeat your changes.
    """

    slug, title, status = "stale-revision", "Somebody else saved this meanwhile", HTTPStatus.CONFLICT


class NoTenantError(WebsyncError):
    """The goal's connection has no Auth0 domain that may be used, so nothing can be verified.

    What to do: enter the tenant's domain on the connection's page. An address on this computer works in the demo and in
    development only.
    """

    slug, title, status = "no-tenant", "The connection has no Auth0 tenant", HTTPStatus.FORBIDDEN


@dataclass(frozen=True, slots=True)
class LiveGoal:
    """A goal as the token service needs it. ``is_open`` is true while goal and connection are both switched on."""

    id: int
    web_goal: WebGoal
    is_open: bool
    tenant: Tenant
    sealed_exchange_secrets: tuple[str, ...] = ()
    sealed_signing_secret: str | None = None


def new_key() -> str:
    """Return a public key for a goal or connection: short, random, and good in a URL."""
    return secrets.token_urlsafe(9)


def find_goal(session: Session, key: str) -> Goal:
    """Return the goal with this public key. Raises NotFoundError."""
    goal = session.scalar(select(Goal).where(Goal.key == key))
    if goal is None:
        raise NotFoundError("There is no goal with this key.")
    return goal


def find_any_goal(session: Session, key: str) -> AnyGoal:
    """Return the goal of either kind with this public key. Raises NotFoundError."""
    goal = session.scalar(select(StoredGoal).where(StoredGoal.key == key))
    if not isinstance(goal, Goal | ImportGoalRow):
        raise NotFoundError("There is no goal with this key.")
    return goal


def goal_url(goal: StoredGoal) -> str:
    """Return the address of a goal's page."""
    return url_for("imports.goal" if isinstance(goal, ImportGoalRow) else "connections.goal", key=goal.key)


def lock_goal(session: Session, key: str) -> Goal:
    """Return the goal with this key; nobody else changes it until the transaction ends. Raises NotFoundError."""
    goal = find_goal(session, key)
    session.refresh(goal, with_for_update=ITS_KEY_STAYS)
    return goal


def find_connection(session: Session, key: str) -> Connection:
    """Return the connection with this public key. Raises NotFoundError."""
    connection = session.scalar(select(Connection).where(Connection.key == key))
    if connection is None:
        raise NotFoundError("There is no connection with this key.")
    return connection


def find_live_goal(session: Session, key: str) -> LiveGoal:
    """Return the goal that browsers call by ``key``. Raises NotFoundError or NoTenantError."""
    goal = find_goal(session, key)
    try:
        tenant = parse_domain(goal.connection.auth0_domain, allow_loopback=settings().allows_loopback_tenant)
    except InvalidDomainError as error:
        raise NoTenantError("The goal takes no tokens: its connection names no tenant.") from error
    web_goal = to_web_goal(goal, public_url=settings().public_url)
    is_open = goal.is_on and goal.connection.is_on
    secrets_of_goal = tuple(goal.sealed_exchange_secrets), goal.sealed_signing_secret
    return LiveGoal(goal.id, web_goal, is_open, tenant, *secrets_of_goal)


def to_web_goal(goal: Goal, *, public_url: str) -> WebGoal:
    """Return the plain data of a stored goal."""
    return WebGoal(
        key=goal.key,
        name=goal.name,
        public_url=public_url,
        claim_namespace=goal.claim_namespace,
        revision=goal.revision,
        mappings=tuple(
            Mapping(row.auth0_field, row.profile_property, Direction(row.direction), MergeStrategy(row.strategy))
            for row in goal.mappings
        ),
        links=to_links(goal.links),
        allow_creation=goal.allow_creation,
        token_kind=TokenKind(goal.token_kind),
        client_ids=tuple(goal.client_ids),
        audiences=tuple(goal.audiences),
        allowed_origins=tuple(goal.allowed_origins),
        enable_rule=goal.enable_rule,
        enable_token=goal.enable_token,
        server_exchange=goal.server_exchange,
        token_policy=read_policy(goal.token_policy),
        consent=read_rule(goal.consent) if goal.consent else None,
    )


def add_goal(session: Session, connection: Connection, web_goal: WebGoal, *, is_on: bool, now: datetime) -> Goal:
    """Store a new goal of ``connection`` as revision 1."""
    goal = Goal(key=web_goal.key, connection_id=connection.id, is_on=is_on, revision=1, created_at=now, updated_at=now)
    _copy(web_goal, goal)
    goal.consent = plain_rule(web_goal.consent) if web_goal.consent else None
    session.add(goal)
    session.flush()
    return goal


def save_goal(
    session: Session, goal: Goal, web_goal: WebGoal, *, is_on: bool, expected_revision: int, now: datetime
) -> bool:
    """Store ``web_goal`` as the goal's next revision, and say if anything had changed (else the revision stays).

    The goal's ``consent`` is the connection's business and stays as it is (`save_consent`).

    Raises:
        StaleRevisionError: the goal is no longer at ``expected_revision``.
    """
    session.refresh(goal, with_for_update=ITS_KEY_STAYS)
    if goal.revision != expected_revision:
        raise StaleRevisionError(
            f"The goal is at revision {goal.revision} now; this page began at {expected_revision}."
        )
    stored = to_web_goal(goal, public_url=web_goal.public_url)
    if (
        replace(web_goal, key=goal.key, revision=goal.revision, consent=stored.consent) == stored
        and goal.is_on == is_on
    ):
        return False
    goal.mappings, goal.links = [], []
    session.flush()
    _copy(web_goal, goal)
    goal.is_on, goal.revision, goal.updated_at = is_on, goal.revision + 1, now
    session.flush()
    return True


def save_consent(session: Session, goal: Goal, rule: ConsentRule | None, *, now: datetime) -> bool:
    """Store what the connection's objectives come to as the goal's next revision, and say if that is new."""
    session.flush()  # reading anew would lose what has been changed of it
    session.refresh(goal, with_for_update=ITS_KEY_STAYS)
    plain = plain_rule(rule) if rule else None
    if plain == goal.consent:
        return False
    goal.consent, goal.revision, goal.updated_at = plain, goal.revision + 1, now
    session.flush()
    return True


def _copy(web_goal: WebGoal, goal: Goal) -> None:
    goal.name = web_goal.name
    goal.claim_namespace = web_goal.claim_namespace
    goal.allow_creation = web_goal.allow_creation
    goal.token_kind = web_goal.token_kind
    goal.client_ids = list(web_goal.client_ids)
    goal.audiences = list(web_goal.audiences)
    goal.allowed_origins = list(web_goal.allowed_origins)
    goal.enable_rule = web_goal.enable_rule
    goal.enable_token = web_goal.enable_token
    goal.server_exchange = web_goal.server_exchange
    goal.token_policy = plain_policy(web_goal.token_policy)
    goal.mappings = _mapping_rows(web_goal.mappings)
    goal.links = link_rows(web_goal.links)


def to_links(rows: Sequence[LinkRow]) -> tuple[IdentifierLink, ...]:
    """Return the identifier links of a stored goal."""
    return tuple(IdentifierLink(row.auth0_field, row.profile_property, row.require_verified) for row in rows)


def link_rows(links: Sequence[IdentifierLink]) -> list[LinkRow]:
    """Return the rows that keep a goal's identifier links."""
    return [
        LinkRow(
            position=position,
            auth0_field=link.auth0_field,
            profile_property=link.profile_property,
            require_verified=link.require_verified,
        )
        for position, link in enumerate(links)
    ]


def _mapping_rows(mappings: Sequence[Mapping]) -> list[MappingRow]:
    return [
        MappingRow(
            position=position,
            auth0_field=mapping.auth0_field,
            profile_property=mapping.profile_property,
            direction=mapping.direction,
            strategy=mapping.strategy,
        )
        for position, mapping in enumerate(mappings)
    ]
