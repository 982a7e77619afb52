"""What pages show of profiles: as they are stored, in the words of their property definitions; and the search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.profiles.consent import CONSENTED, LEGISLATION, REFUSED, zone_of
from webapp.profiles.embedded import find_profiles, get_profile
from webapp.profiles.legislation import zone_name
from webapp.profiles.models import Profile, ProfileIdentity, PropertyDefinition
from webapp.profiles.objectives import all_objectives, opt_out_zones
from webapp.profiles.values import PropertyType, profile_values

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Definitions = Mapping[str, PropertyDefinition]


@dataclass(frozen=True, slots=True)
class ShownProperty:
    """A property that a profile has. ``values`` are texts for people: dates are no longer numbers."""

    id: str
    name: str
    values: tuple[str, ...]
    source: str
    changed_at: datetime
    is_indexed: bool


@dataclass(frozen=True, slots=True)
class ListedProfile:
    """A line of the list. ``identifiers`` are the values by which this profile can be found."""

    id: str
    identifiers: tuple[str, ...]
    property_count: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class ShownConsent:
    """What a profile's visitor said of objectives, by their names; and where the visitor is, as far as that is told."""

    zone: str
    is_opt_out: bool
    consented: tuple[str, ...]
    refused: tuple[str, ...]


def shown_consent(session: Session, profile: Profile) -> ShownConsent | None:
    """Return a profile's consent in words, or None if nothing is known of it."""
    values = {name: stored["values"] for name, stored in profile.properties.items()}
    if not any(values.get(name) for name in (CONSENTED, REFUSED, LEGISLATION)):
        return None
    names = {objective.id: objective.name for objective in all_objectives(session)}
    zone = zone_of(values)
    return ShownConsent(
        zone_name(zone),
        zone in opt_out_zones(session),
        *(tuple(names.get(each, each) for each in values.get(name, ())) for name in (CONSENTED, REFUSED)),
    )


def definitions(session: Session) -> dict[str, PropertyDefinition]:
    """Return all property definitions by id, in the order of their names."""
    rows = session.scalars(select(PropertyDefinition))
    return {row.id: row for row in sorted(rows, key=lambda row: (row.name.casefold(), row.id))}


def shown_properties(profile: Profile, known: Definitions) -> list[ShownProperty]:
    """Return the properties of a profile, in the order of their names."""
    shown = []
    for property_id, stored in profile.properties.items():
        definition = known.get(property_id)
        is_date = definition is not None and definition.property_type == PropertyType.DATETIME
        row = ShownProperty(
            id=property_id,
            name=definition.name if definition else property_id,
            values=tuple(date_text(value) if is_date else value for value in stored["values"]),
            source=stored["source"],
            changed_at=EPOCH + timedelta(milliseconds=stored["changed"]),
            is_indexed=definition is not None and definition.is_indexed,
        )
        shown.append(row)
    return sorted(shown, key=lambda row: (row.name.casefold(), row.id))


def listed(profiles: Sequence[Profile], known: Definitions) -> list[ListedProfile]:
    """Return the lines of a list of profiles."""
    indexed = [definition.id for definition in known.values() if definition.is_indexed]
    return [
        ListedProfile(
            id=profile.id,
            identifiers=tuple(
                value for name in indexed for value in profile.properties.get(name, {}).get("values", ())
            ),
            property_count=len(profile.properties),
            modified_at=profile.modified_at,
        )
        for profile in profiles
    ]


def search_profiles(session: Session, text: str, known: Definitions, limit: int) -> list[Profile]:
    """Return the profiles with ``text`` as their id or as a value of any indexed property, newest first.

    The text is read as each property's type stores it, so that ADA@EXAMPLE.ORG finds ada@example.org.
    """
    found = {profile.id: profile for profile in [get_profile(session, text)] if profile is not None}
    for definition in known.values():
        if not definition.is_indexed:
            continue
        values, _ = profile_values(text, PropertyType(definition.property_type))
        for value in dict.fromkeys([text, *values]):
            found |= {profile.id: profile for profile in find_profiles(session, definition.id, value, limit=limit)}
    return sorted(found.values(), key=lambda profile: (profile.modified_at, profile.id), reverse=True)[:limit]


def identities(session: Session, profile_id: str) -> list[ProfileIdentity]:
    """Return the Auth0 users that are linked to a profile."""
    query = (
        select(ProfileIdentity)
        .where(ProfileIdentity.profile_id == profile_id)
        .order_by(ProfileIdentity.issuer, ProfileIdentity.subject)
    )
    return list(session.scalars(query))


def any_profile_has(session: Session, property_id: str) -> bool:
    """Say if any profile has a value of this property. Reads all profiles if none has: for rare changes only."""
    has_values = Profile.properties[property_id].as_string().is_not(None)
    return session.scalar(select(Profile.id).where(has_values).limit(1)) is not None


def date_text(value: str) -> str:
    """Return a stored moment (milliseconds since 1970) for people, and anything else as it is."""
    try:
        moment = EPOCH + timedelta(milliseconds=int(value))
    except (ValueError, OverflowError):
        return value
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
