"""What a web goal is: plain, immutable data that cannot be made wrong.

Whoever holds a `WebGoal` need not check it again. Rows check themselves; the goal checks what takes its neighbours.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from urllib.parse import urlsplit

from snippets.consent import ConsentRule
from snippets.fields import VERIFIED_BY, FieldPathError, is_vouched_for, overlaps, parse_field, source_of
from snippets.parameters import MAX_VALUE_PARAMETERS, parameter_name
from snippets.policy import USUAL_POLICY, TokenPolicy

PROFILE_ID = "profileId"
"""In the place of a profile property: the profile's own id."""

PROPERTY_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
READ_ONLY_PROPERTIES = frozenset({"creationdate", "lastmodifieddate", "lastvisitdate", "domaingroup"})
ORIGIN = re.compile(r"https?://[a-z0-9.:@*\[\]_-]+", re.ASCII | re.IGNORECASE)
GOAL_KEY = re.compile(r"[A-Za-z0-9_-]{6,64}")
IGNORED_NAMESPACE_DOMAINS = ("auth0.com", "webtask.io", "webtask.run")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
METADATA_ROOTS = ("user_metadata", "app_metadata")
MAX_MAPPINGS = 200

Place = tuple[str | int, ...]


class Direction(StrEnum):
    """Which way a mapping's value moves."""

    TO_PROFILE = "to_profile"
    TO_AUTH0 = "to_auth0"


class MergeStrategy(StrEnum):
    """How a value meets what is already stored. Source: BlueConic, merge strategies of imports."""

    SET = "set"
    SET_IF_EMPTY = "set_if_empty"
    SET_OR_CLEAR = "set_or_clear"
    ADD = "add"
    SUM = "sum"


class TokenKind(StrEnum):
    """The token that the browser posts."""

    ID_TOKEN = "id_token"  # noqa: S105, a kind of token and no secret
    ACCESS_TOKEN = "access_token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (``("mappings", 2, "auth0_field")``) and how to mend it."""

    place: Place
    message: str

    def __str__(self) -> str:
        """Return the problem as one line for a terminal: ``mappings[3].auth0_field: …`` (rows counted from 1)."""
        path = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in self.place)
        return f"{path.lstrip('.')}: {self.message}" if path else self.message


class InvalidMappingError(ValueError):
    """A row that cannot be: ``attribute`` names the field of the row that has to change."""

    def __init__(self, attribute: str, message: str) -> None:
        super().__init__(message)
        self.attribute = attribute
        self.message = message


class InvalidGoalError(ValueError):
    """A goal that cannot be. ``problems`` has every mistake that was found, in the order of the page."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def check_auth0_field(field: str) -> None:
    """Raise InvalidMappingError unless a login can read ``field``."""
    try:
        source_of(field)
    except FieldPathError as error:
        raise InvalidMappingError("auth0_field", str(error)) from error


def check_property(profile_property: str) -> None:
    """Raise InvalidMappingError unless ``profile_property`` may be the id of a BlueConic profile property."""
    if not profile_property:
        raise InvalidMappingError("profile_property", "Name a profile property.")
    if not PROPERTY_ID.fullmatch(profile_property):
        message = "A profile property's id has letters, digits, - and _ only (at most 100)."
        raise InvalidMappingError("profile_property", message)


def check_mapped_property(profile_property: str, *, is_written: bool) -> None:
    """Raise InvalidMappingError unless a mapping may read this property, or (``is_written``) write it."""
    check_property(profile_property)
    if profile_property == PROFILE_ID:
        raise InvalidMappingError("profile_property", "The profile id is no property: use an identifier link.")
    if is_written and profile_property.lower() in READ_ONLY_PROPERTIES:
        raise InvalidMappingError("profile_property", "BlueConic keeps this property itself; it is read-only.")


def naming_problems(name: str, key: str) -> Iterator[Problem]:
    """Yield what is wrong with the name and the key of a goal."""
    if not name.strip():
        yield Problem(("name",), "Give the goal a name.")
    elif len(name) > 200:
        yield Problem(("name",), "At most 200 characters.")
    if not GOAL_KEY.fullmatch(key):
        yield Problem(("key",), "A goal's key has 6 to 64 letters, digits, - and _.")


def mapping_problems(mappings: Sequence[object]) -> Iterator[Problem]:
    """Yield what is wrong with a goal's mappings as a list: too many of them, or one twice."""
    if len(mappings) > MAX_MAPPINGS:
        yield Problem(("mappings",), f"At most {MAX_MAPPINGS} mappings.")
    for index, mapping in enumerate(mappings):
        if (first := mappings.index(mapping)) < index:
            yield Problem(("mappings", index, "auth0_field"), f"This row is the same as row {first + 1}.")


def link_problems(links: "Sequence[IdentifierLink]") -> Iterator[Problem]:
    """Yield what is wrong with a goal's identifier links as a list: one twice."""
    for index, link in enumerate(links):
        if (first := links.index(link)) < index:
            yield Problem(("links", index, "auth0_field"), f"This link is the same as link {first + 1}.")


@dataclass(frozen=True, slots=True)
class Mapping:
    """One row of a goal. ``auth0_field`` is a dotted path ("user_metadata.plan"). Raises InvalidMappingError."""

    auth0_field: str
    profile_property: str
    direction: Direction = Direction.TO_PROFILE
    strategy: MergeStrategy = MergeStrategy.SET

    def __post_init__(self) -> None:
        check_auth0_field(self.auth0_field)
        check_mapped_property(self.profile_property, is_written=self.direction is Direction.TO_PROFILE)
        if self.direction is Direction.TO_AUTH0:
            self._check_way_to_auth0()

    def _check_way_to_auth0(self) -> None:
        root, *rest = parse_field(self.auth0_field)
        if root not in METADATA_ROOTS or not rest:
            message = (
                "Values that travelled through the browser are the visitor's word: "
                "they may only go to a field of user_metadata, such as user_metadata.newsletter."
            )
            raise InvalidMappingError("auth0_field", message)
        if self.strategy is MergeStrategy.SET_OR_CLEAR:
            message = "A login without the value is normal and must not erase it: choose set, set if empty or add."
            raise InvalidMappingError("strategy", message)
        if self.strategy is MergeStrategy.SUM:
            message = "Each login would count the visitor's word once more: choose set, set if empty or add."
            raise InvalidMappingError("strategy", message)

    @property
    def is_by_browser(self) -> bool:
        """Say if the value travels through the visitor's browser: to ``user_metadata`` and nowhere else."""
        return self.direction is Direction.TO_AUTH0 and self.auth0_field.startswith("user_metadata.")


@dataclass(frozen=True, slots=True)
class IdentifierLink:
    """An Auth0 field and the profile property that must be equal for a user and a profile to be the same person.

    ``profile_property`` may be `PROFILE_ID`. ``require_verified`` matters for ``email`` and ``phone_number``: Auth0
    must have verified them. Raises InvalidMappingError.
    """

    auth0_field: str
    profile_property: str
    require_verified: bool = True

    def __post_init__(self) -> None:
        check_auth0_field(self.auth0_field)
        check_property(self.profile_property)

    @property
    def keeps_profile_id(self) -> bool:
        """Say if logins write the profile id to this link's field: only ``user_metadata`` takes the browser's word."""
        return self.profile_property == PROFILE_ID and self.auth0_field.startswith("user_metadata.")

    @property
    def verified_by(self) -> str | None:
        """The Auth0 field that must be true before this link may be used, or None."""
        return VERIFIED_BY.get(self.auth0_field) if self.require_verified else None


@dataclass(frozen=True)
class WebGoal:
    """A web goal at one revision: everything that generated code depends on. Raises InvalidGoalError.

    ``public_url`` is where browsers reach Websync, without a slash at the end. ``claim_namespace`` ends with one.
    ``allowed_origins`` are origins as browsers send them (``https://shop.example``). With ``server_exchange`` the
    Action itself calls Websync in the login. ``consent`` is what the connection's objectives come to, None if no
    visitor has to consent.
    """

    key: str
    name: str
    public_url: str
    claim_namespace: str
    revision: int = 1
    mappings: tuple[Mapping, ...] = ()
    links: tuple[IdentifierLink, ...] = ()
    allow_creation: bool = True
    token_kind: TokenKind = TokenKind.ID_TOKEN
    client_ids: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    enable_rule: bool = True
    enable_token: bool = True
    server_exchange: bool = False
    token_policy: TokenPolicy = USUAL_POLICY
    consent: ConsentRule | None = None

    def __post_init__(self) -> None:
        if problems := tuple(self._problems()):
            raise InvalidGoalError(problems)

    @property
    def token_url(self) -> str:
        """Where the token snippet posts."""
        return f"{self.public_url}/sync/{self.key}/token"

    @property
    def page_url(self) -> str:
        """The page on which people edit this goal."""
        return f"{self.public_url}/goals/{self.key}"

    def mappings_to(self, direction: Direction) -> tuple[Mapping, ...]:
        """Return the rows of one direction, in their order."""
        return self._mappings_by_direction[direction]

    @cached_property
    def clearing_fields(self) -> frozenset[str]:
        """The fields whose emptiness clears a property (merge strategy ``set_or_clear``)."""
        return frozenset(
            mapping.auth0_field
            for mapping in self.mappings_to(Direction.TO_PROFILE)
            if mapping.strategy is MergeStrategy.SET_OR_CLEAR
        )

    @cached_property
    def claim_names(self) -> dict[str, str]:
        """The claims that `claims.claim_name` has found so far, by their fields."""
        return {}

    @cached_property
    def _mappings_by_direction(self) -> dict[Direction, tuple[Mapping, ...]]:
        # Each token asks, and the rows never change.
        return {
            direction: tuple(mapping for mapping in self.mappings if mapping.direction is direction)
            for direction in Direction
        }

    @property
    def browser_properties(self) -> tuple[str, ...]:
        """Return the profile properties that travel through the visitor's browser, each once."""
        return tuple(dict.fromkeys(each.profile_property for each in self.mappings if each.is_by_browser))

    @property
    def profile_id_link(self) -> IdentifierLink | None:
        """The link whose field of ``user_metadata`` keeps the profile id, or None."""
        return next((link for link in self.links if link.keeps_profile_id), None)

    def _problems(self) -> Iterator[Problem]:
        yield from naming_problems(self.name, self.key)
        yield from _namespace_problems(self.claim_namespace)
        yield from self._row_problems()
        yield from self._token_problems()

    def _row_problems(self) -> Iterator[Problem]:
        yield from mapping_problems(self.mappings)
        for index, mapping in enumerate(self.mappings):
            if mapping.direction is Direction.TO_AUTH0 and mapping not in self.mappings[:index]:
                yield from self._overlap_problems(index, mapping)
                yield from self._trust_problems(index, mapping)
        yield from self._parameter_problems()
        count = len(self.browser_properties)
        if count > MAX_VALUE_PARAMETERS:
            message = (
                f"A login carries the profile id and at most {MAX_VALUE_PARAMETERS} properties to Auth0; "
                f"these rows have {count}."
            )
            yield Problem(("mappings",), message)
        yield from link_problems(self.links)

    def _parameter_problems(self) -> Iterator[Problem]:
        taken: dict[str, str] = {}
        for index, mapping in enumerate(self.mappings):
            if not mapping.is_by_browser:
                continue
            other = taken.setdefault(parameter_name(mapping.profile_property), mapping.profile_property)
            if other != mapping.profile_property:
                message = f"A login could not tell it from {other}: their parameters have the same name."
                yield Problem(("mappings", index, "profile_property"), message)

    def _trust_problems(self, index: int, mapping: Mapping) -> Iterator[Problem]:
        if not mapping.is_by_browser and not self.server_exchange:
            message = (
                "Values that travelled through the browser are the visitor's word: they may only go to user_metadata. "
                "For app_metadata, switch on Server exchange."
            )
            yield Problem(("mappings", index, "auth0_field"), message)
        if not mapping.is_by_browser and (feeder := self._unvouched_feeder(mapping.profile_property)):
            message = (
                f"{feeder} fills this property, and visitors can write that themselves: "
                "so its value may not go to app_metadata, which an API trusts."
            )
            yield Problem(("mappings", index, "profile_property"), message)

    def _unvouched_feeder(self, profile_property: str) -> str | None:
        """Return the first field that fills the property without Auth0's word for it, or None."""
        rows = [each for each in self.mappings_to(Direction.TO_PROFILE) if each.profile_property == profile_property]
        return next((each.auth0_field for each in rows if not is_vouched_for(each.auth0_field)), None)

    def _overlap_problems(self, index: int, mapping: Mapping) -> Iterator[Problem]:
        others = [other.auth0_field for other in self.mappings[:index] if other.direction is Direction.TO_AUTH0]
        if self.profile_id_link is not None:
            others.append(self.profile_id_link.auth0_field)
        for other in others:
            if overlaps(mapping.auth0_field, other):
                message = f"{other} is written already: two rows may not write the same field."
                yield Problem(("mappings", index, "auth0_field"), message)
                return

    def _token_problems(self) -> Iterator[Problem]:
        if self.server_exchange and not self.enable_rule:
            yield Problem(("server_exchange",), "Switch on Enable Rule as well: the Action makes the exchange.")
        if (self.server_exchange or self.enable_token) and not self.links:
            yield Problem(("links",), "Add an identifier link: without one nobody can be recognised.")
        if self.enable_token:
            yield from self._missing_for_token()
        for field in ("client_ids", "audiences"):
            if any(not text.isprintable() or len(text) > 600 for text in getattr(self, field)):
                yield Problem((field,), "Plain text of at most 600 characters a line.")
        for name, mistake in self.token_policy.problems(has_scopes=self.token_kind is TokenKind.ACCESS_TOKEN):
            yield Problem((name,), mistake)
        for origin in self.allowed_origins:
            if message := _origin_problem(origin):
                yield Problem(("allowed_origins",), message)

    def _missing_for_token(self) -> Iterator[Problem]:
        if self.token_kind is TokenKind.ID_TOKEN and not self.client_ids:
            yield Problem(("client_ids",), "Name the client id of at least one application.")
        if self.token_kind is TokenKind.ACCESS_TOKEN and not self.audiences:
            yield Problem(("audiences",), "Name the identifier (audience) of the API that stands for Websync.")
        if not self.allowed_origins:
            yield Problem(("allowed_origins",), "Name the origin of your site, such as https://www.example.com.")


def _namespace_problems(namespace: str) -> Iterator[Problem]:
    host = _host(namespace)
    if not namespace.startswith(("https://", "http://")) or not host or not namespace.endswith("/"):
        yield Problem(("claim_namespace",), "A URL that you control, such as https://www.example.com/claims/.")
    elif any(host == domain or host.endswith(f".{domain}") for domain in IGNORED_NAMESPACE_DOMAINS):
        # Source: Auth0, "Create custom claims": such claims are dropped without an error.
        yield Problem(("claim_namespace",), f"Auth0 ignores claims on {host}: use a domain of your own.")
    elif len(namespace) > 200 or not namespace.isascii() or not namespace.isprintable() or " " in namespace:
        yield Problem(("claim_namespace",), "At most 200 ASCII characters without spaces.")


def _origin_problem(origin: str) -> str | None:
    host = _host(origin)
    if not host or not ORIGIN.fullmatch(origin):
        return f"{origin!r} is no origin. An origin is scheme and host only, such as https://www.example.com."
    if origin != origin.lower() or "*" in origin or "@" in origin:
        return f"{origin!r} must be in lower case, without wildcards or user names."
    if origin.startswith("http:") and host not in LOOPBACK_HOSTS:
        return f"{origin!r} is not safe: tokens may only be posted from https (or from this computer)."
    return None


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port  # reading it is what checks it
    except ValueError:
        return ""
    return "" if port == 0 else parts.hostname or ""
