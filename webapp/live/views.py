"""The Live page of a goal, and the stream that keeps it up to date."""

from collections.abc import Sequence

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from webapp.accounts.session import session_watch
from webapp.connections.goals import find_goal
from webapp.database import database, reading
from webapp.errors import MalformedRequestError
from webapp.live.listing import PAGE_LENGTH, ShownItem, check_outcome, list_items, list_outcomes, news
from webapp.live.streaming import live_streams
from webapp.slow_clients import STREAMS

MAX_ID = 2**63 - 1
MAX_DIGITS = 19

bp = Blueprint("live", __name__)


@bp.get("/goals/<key>/live")
def show(key: str) -> ResponseReturnValue:
    """List what the goal received, the newest first."""
    outcome = check_outcome(request.args.get("outcome", ""))
    before = _read_id("before", request.args.get("before"))
    with reading() as session:
        goal = find_goal(session, key)
        return render_template(
            "live/show.html",
            goal=goal,
            connection=goal.connection,
            page=list_items(session, goal.id, outcome=outcome, before=before),
            outcomes=list_outcomes(session, goal.id),
            outcome=outcome,
            is_first=before is None,
            max_rows=PAGE_LENGTH,
        )


@bp.get("/goals/<key>/live/events")
def events(key: str) -> ResponseReturnValue:
    """Answer what is new as it comes, after the item that the browser saw last."""
    outcome = check_outcome(request.args.get("outcome", ""))
    # A browser that connects again still asks with the URL of the first time, so its header counts.
    seen = request.headers.get("Last-Event-ID") or request.args.get("after")
    after = _read_id("after", seen) or 0
    with reading() as session:
        goal_id = find_goal(session, key).id
    floor = database()

    def look(after: int) -> Sequence[ShownItem]:
        with floor.reading() as session:
            return news(session, goal_id, outcome=outcome, after=after)

    request.environ[STREAMS] = True
    stream = live_streams().events(look, session_watch(), after=after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the second: nginx passes it on as it comes
    return Response(stream, mimetype="text/event-stream", headers=headers)


def _read_id(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    is_id = text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and int(text) <= MAX_ID
    if not is_id:
        raise MalformedRequestError(f"“{name}” must be the number of an item.")
    return int(text)
