"""POST /sync/<goal>/token, where a browser hands in the token of a login: taken from the WSGI server as it comes.

This is the one request that has to be cheap, so it goes past Flask. Whatever can be refused without a look at the
body is refused first; then `webapp.tokens.desk` decides.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wsgi import get_path_info

from webapp.connections.goals import LiveGoal
from webapp.connections.live_goals import live_goal
from webapp.errors import PROBLEM_TYPE, WebsyncError, problem_of
from webapp.live.receiving import Receiving, count_received
from webapp.rates import TooManyRequestsError, address_group
from webapp.tokens.admission import check_open, check_origin
from webapp.tokens.conflicts import keeping_conflicts
from webapp.tokens.desk import PostedToken, hand_in
from webapp.tokens.limits import limit_address, limit_goal
from webapp.tokens.posts import MAX_BODY_BYTES, read_body

ROUTE = "/sync/<goal_key>/token"
PREFIX, SUFFIX = ROUTE.split("<goal_key>")
MAX_KEY_LENGTH = 64
"""Of a goal's key in the log: whoever posts may make one up."""

OF_ALL_ANSWERS = {"Vary": "Origin", "Cache-Control": "no-store"}
OF_READABLE_ANSWERS = {"Access-Control-Expose-Headers": "Retry-After"}
"""Of those that a page of an allowed origin may read, beside the origin."""

Answer = tuple[int, Sequence[tuple[str, str]], bytes]
"""A status, headers and a body."""

_JSON = [("Content-Type", "application/json")]
_STATUS_LINES = {status.value: f"{status.value} {status.phrase.upper()}" for status in HTTPStatus}

log = structlog.get_logger()


def is_token_post(environ: WSGIEnvironment) -> bool:
    """Say if this is `ROUTE`. What is no goal's key in any case is left to Flask, as other methods are."""
    path: str = environ.get("PATH_INFO", "")
    key = path[len(PREFIX) : -len(SUFFIX)]
    is_route = path.startswith(PREFIX) and path.endswith(SUFFIX) and "/" not in key and "\0" not in key
    return is_route and key != "" and environ.get("REQUEST_METHOD", "").upper() == "POST"


class Entrance:
    """A WSGI app that takes what `is_token_post` says yes to. All answers have ``headers``."""

    def __init__(self, app: Flask, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [*headers.items(), *OF_ALL_ANSWERS.items()]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer a post."""
        arrival = _Arrival(environ, get_path_info(environ)[len(PREFIX) : -len(SUFFIX)])
        with self._app.app_context():
            status, headers, body = arrival.answer()
        if arrival.allowed_origin is not None:
            headers = [("Access-Control-Allow-Origin", arrival.allowed_origin), *OF_READABLE_ANSWERS.items(), *headers]
        length = "Content-Length", str(len(body))
        start_response(_STATUS_LINES[status], [*self._headers, *headers, length])
        return [body]


@dataclass(slots=True, eq=False)
class _Arrival:
    """A post under way. Pages of the ``allowed_origin`` may read the answer, errors included."""

    environ: WSGIEnvironment
    goal_key: str
    item: Receiving = field(default_factory=partial(Receiving, "token"))
    allowed_origin: str | None = None

    def answer(self) -> Answer:
        try:
            self._limit()
            return HTTPStatus.OK, _JSON, self._receive()
        except Exception as error:  # noqa: BLE001, this is where every error of a post is answered
            problem = problem_of(error, ROUTE)
        count_received(self.item, problem.status, problem.slug)
        return problem.status, [("Content-Type", PROBLEM_TYPE), *problem.headers.items()], problem.as_json().encode()

    def _limit(self) -> None:
        try:
            limit_address(address_group(self.environ.get("REMOTE_ADDR", "")))  # 429
        except TooManyRequestsError:
            # The page that posted may read when to try again.
            with suppress(WebsyncError, SQLAlchemyError):
                self._open_goal()
            raise

    def _receive(self) -> bytes:
        try:
            now, goal = datetime.now(UTC), self._open_goal()  # 404, 403
            limit_goal(self.goal_key)  # 429
            body = read_body(self.environ, MAX_BODY_BYTES)  # 415, 413, 408
            with keeping_conflicts(goal, now=now):
                return hand_in(PostedToken(goal, body, self.item, now))  # 400, 401, 413, 409, 503
        except WebsyncError as error:
            log.info("token_refused", goal=self.goal_key[:MAX_KEY_LENGTH], slug=error.slug)
            raise

    def _open_goal(self) -> LiveGoal:
        origin, goal = self.environ.get("HTTP_ORIGIN"), live_goal(self.goal_key)
        self.item.of_goal(goal.id, self.goal_key)
        check_origin(goal, origin)
        self.allowed_origin = origin
        check_open(goal)
        return goal
