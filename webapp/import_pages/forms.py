"""The form of an import goal, its fields in the order of the page."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from itertools import count
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types

from snippets.goals import InvalidGoalError, MergeStrategy, Problem
from webapp.connections.forms import STRATEGIES, CheckBoxesField, LinkForm, RowField, stripped
from webapp.connections.goals import DEFAULT_LINKS, DEFAULT_MAPPINGS
from webapp.connections.import_goals import DeletionPolicy, ImportGoal, ImportMapping, ImportMode
from webapp.connections.transforms import MAX_TRANSFORMS, TransformKind
from webapp.profiles.values import PropertyType

MODES = (
    SelectChoice(ImportMode.FULL, "Full: each run asks Auth0 for all users, and leaves out who has not changed"),
    SelectChoice(ImportMode.INCREMENTAL, "Incremental: each run asks only for users who changed since the last one"),
)
DELETION_POLICIES = (
    SelectChoice(DeletionPolicy.IGNORE, "Ignore: the profile stays as it is"),
    SelectChoice(DeletionPolicy.CLEAR, "Clear the mapped properties"),
    SelectChoice(DeletionPolicy.DELETE, "Delete the profile"),
)
TRANSFORMS = (
    SelectChoice(TransformKind.LOWER, "lower case"),
    SelectChoice(TransformKind.UPPER, "upper case"),
    SelectChoice(TransformKind.TRIM, "trim"),
    SelectChoice(TransformKind.DATE, "read date as"),
    SelectChoice(TransformKind.SPLIT, "split at"),
    SelectChoice(TransformKind.JOIN, "join with"),
    SelectChoice(TransformKind.FIRST, "first value"),
    SelectChoice(TransformKind.LAST, "last value"),
    SelectChoice(TransformKind.DEFAULT, "if empty"),
    SelectChoice(TransformKind.CONSTANT, "always"),
)
EXAMPLES = {"date": "%d.%m.%Y", "split": ",", "join": ", "}
"""What may stand in a chip's field, where a value would not be plain."""
AUTOMATIC = SelectChoice("", "Automatic")
TYPES = (
    SelectChoice(PropertyType.TEXT, "Text"),
    SelectChoice(PropertyType.NUMBER, "Number"),
    SelectChoice(PropertyType.DECIMAL, "Decimal"),
    SelectChoice(PropertyType.DATETIME, "Date-time"),
    SelectChoice(PropertyType.EMAIL, "E-mail"),
)
FIRST_NAME = "Import data"


class TransformForm(Form):
    """A chip: a step of a mapping, and what it is told."""

    kind = HiddenField()
    argument = StringField()

    @property
    def label(self) -> str:
        """What the chip says."""
        return str(next((each.label for each in TRANSFORMS if each.value == self.kind.data), self.kind.data))

    @property
    def takes_argument(self) -> bool:
        """Whether the chip has a field."""
        return _takes_argument(self.kind.data)

    @property
    def example(self) -> str:
        """What the field might hold."""
        return EXAMPLES.get(self.kind.data or "", "")


class ImportMappingForm(Form):
    """One row of the mappings. `read_import_goal` checks it, so it has no validators.

    ``property_type`` is of a property that is not defined yet; ``new_transform`` is what "Add" adds.
    """

    auth0_field = RowField("Auth0 field")
    profile_property = StringField("Profile property")
    property_type = SelectField("Type", choices=(AUTOMATIC, *TYPES), default="")
    strategy = SelectField("Merge strategy", choices=STRATEGIES, default=MergeStrategy.SET)
    transforms = FieldList(FormField(TransformForm))
    new_transform = SelectField("Add transform", choices=TRANSFORMS, default=TransformKind.TRIM)

    stored_type: str | None = None
    """The type of the property, if it is defined."""
    automatic_type: str | None = None
    """What a new property gets unless a type is chosen."""

    @property
    def automatic(self) -> str:
        """What the choice of no type says."""
        found = next((each.label.lower() for each in TYPES if each.value == self.automatic_type), None)
        return f"{AUTOMATIC.label} ({found})" if found else str(AUTOMATIC.label)


class RemainingForm(Form):
    """A field that no mapping reads yet, and the property that is proposed for it."""

    is_chosen = BooleanField("Add")
    auth0_field = HiddenField()
    example = HiddenField()
    profile_property = StringField("Profile property")
    property_type = SelectField("Type", choices=(AUTOMATIC, *TYPES), default="")

    stored_type: str | None = None
    """The type of the property, if it is defined."""


class ImportGoalForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """An import goal. ``expected_revision`` is the one that the page began with.

    The databases that can be chosen are given with `let_choose`, before the page is made.
    """

    expected_revision = HiddenField(default="0")
    name = StringField("Name")
    is_on = BooleanField("Switched on", default=True)
    databases = CheckBoxesField("Auth0 databases", validate_choice=False)
    other_databases = TextAreaField("Other databases")
    database_property = StringField("Save the database name to a profile property")
    enable_batch = BooleanField("Enable Batch", default=True)
    mode = RadioField("Users of a run", choices=MODES, default=ImportMode.FULL)
    deletion_policy = RadioField(
        "Profiles of users who were deleted", choices=DELETION_POLICIES, default=DeletionPolicy.IGNORE
    )
    enable_webhook = BooleanField("Enable Webhook")
    links = FieldList(FormField(LinkForm))
    allow_creation = BooleanField("Allow creation of profiles", default=True)
    mappings = FieldList(FormField(ImportMappingForm))
    remaining = FieldList(FormField(RemainingForm))
    remaining_strategy = SelectField("Merge strategy of all", choices=STRATEGIES, default=MergeStrategy.SET)
    remaining_prefix = StringField("Prefix of new properties", filters=[stripped])
    lookup = StringField("User id or e-mail address", filters=[stripped])
    pasted = TextAreaField("Or a user as JSON", filters=[stripped])

    @property
    def chosen_databases(self) -> list[str]:
        """The names that are checked or typed, each once."""
        typed = [line.strip() for line in (self.other_databases.data or "").splitlines()]
        return list(dict.fromkeys(name for name in [*(self.databases.data or ()), *typed] if name))

    def let_choose(self, names: Collection[str]) -> None:
        """Offer these databases after those that are chosen, which keep their order; what was typed becomes a box."""
        chosen = self.chosen_databases
        self.databases.choices = [
            SelectChoice(name, name if name in names or not names else f"{name} (the tenant has no such database)")
            for name in (*chosen, *sorted(set(names).difference(chosen)))
        ]
        self.databases.data, self.other_databases.data = chosen, ""

    def plain(self, *, key: str) -> dict[str, object]:
        """Return what was typed, for `read_import_goal`."""
        return {
            "key": key,
            "name": self.name.data,
            "databases": self.chosen_databases,
            "database_property": self.database_property.data,
            "enable_batch": self.enable_batch.data,
            "enable_webhook": self.enable_webhook.data,
            "mappings": [_plain_mapping(row) for row in self.mappings.data],
            "links": self.links.data,
            "allow_creation": self.allow_creation.data,
            "mode": self.mode.data,
            "deletion_policy": self.deletion_policy.data,
        }

    def new_types(self) -> dict[str, PropertyType]:
        """Return the types that were chosen. Raises InvalidGoalError if two rows choose otherwise for one property."""
        chosen: dict[str, PropertyType] = {}
        problems = tuple(self._collect_types(chosen))
        if problems:
            raise InvalidGoalError(problems)
        return chosen

    def _collect_types(self, chosen: dict[str, PropertyType]) -> Iterator[Problem]:
        for index, row in enumerate(self.mappings.data):
            name, wanted = (row["profile_property"] or "").strip(), row["property_type"]
            if not wanted:
                continue
            place = ("mappings", index, "property_type")
            if wanted not in list(PropertyType):
                yield Problem(place, f"Must be one of {', '.join(PropertyType)}.")
            elif chosen.setdefault(name, PropertyType(wanted)) != wanted:
                yield Problem(place, f"Another row makes {name} a property of the type {chosen[name]}.")


def import_goal_form(goal: ImportGoal, *, is_on: bool) -> ImportGoalForm:
    """Return the form of a stored goal."""
    return ImportGoalForm(
        formdata=None,
        data={
            "expected_revision": str(goal.revision),
            "name": goal.name,
            "is_on": is_on,
            "databases": list(goal.databases),
            "database_property": goal.database_property,
            "enable_batch": goal.enable_batch,
            "enable_webhook": goal.enable_webhook,
            "mode": goal.mode,
            "deletion_policy": goal.deletion_policy,
            "links": [asdict(link) for link in goal.links],
            "allow_creation": goal.allow_creation,
            "mappings": [asdict(mapping) for mapping in goal.mappings],
        },
    )


def new_import_goal_form(taken_names: Collection[str]) -> ImportGoalForm:
    """Return the form of a goal that does not exist yet, with rows that suit most tenants and a name of its own."""
    mappings = [ImportMapping(row.auth0_field, row.profile_property, row.strategy) for row in DEFAULT_MAPPINGS]
    data = {
        "name": next(name for name in _first_names() if name not in taken_names),
        "mappings": [asdict(mapping) for mapping in mappings],
        "links": [asdict(link) for link in DEFAULT_LINKS],
    }
    return ImportGoalForm(formdata=None, data=data)


def _first_names() -> Iterator[str]:
    yield FIRST_NAME
    yield from (f"{FIRST_NAME} {number}" for number in count(2))


def _plain_mapping(row: Mapping[str, Any]) -> dict[str, object]:
    plain = {name: row[name] for name in ("auth0_field", "profile_property", "strategy")}
    return plain | {"transforms": [_plain_transform(chip) for chip in row["transforms"][: MAX_TRANSFORMS + 1]]}


def _plain_transform(chip: Mapping[str, Any]) -> object:
    kind, argument = chip["kind"] or "", chip["argument"] or ""
    return {kind: argument} if _takes_argument(kind) else kind


def _takes_argument(kind: str | None) -> bool:
    return kind in list(TransformKind) and TransformKind(kind).takes_argument
