"""Linking: which profile is the visitor's.

In this order: the goal's identifier links; the profile that a verified token linked to this Auth0 user before; the
profile id that the browser named; a new profile. What only the visitor says never reaches into the profile of somebody
else (BlueConic fact sheet, 1.14: a profile id is no proof of identity).
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from snippets.goals import PROFILE_ID
from webapp.profiles.embedded import PROFILE_ID_PATTERN, Identifier, find_profiles, get_profile
from webapp.profiles.models import Profile, ProfileIdentity
from webapp.tokens.claim_values import LinkValue
from webapp.tokens.refusals import IdentityConflictError
from webapp.tokens.verification import VerifiedClaims


class FoundBy(StrEnum):
    """What led to a profile."""

    LINK = "link"
    IDENTITY = "identity"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Linked:
    """The visitor's profile or None, and what led to it. ``link`` is the link, if it was one.

    ``switch_profile`` is true if the profile that the browser named belongs to somebody else.
    """

    profile: Profile | None
    found_by: FoundBy | None
    link: LinkValue | None
    switch_profile: bool


@dataclass(frozen=True, slots=True)
class _Owners:
    """Who is linked to a profile, seen from one Auth0 user."""

    is_ours: bool
    has_others: bool

    @property
    def is_open(self) -> bool:
        """Whether this user may take the profile without further proof."""
        return self.is_ours or not self.has_others


def identifiers_to_lock(
    claims: VerifiedClaims, links: Iterable[LinkValue], profile_hint: str | None
) -> set[Identifier]:
    """Return everything by which this visitor's profile may be found or made."""
    identifiers = {(link.property_id, link.value) for link in links}
    identifiers.add((claims.issuer, claims.subject))
    if profile_hint is not None:
        identifiers.add((PROFILE_ID, profile_hint))
    return identifiers


def link_profile(
    session: Session,
    claims: VerifiedClaims,
    links: Iterable[LinkValue],
    *,
    profile_hint: str | None,
    for_update: bool,
) -> Linked:
    """Find the visitor's profile. With ``for_update`` it is locked, and the caller has locked `identifiers_to_lock`.

    Raises:
        IdentityConflictError: an unproven link points at the profile of another user, of this tenant or another.
    """
    profile, found_by, link = _find_profile(session, claims, links, profile_hint)
    if profile is not None and for_update:
        profile = get_profile(session, profile.id, for_update=True)
    if profile is not None and not (link is not None and link.is_proven):
        # Only now: until the row was locked, another transaction could still link somebody to it.
        _refuse_somebody_elses(session, claims, profile.id)
    return Linked(
        profile=profile,
        found_by=found_by,
        link=link,
        switch_profile=_is_to_switch(session, claims, profile_hint, profile),
    )


def is_somebody_elses(session: Session, claims: VerifiedClaims, profile_id: str) -> bool:
    """Say if the profile with this id is linked to other users, and not to this one."""
    return not _owners(session, claims, profile_id).is_open


def new_profile_id(session: Session, links: Iterable[LinkValue], *, profile_hint: str | None) -> str:
    """Return the id that the browser or the token names if no profile has it yet, else one that nobody guesses."""
    for profile_id in (profile_hint, *(link.value for link in links if link.is_profile_id)):
        if profile_id and PROFILE_ID_PATTERN.fullmatch(profile_id) and get_profile(session, profile_id) is None:
            return profile_id
    return str(uuid.uuid4())


def keep_identity(session: Session, claims: VerifiedClaims, profile: Profile) -> None:
    """Remember that this Auth0 user is the person of ``profile``."""
    identity = session.get(ProfileIdentity, (claims.issuer, claims.subject))
    if identity is None:
        session.add(ProfileIdentity(issuer=claims.issuer, subject=claims.subject, profile_id=profile.id))
    elif identity.profile_id != profile.id:
        identity.profile_id = profile.id
    session.flush()


def _find_profile(
    session: Session, claims: VerifiedClaims, links: Iterable[LinkValue], profile_hint: str | None
) -> tuple[Profile | None, FoundBy | None, LinkValue | None]:
    profile, link = _profile_by_links(session, claims, links)
    if profile is not None:
        return profile, FoundBy.LINK, link
    profile = _profile_of_identity(session, claims)
    if profile is not None:
        return profile, FoundBy.IDENTITY, None
    profile = _open_profile(session, claims, profile_hint) if profile_hint is not None else None
    return profile, FoundBy.HINT if profile is not None else None, None


def _profile_by_links(
    session: Session, claims: VerifiedClaims, links: Iterable[LinkValue]
) -> tuple[Profile | None, LinkValue | None]:
    """Return the profile of the first link that finds one, and that link."""
    for link in links:
        if link.is_profile_id:
            profile = _open_profile(session, claims, link.value)
        else:
            profile = next(iter(find_profiles(session, link.property_id, link.value, limit=1)), None)
        if profile is not None:
            return profile, link
    return None, None


def _profile_of_identity(session: Session, claims: VerifiedClaims) -> Profile | None:
    query = (
        select(Profile)
        .join(ProfileIdentity, ProfileIdentity.profile_id == Profile.id)
        .where(ProfileIdentity.issuer == claims.issuer, ProfileIdentity.subject == claims.subject)
    )
    return session.scalar(query)


def _open_profile(session: Session, claims: VerifiedClaims, profile_id: str) -> Profile | None:
    """Return the profile with this id if nobody else is linked to it."""
    if not PROFILE_ID_PATTERN.fullmatch(profile_id):
        return None
    profile = get_profile(session, profile_id)
    return profile if profile is not None and _owners(session, claims, profile_id).is_open else None


def _refuse_somebody_elses(session: Session, claims: VerifiedClaims, profile_id: str) -> None:
    owners = _owners(session, claims, profile_id)
    if not owners.is_open:
        raise IdentityConflictError("The profile that the token points at belongs to another user.")


def _is_to_switch(session: Session, claims: VerifiedClaims, profile_hint: str | None, profile: Profile | None) -> bool:
    if profile_hint is None or (profile is not None and profile.id == profile_hint):
        return False
    return is_somebody_elses(session, claims, profile_hint)


def _owners(session: Session, claims: VerifiedClaims, profile_id: str) -> _Owners:
    query = select(ProfileIdentity.issuer, ProfileIdentity.subject).where(ProfileIdentity.profile_id == profile_id)
    owners = {(issuer, subject) for issuer, subject in session.execute(query)}
    others = owners - {(claims.issuer, claims.subject)}
    return _Owners(
        is_ours=len(others) < len(owners),
        has_others=bool(others),
    )
