"""The profile properties that an import goal needs, and of which types they are or will be."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from snippets.goals import InvalidGoalError, MergeStrategy, Problem
from webapp.connections.import_goals import ImportGoal, ImportMapping
from webapp.connections.transforms import TransformKind
from webapp.profiles.consent import CONSENT_PROPERTIES
from webapp.profiles.definitions import (
    Definitions,
    ensure_properties,
    hold_property_set,
    needed_properties,
    property_types,
    read_definitions,
    suggested_type,
)
from webapp.profiles.values import PropertyType, PropertyTypes


def ensure_goal_properties(session: Session, goal: ImportGoal, new_types: PropertyTypes, *, now: datetime) -> list[str]:
    """Define the properties that are missing, and return their ids.

    Raises:
        InvalidGoalError: a row does not suit the property that it writes.
    """
    new_properties = ensure_properties(session, _wanted_properties(goal, new_types), now=now)
    hold_property_set(session)
    types = property_types(session, goal.properties)
    if problems := tuple(_type_problems(goal, types)):
        raise InvalidGoalError(problems)
    return new_properties


def definitions_after_saving(session: Session, goal: ImportGoal, new_types: PropertyTypes) -> Definitions:
    """Return how the goal's properties would be defined once it is saved. Nothing is written.

    Raises:
        InvalidGoalError: a row does not suit the property that it writes.
    """
    stored = read_definitions(session, goal.properties | CONSENT_PROPERTIES)
    wanted = _wanted_properties(goal, new_types)
    types = {**{name: property_type for name, (property_type, _) in wanted.items()}, **stored.types}
    if problems := tuple(_type_problems(goal, types)):
        raise InvalidGoalError(problems)
    return Definitions(
        types,
        stored.identifying | {name for name, (_, is_indexed) in wanted.items() if is_indexed},
    )


def suited_type(mapping: ImportMapping) -> PropertyType:
    """Guess the type of a property that does not exist yet from the row that writes it."""
    kinds = {each.kind for each in mapping.transforms}
    if mapping.strategy is not MergeStrategy.SUM and kinds & {TransformKind.JOIN, TransformKind.CONSTANT}:
        return PropertyType.TEXT
    if mapping.strategy is not MergeStrategy.SUM and TransformKind.DATE in kinds:
        return PropertyType.DATETIME
    return suggested_type(mapping.auth0_field, mapping.strategy)


def _wanted_properties(goal: ImportGoal, new_types: PropertyTypes) -> dict[str, tuple[PropertyType, bool]]:
    guesses = [(mapping.profile_property, suited_type(mapping)) for mapping in goal.mappings]
    guesses += [(goal.database_property, PropertyType.TEXT)] if goal.database_property else []
    wanted = needed_properties(guesses, goal.links)
    return {name: (new_types.get(name, guess), is_indexed) for name, (guess, is_indexed) in wanted.items()}


def _type_problems(goal: ImportGoal, types: Mapping[str, PropertyType]) -> Iterator[Problem]:
    for index, mapping in enumerate(goal.mappings):
        stored = types[mapping.profile_property]
        if mapping.strategy is MergeStrategy.SUM and not stored.is_numeric:
            message = f"{mapping.profile_property} is stored as {stored}, and only numbers can be summed."
            yield Problem(("mappings", index, "strategy"), message)
