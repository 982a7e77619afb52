"""Which fields real users have that no mapping reads yet, with an example of each and a property to keep it in."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snippets.goals import METADATA_ROOTS, InvalidMappingError, MergeStrategy
from webapp.connections.goals import DEFAULT_MAPPINGS
from webapp.connections.import_goals import ImportMapping
from webapp.connections.transforms import is_empty
from webapp.importer.fields import value_at
from webapp.json_text import compact
from webapp.profiles.definitions import suggested_type
from webapp.profiles.values import MAX_NUMBER, PropertyType, profile_values

MAX_EXAMPLE_CHARACTERS = 60
MAX_NESTING = 5
"""Deeper objects stay whole."""
_IDENTITY_FIELDS = ("identities[0].provider", "identities[0].connection")
"""Of the identities these alone: they hold the tokens of identity providers too."""
_USUAL_PROPERTIES = {row.auth0_field: row.profile_property for row in DEFAULT_MAPPINGS}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NO_PROPERTY = re.compile(r"[^A-Za-z0-9_-]+")
_MAX_NAME_LENGTH = 80

User = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A field with a property for it. Its type is None if the property exists. ``example`` is a value, cut."""

    auth0_field: str
    example: str
    profile_property: str
    property_type: PropertyType | None


@dataclass(frozen=True, slots=True)
class Found:
    """The fields of some users with their values, and how many fields have names that no mapping can have."""

    values: Mapping[str, Sequence[object]]
    unmappable: int


def find_fields(users: Sequence[User]) -> Found:
    """Return the fields that have a value in any of ``users``, nested ones as dotted paths, in the users' order."""
    values: dict[str, list[object]] = {}
    unmappable: set[str] = set()
    for user in users:
        for path, value in _fields(user):
            if _is_mappable(user, path, value):
                values.setdefault(path, []).append(value)
            else:
                unmappable.add(path)
    return Found(values, len(unmappable))


def propose(found: Found, mapped: Collection[str], taken: Collection[str], known: Mapping[str, str]) -> list[Proposal]:
    """Return a proposal for each field that is not ``mapped``.

    ``taken`` are properties that are mapped already; ``known`` has the ids of all that exist, by `folded` id or name.
    """
    used, proposals = set(taken), []
    for field, values in found.values.items():
        if field in mapped:
            continue
        name = next(each for each in _names(field, known) if each not in used)
        used.add(name)
        property_type = None if name in known.values() else type_of(field, values)
        proposals.append(Proposal(field, _example(values[0]), name, property_type))
    return proposals


def folded(name: str) -> str:
    """Return what two names of a property have in common that people take for one: ``First name``, ``first_name``."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def type_of(field: str, values: Sequence[object]) -> PropertyType:
    """Return the type that all ``values`` of a field fit."""
    usual = suggested_type(field, MergeStrategy.SET)
    items = [item for value in values for item in (value if isinstance(value, list) else [value])]
    if usual is not PropertyType.TEXT or not items:
        return usual
    if all(type(item) is int and abs(item) <= MAX_NUMBER for item in items):
        return PropertyType.NUMBER
    if all(type(item) in {int, float} for item in items):
        return PropertyType.DECIMAL
    for wanted, pattern in ((PropertyType.DATETIME, _DATE), (PropertyType.EMAIL, re.compile("[^@]+@"))):
        if all(isinstance(item, str) and pattern.match(item) and not profile_values(item, wanted)[1] for item in items):
            return wanted
    return PropertyType.TEXT


def _fields(user: User) -> Iterator[tuple[str, object]]:
    for name, value in user.items():
        if name == "identities":
            yield from ((path, found) for path in _IDENTITY_FIELDS if not is_empty(found := value_at(user, path)))
        else:
            yield from _flattened(name, value, MAX_NESTING)


def _flattened(path: str, value: object, levels: int) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and levels:
        for name, member in value.items():
            yield from _flattened(f"{path}.{name}", member, levels - 1)
    elif not is_empty(value) and value != {}:
        yield path, value


def _is_mappable(user: User, path: str, value: object) -> bool:
    try:
        ImportMapping(path, "any")
    except InvalidMappingError:
        return False
    return bool(value_at(user, path) == value)  # a name with a dot or a bracket in it leads elsewhere


def _names(field: str, known: Mapping[str, str]) -> Iterator[str]:
    """Yield names for a field's property, the best first: one that exists, or a new one."""
    parts = [_NO_PROPERTY.sub("_", part).strip("_") or "field" for part in field.split(".")]
    short = "_".join(parts[1:] if parts[0] in METADATA_ROOTS and parts[1:] else parts)[:_MAX_NAME_LENGTH]
    long = "_".join(parts)[:_MAX_NAME_LENGTH]
    for name in (_USUAL_PROPERTIES.get(field, short), short, long, *(f"{long}_{number}" for number in range(2, 1000))):
        chosen = known.get(folded(name), name)
        try:
            ImportMapping(field, chosen)
        except InvalidMappingError:
            continue
        yield chosen


def _example(value: object) -> str:
    text = value if isinstance(value, str) else compact(value)
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= MAX_EXAMPLE_CHARACTERS else f"{text[:MAX_EXAMPLE_CHARACTERS]}…"
