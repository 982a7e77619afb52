"""What pages show of a change that was only planned: the links that were tried, and each property before and after."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from snippets.goals import IdentifierLink
from webapp.profiles.linking import Linked, LinkValue
from webapp.profiles.showing import date_text
from webapp.profiles.values import PropertyType, PropertyTypes


@dataclass(frozen=True, slots=True)
class PropertyRow:
    """A property before and after. ``positions`` are the mappings that speak of it, counted from 0."""

    property_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    positions: tuple[int, ...]

    @property
    def is_changed(self) -> bool:
        """Whether it would change."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class ShownLink:
    """An identifier link and what came of it."""

    auth0_field: str
    profile_property: str
    outcome: str
    has_found: bool


Values = Mapping[str, Sequence[str]]


def property_rows(
    names: Collection[str], before: Values, changed: Values, types: PropertyTypes, written_by: Mapping[str, list[int]]
) -> tuple[PropertyRow, ...]:
    """Return the properties ``names``, sorted. ``written_by`` has the positions of the mappings that write each."""
    rows = []
    for name in sorted(names):
        is_date = types.get(name) is PropertyType.DATETIME
        old, new = before.get(name, ()), changed.get(name, before.get(name, ()))
        positions = tuple(written_by.get(name, ()))
        rows.append(PropertyRow(name, _texts(old, is_date=is_date), _texts(new, is_date=is_date), positions))
    return tuple(rows)


def _texts(values: Sequence[str], *, is_date: bool) -> tuple[str, ...]:
    return tuple(date_text(value) if is_date else value for value in values)


def shown_links(
    links: Sequence[IdentifierLink], tried: Sequence[LinkValue], linked: Linked, unverified: Collection[str], owner: str
) -> tuple[ShownLink, ...]:
    """Return what came of each link.

    ``unverified`` are fields that Auth0 has not verified; ``owner`` is what has the values: a token, a user.
    """
    found = linked.link.position if linked.link else None
    tried_positions, passed_over = ({each.position for each in some} for some in (tried, linked.passed_over))
    shown = []
    for position, link in enumerate(links):
        if position == found:
            text = "finds the profile"
        elif position in passed_over:
            text = "is passed over: it leads to the profile of another user, and Auth0 does not vouch for it"
        elif position in tried_positions:
            text = "finds no profile" if found is None or position < found else "is not needed"
        elif link.verified_by is not None and link.auth0_field in unverified:
            text = "is not tried: Auth0 has not verified it"
        else:
            text = f"is not tried: the {owner} does not have one value for it"
        shown.append(ShownLink(link.auth0_field, link.profile_property, text, position == found))
    return tuple(shown)
