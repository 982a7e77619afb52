"""What a goal's rows find in a token: values in the form in which profiles store them."""

from collections.abc import Collection
from collections.abc import Mapping as Members
from typing import Any, NamedTuple

from snippets.claims import claim_name
from snippets.fields import VERIFIED_BY, is_vouched_for
from snippets.goals import PROFILE_ID, Direction, IdentifierLink, Mapping, WebGoal
from webapp.profiles.definitions import MAX_IDENTIFIER_LENGTH, suggested_type
from webapp.profiles.merging import Rule
from webapp.profiles.values import PropertyType, profile_values

NOT_VERIFIED = "Auth0 has not verified it, and this property tells people apart"

Types = Members[str, PropertyType]
Claims = Members[str, Any]


class LinkValue(NamedTuple):
    """One identifier link with its value. ``is_proven`` if Auth0 vouches for it; else it is the visitor's word.

    ``position`` counts the goal's links from 0.
    """

    position: int
    property_id: str
    value: str
    property_type: PropertyType
    is_proven: bool

    @property
    def is_profile_id(self) -> bool:
        """Whether ``value`` is a profile's own id."""
        return self.property_id == PROFILE_ID


class MappingReading(NamedTuple):
    """What one row finds in a token: a rule, or problems, or neither because the token lacks the claim."""

    mapping: Mapping
    rule: Rule | None = None
    problems: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Whether the token has no claim for the row, so that the row says nothing."""
        return self.rule is None and not self.problems


def link_values(goal: WebGoal, claims: Claims, types: Types) -> tuple[LinkValue, ...]:
    """Return the links that can be tried, in their order: those with one value, verified where the link asks for it."""
    found = []
    for position, link in enumerate(goal.links):
        claim = claims.get(claim_name(goal, link.auth0_field))
        if link.verified_by is not None and claims.get(claim_name(goal, link.verified_by)) is not True:
            continue
        property_type = types.get(link.profile_property, PropertyType.TEXT)
        values, problems = _values(link.auth0_field, claim, property_type)
        # A list of several could name several people, and an object names nobody.
        if (
            len(values) == 1
            and not problems
            and not isinstance(claim, dict)
            and len(values[0]) <= MAX_IDENTIFIER_LENGTH
        ):
            found.append(LinkValue(position, link.profile_property, values[0], property_type, _is_proven(link)))
    return tuple(found)


def read_mappings(
    goal: WebGoal,
    claims: Claims,
    types: Types,
    identifiers: Collection[str],
    *,
    passed_over: Collection[LinkValue] = (),
) -> tuple[MappingReading, ...]:
    """Return what each mapping to the profile makes of a token, in the order of the rows.

    A claim that is missing says nothing (a scope that was not asked for, an Action that did not run), so it makes no
    rule. A claim that is null or empty says that the field is empty: only that clears.

    ``identifiers`` are the properties by which profiles are found. What only the visitor says is not stored there:
    whoever wrote somebody else's address into his own profile would be found by that person's next login. Only a link
    of this goal that does without verification lets it in; such a link never leads to somebody else's profile. Not even
    that does it while the link leads there (``passed_over``): the value is somebody else's.
    """
    foreign = {link.position for link in passed_over}
    return tuple(
        _read_mapping(goal, mapping, claims, types, identifiers, foreign)
        for mapping in goal.mappings_to(Direction.TO_PROFILE)
    )


def _read_mapping(
    goal: WebGoal,
    mapping: Mapping,
    claims: Claims,
    types: Types,
    identifiers: Collection[str],
    foreign: Collection[int],
) -> MappingReading:
    name = claim_name(goal, mapping.auth0_field)
    if name not in claims:
        return MappingReading(mapping)
    property_id = mapping.profile_property
    property_type = types.get(property_id) or suggested_type(mapping.auth0_field, mapping.strategy)
    values, problems = _values(mapping.auth0_field, claims[name], property_type)
    if values and property_id in identifiers and not _may_identify(goal, mapping, claims, foreign):
        problems = [NOT_VERIFIED]
    if problems:
        return MappingReading(mapping, problems=tuple(problems))
    return MappingReading(mapping, Rule(property_id, values, mapping.strategy, property_type))


def _may_identify(goal: WebGoal, mapping: Mapping, claims: Claims, foreign: Collection[int]) -> bool:
    field = mapping.auth0_field
    for position, link in enumerate(goal.links):
        is_same = (link.auth0_field, link.profile_property) == (field, mapping.profile_property)
        if is_same and not _is_proven(link) and position not in foreign:
            return True
    if field in VERIFIED_BY:
        return claims.get(claim_name(goal, VERIFIED_BY[field])) is True
    return is_vouched_for(field)


def _values(auth0_field: str, claim: object, property_type: PropertyType) -> tuple[list[str], list[str]]:
    values, problems = profile_values(claim, property_type)
    # Only Auth0's own databases store addresses in lower case; a link has to meet the others too.
    return [value.lower() for value in values] if auth0_field == "email" else values, problems


def _is_proven(link: IdentifierLink) -> bool:
    if link.profile_property == PROFILE_ID:
        return False
    return link.auth0_field == "user_id" or link.verified_by is not None or link.auth0_field.startswith("app_metadata.")
