"""The secret by which an application's tokens are signed with HS256: typed once, sealed beside the goal, never shown.

A goal has one as long as its policy asks for HS256. It is no part of the goal's revisions.
"""

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from snippets.goals import InvalidGoalError, Problem, WebGoal
from webapp.connections.models import Goal

MIN_SECRET_BYTES = 32
MAX_SECRET_BYTES = 1000


def check_signing_secret(secret: str) -> None:
    """Raise InvalidGoalError unless ``secret`` may sign. Source: RFC 7518, 3.2; RFC 8725, 3.5."""
    size = len(secret.encode())
    if not MIN_SECRET_BYTES <= size <= MAX_SECRET_BYTES:
        raise _problem(f"It has {size} bytes; HS256 needs at least {MIN_SECRET_BYTES} (at most {MAX_SECRET_BYTES}).")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except InvalidKeyError as error:
        raise _problem("This is a public key or a certificate, which everybody may know, and no secret.") from error


def keep_signing_secret(goal: Goal, web_goal: WebGoal, sealed_secret: str | None) -> bool:
    """Store the new secret, if there is one, and say if anything changed. A goal that needs none keeps none.

    Raises:
        InvalidGoalError: the goal needs one, and has none.
    """
    before = goal.sealed_signing_secret
    goal.sealed_signing_secret = (sealed_secret or before) if web_goal.token_policy.needs_secret else None
    if web_goal.token_policy.needs_secret and goal.sealed_signing_secret is None:
        raise _problem("HS256 needs the client secret of the application in Auth0.")
    return goal.sealed_signing_secret != before


def _problem(message: str) -> InvalidGoalError:
    return InvalidGoalError((Problem(("signing_secret",), message),))
