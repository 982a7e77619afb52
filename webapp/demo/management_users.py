"""Users, connections and client grants of the Management API. Source: Auth0 docs, api/management/v2 (users)."""

import re
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from webapp.auth0.action_engine import merged_metadata
from webapp.demo.context import tenant
from webapp.demo.faults import faults_of
from webapp.demo.management import MAX_PER_PAGE, ManagementError, json_body, needs, number_argument, page_of
from webapp.demo.seed import MANAGEMENT
from webapp.demo.user_directory import find_user, search, users_by_email
from webapp.demo.user_queries import QueryError, Term, parse_query

bp = Blueprint("users", __name__)

Data = dict[str, Any]
# Editable at the root for database users only: other profiles belong to their identity provider.
PROFILE_FIELDS = frozenset({"name", "given_name", "family_name", "nickname", "picture"})
EDITABLE = PROFILE_FIELDS | {"user_metadata", "app_metadata", "blocked", "email", "email_verified", "phone_number"}
MAX_FOUND = 1_000
"""More than the first 1,000 of a search cannot be paged to. Source: Auth0 docs, view-search-results-by-page."""
SORT = re.compile(r"[a-zA-Z0-9_.]+:(1|-1)")


@bp.get("/users/<user_id>")
@needs("read:users")
def show_user(user_id: str) -> ResponseReturnValue:
    """Return one user."""
    with tenant().state.read() as data:
        return jsonify(_with_fields(_known_user(data, user_id)))


@bp.get("/users")
@needs("read:users")
def list_users() -> ResponseReturnValue:
    """List users: of the query language what `user_queries` understands, of the users found the first 1,000."""
    terms, sort = _terms(request.args.get("q", "")), request.args.get("sort", "")
    if sort and not SORT.fullmatch(sort):
        raise ManagementError(400, "Query validation error: 'Invalid value' on property sort", "invalid_query_string")
    per_page = number_argument("per_page", 50, most=MAX_PER_PAGE)
    if (number_argument("page", 0) + 1) * per_page > MAX_FOUND:
        message = f"You can only page through the first {MAX_FOUND} records."
        raise ManagementError(400, message, "invalid_paging")
    with tenant().state.read() as data:
        lag_ms = faults_of(data).search_lag_seconds * 1_000
        found = search(data, terms, sort, tenant().state.now_ms() - lag_ms)
        return page_of(found, "users", show=_with_fields)


@bp.get("/users-by-email")
@needs("read:users")
def list_users_by_email() -> ResponseReturnValue:
    """List the users with exactly this e-mail address."""
    email = request.args.get("email")
    if not email:
        raise ManagementError(400, "Query validation error: 'Missing required property: email'", "invalid_query_string")
    with tenant().state.read() as data:
        return jsonify([_with_fields(user) for user in users_by_email(data, email)])


@bp.patch("/users/<user_id>")
@needs("update:users", "update:users_app_metadata")
def update_user(user_id: str) -> ResponseReturnValue:
    """Change a user. Metadata are merged at the first level, ``null`` removes a key, ``{}`` clears the whole."""
    changes = json_body(EDITABLE)
    _check_types(changes)
    with tenant().state.change() as data:
        user = data["users"][user_id] = _known_user(data, user_id)
        if PROFILE_FIELDS & set(changes) and user["identities"][0]["provider"] != "auth0":
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
    user = find_user(data, user_id)
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


def _terms(query: str) -> list[Term]:
    try:
        return parse_query(query)
    except QueryError as error:
        message = f"The demo tenant does not understand this part of the query: {str(error)[:80]}"
        raise ManagementError(400, message, "invalid_query_string") from error
