"""The page "Check a token" of a goal. The token is in this one request: it is stored nowhere, and not sent back."""

from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Optional, Regexp

from webapp.auth0.signing_keys import signing_keys
from webapp.connections.forms import stripped
from webapp.connections.goals import find_goal, find_live_goal
from webapp.database import reading
from webapp.json_text import TypedJsonError, parse_object
from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.settings import settings
from webapp.tokens.examination import examine_token
from webapp.trying.token_checker import CheckedToken, show_token

bp = Blueprint("token_checker", __name__)


class TokenForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """What is pasted: a token, or the whole body of the post that carried it."""

    token = TextAreaField("Token", filters=[stripped], validators=[DataRequired("Paste a token.")])
    profile_id = StringField(
        "BlueConic profile id of the browser",
        filters=[stripped],
        validators=[
            Optional(),
            Regexp(rf"{PROFILE_ID_PATTERN.pattern}\Z", message="Letters, digits and - only (at most 64)."),
        ],
    )

    def unpack(self) -> None:
        """If a body or a header's value was pasted, take the token out of it, and the profile id if none was typed."""
        pasted = self.token.data or ""
        try:
            body = parse_object(pasted)
        except TypedJsonError:
            self.token.data = pasted.removeprefix("Bearer ").strip()
            return
        if isinstance(body.get("token"), str):
            self.token.data = body["token"].strip()
            if isinstance(body.get("profileId"), str):
                self.profile_id.data = self.profile_id.data or body["profileId"]


@bp.route("/goals/<key>/check-token", methods=["GET", "POST"])
def check(key: str) -> ResponseReturnValue:
    """Take a token, make each check, and show what became of them and what the token would change."""
    now, form, checked = datetime.now(UTC), TokenForm(), None
    if request.method == "POST":
        form.unpack()
    if request.method == "POST" and form.validate():
        checked = _checked(key, form, now)
    form.token.data = ""  # whatever came of it, the token does not go back
    with reading() as session:
        goal = find_goal(session, key)
        page = render_template(
            "trying/token_checker.html", goal=goal, connection=goal.connection, form=form, checked=checked
        )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK


def _checked(key: str, form: TokenForm, now: datetime) -> CheckedToken:
    token = form.token.data or ""
    with reading() as session:
        live = find_live_goal(session, key)  # 404, 403
    # No transaction is open: fetching the tenant's keys may take seconds.
    examined = examine_token(token, live, signing_keys(), now=now, leeway_seconds=settings().token_leeway_seconds)
    with reading() as session:
        return show_token(session, token, live, examined, profile_hint=form.profile_id.data or None, now=now)
