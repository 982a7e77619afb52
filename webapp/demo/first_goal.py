"""What the demo begins with: three ports, and one connection with a web goal and an import goal."""

from dataclasses import dataclass

from webapp.demo.seed import M2M_CLIENT_ID, SPA_CLIENT_ID

_LINKS = [
    {"auth0_field": "user_id", "profile_property": "auth0_user_id"},
    {"auth0_field": "email", "profile_property": "email"},
]


@dataclass(frozen=True, slots=True)
class Ports:
    """The three ports of the demo, on localhost."""

    websync: int = 8000
    tenant: int = 8001
    shop: int = 8002

    @property
    def websync_url(self) -> str:
        """Where browsers reach Websync."""
        return f"http://localhost:{self.websync}"

    @property
    def tenant_url(self) -> str:
        """Where browsers, and Websync, reach the tenant."""
        return f"http://localhost:{self.tenant}"

    @property
    def shop_url(self) -> str:
        """Where browsers reach the shop: its origin."""
        return f"http://localhost:{self.shop}"


def demo_configuration(ports: Ports) -> dict[str, object]:
    """Return the connection and the goals with which the demo begins, as plain data of a configuration file."""
    connection = {
        "name": "Demo shop",
        "labels": ["demo"],
        "description": "Joins the demo tenant with the profiles that Websync keeps itself.",
        "auth0": {
            "domain": ports.tenant_url,
            "client_id": M2M_CLIENT_ID,
            "client_secret": {"env": "DEMO_CLIENT_SECRET"},
        },
        "goals": [_web_goal(ports), _import_goal()],
    }
    return {"connections": [connection]}


def _web_goal(ports: Ports) -> dict[str, object]:
    to_profile = [
        ("user_id", "auth0_user_id", "set"),
        ("email", "email", "set"),
        ("given_name", "first_name", "set_if_empty"),
        ("nickname", "nickname", "set_or_clear"),
        ("user_metadata.plan", "plan", "set"),
        ("user_metadata.interests", "interests", "add"),
        ("user_metadata.newsletter", "newsletter_at_login", "set"),
    ]
    to_auth0 = [
        ("user_metadata.newsletter", "newsletter", "set"),
        ("user_metadata.favourite_category", "favourite_category", "set"),
    ]
    rows = [(*row, "to_profile") for row in to_profile] + [(*row, "to_auth0") for row in to_auth0]
    return {
        "kind": "web",
        "name": "Sync web data",
        "claim_namespace": f"{ports.websync_url}/claims/",
        "client_ids": [SPA_CLIENT_ID],
        "allowed_origins": [ports.shop_url],
        "links": _LINKS,
        "mappings": [
            {"auth0_field": field, "profile_property": name, "strategy": strategy, "direction": direction}
            for field, name, strategy, direction in rows
        ],
    }


def _import_goal() -> dict[str, object]:
    rows = [
        ("user_id", "auth0_user_id", "set"),
        ("email", "email", "set"),
        ("name", "full_name", "set"),
        ("created_at", "registered_at", "set_if_empty"),
        ("user_metadata.plan", "plan", "set"),
        ("user_metadata.interests", "interests", "add"),
        ("app_metadata.customer_number", "customer_number", "set"),
    ]
    return {
        "kind": "import",
        "name": "Import data",
        "database_property": "auth0_database",
        "links": _LINKS,
        "mappings": [
            {"auth0_field": field, "profile_property": name, "strategy": strategy} for field, name, strategy in rows
        ],
    }
