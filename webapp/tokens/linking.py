"""Linking: which profile is the visitor's.

In this order: the goal's identifier links; the profile that a verified token linked to this Auth0 user before; the
profile id that the browser named; a new profile. What only the visitor says never reaches into the profile of somebody
else (BlueConic fact sheet, 1.14: a profile id is no proof of identity): a link that leads there is passed over, and if
nothing else says who the visitor is, that is a conflict for an admin to decide.

All of it is decided on facts that were read before: nothing here asks the database.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from snippets.goals import PROFILE_ID
from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.profiles.facts import Facts, Identifier, Identity, Sought, StoredProfile
from webapp.profiles.ids import new_id
from webapp.tokens.claim_values import LinkValue
from webapp.tokens.refusals import IdentityConflictError
from webapp.tokens.verification import VerifiedClaims


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


def identity_of(claims: VerifiedClaims) -> Identity:
    """Return the Auth0 user of whom the claims speak."""
    return claims.issuer, claims.subject


def sought_by(claims: VerifiedClaims, links: Iterable[LinkValue], profile_hint: str | None) -> Sought:
    """Return everything that may lead to this visitor's profile."""
    links = tuple(links)
    named = {profile_hint, *(link.value for link in links if link.is_profile_id)}
    return Sought(
        identity_of(claims),
        frozenset((link.property_id, link.value) for link in links if not link.is_profile_id),
        frozenset(name for name in named if name is not None and PROFILE_ID_PATTERN.fullmatch(name)),
    )


def identifiers_to_lock(sought: Sought) -> set[Identifier]:
    """Return everything by which this visitor's profile may be found or made."""
    return {sought.identity, *sought.identifiers, *((PROFILE_ID, profile_id) for profile_id in sought.profile_ids)}


def link_profile(
    facts: Facts, claims: VerifiedClaims, links: Sequence[LinkValue], *, profile_hint: str | None
) -> Linked:
    """Find the visitor's profile among ``facts``, which answer `sought_by`.

    Raises:
        IdentityConflictError: an unproven link points at the profile of another user, of this tenant or another, and
            this one has no profile yet.
    """
    visitor = identity_of(claims)
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


def new_profile_id(facts: Facts, links: Iterable[LinkValue], *, profile_hint: str | None) -> str:
    """Return the id that the browser or the token names if no profile has it yet, else one that nobody guesses."""
    for profile_id in (profile_hint, *(link.value for link in links if link.is_profile_id)):
        if profile_id and PROFILE_ID_PATTERN.fullmatch(profile_id) and profile_id not in facts.profiles:
            return profile_id
    return new_id()


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
