"""Forms of the profile pages."""

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import InputRequired, Length, Regexp, ValidationError

from snippets.goals import PROFILE_ID, PROPERTY_ID, READ_ONLY_PROPERTIES
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
