"""Auth0's fields: which there are, and where an Action, a Rule and a token have them.

A field is a dotted path. Fields of the user stand at the root (``email``, ``user_metadata.plan``); a few come from the
login around the user (``organization.name``). Source: Auth0, "User profile structure", "Post-login event object" and
"Context object properties in Rules".
"""

from dataclasses import dataclass

FieldPath = tuple[str, ...]

MAX_FIELD_LENGTH = 200
FORBIDDEN_SEGMENTS = frozenset({"__proto__", "constructor", "prototype"})

USER_FIELDS = (
    "user_id",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "username",
    "phone_number",
    "phone_verified",
    "created_at",
    "updated_at",
    "last_password_reset",
    "multifactor",
    "identities",
    "user_metadata",
    "app_metadata",
)


@dataclass(frozen=True, slots=True)
class FieldSource:
    """Where generated code finds a field: in an Action's ``event``, and in a Rule's ``{user, context}``."""

    action: FieldPath
    rule: FieldPath


LOGIN_FIELDS = {
    "logins_count": FieldSource(("stats", "logins_count"), ("context", "stats", "loginsCount")),
    "connection.id": FieldSource(("connection", "id"), ("context", "connectionID")),
    "connection.name": FieldSource(("connection", "name"), ("context", "connection")),
    "connection.strategy": FieldSource(("connection", "strategy"), ("context", "connectionStrategy")),
    "client.client_id": FieldSource(("client", "client_id"), ("context", "clientID")),
    "client.name": FieldSource(("client", "name"), ("context", "clientName")),
    "organization.id": FieldSource(("organization", "id"), ("context", "organization", "id")),
    "organization.name": FieldSource(("organization", "name"), ("context", "organization", "name")),
    "organization.display_name": FieldSource(
        ("organization", "display_name"), ("context", "organization", "display_name")
    ),
    "authorization.roles": FieldSource(("authorization", "roles"), ("context", "authorization", "roles")),
    "geoip.country_code": FieldSource(
        ("request", "geoip", "countryCode"), ("context", "request", "geoip", "country_code")
    ),
    "geoip.city_name": FieldSource(("request", "geoip", "cityName"), ("context", "request", "geoip", "city_name")),
    "geoip.time_zone": FieldSource(("request", "geoip", "timeZone"), ("context", "request", "geoip", "time_zone")),
}
LOGIN_ROOTS = frozenset(name.split(".")[0] for name in LOGIN_FIELDS if "." in name)

VERIFIED_BY = {"email": "email_verified", "phone_number": "phone_verified"}
"""Fields that anybody can claim, and the field in which Auth0 says that it has verified them."""

VOUCHED_FOR = frozenset(
    {"user_id", "email_verified", "phone_verified", "created_at", "updated_at", "last_password_reset", "multifactor"}
    | {name for name in LOGIN_FIELDS if not name.startswith("geoip.")}
)
"""Fields that Auth0 writes itself. With ``app_metadata`` these are all that is not, in the end, the visitor's word."""


def is_vouched_for(field: str) -> bool:
    """Say if Auth0, or the tenant's own code, writes ``field``, whoever logs in."""
    return field in VOUCHED_FOR or field.startswith("app_metadata.")


ABSENT_FROM_LOGINS = frozenset({"last_login", "last_ip", "blocked", "blocked_for", "multifactor_last_modified"})
"""Fields of a stored user that an Action's event does not have."""

ID_TOKEN_CLAIMS = {
    "user_id": "sub",
    "email": "email",
    "email_verified": "email_verified",
    "name": "name",
    "given_name": "given_name",
    "family_name": "family_name",
    "nickname": "nickname",
    "picture": "picture",
    "updated_at": "updated_at",
}
"""Fields that an ID token with the scopes ``openid profile email`` has by itself, and the claim's name there."""

ACCESS_TOKEN_CLAIMS = {"user_id": "sub"}

SUGGESTED_FIELDS = (*USER_FIELDS[:-3], *LOGIN_FIELDS, "user_metadata.", "app_metadata.")
"""What the mappings editor offers; any other path may be typed."""


class FieldPathError(ValueError):
    """The text names no field that a login could have. The message says what to write instead."""


def parse_field(field: str) -> FieldPath:
    """Split ``field`` into the segments of its path. Raises FieldPathError.

    Segments may hold any printable text but the dot: metadata keys are free (Auth0 excludes ``.`` and ``$`` itself).
    """
    if not field:
        raise FieldPathError("Name an Auth0 field, such as email or user_metadata.plan.")
    if len(field) > MAX_FIELD_LENGTH:
        raise FieldPathError(f"At most {MAX_FIELD_LENGTH} characters.")
    segments = tuple(field.split("."))
    if any(not segment.strip() or segment != segment.strip() for segment in segments):
        raise FieldPathError("Every part between the dots needs a name, as in user_metadata.plan.")
    if not field.isprintable():
        raise FieldPathError("Control characters cannot be part of a field's name.")
    if reserved := FORBIDDEN_SEGMENTS.intersection(segments):
        raise FieldPathError(f"{min(reserved)} is a name that JavaScript keeps for itself.")
    return segments


def source_of(field: str) -> FieldSource:
    """Return where generated code reads ``field``. Raises FieldPathError."""
    path = parse_field(field)
    if field in LOGIN_FIELDS:
        return LOGIN_FIELDS[field]
    if path[0] in LOGIN_ROOTS:
        known = ", ".join(name for name in LOGIN_FIELDS if name.startswith(f"{path[0]}."))
        raise FieldPathError(f"Of {path[0]} a login has these fields: {known}.")
    if path[0] in ABSENT_FROM_LOGINS:
        raise FieldPathError(f"Auth0 does not tell {path[0]} at login: an import goal can map it, a web goal cannot.")
    return FieldSource(("user", *path), ("user", *path))


def overlaps(field: str, other: str) -> bool:
    """Say if one of the two paths is the other or stands inside it."""
    path, other_path = parse_field(field), parse_field(other)
    shared = min(len(path), len(other_path))
    return path[:shared] == other_path[:shared]
