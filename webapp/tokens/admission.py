"""Who may post where: asked before anything of a post is read."""

from webapp.connections.goals import LiveGoal
from webapp.tokens.refusals import GoalOffError, OriginNotAllowedError


def check_origin(goal: LiveGoal, origin: str | None) -> None:
    """Raise OriginNotAllowedError if a page of another site posts. Programs other than browsers send no origin."""
    if origin is not None and origin not in goal.web_goal.allowed_origins:
        raise OriginNotAllowedError("The goal does not take tokens from pages of this origin.")


def check_open(goal: LiveGoal) -> None:
    """Raise GoalOffError unless the goal takes tokens."""
    if not (goal.is_open and goal.web_goal.enable_token):
        raise GoalOffError("The goal does not take tokens now.")
