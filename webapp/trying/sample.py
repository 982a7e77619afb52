"""The sample login that the page begins with: whoever logs in has an example value for every field that a goal maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snippets.fields import FieldPath, source_of
from snippets.goals import Direction, MergeStrategy, TokenKind, WebGoal
from webapp.profiles.definitions import suggested_type
from webapp.profiles.values import PropertyType

PROFILE_ID = "5b1f3c9d-1e8b-4012-ab00-010203040506"
CLIENT_ID = "client-id-of-your-site"

Types = Mapping[str, PropertyType]

# What goals can map of a user at the root, beside free names. Sources: Auth0, "User profile structure".
_RARE_FIELDS: dict[str, Any] = {
    "username": "ann",
    "phone_number": "+31201234567",
    "phone_verified": True,
    "last_password_reset": "2026-02-01T08:00:00.000Z",
    "multifactor": ["guardian"],
}
_EXAMPLES: dict[PropertyType | None, Any] = {
    PropertyType.NUMBER: 5,
    PropertyType.DECIMAL: 4.5,
    PropertyType.DATETIME: "2026-01-15T09:30:00.000Z",
    PropertyType.EMAIL: "ann@example.com",
}


@dataclass(frozen=True, slots=True)
class SampleLogin:
    """A login as an Action's event has it: the ``user``, and what stands around the user (``login``).

    ``values`` are the texts of each property that the visitor's browser brings.
    """

    user: dict[str, Any]
    login: dict[str, Any]
    values: Mapping[str, Sequence[str]]


def sample_login(goal: WebGoal, types: Types) -> SampleLogin:
    """Return a login with a value for every field that ``goal`` reads. ``types`` are those of known properties."""
    user, login = _usual_user(), _usual_login(goal)
    event = {"user": user, **login}
    wanted = [(source_of(field).action, example) for field, example in _examples(goal, types).items()]
    # The deepest first: a field inside another one gives that a value as well.
    for path, example in sorted(wanted, key=lambda each: -len(each[0])):
        _put(event, path, example)
    values = {name: [str(_EXAMPLES.get(types.get(name), f"example {name}"))] for name in goal.browser_properties}
    return SampleLogin(user, login, values)


def value_at(start: object, path: FieldPath) -> object:
    """Return the value at a path, or None: what ``valueAt`` finds in generated code."""
    value = start
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _examples(goal: WebGoal, types: Types) -> dict[str, Any]:
    examples: dict[str, Any] = {}
    for mapping in goal.mappings_to(Direction.TO_PROFILE):
        field, name = mapping.auth0_field, mapping.profile_property
        example = _example(field, types.get(name) or suggested_type(field, mapping.strategy))
        is_list = mapping.strategy is MergeStrategy.ADD and isinstance(example, str)
        examples.setdefault(field, [example] if is_list else example)
    for link in goal.links:
        if not link.keeps_profile_id:
            example = _example(link.auth0_field, types.get(link.profile_property, PropertyType.TEXT))
            examples.setdefault(link.auth0_field, example)
    return examples


def _example(name: str, property_type: PropertyType) -> Any:
    if name in _RARE_FIELDS:
        return _RARE_FIELDS[name]
    return _EXAMPLES.get(property_type, f"example {name.rpartition('.')[2]}")


def _put(event: dict[str, Any], path: FieldPath, value: object) -> None:
    """Put a value where nothing is yet. What stands in its way stays."""
    if value_at(event, path) is not None:
        return
    parent: Any = event
    for name in path[:-1]:
        parent = parent.setdefault(name, {})
        if not isinstance(parent, dict):
            return
    parent[path[-1]] = value


def _usual_user() -> dict[str, Any]:
    user_id = "507f1f77bcf86cd799439020"
    connection = {"connection": "Username-Password-Authentication", "provider": "auth0", "isSocial": False}
    return {
        "user_id": f"auth0|{user_id}",
        "email": "ann@example.com",
        "email_verified": True,
        "name": "Ann Example",
        "given_name": "Ann",
        "family_name": "Example",
        "nickname": "ann",
        "picture": "https://www.example.com/ann.png",
        "created_at": "2026-01-15T09:30:00.000Z",
        "updated_at": "2026-03-02T18:45:00.000Z",
        "identities": [{**connection, "user_id": user_id}],
        "user_metadata": {},
        "app_metadata": {},
    }


def _usual_login(goal: WebGoal) -> dict[str, Any]:
    login: dict[str, Any] = {
        "client": {"client_id": goal.client_ids[0] if goal.client_ids else CLIENT_ID, "name": "Your site"},
        "connection": {
            "id": "con_0123456789abcdef",
            "name": "Username-Password-Authentication",
            "strategy": "auth0",
        },
        "organization": {"id": "org_0123456789abcdef", "name": "example", "display_name": "Example Ltd"},
        "authorization": {"roles": ["customer"]},
        "stats": {"logins_count": 3},
        "request": {"geoip": {"countryCode": "NL", "cityName": "Nijmegen", "timeZone": "Europe/Amsterdam"}},
        "transaction": {"requested_scopes": ["openid", "profile", "email"]},
    }
    if goal.token_kind is TokenKind.ACCESS_TOKEN and goal.audiences:
        login["resource_server"] = {"identifier": goal.audiences[0]}
    return login
