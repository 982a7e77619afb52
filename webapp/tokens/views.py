"""POST /sync/<goal>/token, where a browser hands in the token of a login, and …/login, which the Action calls."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import orjson
import structlog
from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from snippets.consent import OBJECTIVE_ID
from webapp.auth0.signing_keys import signing_keys
from webapp.connections.goals import LiveGoal
from webapp.connections.live_goals import live_goal
from webapp.errors import WebsyncError
from webapp.live.receiving import receiving, watch_received
from webapp.profiles.consent import SaidConsent, answer_to
from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.profiles.store import ProfileState
from webapp.rates import TooManyRequestsError
from webapp.sealing import sealer
from webapp.settings import settings
from webapp.tokens.conflicts import keeping_conflicts
from webapp.tokens.exchange import MAX_CALL_BYTES, LoginCall, check_secret, exchange_login, receipt_of
from webapp.tokens.limits import limit_address, limit_goal
from webapp.tokens.planning import Outcome
from webapp.tokens.receipts import token_digest
from webapp.tokens.recent import recent_tokens
from webapp.tokens.refusals import BodyTooLargeError, GoalOffError, NotJsonError, OriginNotAllowedError
from webapp.tokens.sync import Post, sync_visitor
from webapp.tokens.verification import verify_token

MAX_BODY_BYTES = 24 * 1024
PREFLIGHT_SECONDS = 7200
MAX_KEY_LENGTH = 64
MAX_SAID = 100
"""Objectives in each list of a post. Of those that the goal does not ask for nothing is kept."""

bp = Blueprint("tokens", __name__)
watch_received(bp, {"receive_token": "token", "receive_login": "login"})
log = structlog.get_logger()


ObjectiveIds = Annotated[list[Annotated[str, Field(pattern=f"^{OBJECTIVE_ID.pattern}$")]], Field(max_length=MAX_SAID)]


class PostedConsent(BaseModel):
    """What the visitor says of objectives, as BlueConic's script has it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    consented: ObjectiveIds = []
    refused: ObjectiveIds = []
    legislation: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,60}$")

    def said(self) -> SaidConsent:
        """Return it as plain data."""
        return SaidConsent(tuple(self.consented), tuple(self.refused), self.legislation)


class TokenPost(BaseModel):
    """The body: a token, the browser's BlueConic profile if it has one, and what the visitor says of objectives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: str = Field(min_length=1)
    profile_id: str | None = Field(default=None, alias="profileId", pattern=f"^{PROFILE_ID_PATTERN.pattern}$")
    consent: PostedConsent | None = None


@bp.before_request
def limit_posts() -> None:
    """Refuse an address that posts too often, before anything is looked at."""
    if request.method != "POST":
        return
    try:
        limit_address()
    except TooManyRequestsError:
        # The page that posted may read when to try again.
        with suppress(WebsyncError, SQLAlchemyError):
            _open_goal(str((request.view_args or {}).get("goal_key")))
        raise


@bp.post("/sync/<goal_key>/token", provide_automatic_options=False)
def receive_token(goal_key: str) -> ResponseReturnValue:
    """Update the profile of the visitor whose browser posts a token."""
    try:
        outcome = _receive(goal_key)
    except WebsyncError as error:
        log.info("token_refused", goal=goal_key[:MAX_KEY_LENGTH], slug=error.slug)
        raise
    return Response(orjson.dumps(outcome.as_json()), mimetype="application/json")


@bp.route("/sync/<goal_key>/token", methods=["OPTIONS"], provide_automatic_options=False)
def allow_post(goal_key: str) -> ResponseReturnValue:
    """Answer a browser that asks whether its page may post. Source: Fetch standard, CORS-preflight request."""
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
    response.headers["Vary"] = "Origin"
    response.headers["Cache-Control"] = "no-store"
    if "allowed_origin" in g:
        response.headers["Access-Control-Allow-Origin"] = g.allowed_origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    return response


def _receive(goal_key: str) -> Outcome:
    now, item = datetime.now(UTC), receiving()
    goal = _open_goal(goal_key)  # 404, 403
    limit_goal(goal_key)  # 429
    post = _read_post()  # 413, 415, 400
    digest = token_digest(post.token)
    said = post.consent.said() if post.consent else None
    # A token that is known may bring another answer of its visitor, and another process may know a newer one.
    is_answer = answer_to(goal.web_goal.consent, said) is not None
    known = None if is_answer else recent_tokens().find(goal, digest, post.profile_id, now)
    if known is not None:
        item.of_person(known.subject)
        item.applied(known.outcome.state, known.outcome.profile_id)
        return known.outcome
    claims = verify_token(  # 401, 413, 503
        post.token, goal, signing_keys(), now=now, leeway_seconds=settings().token_leeway_seconds
    )
    item.of_person(claims.subject)
    receipt_digest = receipt_of(goal.web_goal, claims, post.token)
    with keeping_conflicts(goal, now=now):
        outcome = sync_visitor(Post(goal, claims, receipt_digest, post.profile_id, now, said)).outcome  # 409
    item.applied(outcome.state, outcome.profile_id)
    if outcome.state is not ProfileState.CONSENT_MISMATCH:  # which may change at any moment
        recent_tokens().keep(goal, digest, claims, outcome, now=now)
    log.info("token_applied", goal=goal_key, subject=sealer().pseudonym(claims.subject), state=outcome.state)
    return outcome


def _exchange(goal_key: str) -> ResponseReturnValue:
    now = datetime.now(UTC)
    goal = live_goal(goal_key)  # 404, 403
    receiving().of_goal(goal.id, goal_key)
    check_secret(goal, request.headers.get("Authorization"), sealer())  # 401; before anything is read
    limit_goal(goal_key)  # 429
    if not (goal.is_open and goal.web_goal.server_exchange):
        raise GoalOffError("The goal does not take logins now.")
    call = LoginCall.model_validate_json(_read_body(MAX_CALL_BYTES))  # 413, 415, 400
    receiving().of_person(call.user_id)
    with keeping_conflicts(goal, now=now):
        answer = exchange_login(goal, call, now=now)  # 400, 401, 409
    receiving().applied(answer["state"], answer["profileId"])
    log.info("login_applied", goal=goal_key, subject=sealer().pseudonym(call.user_id), state=answer["state"])
    return answer


def _open_goal(goal_key: str) -> LiveGoal:
    """Return a goal that takes tokens from where this one comes. Programs other than browsers send no origin."""
    goal = live_goal(goal_key)
    receiving().of_goal(goal.id, goal_key)
    if request.origin is not None:
        if request.origin not in goal.web_goal.allowed_origins:
            raise OriginNotAllowedError("The goal does not take tokens from pages of this origin.")
        g.allowed_origin = request.origin
    if not (goal.is_open and goal.web_goal.enable_token):
        raise GoalOffError("The goal does not take tokens now.")
    return goal


def _read_post() -> TokenPost:
    return TokenPost.model_validate_json(_read_body(MAX_BODY_BYTES))


def _read_body(max_bytes: int) -> bytes:
    if request.mimetype != "application/json":
        raise NotJsonError("Send the body with the content type application/json.")
    # One more than allowed: so one that is too long is told from one that is just right, also if it has no length.
    length = request.content_length
    if length is not None and length > max_bytes:
        raise BodyTooLargeError(f"A body has at most {max_bytes} bytes.")
    body: bytes = request.environ["wsgi.input"].read(max_bytes + 1)
    if len(body) > max_bytes:
        raise BodyTooLargeError(f"A body has at most {max_bytes} bytes.")
    return body
