"""What Auth0 has to be told of a goal's Action beside its code."""

import re

from snippets.goals import WebGoal

ACTION_RUNTIME = "node22"
ACTION_TRIGGER_VERSION = "v3"
"""The version of the trigger post-login."""
MAX_NAME_LENGTH = 128


def action_name(goal: WebGoal) -> str:
    """Return the Action's name: readable, and of this goal alone, since the goal's key stands at its end."""
    ending = f" ({goal.key})"
    readable = re.sub(r"[^A-Za-z0-9-]+", " ", goal.name).strip(" -")
    return f"Websync {readable}"[: MAX_NAME_LENGTH - len(ending)].rstrip(" -") + ending


def action_template(goal: WebGoal) -> str:
    """Return the template of the goal's Action."""
    return "action_exchange.js.jinja" if goal.server_exchange else "action.js.jinja"
