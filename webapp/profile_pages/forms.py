"""Forms of the profile pages."""

from dataclasses import asdict

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired, InputRequired, Length, Regexp, ValidationError

from snippets.consent import OBJECTIVE_ID
from snippets.goals import PROFILE_ID, PROPERTY_ID, READ_ONLY_PROPERTIES
from webapp.connections.forms import CheckBoxesField
from webapp.profiles.legislation import ZONES
from webapp.profiles.models import Objective
from webapp.profiles.objectives import (
    MAX_DESCRIPTION_LENGTH,
    MAX_NAME_LENGTH,
    RESERVED_IDS,
    ObjectiveDetails,
    details_of,
)
from webapp.profiles.values import PropertyType

TYPE_NAMES = {
    PropertyType.TEXT: "Text",
    PropertyType.NUMBER: "Whole number",
    PropertyType.DECIMAL: "Decimal number",
    PropertyType.DATETIME: "Date and time",
    PropertyType.EMAIL: "E-mail address",
}


class PropertyForm(FlaskForm):  # type: ignore[misc]
    """What can be changed of a profile property."""

    name = StringField("Name", [InputRequired("Enter a name."), Length(max=200)])
    property_type = SelectField("Type", choices=[SelectChoice(kind, name) for kind, name in TYPE_NAMES.items()])
    is_indexed = BooleanField("Unique identifier")


class NewPropertyForm(PropertyForm):
    """A new profile property: its id stays as it is."""

    id = StringField(
        "Id",
        [
            InputRequired("Enter an id."),
            Regexp(rf"^{PROPERTY_ID.pattern}\Z", message="Letters, digits, - and _ only (at most 100)."),
        ],
    )

    def validate_id(self, field: StringField) -> None:
        """Refuse ids that mean something else already."""
        if field.data == PROFILE_ID or (field.data or "").lower() in READ_ONLY_PROPERTIES:
            raise ValidationError("This id is reserved.")


ZONE_CHOICES = [SelectChoice(zone, name) for zone, name in ZONES.items()]


class ObjectiveForm(FlaskForm):  # type: ignore[misc]
    """What can be changed of an objective."""

    name = StringField("Name", [DataRequired("Enter a name."), Length(max=MAX_NAME_LENGTH)])
    description = TextAreaField("Description", [Length(max=MAX_DESCRIPTION_LENGTH)])
    needs_consent = BooleanField("Needs consent")
    legislations = CheckBoxesField("Legislation zones", choices=ZONE_CHOICES)

    def details(self) -> ObjectiveDetails:
        """Return what the valid form says."""
        return ObjectiveDetails(
            name=(self.name.data or "").strip(),
            description=(self.description.data or "").strip(),
            needs_consent=bool(self.needs_consent.data),
            legislations=tuple(sorted(self.legislations.data or ())),
        )

    def validate_legislations(self, field: CheckBoxesField) -> None:
        """Ask for a zone: an objective that needs consent nowhere is one that needs none."""
        if self.needs_consent.data and not field.data:
            raise ValidationError("Choose the zones in which consent is needed, or say that it needs none.")


class NewObjectiveForm(ObjectiveForm):
    """A new objective: its id stays as it is."""

    id = StringField(
        "Id",
        [
            InputRequired("Enter an id."),
            Regexp(rf"^{OBJECTIVE_ID.pattern}\Z", message="Letters, digits, - and _ only (at most 100)."),
        ],
    )

    def validate_id(self, field: StringField) -> None:
        """Refuse ids that are pages already."""
        if field.data in RESERVED_IDS:
            raise ValidationError("This id is reserved.")


class ZonesForm(FlaskForm):  # type: ignore[misc]
    """The zones in which visitors opt out."""

    opt_out = CheckBoxesField("Zones with opt-out", choices=ZONE_CHOICES)


def objective_form(objective: Objective) -> ObjectiveForm:
    """Return the form of a stored objective."""
    return ObjectiveForm(formdata=None, data=asdict(details_of(objective)))
