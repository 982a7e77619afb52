"""The server exchange: the Action itself calls Websync in the login, with a secret that Auth0 keeps for it."""

from snippets.goals import WebGoal

EXCHANGE_SECRET = "WEBSYNC_SECRET"  # noqa: S105, the name of a secret and no secret


def action_secrets(goal: WebGoal) -> tuple[str, ...]:
    """Return the names of the secrets that a goal's Action needs (``event.secrets``)."""
    return (EXCHANGE_SECRET,) if goal.server_exchange else ()
