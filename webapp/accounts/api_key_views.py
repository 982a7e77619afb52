"""The page of API keys: which there are, a new one, and the end of one."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types
from wtforms.validators import DataRequired, Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from webapp.accounts.api_keys import (
    MAX_NAME_LENGTH,
    SCOPE_WORDS,
    Scope,
    all_api_keys,
    make_api_key,
    revoke_api_key,
)
from webapp.accounts.session import signed_in_admin
from webapp.database import reading, transaction

bp = Blueprint("api_keys", __name__)

DAYS = {"30": "30 days", "90": "90 days", "365": "a year", "": "ever"}


class ApiKeyForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A new key."""

    name = StringField(
        "Name", validators=[DataRequired("Say what it is for, such as: nightly report."), Length(max=MAX_NAME_LENGTH)]
    )
    scopes = SelectMultipleField(
        "It may",
        choices=[SelectChoice(scope, f"{words} ({scope})") for scope, words in SCOPE_WORDS.items()],
        default=[Scope.READ_CONNECTIONS, Scope.READ_RUNS],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    days = SelectField("It works for", choices=[SelectChoice(*each) for each in DAYS.items()], default="90")

    def validate_name(self, field: StringField) -> None:
        """Refuse what no page shows and PostgreSQL cannot store."""
        if not (field.data or "").isprintable():
            raise ValidationError("Printable characters only.")

    def validate_scopes(self, field: SelectMultipleField) -> None:
        """Refuse a key that may do nothing."""
        if not field.data:
            raise ValidationError("Choose at least one.")


@bp.route("/api-keys", methods=["GET", "POST"])
def index() -> ResponseReturnValue:
    """List the keys, or make a new one and show it this once."""
    form, now = ApiKeyForm(), datetime.now(UTC)
    if form.validate_on_submit():
        name, scopes = (form.name.data or "").strip(), [Scope(each) for each in form.scopes.data or []]
        expires_at = now + timedelta(days=int(form.days.data)) if form.days.data else None
        with transaction() as session:
            text = make_api_key(session, name, scopes, expires_at, actor=signed_in_admin().email, now=now)
        return render_template("accounts/api_key_made.html", name=name, text=text)
    with reading() as session:
        keys = all_api_keys(session)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_template("accounts/api_keys.html", form=form, keys=keys, now=now), status


@bp.post("/api-keys/<public_id>/revoke")
def revoke(public_id: str) -> ResponseReturnValue:
    """End a key."""
    with transaction() as session:
        key = revoke_api_key(session, public_id, actor=signed_in_admin().email, now=datetime.now(UTC))
    flash(f"The key {key.name} has ended.", "success")
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)
