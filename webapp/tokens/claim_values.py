"""What a goal's rows find in a token: values in the form in which profiles store them."""

from collections.abc import Collection
from collections.abc import Mapping as Members
from typing import Any, NamedTuple

from snippets.claims import claim_name
from snippets.fields import VERIFIED_BY
from snippets.goals import Direction, Mapping, WebGoal
from webapp.profiles.definitions import suggested_type
from webapp.profiles.linking import NOT_VERIFIED, LinkValue, admission, field_values, ready_link
from webapp.profiles.merging import Rule
from webapp.profiles.values import PropertyType

Types = Members[str, PropertyType]
Claims = Members[str, Any]


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
        property_type = types.get(link.profile_property, PropertyType.TEXT)
        # A link that does without asks for no such claim, so the token may lack it.
        is_verified = link.verified_by is not None and _is_verified(goal, link.auth0_field, claims)
        found.append(ready_link(link, position, property_type).value(claim, is_verified=is_verified))
    return tuple(each for each in found if each is not None)


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

    ``identifiers`` are the properties by which profiles are found: not every value may go there
    (`linking.Admission`). ``passed_over`` are links that lead to somebody else's profile.
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
    values, problems = field_values(mapping.auth0_field, claims[name], property_type)
    if values and property_id in identifiers and not _may_identify(goal, mapping, claims, foreign):
        problems = [NOT_VERIFIED]
    if problems:
        return MappingReading(mapping, problems=tuple(problems))
    return MappingReading(mapping, Rule(property_id, values, mapping.strategy, property_type))


def _may_identify(goal: WebGoal, mapping: Mapping, claims: Claims, foreign: Collection[int]) -> bool:
    field = mapping.auth0_field
    is_verified = _is_verified(goal, field, claims)
    return admission(goal.links, field, mapping.profile_property).admits(is_verified=is_verified, foreign=foreign)


def _is_verified(goal: WebGoal, field: str, claims: Claims) -> bool:
    return field in VERIFIED_BY and claims.get(claim_name(goal, VERIFIED_BY[field])) is True
