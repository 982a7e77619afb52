"""Users, connections and client grants of the Management API. Source: Auth0 docs, api/management/v2 (users)."""

import re
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from webapp.auth0.action_engine import merged_metadata
from webapp.demo.context import tenant
from webapp.demo.management import ManagementError, json_body, needs, page_of
from webapp.demo.seed import DATABASE, MANAGEMENT

bp = Blueprint("users", __name__)

Data = dict[str, Any]
# Editable at the root for database users only: other profiles belong to their identity provider.
PROFILE_FIELDS = frozenset({"name", "given_name", "family_name", "nickname", "picture"})
EDITABLE = PROFILE_FIELDS | {"user_metadata", "app_metadata", "blocked", "email", "email_verified", "phone_number"}
# Some member, a colon, and a quoted or plain value: user_metadata.plan:"gold"
EQUALITY = re.compile(r'([\w.]+):(?:"([^"]*)"|([^\s"\[\]{}*]+))')


@bp.get("/users/<user_id>")
@needs("read:users")
def show_user(user_id: str) -> ResponseReturnValue:
    """Return one user."""
    with tenant().state.read() as data:
        return jsonify(_with_fields(_known_user(data, user_id)))


@bp.get("/users")
@needs("read:users")
def list_users() -> ResponseReturnValue:
    """List users. Of the query language only ``field:value`` is understood, and several of them with AND."""
    wanted = _wanted(request.args.get("q", ""))
    with tenant().state.read() as data:
        found = [_with_fields(user) for user in data["users"].values() if _matches(user, wanted)]
        return page_of(found, "users")


@bp.get("/users-by-email")
@needs("read:users")
def list_users_by_email() -> ResponseReturnValue:
    """List the users with exactly this e-mail address."""
    email = request.args.get("email")
    if not email:
        raise ManagementError(400, "Query validation error: 'Missing required property: email'", "invalid_query_string")
    with tenant().state.read() as data:
        return jsonify([_with_fields(user) for user in data["users"].values() if user.get("email") == email])


@bp.patch("/users/<user_id>")
@needs("update:users", "update:users_app_metadata")
def update_user(user_id: str) -> ResponseReturnValue:
    """Change a user. Metadata are merged at the first level, ``null`` removes a key, ``{}`` clears the whole."""
    changes = json_body(EDITABLE)
    _check_types(changes)
    with tenant().state.change() as data:
        user = _known_user(data, user_id)
        if PROFILE_FIELDS & set(changes) and user["identities"][0]["connection"] != DATABASE:
            fields = ", ".join(sorted(PROFILE_FIELDS & set(changes)))
            message = f"The following user attributes cannot be updated: {fields}."
            raise ManagementError(400, message, "operation_not_supported")
        for name, value in changes.items():
            if name in {"user_metadata", "app_metadata"}:
                user[name] = merged_metadata(user.get(name, {}), value) if value else {}
            elif value is None:
                user.pop(name, None)
            else:
                user[name] = value
        user["updated_at"] = tenant().state.stamp()
        return jsonify(user)


@bp.get("/connections")
@needs("read:connections")
def list_connections() -> ResponseReturnValue:
    """List connections; ``options`` needs a scope of its own and isn't there."""
    strategies, name = request.args.getlist("strategy"), request.args.get("name")
    with tenant().state.read() as data:
        found = [
            _with_fields(connection)
            for connection in data["connections"]
            if (not strategies or connection["strategy"] in strategies) and name in {None, connection["name"]}
        ]
        return page_of(found, "connections", checkpoint=True)


@bp.get("/client-grants")
@needs("read:client_grants")
def list_client_grants() -> ResponseReturnValue:
    """List which client may use which API with which scopes."""
    client_id, audience = request.args.get("client_id"), request.args.get("audience")
    with tenant().state.read() as data:
        grants = [
            grant | {"audience": tenant().management_audience if grant["audience"] == MANAGEMENT else grant["audience"]}
            for grant in data["client_grants"]
        ]
    found = [
        grant | {"subject_type": "client"}
        for grant in grants
        if client_id in {None, grant["client_id"]} and audience in {None, grant["audience"]}
    ]
    return page_of(found, "client_grants", checkpoint=True)


def _known_user(data: Data, user_id: str) -> Data:
    user: Data | None = data["users"].get(user_id)
    if user is None:
        raise ManagementError(404, "The user does not exist.", "inexistent_user")
    return user


def _with_fields(entry: Data) -> Data:
    """Return the members named by ``fields``, or all but them with ``include_fields=false``."""
    names = {name for name in request.args.get("fields", "").split(",") if name}
    if not names:
        return entry
    include = request.args.get("include_fields", "true") != "false"
    return {name: value for name, value in entry.items() if (name in names) == include}


def _check_types(changes: Data) -> None:
    for name, value in changes.items():
        if name in {"user_metadata", "app_metadata"}:
            is_right = isinstance(value, dict)
        elif name in {"blocked", "email_verified"}:
            is_right = isinstance(value, bool)
        else:
            is_right = value is None or (isinstance(value, str) and value != "")
        if not is_right:
            raise ManagementError(400, f"Payload validation error: 'Invalid type' on property {name}", "invalid_body")


def _wanted(query: str) -> list[tuple[str, str]]:
    return [(match[1], match[2] if match[2] is not None else match[3]) for match in EQUALITY.finditer(query)]


def _matches(user: Data, wanted: list[tuple[str, str]]) -> bool:
    return all(value in _texts_at(user, path.split(".")) for path, value in wanted)


def _texts_at(value: Any, path: list[str]) -> list[str]:
    """Return the values at a path as text; lists are looked through, as Auth0's search does."""
    if isinstance(value, list):
        return [text for member in value for text in _texts_at(member, path)]
    if path:
        return _texts_at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []
    if value is None:
        return []
    return [str(value).lower() if isinstance(value, bool) else str(value)]
