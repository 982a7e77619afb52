"""Calling a connection's tenant: what that needs, and which users it has by a name."""

from http import HTTPStatus
from typing import Any

from webapp.auth0.answers import Auth0AnswerError, Auth0RefusedError, Auth0UnavailableError, MissingScopeError
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import InvalidDomainError, Tenant, parse_domain
from webapp.connections.models import Connection
from webapp.errors import WebsyncError
from webapp.sealing import SealBrokenError, sealer
from webapp.settings import settings

MAX_LOOKUP_LENGTH = 320
"""The longest e-mail address. Source: RFC 5321, 4.5.3.1."""

_UPSTREAM_TOKENS = frozenset({"access_token", "access_token_secret", "refresh_token", "expires_in"})

Json = dict[str, Any]


class NotCallableError(WebsyncError):
    """The connection lacks something that calling its tenant needs.

    What to do: enter on the connection's page what the detail names.
    """

    slug, title, status = "not-callable", "The tenant cannot be called yet", HTTPStatus.CONFLICT


CALL_ERRORS = (Auth0AnswerError, Auth0RefusedError, Auth0UnavailableError, MissingScopeError, NotCallableError)
"""What a page explains when a call to a tenant fails, or cannot even be made."""


class UserNotLoadedError(ValueError):
    """The user cannot be shown. The message says why and what to do."""


def has_credentials(connection: Connection) -> bool:
    """Say if Websync can call the connection's tenant."""
    return bool(connection.auth0_domain and connection.auth0_client_id and connection.sealed_client_secret)


def open_tenant(connection: Connection) -> tuple[Tenant, str]:
    """Return the connection's tenant and client secret. Raises NotCallableError."""
    if not has_credentials(connection):
        raise NotCallableError("Give the connection a domain, a client id and a client secret.")
    try:
        tenant = parse_domain(connection.auth0_domain, allow_loopback=settings().allows_loopback_tenant)
        return tenant, sealer().unseal(connection.sealed_client_secret or "")
    except (InvalidDomainError, SealBrokenError) as error:
        raise NotCallableError(str(error)) from error


def tenant_client(connection: Connection) -> ManagementClient:
    """Return a client of the connection's tenant; use it in ``with``. Raises NotCallableError."""
    tenant, secret = open_tenant(connection)
    return ManagementClient(tenant, connection.auth0_client_id, secret)


def what_to_do(error: WebsyncError) -> str:
    """Return what a page says of one of the `CALL_ERRORS`: what is wrong, and how to mend it."""
    return error.detail if isinstance(error, NotCallableError) else f"{error.title}. {error.detail}"


def load_users(connection: Connection, wanted: str) -> list[Json]:
    """Return the users of the connection's tenant whose id, or else e-mail address, is ``wanted``: one at least.

    They come without the tokens that identity providers gave for them. Nothing of them is kept.

    Raises:
        UserNotLoadedError: there is none, Auth0 refuses, or the connection lacks what is needed to ask.
    """
    if not wanted:
        raise UserNotLoadedError("Enter a user id or an e-mail address.")
    if len(wanted) > MAX_LOOKUP_LENGTH or not wanted.isprintable():
        raise UserNotLoadedError(f"A plain text of at most {MAX_LOOKUP_LENGTH} characters.")
    try:
        with tenant_client(connection) as client:
            found = _find(client, wanted)
    except CALL_ERRORS as error:
        raise UserNotLoadedError(what_to_do(error)) from error
    if not found:
        raise UserNotLoadedError("The tenant has no such user. An address has to be exactly the one that Auth0 stores.")
    return [without_tokens(user) for user in found]


def without_tokens(user: Json) -> Json:
    """Return a stored user without the tokens that identity providers gave for them."""
    identities = user.get("identities")
    return user | {"identities": [_token_free(each) for each in identities]} if isinstance(identities, list) else user


def _find(client: ManagementClient, wanted: str) -> list[Json]:
    if "|" in wanted or "@" not in wanted:
        user = client.get_user(wanted)
        return [user] if user is not None else []
    # Auth0's databases store addresses in lower case, and the comparison is exact.
    return client.users_by_email(wanted) or client.users_by_email(wanted.lower())


def _token_free(identity: object) -> object:
    if not isinstance(identity, dict):
        return identity
    return {name: value for name, value in identity.items() if name not in _UPSTREAM_TOKENS}
