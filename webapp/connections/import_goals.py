"""What an import goal is: plain, immutable data that cannot be made wrong, and its way from and to plain data.

The reader of plain data is that of web goals, so that files and forms say the same of both.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Members
from dataclasses import dataclass
from enum import StrEnum

from snippets.fields import LOGIN_FIELDS, LOGIN_ROOTS, USER_FIELDS, FieldPathError, parse_field
from snippets.goals import (
    PROFILE_ID,
    IdentifierLink,
    InvalidGoalError,
    InvalidMappingError,
    MergeStrategy,
    Problem,
    check_mapped_property,
    link_problems,
    mapping_problems,
    naming_problems,
)
from snippets.reading import PlainData, PlainReader, plain_row, read_link
from webapp.connections.transforms import MAX_TRANSFORMS, Transform, TransformKind

FIELDS = frozenset(
    {
        "key",
        "name",
        "revision",
        "databases",
        "database_property",
        "enable_batch",
        "enable_webhook",
        "mappings",
        "links",
        "allow_creation",
        "mode",
        "deletion_policy",
    }
)
"""The names of an import goal's plain data."""

MAX_DATABASES = 50
_DATABASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", re.ASCII)
"""Source: Auth0, "name" of a connection: letters, digits and - (at most 128 characters); old ones have _."""
_ONLY_AT_LOGIN = frozenset(LOGIN_FIELDS) - {"logins_count"}


class ImportMode(StrEnum):
    """Which users a scheduled run asks Auth0 for."""

    FULL = "full"
    INCREMENTAL = "incremental"


class DeletionPolicy(StrEnum):
    """What becomes of the profile of a user that the tenant no longer has."""

    IGNORE = "ignore"
    CLEAR = "clear"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """One row of an import goal. Raises InvalidMappingError.

    ``auth0_field`` is a dotted path of a stored user ("user_metadata.plan", "identities[0].provider"), empty only where
    the first of the ``transforms`` is a constant.
    """

    auth0_field: str
    profile_property: str
    strategy: MergeStrategy = MergeStrategy.SET
    transforms: tuple[Transform, ...] = ()

    def __post_init__(self) -> None:
        is_constant = bool(self.transforms) and self.transforms[0].kind is TransformKind.CONSTANT
        if self.auth0_field or not is_constant:
            _check_field(self.auth0_field)
        check_mapped_property(self.profile_property, is_written=True)
        if len(self.transforms) > MAX_TRANSFORMS:
            raise InvalidMappingError("transforms", f"At most {MAX_TRANSFORMS} transforms.")

    @property
    def is_constant(self) -> bool:
        """Whether the value does not come from the user at all."""
        return any(each.kind is TransformKind.CONSTANT for each in self.transforms)


@dataclass(frozen=True)
class ImportGoal:
    """An import goal at one revision. Raises InvalidGoalError.

    ``databases`` are names of Auth0 connections whose users are imported; none stands for all of the tenant's.
    ``database_property`` is the profile property that keeps the name of the user's database, empty for none. Users are
    imported in runs (``enable_batch``), one by one as they change (``enable_webhook``), or both.
    """

    key: str
    name: str
    revision: int = 1
    databases: tuple[str, ...] = ()
    database_property: str = ""
    enable_batch: bool = True
    enable_webhook: bool = False
    mappings: tuple[ImportMapping, ...] = ()
    links: tuple[IdentifierLink, ...] = ()
    allow_creation: bool = True
    mode: ImportMode = ImportMode.FULL
    deletion_policy: DeletionPolicy = DeletionPolicy.IGNORE

    def __post_init__(self) -> None:
        if problems := tuple(self._problems()):
            raise InvalidGoalError(problems)

    @property
    def properties(self) -> frozenset[str]:
        """The ids of all profile properties that an import of this goal reads or writes."""
        named = {row.profile_property for row in self.mappings} | {link.profile_property for link in self.links}
        return frozenset((named | {self.database_property}) - {"", PROFILE_ID})

    def _problems(self) -> Iterator[Problem]:
        yield from naming_problems(self.name, self.key)
        if len(self.databases) > MAX_DATABASES:
            yield Problem(("databases",), f"At most {MAX_DATABASES} databases.")
        if wrong := [name for name in self.databases if not _DATABASE.fullmatch(name)]:
            yield Problem(("databases",), f"{wrong[0]!r} is no name of an Auth0 database: letters, digits and - only.")
        yield from self._database_property_problems()
        yield from self._row_problems()

    def _database_property_problems(self) -> Iterator[Problem]:
        if not self.database_property:
            return
        try:
            check_mapped_property(self.database_property, is_written=True)
        except InvalidMappingError as error:
            yield Problem(("database_property",), error.message)

    def _row_problems(self) -> Iterator[Problem]:
        yield from mapping_problems(self.mappings)
        if not self.links and (self.enable_batch or self.enable_webhook):
            yield Problem(("links",), "Add an identifier link: without one nobody can be recognised.")
        yield from link_problems(self.links)
        for index, link in enumerate(self.links):
            try:
                _check_field(link.auth0_field)
            except InvalidMappingError as error:
                yield Problem(("links", index, "auth0_field"), error.message)


def read_import_goal(plain: PlainData) -> ImportGoal:
    """Return the goal that ``plain`` describes (the keys of `FIELDS`; ``mappings`` and ``links`` are lists of rows).

    Raises:
        InvalidGoalError: with all problems at once.
    """
    reader = PlainReader(plain)
    fields: dict[str, object] = {
        "key": reader.text("key"),
        "name": reader.text("name"),
        "revision": reader.number("revision", default=1),
        "databases": reader.texts("databases"),
        "database_property": reader.text("database_property"),
        "enable_batch": reader.flag("enable_batch", default=True),
        "enable_webhook": reader.flag("enable_webhook", default=False),
        "mappings": reader.rows("mappings", _read_mapping),
        "links": reader.rows("links", read_link),
        "allow_creation": reader.flag("allow_creation", default=True),
        "mode": reader.choice("mode", ImportMode, ImportMode.FULL),
        "deletion_policy": reader.choice("deletion_policy", DeletionPolicy, DeletionPolicy.IGNORE),
    }
    return reader.made(lambda: ImportGoal(**fields))  # type: ignore[arg-type]  # each was read as its type above


def plain_import_goal(goal: ImportGoal) -> dict[str, object]:
    """Return all of a goal as plain data (the keys of `FIELDS`) from which `read_import_goal` makes it again."""
    return {
        "name": goal.name,
        "key": goal.key,
        "revision": goal.revision,
        "databases": list(goal.databases),
        "database_property": goal.database_property,
        "enable_batch": goal.enable_batch,
        "enable_webhook": goal.enable_webhook,
        "mappings": [_plain_mapping(mapping) for mapping in goal.mappings],
        "links": [plain_row(link) for link in goal.links],
        "allow_creation": goal.allow_creation,
        "mode": str(goal.mode),
        "deletion_policy": str(goal.deletion_policy),
    }


def plain_transform(transform: Transform) -> object:
    """Return a transform as files have it: ``lower``, or ``{split: ","}``."""
    return {str(transform.kind): transform.argument} if transform.kind.takes_argument else str(transform.kind)


def read_transforms(plain: object) -> tuple[Transform, ...]:
    """Return what `plain_transform` made each row of ``plain`` of. Raises InvalidMappingError."""
    if not isinstance(plain, Sequence) or isinstance(plain, str):
        raise InvalidMappingError("transforms", "Must be a list, such as [trim, lower].")
    return tuple(map(_read_transform, plain))


def _read_transform(plain: object) -> Transform:
    name, argument = plain, ""
    if isinstance(plain, Members) and len(plain) == 1:
        ((name, argument),) = plain.items()
    if name not in list(TransformKind):
        raise InvalidMappingError("transforms", f"Each must be one of {', '.join(TransformKind)}.")
    if not isinstance(argument, str):
        raise InvalidMappingError("transforms", f"{name}: must be text (put it in quotes).")
    return Transform(TransformKind(str(name)), argument)


def _plain_mapping(mapping: ImportMapping) -> dict[str, object]:
    plain: dict[str, object] = {
        "auth0_field": mapping.auth0_field,
        "profile_property": mapping.profile_property,
        "strategy": str(mapping.strategy),
    }
    return plain | (
        {"transforms": [plain_transform(each) for each in mapping.transforms]} if mapping.transforms else {}
    )


def _read_mapping(row: PlainReader) -> ImportMapping:
    row.refuse_unknown(frozenset({"auth0_field", "profile_property", "strategy", "transforms"}))
    return ImportMapping(
        row.text("auth0_field"),
        row.text("profile_property"),
        MergeStrategy(row.choice("strategy", MergeStrategy, MergeStrategy.SET)),
        read_transforms(row.plain.get("transforms") or ()),
    )


def _check_field(field: str) -> None:
    """Raise InvalidMappingError unless a stored user may have ``field``."""
    try:
        path = parse_field(field)
    except FieldPathError as error:
        raise InvalidMappingError("auth0_field", str(error)) from error
    if field in _ONLY_AT_LOGIN or (path[0] in LOGIN_ROOTS and path[0] not in USER_FIELDS and len(path) > 1):
        raise InvalidMappingError(
            "auth0_field", "Auth0 tells this at login only: a web goal can map it, an import cannot."
        )
