"""The server exchange in a trial: the Action's call is answered here, as Websync would, and nothing is written."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from pydantic import ValidationError

from snippets.exchange import exchange_url
from snippets.goals import WebGoal
from webapp.auth0.action_engine import Answerer, FetchAnswer, Fetched
from webapp.connections.goals import find_live_goal
from webapp.database import reading
from webapp.errors import WebsyncError
from webapp.json_text import pretty
from webapp.tokens.exchange import LoginCall
from webapp.tokens.preview import preview_exchange

SAMPLE_SECRET = "a secret for this trial alone"  # noqa: S105, nothing is protected by it


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call that the Action made, and what it was answered: texts to be read."""

    url: str
    call: str
    status: int
    answer: str


def answering(goal: WebGoal, exchanges: list[Exchange], clock: Callable[[], datetime]) -> Answerer:
    """Return what answers the Action's calls; each is noted in ``exchanges``. Only Websync's own address answers."""

    def answer(fetched: Fetched) -> FetchAnswer:
        if fetched.url != exchange_url(goal):
            return FetchAnswer(error_name="TypeError")
        status, body = _preview(goal, fetched.body, clock())
        exchanges.append(Exchange(fetched.url, _readable(fetched.body), status, pretty(body)))
        return FetchAnswer(status, json.dumps(body))

    return answer


def _preview(goal: WebGoal, body: str, now: datetime) -> tuple[int, dict[str, object]]:
    try:
        call = LoginCall.model_validate_json(body)
        with reading() as session:
            return HTTPStatus.OK, preview_exchange(session, find_live_goal(session, goal.key), call, now=now)
    except WebsyncError as error:
        return error.status, {"title": error.title, "detail": error.detail}
    except ValidationError:
        return HTTPStatus.BAD_REQUEST, {"title": "The request is malformed"}


def _readable(body: str) -> str:
    try:
        return pretty(json.loads(body))
    except ValueError:
        return body
