"""Loading a real user of the tenant as the sample. Nothing of them is kept."""

from typing import Any

from webapp.auth0.management import ManagementClient
from webapp.code_pages.tenant_access import CALL_ERRORS, NotDeployableError, open_tenant
from webapp.connections.models import Connection
from webapp.trying.json_text import MAX_JSON_BYTES, pretty
from webapp.trying.sample import value_at

MAX_LOOKUP_LENGTH = 320
"""The longest e-mail address. Source: RFC 5321, 4.5.3.1."""

# A stored user has these, an Action's ``event.user`` has not. Source: Auth0, "Post-login event object".
_NOT_IN_EVENT_USER = frozenset({"last_login", "last_ip", "logins_count", "blocked", "blocked_for"})
_UPSTREAM_TOKENS = frozenset({"access_token", "access_token_secret", "refresh_token", "expires_in"})

Json = dict[str, Any]


class UserNotLoadedError(ValueError):
    """The user cannot be shown. The message says why and what to do."""


def load_users(connection: Connection, wanted: str) -> list[Json]:
    """Return the users of the connection's tenant whose id, or else e-mail address, is ``wanted``: one at least.

    Raises:
        UserNotLoadedError: there is none, Auth0 refuses, or the connection lacks what is needed to ask.
    """
    if not wanted:
        raise UserNotLoadedError("Enter a user id or an e-mail address.")
    if len(wanted) > MAX_LOOKUP_LENGTH or not wanted.isprintable():
        raise UserNotLoadedError(f"A plain text of at most {MAX_LOOKUP_LENGTH} characters.")
    try:
        tenant, secret = open_tenant(connection)
        with ManagementClient(tenant, connection.auth0_client_id, secret) as client:
            found = _find(client, wanted)
    except NotDeployableError as error:
        raise UserNotLoadedError(error.detail) from error
    except CALL_ERRORS as error:
        raise UserNotLoadedError(f"{error.title}. {error.detail}") from error
    if not found:
        raise UserNotLoadedError("The tenant has no such user. An address has to be exactly the one that Auth0 stores.")
    return found


def as_sample(user: Json) -> Json:
    """Return a stored user as an Action's event would have them. Raises UserNotLoadedError if they are too large."""
    sample = {name: value for name, value in user.items() if name not in _NOT_IN_EVENT_USER}
    if isinstance(sample.get("identities"), list):
        sample["identities"] = [_without_tokens(identity) for identity in sample["identities"]]
    if len(pretty(sample).encode()) > MAX_JSON_BYTES:
        raise UserNotLoadedError(f"This user has more than {MAX_JSON_BYTES // 1024} KiB.")
    return sample


def around_of(user: Json, around: Json) -> Json:
    """Return what stands around the sample user, with the connection and the count of logins of a stored user."""
    name, provider = (value_at(user, ("identities", "0", part)) for part in ("connection", "provider"))
    changed = dict(around)
    if isinstance(name, str):
        changed["connection"] = {"name": name, "strategy": provider}
    if isinstance(user.get("logins_count"), int):
        changed["stats"] = {"logins_count": user["logins_count"]}
    return changed


def _find(client: ManagementClient, wanted: str) -> list[Json]:
    if "|" in wanted or "@" not in wanted:
        user = client.get_user(wanted)
        return [user] if user is not None else []
    # Auth0's databases store addresses in lower case, and the comparison is exact.
    return client.users_by_email(wanted) or client.users_by_email(wanted.lower())


def _without_tokens(identity: object) -> object:
    if not isinstance(identity, dict):
        return identity
    return {name: value for name, value in identity.items() if name not in _UPSTREAM_TOKENS}
