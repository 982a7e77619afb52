"""The form of the page: what to run, the sample login, and what the visitor's browser brings."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import Optional, Regexp, ValidationError

from snippets.goals import WebGoal
from snippets.rendering import SnippetKind
from webapp.connections.forms import stripped
from webapp.json_text import TypedJsonError, parse_object, pretty
from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.trying.logins import LoginKind, TriedLogin, around_problem, user_problem
from webapp.trying.sample import PROFILE_ID, SampleLogin

CODES = (
    SelectChoice(SnippetKind.ACTION, "Action"),
    SelectChoice(SnippetKind.RULE, "Rule (legacy)"),
)
LOGIN_KINDS = (
    SelectChoice(LoginKind.REDIRECT, "Login by redirect: the values travel in the query"),
    SelectChoice(LoginKind.REFRESH_WITH_VALUES, "Refresh of the tokens: the values travel in the body"),
    SelectChoice(LoginKind.WITHOUT_VALUES, "Silent authentication or refresh without values"),
)


class JsonField(TextAreaField):
    """JSON to edit. ``parsed`` is the object that a valid text is; what was typed stays as it was."""

    parsed: Mapping[str, Any] = MappingProxyType({})


class TryForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A trial. `try_form` adds a field for each property that travels to Auth0."""

    code = RadioField("Run", choices=CODES, default=SnippetKind.ACTION)
    login_kind = RadioField("Kind of login", choices=LOGIN_KINDS, default=LoginKind.REDIRECT)
    lookup = StringField("User id or e-mail address", filters=[stripped])
    user = JsonField("User (JSON)")
    around = JsonField("Login (JSON)")
    profile_id = StringField(
        "BlueConic profile id",
        filters=[stripped],
        validators=[
            Optional(),
            Regexp(rf"{PROFILE_ID_PATTERN.pattern}\Z", message="Letters, digits and - only (at most 64)."),
        ],
    )

    def validate_user(self, field: JsonField) -> None:
        """Parse the user. What was parsed stays with the field."""
        _parse(field)
        _refuse(user_problem(field.parsed))

    def validate_around(self, field: JsonField) -> None:
        """Parse what stands around the user."""
        _parse(field)
        _refuse(around_problem(field.parsed))

    @property
    def value_fields(self) -> list[Field]:
        """The fields of the properties that travel to Auth0, in the order of the goal's rows."""
        return [field for field in self if field.name.startswith(_VALUE)]

    def login(self) -> TriedLogin:
        """Return the login that the valid form describes."""
        return TriedLogin(
            kind=LoginKind(self.login_kind.data),
            user=dict(self.user.parsed),
            around=dict(self.around.parsed),
            values={
                field.name.removeprefix(_VALUE): [line for line in (field.data or "").splitlines() if line]
                for field in self.value_fields
            },
            profile_id=self.profile_id.data or None,
        )


_VALUE = "value-"


def try_form(goal: WebGoal, sample: SampleLogin) -> TryForm:
    """Return the form for ``goal``, as it was posted or, if nothing was, filled with ``sample``."""
    fields = {f"{_VALUE}{name}": TextAreaField(name) for name in goal.browser_properties}
    form_class: Any = type("GoalTryForm", (TryForm,), fields)
    values = {f"{_VALUE}{name}": "\n".join(texts) for name, texts in sample.values.items()}
    data = {"user": pretty(sample.user), "around": pretty(sample.login), "profile_id": PROFILE_ID, **values}
    form: TryForm = form_class(data=data)
    return form


def _parse(field: JsonField) -> None:
    try:
        field.parsed = parse_object(field.data or "")
    except TypedJsonError as error:
        raise ValidationError(str(error)) from error


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise ValidationError(problem)
