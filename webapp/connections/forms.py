"""Forms of connections and web goals: what people type, and the way from there to plain data and back."""

from collections.abc import Sequence
from dataclasses import asdict

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types
from wtforms.validators import DataRequired, Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from snippets.consent import MAX_OBJECTIVES
from snippets.goals import Direction, MergeStrategy, TokenKind, WebGoal
from snippets.policy import SigningAlgorithm
from webapp.auth0.tenant import InvalidDomainError, parse_domain
from webapp.connections.goals import DEFAULT_LINKS, DEFAULT_MAPPINGS
from webapp.connections.models import (
    MAX_CLIENT_ID_LENGTH,
    MAX_DESCRIPTION_LENGTH,
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    MAX_NAME_LENGTH,
    Connection,
)
from webapp.connections.saving import ConnectionDetails
from webapp.profiles.models import Objective
from webapp.settings import settings

DIRECTIONS = (
    SelectChoice(Direction.TO_PROFILE, "Auth0 → BlueConic"),
    SelectChoice(Direction.TO_AUTH0, "BlueConic → Auth0"),
)
STRATEGIES = (
    SelectChoice(MergeStrategy.SET, "Set"),
    SelectChoice(MergeStrategy.SET_IF_EMPTY, "Set if empty"),
    SelectChoice(MergeStrategy.SET_OR_CLEAR, "Set or clear"),
    SelectChoice(MergeStrategy.ADD, "Add"),
    SelectChoice(MergeStrategy.SUM, "Sum"),
)
TOKEN_KINDS = (
    SelectChoice(TokenKind.ID_TOKEN, "ID token, issued to your application"),
    SelectChoice(TokenKind.ACCESS_TOKEN, "Access token, issued for an API that stands for Websync"),
)

ALGORITHMS = (
    SelectChoice(SigningAlgorithm.RS256, "RS256, as Auth0 does by itself"),
    SelectChoice(SigningAlgorithm.PS256, "PS256"),
    SelectChoice(SigningAlgorithm.ES256, "ES256"),
    SelectChoice(SigningAlgorithm.HS256, "HS256, by the client secret below and with no other"),
)


_TOO_MANY_OBJECTIVES = f"At most {MAX_OBJECTIVES} objectives."


def _check_domain(_form: object, field: StringField) -> None:
    try:
        parse_domain(field.data or "", allow_loopback=settings().allows_loopback_tenant)
    except InvalidDomainError as error:
        raise ValidationError(str(error)) from error


def _check_labels(_form: object, field: StringField) -> None:
    labels = split_labels(field.data or "")
    if len(labels) > MAX_LABELS or any(len(label) > MAX_LABEL_LENGTH for label in labels):
        raise ValidationError(f"At most {MAX_LABELS} labels of {MAX_LABEL_LENGTH} characters each.")


def stripped(text: str | None) -> str:
    """Return what was typed without the space around it: a filter of fields."""
    return (text or "").strip()


class CheckBoxesField(SelectMultipleField):
    """Several of the choices, each a box to check."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class ConnectionForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A connection's own fields. ``version`` is the one that the page began with.

    The objectives that can be chosen are given with `let_choose`, before anything else.
    """

    version = HiddenField()
    name = StringField(
        "Name",
        filters=[stripped],
        validators=[DataRequired("Give the connection a name."), Length(max=MAX_NAME_LENGTH)],
    )
    is_on = BooleanField("Switched on", default=True)
    is_favourite = BooleanField("Favourite")
    labels = StringField("Labels", validators=[_check_labels])
    description = TextAreaField("Description", validators=[Length(max=MAX_DESCRIPTION_LENGTH)])
    objectives = CheckBoxesField("Objectives", validators=[Length(max=MAX_OBJECTIVES, message=_TOO_MANY_OBJECTIVES)])
    auth0_domain = StringField("Auth0 domain", validators=[_check_domain])
    auth0_client_id = StringField("Client ID", filters=[stripped], validators=[Length(max=MAX_CLIENT_ID_LENGTH)])
    client_secret = PasswordField("Client secret", validators=[Length(max=1000)])
    remove_secret = BooleanField("Remove the stored secret")

    def let_choose(self, objectives: Sequence[Objective]) -> None:
        """Offer these objectives."""
        self.objectives.choices = [SelectChoice(each.id, each.name) for each in objectives]

    def details(self, *, sealed_client_secret: str | None) -> ConnectionDetails:
        """Return what the valid form says."""
        tenant = parse_domain(self.auth0_domain.data or "", allow_loopback=settings().allows_loopback_tenant)
        return ConnectionDetails(
            name=self.name.data or "",
            is_favourite=self.is_favourite.data,
            labels=split_labels(self.labels.data or ""),
            description=(self.description.data or "").strip(),
            auth0_domain=tenant.domain,
            auth0_client_id=self.auth0_client_id.data or "",
            sealed_client_secret=sealed_client_secret,
            is_on=self.is_on.data,
            objectives=sorted(self.objectives.data or ()),
        )


def connection_form(connection: Connection) -> ConnectionForm:
    """Return the form of a stored connection, without its secret."""
    return ConnectionForm(
        formdata=None,
        data={
            "version": str(connection.version),
            "name": connection.name,
            "is_on": connection.is_on,
            "is_favourite": connection.is_favourite,
            "labels": ", ".join(connection.labels),
            "description": connection.description,
            "auth0_domain": connection.auth0_domain,
            "auth0_client_id": connection.auth0_client_id,
            "objectives": connection.objectives,
        },
    )


def split_labels(text: str) -> list[str]:
    """Return the labels of a comma-separated line, each once, in their order."""
    return list(dict.fromkeys(label.strip() for label in text.split(",") if label.strip()))


class RowField(StringField):
    """The field that names a row: what is said of the row as a whole stands here."""

    warnings: tuple[str, ...] = ()


class MappingForm(Form):
    """One row of the mappings editor. `read_web_goal` checks it, so it has no validators."""

    auth0_field = RowField("Auth0 field")
    direction = SelectField("Direction", choices=DIRECTIONS, default=Direction.TO_PROFILE)
    profile_property = StringField("Profile property")
    strategy = SelectField("Merge strategy", choices=STRATEGIES, default=MergeStrategy.SET)


class LinkForm(Form):
    """One identifier link."""

    auth0_field = RowField("Auth0 field")
    profile_property = StringField("Profile property")
    require_verified = BooleanField("Only if Auth0 verified it", default=True)


class GoalForm(FlaskForm):  # type: ignore[misc]
    """A web goal, its fields in the order of the page; lists are typed one a line.

    ``expected_revision`` is the one that the page began with; ``seen_warnings`` has the marks of those it showed.
    """

    expected_revision = HiddenField(default="0")
    seen_warnings = HiddenField(default="")
    name = StringField("Name")
    is_on = BooleanField("Switched on", default=True)
    mappings = FieldList(FormField(MappingForm))
    links = FieldList(FormField(LinkForm))
    allow_creation = BooleanField("Allow creation of profiles", default=True)
    enable_rule = BooleanField("Enable Rule", default=True)
    server_exchange = BooleanField("Server exchange")
    claim_namespace = StringField("Claim namespace")
    enable_token = BooleanField("Enable Token", default=True)
    token_kind = RadioField("Token that the browser posts", choices=TOKEN_KINDS, default=TokenKind.ID_TOKEN)
    client_ids = TextAreaField("Application client IDs")
    audiences = TextAreaField("API audiences")
    allowed_origins = TextAreaField("Allowed origins")
    required_scopes = TextAreaField("Required scopes")
    custom_domains = TextAreaField("Custom domains of the tenant")
    max_age_seconds = StringField("Greatest age in seconds", filters=[stripped])
    leeway_seconds = StringField("Leeway in seconds", filters=[stripped])
    algorithms = SelectMultipleField(
        "Signature algorithms", choices=ALGORITHMS, default=[SigningAlgorithm.RS256], option_widget=CheckboxInput()
    )
    signing_secret = PasswordField("Client secret for HS256")

    def plain(self, *, key: str) -> dict[str, object]:
        """Return what was typed, for `read_web_goal`."""
        return {
            "key": key,
            "name": self.name.data,
            "claim_namespace": self.claim_namespace.data,
            "mappings": self.mappings.data,
            "links": self.links.data,
            "allow_creation": self.allow_creation.data,
            "token_kind": self.token_kind.data,
            "client_ids": (self.client_ids.data or "").splitlines(),
            "audiences": (self.audiences.data or "").splitlines(),
            "allowed_origins": (self.allowed_origins.data or "").splitlines(),
            "enable_rule": self.enable_rule.data,
            "enable_token": self.enable_token.data,
            "server_exchange": self.server_exchange.data,
            "required_scopes": (self.required_scopes.data or "").split(),
            "custom_domains": (self.custom_domains.data or "").splitlines(),
            "max_age_seconds": _typed_number(self.max_age_seconds.data),
            "leeway_seconds": _typed_number(self.leeway_seconds.data),
            "algorithms": self.algorithms.data or [],
        }

    @property
    def is_advanced(self) -> bool:
        """Say if anything of the advanced token checks is set, or wrong: then they are not folded."""
        fields = (self.required_scopes, self.custom_domains, self.max_age_seconds, self.leeway_seconds)
        is_usual = (self.algorithms.data or [SigningAlgorithm.RS256]) == [SigningAlgorithm.RS256]
        has_mistakes = any(field.errors for field in (*fields, self.algorithms, self.signing_secret))
        return has_mistakes or not is_usual or any(field.data for field in fields)


def _typed_number(text: str | None) -> int | str | None:
    """Return the number that was typed, None for nothing, or the text itself: whoever reads it says what is wrong."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text


def _number_text(number: int | None) -> str:
    return "" if number is None else str(number)


def as_number(text: str | None) -> int:
    """Return the version or revision that a hidden field carries, 0 (which is none) if it is no number."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else 0


def goal_form(web_goal: WebGoal, *, is_on: bool) -> GoalForm:
    """Return the form of a stored goal."""
    return GoalForm(
        formdata=None,
        data={
            "expected_revision": str(web_goal.revision),
            "name": web_goal.name,
            "is_on": is_on,
            "mappings": [asdict(mapping) for mapping in web_goal.mappings],
            "links": [asdict(link) for link in web_goal.links],
            "allow_creation": web_goal.allow_creation,
            "token_kind": web_goal.token_kind,
            "client_ids": "\n".join(web_goal.client_ids),
            "audiences": "\n".join(web_goal.audiences),
            "allowed_origins": "\n".join(web_goal.allowed_origins),
            "claim_namespace": web_goal.claim_namespace,
            "enable_rule": web_goal.enable_rule,
            "enable_token": web_goal.enable_token,
            "server_exchange": web_goal.server_exchange,
            "required_scopes": "\n".join(web_goal.token_policy.required_scopes),
            "custom_domains": "\n".join(web_goal.token_policy.custom_domains),
            "max_age_seconds": _number_text(web_goal.token_policy.max_age_seconds),
            "leeway_seconds": _number_text(web_goal.token_policy.leeway_seconds),
            "algorithms": list(web_goal.token_policy.algorithms),
        },
    )


def new_goal_form(*, public_url: str) -> GoalForm:
    """Return the form of a goal that does not exist yet, with rows that suit most sites."""
    data = {
        "mappings": [asdict(mapping) for mapping in DEFAULT_MAPPINGS],
        "links": [asdict(link) for link in DEFAULT_LINKS],
        "claim_namespace": f"{public_url}/claims/",
    }
    return GoalForm(formdata=None, data=data)
