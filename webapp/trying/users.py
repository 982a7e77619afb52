"""A real user of the tenant as the sample of a trial."""

from webapp.connections.tenant_access import Json, UserNotLoadedError
from webapp.json_text import MAX_JSON_BYTES, pretty
from webapp.trying.sample import value_at

# A stored user has these, an Action's ``event.user`` has not. Source: Auth0, "Post-login event object".
_NOT_IN_EVENT_USER = frozenset({"last_login", "last_ip", "logins_count", "blocked", "blocked_for"})


def as_sample(user: Json) -> Json:
    """Return a stored user as an Action's event would have them. Raises UserNotLoadedError if they are too large."""
    sample = {name: value for name, value in user.items() if name not in _NOT_IN_EVENT_USER}
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
