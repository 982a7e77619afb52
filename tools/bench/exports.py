"""The export files of the import bench: generated users of the demo tenant, as Auth0 writes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.demo.export_files import compressed, exported_users, written_lines
from webapp.demo.faults import Faults
from webapp.demo.population import change_users, populate

DATABASE = "Customers"
CHANGED_ONE_IN = 100
CHANGED_AT_MS = 1_790_000_000_000
IMPORT_KEY = "bench-import"
SECRET_VARIABLE = "BENCH_CLIENT_SECRET"
"""Where ``websync config apply`` finds the secret."""
MAPPINGS = {
    "user_id": ("auth0_user_id", "set"),
    "email": ("email", "set"),
    "given_name": ("first_name", "set_if_empty"),
    "family_name": ("last_name", "set_if_empty"),
    "phone_number": ("phone", "set"),
    "user_metadata.plan": ("plan", "set_or_clear"),
    "user_metadata.interests": ("interests", "add"),
    "user_metadata.newsletter": ("newsletter", "set"),
    "user_metadata.address.city": ("city", "set"),
    "app_metadata.customer_number": ("customer_number", "set"),
}
"""Ten mappings: the Auth0 field, and the property with its merge strategy."""
FIELDS = (
    *("user_id", "email", "email_verified", "name", "given_name", "family_name", "nickname", "picture", "phone_number"),
    *("created_at", "updated_at", "last_login", "last_ip", "logins_count", "identities", "user_metadata"),
    "app_metadata",
)
"""Of the files: all that a user has, as an operator exports them."""


@dataclass(frozen=True, slots=True)
class Exports:
    """Two files of the same users; in the second one user in a hundred has changed."""

    first: Path
    changed: Path
    users: int


def write_exports(folder: Path, users: int) -> Exports:
    """Write both files."""
    data: dict[str, Any] = {"populations": {}}
    populate(data, DATABASE, users)
    first = _write(folder / "first.ndjson.gz", data)
    change_users(data, DATABASE, CHANGED_ONE_IN, CHANGED_AT_MS)
    return Exports(first, _write(folder / "changed.ndjson.gz", data), users)


def _write(path: Path, data: dict[str, Any]) -> Path:
    job = {
        "connection": None,
        "populations": list(data["populations"].values()),
        "format": "json",
        "fields": [{"name": name} for name in FIELDS],
    }
    with path.open("wb") as file:
        file.writelines(compressed(written_lines(exported_users(job, []), job, Faults())))
    return path


def import_configuration(domain: str, client_id: str = "") -> dict[str, Any]:
    """Return a connection with the import goal, for ``websync config apply``. ``domain`` is the tenant's."""
    auth0: dict[str, Any] = {"domain": domain}
    if client_id:
        auth0 |= {"client_id": client_id, "client_secret": {"env": SECRET_VARIABLE}}
    goal = {
        "kind": "import",
        "name": "Bench import",
        "key": IMPORT_KEY,
        "links": [
            {"auth0_field": "user_id", "profile_property": "auth0_user_id"},
            {"auth0_field": "email", "profile_property": "email"},
        ],
        "mappings": [
            {"auth0_field": field, "profile_property": name, "strategy": strategy}
            for field, (name, strategy) in MAPPINGS.items()
        ],
    }
    return {"connections": [{"name": "Bench", "auth0": auth0, "goals": [goal]}]}
