"""Mapping: what an import goal finds in a user of an export, in the form in which profiles store it.

A goal is made ready once for many users (`UserMapper`), since all of this happens for each of them.
"""

import json
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Members
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from snippets.fields import VERIFIED_BY
from snippets.goals import PROFILE_ID, IdentifierLink, MergeStrategy
from webapp.connections.import_goals import ImportGoal, ImportMapping, plain_import_goal
from webapp.connections.transforms import Transform, UnfitTransformError, transformed
from webapp.importer.fields import DATABASE_FIELDS, Path, database_of, path_of, walk
from webapp.importer.reading import BrokenLine, User
from webapp.importer.results import ImportProblem
from webapp.profiles.consent import CONSENT_PROPERTIES
from webapp.profiles.definitions import Definitions, suggested_type
from webapp.profiles.facts import Identity, Sought
from webapp.profiles.linking import (
    NOT_VERIFIED,
    NOT_VOUCHED_FOR,
    Admission,
    LinkValue,
    ReadyLink,
    admission,
    field_values,
    ready_link,
    sought_by,
)
from webapp.profiles.merging import Rule
from webapp.profiles.values import MAX_TEXT_LENGTH, PropertyType, is_plain

MAX_USER_ID_LENGTH = 255
DIGEST_BYTES = 16
_NO_POSITIONS: frozenset[int] = frozenset()


class MappedUser(NamedTuple):
    """A user of whom it is known who it is. ``values`` are what the goal reads, as `UserMapper` orders them.

    ``digest`` is of the values and of how the goal maps them, ``sums`` of those that are summed. If ``is_plain``, every
    text among the values can surely be stored as it is. ``size`` is that of the line, in bytes.
    """

    line: int
    size: int
    user_id: str
    values: list[Any]
    digest: bytes
    sums: bytes
    updated_at: object
    is_plain: bool


class Elsewhere(NamedTuple):
    """A user of a database that the goal does not import."""

    line: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    """A mapping, made ready: the value's place, and what may be stored of it.

    ``clears`` if an empty value removes what is stored; ``overwrites`` if a value does; ``adds`` if it joins others;
    ``takes_text`` if any plain text is stored as it is. ``link`` is the position of the link that compares just what is
    stored, ``admission`` is there if profiles are found by the property and not every value may be stored in it, and
    ``verified_place`` is where the values say that Auth0 has verified this one.
    """

    place: int
    verified_place: int | None
    property_id: str
    transforms: tuple[Transform, ...]
    takes_text: bool
    clears: bool
    overwrites: bool
    adds: bool
    admission: Admission | None
    link: int | None
    strategy: MergeStrategy
    property_type: PropertyType
    mapping: ImportMapping


_Found = list[tuple[_Row, list[str]]]


class _Link(NamedTuple):
    """An identifier link, made ready, and where the values have what it compares, and whether that is verified."""

    ready: ReadyLink
    place: int
    verified_place: int | None


ReadEntry = MappedUser | Elsewhere | BrokenLine
"""A line of a file as a goal reads it."""


class UserMapper:
    """Reads users as one goal maps them, into properties that have these definitions.

    ``is_quick_for_new`` says if `new_values` may be asked: no property depends on another row, or on consent.
    """

    def __init__(self, goal: ImportGoal, definitions: Definitions, *, issuer: str) -> None:
        self.definitions = definitions
        self._goal = goal
        self._issuer = issuer
        self._names: list[str] = []
        self._paths: list[tuple[int, str, Path, Path]] = []
        self._place("user_id")
        self._verified_places = {field: self._place(verified_by) for field, verified_by in VERIFIED_BY.items()}
        self._links = [self._link(link, position) for position, link in enumerate(goal.links)]
        self._rows = [self._row(mapping, self._place(mapping.auth0_field)) for mapping in goal.mappings]
        self._summed = [row.place for row in self._rows if row.mapping.strategy is MergeStrategy.SUM]
        self._databases = frozenset(goal.databases)
        self._asks_database = bool(goal.databases or goal.database_property)
        if goal.database_property:  # its value comes after all others
            mapping = ImportMapping(DATABASE_FIELDS[0], goal.database_property)
            self._rows.append(self._row(mapping, len(self._names)))
        key, sums_key = self._keys()
        # Copied for each user: to take in the key takes as long as to take in the values.
        self._digester = blake2b(digest_size=DIGEST_BYTES, key=key)
        self._sums_digester = blake2b(digest_size=DIGEST_BYTES, key=sums_key)
        written = [row.property_id for row in self._rows]
        self.is_quick_for_new = (
            not self._summed and len(set(written)) == len(written) and CONSENT_PROPERTIES.isdisjoint(goal.properties)
        )

    def read(self, user: User) -> ReadEntry:
        """Return who the user is, and the values that the goal reads."""
        fields = user.fields
        get = fields.get
        values: list[Any] = list(map(get, self._names))
        for place, first, others, path in self._paths:
            if values[place] is not None:  # the export has it under the path as its name
                continue
            found = get(first)
            for step in others:
                if type(found) is not dict:  # which hardly any is
                    found = None if found is None else walk(fields, path)
                    break
                found = found.get(step)
            values[place] = found
        user_id = values[0]
        if type(user_id) is not str or not 0 < len(user_id) <= MAX_USER_ID_LENGTH or not _is_storable(user_id):
            return BrokenLine(user.line, "no user_id", user.size)
        if self._asks_database:
            database = database_of(fields)
            if database is not None and self._databases and database not in self._databases:
                return Elsewhere(user.line, user.size)
            values.append(database)
        try:
            text = _as_bytes(values)
        except RecursionError:
            return BrokenLine(user.line, "nested too deeply", user.size)
        # Looking once at all texts is quicker than at each: none can be too long, be other than ASCII, or hold a NUL.
        is_plain = len(text) <= MAX_TEXT_LENGTH and text.isascii() and b"\\u" not in text
        sums = self._sums(values) if self._summed else b""
        return MappedUser(user.line, user.size, user_id, values, self._digest(text), sums, get("updated_at"), is_plain)

    def read_again(self, user: MappedUser) -> MappedUser:
        """Return a user whom a mapper of the same goal has read when its properties had other definitions."""
        sums = self._sums(user.values) if self._summed else b""
        return user._replace(digest=self._digest(_as_bytes(user.values)), sums=sums)

    def identity(self, user: MappedUser) -> Identity:
        """Return the Auth0 user."""
        return self._issuer, user.user_id

    def links(self, user: MappedUser) -> tuple[LinkValue, ...]:
        """Return the links that can be tried, in their order."""
        values, found = user.values, []
        for ready, place, verified_place in self._links:
            is_verified = verified_place is not None and values[verified_place] is True
            if (link := ready.value(values[place], is_verified=is_verified)) is not None:
                found.append(link)
        return tuple(found)

    def sought(self, user: MappedUser, links: Sequence[LinkValue]) -> Sought:
        """Return everything that may lead to the user's profile."""
        return sought_by((self._issuer, user.user_id), links, None)

    def rules(
        self, user: MappedUser, links: Collection[LinkValue], passed_over: Collection[LinkValue]
    ) -> tuple[list[Rule], list[ImportProblem]]:
        """Return what the mappings make of a user, and the rows that cannot be applied.

        ``links`` are the user's, ``passed_over`` those among them that lead to somebody else's profile.
        """
        found, problems = self._read_rows(user, links, passed_over)
        return [Rule(row.property_id, values, row.strategy, row.property_type) for row, values in found], problems

    def new_values(
        self, user: MappedUser, links: Collection[LinkValue], passed_over: Collection[LinkValue]
    ) -> tuple[dict[str, list[str]], list[str], list[ImportProblem]]:
        """Return the values of a new profile, the properties that are set or cleared, and the problems.

        It is what the rules come to where nothing is stored (`is_quick_for_new`), in far fewer steps.
        """
        found, problems = self._read_rows(user, links, passed_over)
        new: dict[str, list[str]] = {}
        overwritten: list[str] = []
        for row, values in found:
            if values:
                new[row.property_id] = list(dict.fromkeys(values)) if row.adds else values
            if row.overwrites:
                overwritten.append(row.property_id)
        for link in links:
            if link.property_id not in new and link.property_id != PROFILE_ID:
                new[link.property_id] = [link.value]
        return new, overwritten, problems

    def _read_rows(
        self, user: MappedUser, links: Collection[LinkValue], passed_over: Collection[LinkValue]
    ) -> tuple[_Found, list[ImportProblem]]:
        found: _Found = []
        problems: list[ImportProblem] = []
        values, is_plain_user = user.values, user.is_plain
        linked: dict[int | None, str] = {link.position: link.value for link in links}
        foreign = {link.position for link in passed_over} if passed_over else _NO_POSITIONS
        for row in self._rows:
            value = values[row.place]
            if row.takes_text and type(value) is str and value and (is_plain_user or is_plain(value)):
                found.append((row, [value]))  # as nearly all are
                continue
            if row.transforms:
                try:
                    value = transformed(value, row.transforms)
                except UnfitTransformError as error:
                    problems.append(ImportProblem(user.line, str(error), row.mapping.auth0_field, user.user_id))
                    continue
            if value is None and not row.clears:
                continue
            texts, reasons = self._texts(row, value, values, linked, foreign)
            if reasons:
                field = row.mapping.auth0_field
                problems += [ImportProblem(user.line, reason, field, user.user_id) for reason in reasons]
            elif texts or row.clears:
                found.append((row, texts))
        return found, problems

    def _texts(
        self, row: _Row, value: object, values: list[Any], linked: Members[int | None, str], foreign: Collection[int]
    ) -> tuple[list[str], list[str]]:
        """Return what may be stored of a value, and what is wrong with it."""
        if row.link in linked:
            texts, reasons = [linked[row.link]], list[str]()
        else:
            texts, reasons = field_values(row.mapping.auth0_field, value, row.property_type)
        if texts and row.admission is not None:
            is_verified = row.verified_place is not None and values[row.verified_place] is True
            if not row.admission.admits(is_verified=is_verified, foreign=foreign):
                return texts, [NOT_VERIFIED if row.admission.needs_verification else NOT_VOUCHED_FOR]
        return texts, reasons

    def _place(self, field: str) -> int:
        """Return where the values have the field."""
        if field not in self._names:
            self._names.append(field)
            first, *others = path = path_of(field)
            if others:
                self._paths.append((len(self._names) - 1, str(first), tuple(others), path))
        return self._names.index(field)

    def _link(self, link: IdentifierLink, position: int) -> _Link:
        ready = ready_link(link, position, _type_of(self.definitions, link.profile_property))
        return _Link(ready, self._place(link.auth0_field), self._verified_places.get(link.auth0_field))

    def _row(self, mapping: ImportMapping, place: int) -> _Row:
        name, field = mapping.profile_property, mapping.auth0_field
        stored = self.definitions.types.get(name) or suggested_type(field, mapping.strategy)
        is_identifying = name in self.definitions.identifying
        return _Row(
            place=place,
            verified_place=self._verified_places.get(field),
            property_id=name,
            transforms=mapping.transforms,
            takes_text=stored is PropertyType.TEXT and not (is_identifying or mapping.transforms or field == "email"),
            clears=mapping.strategy is MergeStrategy.SET_OR_CLEAR,
            overwrites=mapping.strategy in {MergeStrategy.SET, MergeStrategy.SET_OR_CLEAR},
            adds=mapping.strategy is MergeStrategy.ADD,
            admission=self._admission(mapping) if is_identifying else None,
            link=self._link_of(mapping, place, stored),
            strategy=mapping.strategy,
            property_type=stored,
            mapping=mapping,
        )

    def _keys(self) -> tuple[bytes, bytes]:
        """Return what makes digests differ once the goal, or a property of it, is another.

        Sums have a key of their own: another mapping elsewhere must not count the same value again.
        """
        plain = plain_import_goal(self._goal)
        mapped = {name: plain[name] for name in ("database_property", "mappings", "links")}
        types = sorted((name, str(found)) for name, found in self.definitions.types.items())
        summed = [row.mapping for row in self._rows if row.mapping.strategy is MergeStrategy.SUM]
        sums = [[row.auth0_field, row.profile_property, [[str(each.kind), each.argument] for each in row.transforms]]
                for row in summed]  # fmt: skip
        both = ([mapped, types, sorted(self.definitions.identifying)], sums)
        return tuple(blake2b(orjson.dumps(each), digest_size=32).digest() for each in both)  # type: ignore[return-value]

    def _digest(self, text: bytes) -> bytes:
        digester = self._digester.copy()
        digester.update(text)
        return digester.digest()

    def _sums(self, values: list[Any]) -> bytes:
        digester = self._sums_digester.copy()
        digester.update(_as_bytes([values[place] for place in self._summed]))
        return digester.digest()

    def _admission(self, mapping: ImportMapping) -> Admission | None:
        if mapping.is_constant:  # everybody would have the same
            return Admission((), needs_verification=False, is_vouched_for=False)
        found = admission(self._goal.links, mapping.auth0_field, mapping.profile_property)
        return None if found.always_admits else found

    def _link_of(self, mapping: ImportMapping, place: int, property_type: PropertyType) -> int | None:
        is_same = (
            each.ready.position
            for each in self._links
            if (each.place, each.ready.property_type) == (place, property_type) and not mapping.transforms
        )
        return next(is_same, None)


def issued_at(user: MappedUser, now: datetime) -> int:
    """Return how new the news about a user is (Unix seconds): when Auth0 changed it last, as far as the export tells.

    A moment that is still to come would keep all later news away.
    """
    latest = int(now.timestamp())
    if not isinstance(user.updated_at, str):
        return latest
    try:
        moment = datetime.fromisoformat(user.updated_at)
    except ValueError:
        return latest
    return max(0, min(int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()), latest))


def _is_storable(user_id: str) -> bool:
    if user_id.isascii():  # as nearly all are
        return "\0" not in user_id
    try:
        user_id.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can name and no database can keep
        return False
    return "\0" not in user_id


def _as_bytes(values: list[Any]) -> bytes:
    try:
        return orjson.dumps(values)
    except orjson.JSONEncodeError:  # a larger number, or more levels, than it knows
        return json.dumps(values).encode()


def _type_of(definitions: Definitions, property_id: str) -> PropertyType:
    return definitions.types.get(property_id, PropertyType.TEXT)
