"""Profile property definitions: which there are, of which type, and which find a profile."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from snippets.goals import PROFILE_ID, Direction, IdentifierLink, MergeStrategy, WebGoal
from snippets.goals import Mapping as GoalMapping
from webapp.database import run_by_driver
from webapp.profiles.models import Profile, ProfileIdentifier, PropertyDefinition
from webapp.profiles.values import PropertyType
from webapp.rows import Lookup, Row, insert_missing, table_of, together

_PROPERTY_SET_LOCK = 0x5765_6273_7072_6F70
"""PostgreSQL advisory lock: shared by who relies on the definitions, held alone by who changes them."""
MAX_IDENTIFIER_LENGTH = 500
_BATCH = 1000
_DATE_FIELDS = frozenset({"created_at", "updated_at", "last_login", "last_password_reset", "multifactor_last_modified"})

_definitions = table_of(PropertyDefinition)
_DEFINITIONS = Lookup(
    """
    SELECT d.id, d.property_type, d.is_indexed FROM {wanted} property_definitions AS d WHERE {keyed}
    """,
    keys=("d.id",),
    columns=[_definitions.c.id, _definitions.c.property_type, _definitions.c.is_indexed],
)
IDENTIFIER_COLUMNS = ("property_id", "value", "profile_id")


@dataclass(frozen=True, slots=True)
class Definitions:
    """The types of some properties, and those of them by whose values a profile is found."""

    types: Mapping[str, PropertyType]
    identifying: frozenset[str]


def suggested_type(auth0_field: str, strategy: MergeStrategy) -> PropertyType:
    """Guess the type of a property that does not exist yet from what is mapped to it."""
    if strategy is MergeStrategy.SUM:
        return PropertyType.NUMBER
    if auth0_field in _DATE_FIELDS:
        return PropertyType.DATETIME
    return PropertyType.EMAIL if auth0_field == "email" else PropertyType.TEXT


def wanted_properties(goal: WebGoal) -> dict[str, tuple[PropertyType, bool]]:
    """Return the properties that a goal needs: ``{id: (type, is_indexed)}``. What links point at is indexed."""
    guesses = [
        (mapping.profile_property, suggested_type(mapping.auth0_field, _strategy_towards_profile(mapping)))
        for mapping in goal.mappings
    ]
    return needed_properties(guesses, goal.links)


def needed_properties(
    guesses: Iterable[tuple[str, PropertyType]], links: Iterable[IdentifierLink]
) -> dict[str, tuple[PropertyType, bool]]:
    """Return what `wanted_properties` does, of the properties of rows with a guess at their types, and of links."""
    linked = {link.profile_property: link.auth0_field for link in links if link.profile_property != PROFILE_ID}
    wanted: dict[str, tuple[PropertyType, bool]] = {}
    for name, guess in guesses:
        known = wanted.get(name)
        if known is None or (guess.is_numeric and not known[0].is_numeric):
            wanted[name] = (guess, name in linked)
    for name, field in linked.items():
        wanted.setdefault(name, (suggested_type(field, MergeStrategy.SET), True))
    return wanted


def _strategy_towards_profile(mapping: GoalMapping) -> MergeStrategy:
    return mapping.strategy if mapping.direction is Direction.TO_PROFILE else MergeStrategy.SET


def property_types(session: Session, property_ids: Collection[str]) -> dict[str, PropertyType]:
    """Return the types of those ``property_ids`` that are defined."""
    return dict(read_definitions(session, property_ids).types)


def read_definitions(session: Session, property_ids: Collection[str]) -> Definitions:
    """Return what is defined of ``property_ids``."""
    return ask_definitions(session, property_ids)()


def ask_definitions(session: Session, property_ids: Collection[str]) -> Callable[[], Definitions]:
    """Ask what `read_definitions` returns, and return what reads the answer (`webapp.rows.together`)."""
    found = _DEFINITIONS.ask(session, [(name,) for name in property_ids])
    return lambda: _definitions_of(found())


def hold_definitions(session: Session, property_ids: Collection[str]) -> Definitions:
    """Return what is defined of ``property_ids``, and let it stay so until this transaction ends."""
    with together(session):
        hold_property_set(session)
        found = ask_definitions(session, property_ids)
    return found()


def _definitions_of(rows: Sequence[Row]) -> Definitions:
    return Definitions(
        {name: PropertyType(found) for name, found, _ in rows},
        frozenset(name for name, _, is_indexed in rows if is_indexed),
    )


def ensure_properties(session: Session, wanted: Mapping[str, tuple[PropertyType, bool]], now: datetime) -> list[str]:
    """Define what is missing of ``{id: (type, is_indexed)}`` and return the ids that are new.

    A property that is there keeps its name and type, and becomes an identifier if that is wanted.
    """
    query = select(PropertyDefinition).where(PropertyDefinition.id.in_(wanted))
    known = {definition.id: definition.is_indexed for definition in session.scalars(query)}
    if all(name in known and known[name] >= is_indexed for name, (_, is_indexed) in wanted.items()):
        return []
    # Before any row, so that two who define properties do not wait for each other.
    lock_property_set(session)
    created = []
    for name, (property_type, is_indexed) in sorted(wanted.items()):
        columns = "id", "name", "property_type", "is_indexed", "created_at"
        if insert_missing(session, PropertyDefinition, columns, [(name, name, property_type, False, now)]):
            created.append(name)
        definition = session.get_one(PropertyDefinition, name, populate_existing=True)
        if is_indexed and not definition.is_indexed:
            set_indexed(session, definition, is_indexed=True)
    return created


def set_indexed(session: Session, definition: PropertyDefinition, *, is_indexed: bool) -> None:
    """Make a property an identifier of all profiles that have it already, or make it none any more."""
    lock_property_set(session)
    definition.is_indexed = is_indexed
    session.flush()
    if is_indexed:
        _index_stored_values(session, definition.id)
    else:
        session.execute(delete(ProfileIdentifier).where(ProfileIdentifier.property_id == definition.id))


def identifier_rows(profile_id: str, property_id: str, values: Collection[str]) -> list[tuple[str, str, str]]:
    """Return the rows (`IDENTIFIER_COLUMNS`) by which a profile is found.

    A longer value than `MAX_IDENTIFIER_LENGTH` identifies nobody.
    """
    different = values if len(values) == 1 else dict.fromkeys(values)
    return [(property_id, value, profile_id) for value in different if 0 < len(value) <= MAX_IDENTIFIER_LENGTH]


def hold_property_set(session: Session) -> None:
    """Let no definition change until this transaction ends. On SQLite a writer is alone anyway."""
    if session.get_bind().dialect.name != "sqlite":
        run_by_driver(session.connection(), "SELECT pg_advisory_xact_lock_shared(%s)", [_PROPERTY_SET_LOCK])


def lock_property_set(session: Session) -> None:
    """Wait for everybody who relies on the definitions of before. A transaction that only holds them must not ask."""
    if session.get_bind().dialect.name != "sqlite":
        run_by_driver(session.connection(), "SELECT pg_advisory_xact_lock(%s)", [_PROPERTY_SET_LOCK])


def _index_stored_values(session: Session, property_id: str) -> None:
    last = ""
    while True:
        # Plain rows in pages: the profiles of a large store do not fit into memory.
        query = select(Profile.id, Profile.properties).where(Profile.id > last).order_by(Profile.id).limit(_BATCH)
        page = session.execute(query).all()
        if not page:
            return
        rows = [
            row
            for profile_id, properties in page
            if property_id in properties
            for row in identifier_rows(profile_id, property_id, properties[property_id]["values"])
        ]
        for start in range(0, len(rows), _BATCH):
            insert_missing(session, ProfileIdentifier, IDENTIFIER_COLUMNS, rows[start : start + _BATCH])
        last = page[-1][0]
