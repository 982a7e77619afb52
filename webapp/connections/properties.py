"""The profile properties that a goal needs: made when the goal is saved, so that nobody has to make them by hand."""

from datetime import datetime

from sqlalchemy.orm import Session

from snippets.goals import WebGoal
from webapp.profiles.embedded import ensure_properties, wanted_properties


def make_missing_properties(session: Session, web_goal: WebGoal, *, now: datetime) -> list[str]:
    """Make the properties that ``web_goal`` names and nobody has defined yet; return their ids, in order."""
    return ensure_properties(session, wanted_properties(web_goal), now=now)
