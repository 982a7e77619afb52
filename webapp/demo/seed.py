"""What a new demo tenant holds. Every id and secret here is public knowledge, hence loopback only."""

import secrets
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

API_AUDIENCE = "https://api.shop.example"
SPA_CLIENT_ID = "demo-shop"
WEB_APP_CLIENT_ID = "demo-web-app"
WEB_APP_CLIENT_SECRET = "demo-web-app-secret"  # noqa: S105 - public on purpose, good for the demo tenant alone
M2M_CLIENT_ID = "websync-demo"
M2M_CLIENT_SECRET = "websync-demo-secret"  # noqa: S105 - the same
READER_CLIENT_ID = "reader-demo"
READER_CLIENT_SECRET = "reader-demo-secret"  # noqa: S105 - the same
DATABASE = "Username-Password-Authentication"
CUSTOMERS = "Customers"
STAFF = "Staff"
"""Two more databases. They have the users that somebody has generated, none to begin with."""
SOCIAL = "google-oauth2"
UNPROVEN_SOCIAL = "twitter"
"""A login whose e-mail addresses nobody vouches for."""
# The Management API's audience depends on the tenant's address, which the stored data shall not know.
MANAGEMENT = "management"
MANAGEMENT_SCOPES = [
    "read:users",
    "update:users",
    "read:users_app_metadata",
    "update:users_app_metadata",
    "read:user_custom_blocks",
    "read:connections",
    "read:client_grants",
    "read:actions",
    "create:actions",
    "update:actions",
    "delete:actions",
    "read:rules",
]
OLD_RULE = """function (user, context, callback) {
  user.user_metadata = user.user_metadata || {};
  var query = (context.request && context.request.query) || {};
  var id = query['ext-bc_profile_id'];
  if (!id || user.user_metadata.bc_profile_id === id) return callback(null, user, context);
  user.user_metadata.bc_profile_id = id;
  auth0.users.updateUserMetadata(user.user_id, user.user_metadata)
    .then(function () { callback(null, user, context); })
    .catch(function () { callback(null, user, context); });
}"""

Data = dict[str, Any]


def seed_data(stamp: str) -> Data:
    """Return a new tenant's data; ``stamp`` is the time of the users' creation."""
    return {
        "id_token_lifetime_seconds": 36_000,
        "access_token_lifetime_seconds": 86_400,
        "management_requests_per_second": 1_000,
        # Auth0 lists the present and the next key, and signs with the first.
        "signing_keys": [new_signing_key(), new_signing_key()],
        "users": {user["user_id"]: user for user in _users(stamp)},
        "clients": {client["client_id"]: client for client in _clients()},
        "connections": _connections(),
        "resource_servers": {API_AUDIENCE: {"name": "Shop API", "scopes": ["read:orders", "write:orders"]}},
        "client_grants": [
            {
                "id": "cgr_demo0000000000001",
                "client_id": M2M_CLIENT_ID,
                "audience": MANAGEMENT,
                "scope": MANAGEMENT_SCOPES,
            },
            {
                "id": "cgr_demo0000000000002",
                "client_id": READER_CLIENT_ID,
                "audience": MANAGEMENT,
                "scope": ["read:users"],
            },
        ],
        "rules": [
            {
                "id": "rul_DemoBlueConic001",
                "name": "BlueConic sync",
                "script": OLD_RULE,
                "order": 1,
                "enabled": True,
                "stage": "login_success",
            }
        ],
        "actions": {},
        "bindings": [],
        "logs": [],
        **export_parts(),
        **{kind: {} for kind in ("sessions", "logins", "codes", "refresh_tokens", "access_tokens")},
    }


def export_parts() -> Data:
    """Return what generated users and export jobs need: their numbers, their jobs and their faults."""
    return {"populations": {}, "jobs": {}, "faults": {}}


def add_newer_parts(data: Data) -> None:
    """Give data of an earlier version what has been added since."""
    for name, part in export_parts().items():
        data.setdefault(name, part)
    known = {connection["id"] for connection in data["connections"]}
    data["connections"] += [connection for connection in _connections() if connection["id"] not in known]


def _connections() -> list[Data]:
    connections = [
        ("con_DemoDatabase0001", DATABASE, "auth0"),
        ("con_DemoGoogle000001", SOCIAL, SOCIAL),
        ("con_DemoTwitter00001", UNPROVEN_SOCIAL, UNPROVEN_SOCIAL),
        ("con_DemoCustomers001", CUSTOMERS, "auth0"),
        ("con_DemoStaff0000001", STAFF, "auth0"),
    ]
    return [{"id": each_id, "name": name, "strategy": kind, "realms": [name]} for each_id, name, kind in connections]


def new_signing_key() -> Data:
    """Return a new RS256 key as ``kid`` and PEM text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"kid": secrets.token_urlsafe(16), "private_pem": pem.decode("ascii")}


def _clients() -> list[Data]:
    return [
        # Every loopback address is an allowed callback, so that the shop may stand on any port (RFC 8252, 7.3).
        {"client_id": SPA_CLIENT_ID, "name": "Demo shop", "kind": "spa", "metadata": {}, "rotate_refresh_tokens": True},
        {
            "client_id": WEB_APP_CLIENT_ID,
            "client_secret": WEB_APP_CLIENT_SECRET,
            "name": "Demo web app",
            "kind": "regular_web",
            "metadata": {},
        },
        {
            "client_id": M2M_CLIENT_ID,
            "client_secret": M2M_CLIENT_SECRET,
            "name": "Websync",
            "kind": "m2m",
            "metadata": {},
        },
        {
            "client_id": READER_CLIENT_ID,
            "client_secret": READER_CLIENT_SECRET,
            "name": "Reader",
            "kind": "m2m",
            "metadata": {},
        },
    ]


def _user(stamp: str, user_id: str, **fields: Any) -> Data:
    provider, _, local_id = user_id.partition("|")
    connection = DATABASE if provider == "auth0" else provider
    identity = {"connection": connection, "provider": provider, "user_id": local_id, "isSocial": provider != "auth0"}
    always = {"user_id": user_id, "created_at": stamp, "updated_at": stamp, "identities": [identity], "logins_count": 0}
    return always | fields


def _users(stamp: str) -> list[Data]:
    return [
        _user(
            stamp,
            "auth0|650a1f3c9d1e8b0012ab0001",
            email="ada@shop.example",
            email_verified=True,
            name="Ada Okafor",
            given_name="Ada",
            family_name="Okafor",
            nickname="ada",
            picture="https://cdn.shop.example/people/ada.png",
            phone_number="+31201234501",
            phone_verified=True,
            user_metadata={"plan": "gold", "interests": ["running", "hiking"], "address": {"city": "Nijmegen"}},
            app_metadata={"customer_number": "C-1001", "points": 120},
        ),
        _user(
            stamp,
            "auth0|650a1f3c9d1e8b0012ab0002",
            email="bram@shop.example",
            email_verified=True,
            username="bram",
            name="Bram de Wit",
            given_name="Bram",
            family_name="de Wit",
            nickname="bram",
            picture="https://cdn.shop.example/people/bram.png",
            user_metadata={"plan": "silver", "interests": ["cycling"], "newsletter": False},
            app_metadata={"customer_number": "C-1002", "points": 15},
        ),
        _user(
            stamp,
            "google-oauth2|103912345678901234567",
            email="chidi@mail.example",
            email_verified=True,
            name="Chidi",
            nickname="chidi",
            picture="https://cdn.shop.example/people/chidi.png",
            locale="en",
        ),
        _user(
            stamp,
            "auth0|650a1f3c9d1e8b0012ab0004",
            email="dana@shop.example",
            email_verified=False,
            name="dana@shop.example",
            nickname="dana",
            picture="https://cdn.shop.example/people/dana.png",
            user_metadata={"interests": ["hiking"]},
            app_metadata={"customer_number": "C-1004"},
        ),
        _user(
            stamp,
            "auth0|650a1f3c9d1e8b0012ab0005",
            email="zoe@shop.example",
            email_verified=True,
            name="Zoë Åström-O'Neill",
            given_name="Zoë",
            family_name="Åström-O'Neill",
            nickname="zoe",
            picture="https://cdn.shop.example/people/zoe.png",
            user_metadata={"plan": "free", "note": 'likes <b>bold</b> & "quotes"'},
            app_metadata={"customer_number": "C-1005", "points": 0},
        ),
        # Ada with another login, or somebody who says so: Auth0 has not verified the address.
        _user(
            stamp,
            "twitter|5120478813",
            email="ada@shop.example",
            email_verified=False,
            name="A. Okafor",
            nickname="a_okafor",
            picture="https://cdn.shop.example/people/a_okafor.png",
        ),
    ]
