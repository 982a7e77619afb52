"""The page "Try it" of a goal. Its answer is the page itself: nothing is stored that a redirect could show."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from snippets.goals import WebGoal
from snippets.rendering import SnippetKind
from webapp.connections.goals import find_goal, to_web_goal
from webapp.connections.models import Connection
from webapp.connections.tenant_access import UserNotLoadedError, has_credentials, load_users
from webapp.database import reading
from webapp.json_text import TypedJsonError, parse_object, pretty
from webapp.settings import settings
from webapp.trying.forms import TryForm, try_form
from webapp.trying.result import Result
from webapp.trying.running import run
from webapp.trying.sample import sample_login
from webapp.trying.trial import follow, known_types
from webapp.trying.users import around_of, as_sample

bp = Blueprint("trying", __name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What stays the same whatever becomes of the trial."""

    goal: WebGoal
    is_on: bool
    connection: Connection
    form: TryForm

    def answer(self, *, result: Result | None = None, notice: str | None = None) -> ResponseReturnValue:
        """Return the page with what came of it."""
        page = render_template(
            "trying/try.html",
            goal=self.goal,
            is_on=self.is_on,
            connection=self.connection,
            is_loadable=has_credentials(self.connection),
            form=self.form,
            result=result,
            notice=notice,
        )
        return page, HTTPStatus.UNPROCESSABLE_ENTITY if self.form.errors else HTTPStatus.OK


@bp.route("/goals/<key>/try", methods=["GET", "POST"])
def try_goal(key: str) -> ResponseReturnValue:
    """Show the sample login; run the goal's code on it; or fill it with a real user."""
    page = _page(key)
    if request.method == "GET":
        return page.answer()
    if request.form.get("do") == "load":
        return _load(page)
    if not page.form.validate():
        return page.answer()
    login = page.form.login()
    done = run(page.goal, SnippetKind(page.form.code.data), login)  # no transaction is open: it may take seconds
    with reading() as session:
        result = follow(session, page.goal, login, done, now=datetime.now(UTC))
    return page.answer(result=result)


def _page(key: str) -> Page:
    with reading() as session:
        row = find_goal(session, key)
        goal = to_web_goal(row, public_url=settings().public_url)
        is_on = row.is_on and row.connection.is_on
        form = try_form(goal, sample_login(goal, known_types(session, goal)))
        return Page(goal, is_on, row.connection, form)


def _load(page: Page) -> ResponseReturnValue:
    """Fill the JSON with a user of the tenant, and leave the rest as it was typed."""
    form = page.form
    try:
        user, *others = load_users(page.connection, form.lookup.data or "")
        form.user.data = pretty(as_sample(user))
    except UserNotLoadedError as error:
        form.lookup.errors = [str(error)]
        return page.answer()
    with suppress(TypedJsonError):  # what was mistyped there is said when it is run
        form.around.data = pretty(around_of(user, parse_object(form.around.data or "")))
    notice = "The user is loaded. Nothing was run yet."
    if others:
        notice += f" {len(others) + 1} users have this address; this is the first. Enter a user id for another."
    return page.answer(notice=notice)
