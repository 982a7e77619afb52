"""Linking: which profile is an Auth0 user's, the visitor's of a login or one that is imported.

In this order: the goal's identifier links; the profile that this Auth0 user was linked to before; the profile id that
the browser named; a new profile. What only the visitor says never reaches into the profile of somebody else (BlueConic
fact sheet, 1.14: a profile id is no proof of identity): a link that leads there is passed over, and if nothing else
says who the visitor is, that is a conflict for an admin to decide.

All of it is decided on facts that were read before: nothing here asks the database.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

from snippets.fields import VERIFIED_BY, is_vouched_for
from snippets.goals import PROFILE_ID, IdentifierLink, MergeStrategy
from webapp.errors import WebsyncError
from webapp.profiles.definitions import MAX_IDENTIFIER_LENGTH
from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.profiles.facts import Facts, Identifier, Identity, Sought, StoredProfile
from webapp.profiles.ids import new_id
from webapp.profiles.merging import Rule
from webapp.profiles.values import PropertyType, profile_values

NOT_VERIFIED = "Auth0 has not verified it, and this property tells people apart"
NOT_VOUCHED_FOR = "nobody vouches for it, and this property tells people apart"


class IdentityConflictError(WebsyncError):
    """What the visitor says of themselves points at a profile that belongs to another Auth0 user. Nothing was written.

    What to do: look at the goal's page, where the conflict waits for your decision: keep, move or split. To have none,
    link by a field that Auth0 vouches for (the user id, a verified e-mail address, ``app_metadata``).
    """

    slug, title, status = "identity-conflict", "The profile belongs to somebody else", HTTPStatus.CONFLICT

    def __init__(self, visitor: tuple[str, str], profile_id: str, position: int) -> None:
        """``visitor`` (issuer and subject) is led to ``profile_id`` by the goal's link at ``position``."""
        super().__init__("The profile that the token points at belongs to another user.")
        self.visitor = visitor
        self.profile_id = profile_id
        self.position = position


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


class FoundBy(StrEnum):
    """What led to a profile."""

    LINK = "link"
    IDENTITY = "identity"
    HINT = "hint"


class Linked(NamedTuple):
    """The visitor's profile or None, and what led to it. ``link`` is the link, if it was one.

    ``switch_profile`` is true if the profile that the browser named belongs to somebody else. ``passed_over`` are
    links that lead to somebody else's profile by the visitor's word alone.
    """

    profile: StoredProfile | None
    found_by: FoundBy | None
    link: LinkValue | None
    switch_profile: bool
    passed_over: tuple[LinkValue, ...] = ()


class ReadyLink(NamedTuple):
    """An identifier link, made ready to be tried for many people."""

    position: int
    property_id: str
    property_type: PropertyType
    auth0_field: str
    needs_verification: bool
    is_proven: bool

    def value(self, found: object, *, is_verified: bool) -> LinkValue | None:
        """Return what the link can be tried with, or None: it takes one value, verified where the link asks for it.

        ``found`` is the field's value in JSON; ``is_verified`` says that Auth0 has verified it.
        """
        if self.needs_verification and not is_verified:
            return None
        values, problems = field_values(self.auth0_field, found, self.property_type)
        # A list of several could name several people, and an object names nobody.
        if len(values) != 1 or problems or isinstance(found, dict) or len(values[0]) > MAX_IDENTIFIER_LENGTH:
            return None
        return LinkValue(self.position, self.property_id, values[0], self.property_type, self.is_proven)


_NO_IDS: frozenset[str] = frozenset()
_NOBODY = Linked(None, None, None, switch_profile=False)


def ready_link(link: IdentifierLink, position: int, property_type: PropertyType) -> ReadyLink:
    """Return the goal's link at ``position``, which compares values of this type."""
    needs_verification = link.verified_by is not None
    return ReadyLink(
        position, link.profile_property, property_type, link.auth0_field, needs_verification, is_proven(link)
    )


def field_values(auth0_field: str, found: object, property_type: PropertyType) -> tuple[list[str], list[str]]:
    """Return what a profile stores of a field's JSON value, and what is wrong with it (`values.profile_values`)."""
    values, problems = profile_values(found, property_type)
    # Only Auth0's own databases store addresses in lower case; a link has to meet the others too.
    return [value.lower() for value in values] if auth0_field == "email" else values, problems


def is_proven(link: IdentifierLink) -> bool:
    """Say if Auth0 vouches for what this link compares."""
    if link.profile_property == PROFILE_ID:
        return False
    return link.auth0_field == "user_id" or link.verified_by is not None or link.auth0_field.startswith("app_metadata.")


class Admission(NamedTuple):
    """What lets a field's value into a property by which profiles are found.

    What only the visitor says is not stored there: whoever wrote somebody else's address into his own profile would be
    found by that person's next login. Only a link of this goal that does without verification lets it in (``unproven``
    has the positions of these); such a link never leads to somebody else's profile.
    """

    unproven: tuple[int, ...]
    needs_verification: bool
    is_vouched_for: bool

    @property
    def always_admits(self) -> bool:
        """Whether `admits` is true whatever is asked."""
        return self.is_vouched_for and not self.needs_verification

    def admits(self, *, is_verified: bool, foreign: Collection[int] = ()) -> bool:
        """Say if the value may be stored.

        ``foreign`` has the positions of links that lead to somebody else's profile: the value is somebody else's.
        """
        if self.unproven and any(position not in foreign for position in self.unproven):
            return True
        return is_verified if self.needs_verification else self.is_vouched_for


def admission(links: Sequence[IdentifierLink], auth0_field: str, profile_property: str) -> Admission:
    """Return what lets the field's value into the property, by the links of its goal."""
    unproven = (
        position
        for position, link in enumerate(links)
        if (link.auth0_field, link.profile_property) == (auth0_field, profile_property) and not is_proven(link)
    )
    return Admission(tuple(unproven), auth0_field in VERIFIED_BY, is_vouched_for(auth0_field))


def identifier_rules(links: Iterable[LinkValue]) -> list[Rule]:
    """Let the links find a new profile the next time: a value that is only compared is not stored by itself."""
    return [
        Rule(link.property_id, (link.value,), MergeStrategy.SET_IF_EMPTY, link.property_type)
        for link in links
        if not link.is_profile_id
    ]


def sought_by(user: Identity, links: Iterable[LinkValue], profile_hint: str | None) -> Sought:
    """Return everything that may lead to this user's profile."""
    identifiers, named = [], [] if profile_hint is None else [profile_hint]
    for link in links:
        if link.property_id == PROFILE_ID:
            named.append(link.value)
        else:
            identifiers.append((link.property_id, link.value))
    profile_ids = frozenset(filter(PROFILE_ID_PATTERN.fullmatch, named)) if named else _NO_IDS
    return Sought(user, frozenset(identifiers), profile_ids)


def identifiers_to_lock(sought: Sought) -> set[Identifier]:
    """Return everything by which this visitor's profile may be found or made."""
    found = {sought.identity, *sought.identifiers}
    if sought.profile_ids:
        found |= {(PROFILE_ID, profile_id) for profile_id in sought.profile_ids}
    return found


def link_profile(facts: Facts, visitor: Identity, links: Sequence[LinkValue], *, profile_hint: str | None) -> Linked:
    """Find the visitor's profile among ``facts``, which answer `sought_by`.

    Raises:
        IdentityConflictError: an unproven link points at the profile of another user, of this tenant or another, and
            this one has no profile yet.
    """
    if not facts.profiles and profile_hint is None:  # as for all users of a first import
        return _NOBODY
    passed_over = tuple(link for link in links if _leads_to_somebody_else(facts, visitor, link))
    profile, found_by, link = _find_profile(
        facts, visitor, [link for link in links if link not in passed_over], profile_hint
    )
    if passed_over and found_by in {None, FoundBy.HINT}:
        first = passed_over[0]
        raise IdentityConflictError(visitor, facts.by_identifier[first.property_id, first.value], first.position)
    is_other = profile_hint is not None and (profile is None or profile.id != profile_hint)
    return Linked(
        profile=profile,
        found_by=found_by,
        link=link,
        switch_profile=is_other and not is_open(facts, visitor, profile_hint),
        passed_over=passed_over,
    )


def is_open(facts: Facts, visitor: Identity, profile_id: str | None) -> bool:
    """Say if this user may take the profile without further proof: it is theirs already, or nobody's."""
    owners = facts.owners.get(profile_id or "", frozenset())
    return not owners or visitor in owners


def new_profile_id(
    facts: Facts, links: Iterable[LinkValue], *, profile_hint: str | None, make_id: Callable[[], str] = new_id
) -> str:
    """Return the id that the browser or the token names if no profile has it yet, else one that nobody guesses."""
    named = [profile_hint] if profile_hint else []
    named += [link.value for link in links if link.property_id == PROFILE_ID]
    for profile_id in named:
        if PROFILE_ID_PATTERN.fullmatch(profile_id) and profile_id not in facts.profiles:
            return profile_id
    return make_id()


def _find_profile(
    facts: Facts, visitor: Identity, links: Iterable[LinkValue], profile_hint: str | None
) -> tuple[StoredProfile | None, FoundBy | None, LinkValue | None]:
    for link in links:
        profile = _open_profile(facts, visitor, link.value) if link.is_profile_id else _profile_by(facts, link)
        if profile is not None:
            return profile, FoundBy.LINK, link
    profile = facts.profiles.get(facts.by_identity.get(visitor, ""))
    if profile is not None:
        return profile, FoundBy.IDENTITY, None
    profile = _open_profile(facts, visitor, profile_hint)
    return profile, FoundBy.HINT if profile is not None else None, None


def _profile_by(facts: Facts, link: LinkValue) -> StoredProfile | None:
    return facts.profiles.get(facts.by_identifier.get((link.property_id, link.value), ""))


def _leads_to_somebody_else(facts: Facts, visitor: Identity, link: LinkValue) -> bool:
    if link.is_proven or link.is_profile_id:
        return False
    profile = _profile_by(facts, link)
    return profile is not None and not is_open(facts, visitor, profile.id)


def _open_profile(facts: Facts, visitor: Identity, profile_id: str | None) -> StoredProfile | None:
    """Return the profile with this id if nobody else is linked to it."""
    profile = facts.profiles.get(profile_id or "")
    return profile if profile is not None and is_open(facts, visitor, profile.id) else None
