"""POST /sync/<goal>/login, which the Action calls; and what a browser asks before it posts a token.

The tokens themselves come to `webapp.tokens.entrance`.
"""

from contextlib import suppress
from datetime import UTC, datetime

import structlog
from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from webapp.connections.live_goals import live_goal
from webapp.errors import WebsyncError
from webapp.live.receiving import receiving, watch_received
from webapp.rates import TooManyRequestsError, client_address
from webapp.sealing import sealer
from webapp.tokens.admission import check_open, check_origin
from webapp.tokens.conflicts import keeping_conflicts
from webapp.tokens.entrance import MAX_KEY_LENGTH, OF_ALL_ANSWERS, OF_READABLE_ANSWERS, ROUTE
from webapp.tokens.exchange import MAX_CALL_BYTES, LoginCall, check_secret, exchange_login
from webapp.tokens.limits import limit_address, limit_goal
from webapp.tokens.posts import read_body
from webapp.tokens.refusals import GoalOffError

PREFLIGHT_SECONDS = 7200

bp = Blueprint("tokens", __name__)
watch_received(bp, {"receive_login": "login"})
log = structlog.get_logger()


@bp.before_request
def limit_posts() -> None:
    """Refuse an address that posts too often, before anything is looked at."""
    if request.method != "POST":
        return
    try:
        limit_address(client_address())
    except TooManyRequestsError:
        # The page that posted may read when to try again.
        with suppress(WebsyncError, SQLAlchemyError):
            _open_goal(str((request.view_args or {}).get("goal_key")))
        raise


@bp.route(ROUTE, methods=["OPTIONS", "POST"], provide_automatic_options=False)
def allow_post(goal_key: str) -> ResponseReturnValue:
    """Answer a browser that asks whether its page may post. Source: Fetch standard, CORS-preflight request.

    No post comes here (`webapp.tokens.entrance`); but whoever uses another method hears that there are posts.
    """
    _open_goal(goal_key)
    response = Response(status=204)
    if "allowed_origin" in g:
        response.headers["Access-Control-Allow-Methods"] = "POST"
        response.headers["Access-Control-Allow-Headers"] = "content-type"
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return response


@bp.post("/sync/<goal_key>/login", provide_automatic_options=False)
def receive_login(goal_key: str) -> ResponseReturnValue:
    """Update the profile of the visitor of whom a goal's Action tells, and answer the profile's values."""
    try:
        return _exchange(goal_key)
    except WebsyncError as error:
        log.info("login_refused", goal=goal_key[:MAX_KEY_LENGTH], slug=error.slug)
        raise


@bp.after_request
def allow_origin(response: Response) -> Response:
    """Let pages of allowed origins read the answer, errors included."""
    response.headers.update(OF_ALL_ANSWERS)
    if "allowed_origin" in g:
        response.headers["Access-Control-Allow-Origin"] = g.allowed_origin
        response.headers.update(OF_READABLE_ANSWERS)
    return response


def _exchange(goal_key: str) -> ResponseReturnValue:
    now = datetime.now(UTC)
    goal = live_goal(goal_key)  # 404, 403
    receiving().of_goal(goal.id, goal_key)
    check_secret(goal, request.headers.get("Authorization"), sealer())  # 401; before anything is read
    limit_goal(goal_key)  # 429
    if not (goal.is_open and goal.web_goal.server_exchange):
        raise GoalOffError("The goal does not take logins now.")
    call = LoginCall.model_validate_json(read_body(request.environ, MAX_CALL_BYTES))  # 413, 415, 400
    receiving().of_person(call.user_id)
    with keeping_conflicts(goal, now=now):
        answer = exchange_login(goal, call, now=now)  # 400, 401, 409
    receiving().applied(answer["state"], answer["profileId"])
    log.info("login_applied", goal=goal_key, subject=sealer().pseudonym(call.user_id), state=answer["state"])
    return answer


def _open_goal(goal_key: str) -> None:
    goal = live_goal(goal_key)
    receiving().of_goal(goal.id, goal_key)
    check_origin(goal, request.origin)
    if request.origin is not None:
        g.allowed_origin = request.origin
    check_open(goal)
