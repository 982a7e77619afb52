"""Pages of identity conflicts: the list, one with both sides, and the three choices."""

from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts.session import signed_in_admin
from webapp.conflicts.choosing import Choice, StaleConflictError, decide
from webapp.conflicts.listing import count_waiting, find_conflict, list_conflicts, show_sides
from webapp.conflicts.models import ConflictState
from webapp.connections.goals import find_any_goal
from webapp.database import reading, transaction
from webapp.errors import MalformedRequestError, NotFoundError

bp = Blueprint("conflicts", __name__)
bp.add_app_template_global(count_waiting, "waiting_conflicts")

DECIDED = {
    Choice.KEEP: "The profile stays with its present owner.",
    Choice.MOVE: "The profile is the visitor's now.",
    Choice.SPLIT: "The visitor has a profile of their own now.",
}


@bp.get("/conflicts")
def index() -> ResponseReturnValue:
    """List the conflicts that wait for a decision, or with ``?show=decided`` those that have one."""
    goal_key, profile_id = request.args.get("goal"), request.args.get("profile")
    if any("\0" in text for text in (goal_key or "", profile_id or "")):
        raise MalformedRequestError("A NUL character cannot be part of a text.")
    is_decided = request.args.get("show") == "decided"
    after = _read_place(request.args.get("after"))
    with reading() as session:
        goal = find_any_goal(session, goal_key) if goal_key else None
        page = list_conflicts(session, goal=goal, profile_id=profile_id, is_decided=is_decided, after=after)
        return render_template(
            "conflicts/index.html",
            page=page,
            goal=goal,
            profile_id=profile_id,
            is_decided=is_decided,
            is_first=after is None,
            next_place=f"{page.next_place[0].isoformat()}~{page.next_place[1]}" if page.next_place else None,
        )


@bp.get("/conflicts/<key>")
def show(key: str) -> ResponseReturnValue:
    """Show both sides of a conflict, and what can be done."""
    with reading() as session:
        conflict = find_conflict(session, key)
        sides = show_sides(session, conflict)
        # Who moved or split it did that; a kept conflict can still be decided otherwise.
        is_done = conflict.state in {ConflictState.MOVED, ConflictState.SPLIT}
        return render_template("conflicts/show.html", conflict=conflict, sides=sides, is_done=is_done)


@bp.post("/conflicts/<key>/<choice>")
def choose(key: str, choice: str) -> ResponseReturnValue:
    """Do what a button of the page says, if everything still is as that page showed it."""
    if choice not in set(Choice):
        raise NotFoundError("There is no such choice.")
    try:
        with transaction() as session:
            seen = request.form.get("seen", "")
            actor = signed_in_admin().email
            decide(session, key, Choice(choice), seen=seen, actor=actor, now=datetime.now(UTC))
    except StaleConflictError as error:
        flash(f"Nothing was changed. {error.detail}", "warning")
    except NotFoundError as error:
        flash(error.detail, "warning")
        return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)
    else:
        flash(DECIDED[Choice(choice)], "success")
    return redirect(url_for(".show", key=key), HTTPStatus.SEE_OTHER)


def _read_place(text: str | None) -> tuple[datetime, int] | None:
    if text is None:
        return None
    moment, _, number = text.partition("~")
    try:
        place = datetime.fromisoformat(moment), int(number)
    except ValueError:
        place = None
    if place is None or place[0].tzinfo is None or not 0 <= place[1] < 2**31:
        raise MalformedRequestError("The place in the list is not one that a page of it named.")
    return place
