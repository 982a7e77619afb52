"""What happens at each login: it is counted, the bound Actions run in their order, and their effects are applied.

Source: Auth0 docs, customize/actions/explore-triggers/post-login; actions/reference/post-login.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webapp.auth0.action_engine import ActionEffects, Answerer, merged_metadata, run_action
from webapp.auth0.claims import ClaimsTooLargeError, permitted_claims
from webapp.demo.state import TenantState

Data = dict[str, Any]

# Auth0 withholds these from Actions (docs: deprecations-and-migrations, 2025-09-16).
WITHHELD = frozenset({"auth_session", "authn_response", "client_secret", "client_assertion", "refresh_token"})
# Fields of the stored user that are no part of ``event.user``.
NOT_IN_EVENT_USER = frozenset({"last_login", "last_ip", "logins_count", "blocked"})


class LoginRefusedError(Exception):
    """The user may not log in; the text is for ``error_description`` beside ``error=access_denied``."""


@dataclass(frozen=True, slots=True)
class Login:
    """One login to be processed. ``is_counted`` is false for silent authentication and refresh."""

    user_id: str
    client_id: str
    scopes: list[str]
    session_id: str
    audience: str | None = None
    protocol: str = "oidc-basic-profile"
    is_counted: bool = True
    request: Data = field(default_factory=dict)
    transaction: Data = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomClaims:
    """The claims that Actions added and Auth0 permits, for each of the two tokens."""

    id_token: Data
    access_token: Data


def process_login(state: TenantState, login: Login, answer: Answerer | None = None) -> CustomClaims:
    """Count the login, run the bound Actions and write what they changed of the user.

    ``answer`` answers what the Actions fetch.

    Raises LoginRefusedError: the user is unknown or blocked, an Action denied, threw, or made too many claims.
    """
    event, actions = _prepare(state, login)
    id_token: Data = {}
    access_token: Data = {}
    user_metadata: Data = {}
    app_metadata: Data = {}
    denied = None
    for action in actions:
        effects = run_action(action["code"], event, secrets=action["secrets"], answer=answer)
        _log_run(state, login, action["name"], effects)
        if effects.error is not None:
            raise LoginRefusedError("An error occurred while an Action was running; the tenant's page shows it.")
        id_token |= effects.id_token_claims
        access_token |= effects.access_token_claims
        user_metadata |= effects.user_metadata
        app_metadata |= effects.app_metadata
        denied = effects.denied
        if denied is not None:
            break
    # Also a denied login writes the metadata that was queued before.
    _write_metadata(state, login.user_id, {"user_metadata": user_metadata, "app_metadata": app_metadata})
    if denied is not None:
        raise LoginRefusedError(denied)
    try:
        return CustomClaims(permitted_claims(id_token, login.scopes), permitted_claims(access_token, login.scopes))
    except ClaimsTooLargeError as error:
        raise LoginRefusedError(str(error)) from error


def _prepare(state: TenantState, login: Login) -> tuple[Data, list[Data]]:
    """Count the login; return the Actions' event, and what to run."""
    with state.change() as data:
        user = data["users"].get(login.user_id)
        if user is None or user.get("blocked"):
            raise LoginRefusedError("user is blocked")
        if login.is_counted:
            user["logins_count"] += 1
            user["last_login"] = user["updated_at"] = state.stamp()
            user["last_ip"] = login.request.get("ip", "127.0.0.1")
        return _event(data, user, login), _deployed_and_bound(data)


def _event(data: Data, user: Data, login: Login) -> Data:
    """Return a post-login event. Source: actions/reference/post-login/post-login-event-object."""
    client = data["clients"][login.client_id]
    connection_name = user["identities"][0]["connection"]
    connection = next(entry for entry in data["connections"] if entry["name"] == connection_name)
    request = {"query": {}, "body": {}, "geoip": {}, **login.request}
    event: Data = {
        "user": {"user_metadata": {}, "app_metadata": {}}
        | {name: value for name, value in user.items() if name not in NOT_IN_EVENT_USER},
        "client": {name: client[name] for name in ("client_id", "name", "metadata")},
        "connection": {name: connection[name] for name in ("id", "name", "strategy")},
        "request": request | {part: without_withheld(request[part]) for part in ("query", "body")},
        "authentication": {"methods": [{"name": "pwd", "timestamp": user["updated_at"]}]},
        "authorization": {"roles": []},
        "session": {"id": login.session_id},
        "stats": {"logins_count": user["logins_count"]},
        "tenant": {"id": "demo"},
        "transaction": {
            "protocol": login.protocol,
            "requested_scopes": login.scopes,
            "metadata": {},
            **login.transaction,
        },
    }
    if login.audience is not None:
        event["resource_server"] = {"identifier": login.audience}
    return event


def without_withheld(parameters: Mapping[str, Any]) -> Data:
    """Return the parameters that an Action may see."""
    return {name: value for name, value in parameters.items() if name not in WITHHELD}


def _deployed_and_bound(data: Data) -> list[Data]:
    """Return code, secrets and name of the deployed version of each bound Action, in the order of the bindings."""
    found = []
    for binding in data["bindings"]:
        action = data["actions"][binding["action_id"]]
        deployed = next((version for version in action["versions"] if version["id"] == action["deployed_id"]), None)
        if deployed is not None:
            secrets = {secret["name"]: secret["value"] for secret in deployed["secrets"]}
            found.append({"name": action["name"], "code": deployed["code"], "secrets": secrets})
    return found


def _log_run(state: TenantState, login: Login, action_name: str, effects: ActionEffects) -> None:
    state.log(
        {
            "action": action_name,
            "user_id": login.user_id,
            "client_id": login.client_id,
            "protocol": login.protocol,
            "console": effects.console,
            "claims": sorted({*effects.id_token_claims, *effects.access_token_claims}),
            "denied": effects.denied,
            "error": effects.error,
        }
    )


def _write_metadata(state: TenantState, user_id: str, changes: Mapping[str, Data]) -> None:
    """Merge the changes into the user's metadata at the root level, in one write."""
    if not any(changes.values()):
        return
    with state.change() as data:
        user = data["users"][user_id]
        for kind, change in changes.items():
            if change:
                user[kind] = merged_metadata(user.get(kind, {}), change)
        user["updated_at"] = state.stamp()
