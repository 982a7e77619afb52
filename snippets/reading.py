"""Plain data (a form, a YAML file, a kept revision) to a `WebGoal`, with every mistake at its place; and back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TypeVar

from snippets.consent import ConsentRule, plain_rule, read_rule
from snippets.goals import (
    Direction,
    IdentifierLink,
    InvalidGoalError,
    InvalidMappingError,
    MergeStrategy,
    Place,
    Problem,
    TokenKind,
    WebGoal,
)
from snippets.goals import Mapping as Row
from snippets.policy import USUAL_POLICY, SigningAlgorithm, TokenPolicy, domain_of

PlainData = Mapping[str, object]

_Item = TypeVar("_Item")

POLICY_FIELDS = frozenset({"algorithms", "required_scopes", "leeway_seconds", "max_age_seconds", "custom_domains"})
"""Those of the goal's `TokenPolicy`; each that is left out keeps its default."""

FIELDS = frozenset(
    {
        "key",
        "name",
        "revision",
        "claim_namespace",
        "mappings",
        "links",
        "allow_creation",
        "token_kind",
        "client_ids",
        "audiences",
        "allowed_origins",
        "enable_rule",
        "enable_token",
        "server_exchange",
        *POLICY_FIELDS,
        "consent",
    }
)


def read_web_goal(plain: PlainData, *, public_url: str) -> WebGoal:
    """Return the goal that ``plain`` describes (the keys of `FIELDS`; ``mappings`` and ``links`` are lists of rows).

    Raises:
        InvalidGoalError: with all problems at once, so that one look at the page or the terminal is enough.
    """
    reader = PlainReader(plain)
    fields: dict[str, object] = {
        "key": reader.text("key"),
        "name": reader.text("name"),
        "claim_namespace": reader.text("claim_namespace"),
        "revision": reader.number("revision", default=1),
        "mappings": reader.rows("mappings", _read_mapping),
        "links": reader.rows("links", read_link),
        "allow_creation": reader.flag("allow_creation", default=True),
        "token_kind": reader.choice("token_kind", TokenKind, TokenKind.ID_TOKEN),
        "client_ids": reader.texts("client_ids"),
        "audiences": reader.texts("audiences"),
        "allowed_origins": reader.texts("allowed_origins"),
        "enable_rule": reader.flag("enable_rule", default=True),
        "enable_token": reader.flag("enable_token", default=True),
        "server_exchange": reader.flag("server_exchange", default=False),
        "token_policy": _read_policy(reader),
        "consent": reader.rule("consent"),
    }
    # Each was read as its type above.
    return reader.made(lambda: WebGoal(public_url=public_url, **fields))  # type: ignore[arg-type]


def plain_web_goal(goal: WebGoal) -> dict[str, object]:
    """Return all of a goal as plain data (the keys of `FIELDS`) from which `read_web_goal` makes it again.

    The public URL is not in it: that is a setting of the service.
    """
    return {
        "name": goal.name,
        "key": goal.key,
        "revision": goal.revision,
        "mappings": [plain_row(mapping) for mapping in goal.mappings],
        "links": [plain_row(link) for link in goal.links],
        "allow_creation": goal.allow_creation,
        "claim_namespace": goal.claim_namespace,
        "token_kind": str(goal.token_kind),
        "client_ids": list(goal.client_ids),
        "audiences": list(goal.audiences),
        "allowed_origins": list(goal.allowed_origins),
        "enable_rule": goal.enable_rule,
        "enable_token": goal.enable_token,
        "server_exchange": goal.server_exchange,
        **plain_policy(goal.token_policy),
        "consent": plain_rule(goal.consent) if goal.consent else None,
    }


def plain_policy(policy: TokenPolicy) -> dict[str, object]:
    """Return what a policy asks otherwise than the default one, as plain data."""
    usual = asdict(USUAL_POLICY)
    return {
        name: [str(each) for each in value] if isinstance(value, tuple) else value
        for name, value in asdict(policy).items()
        if value != usual[name]
    }


def read_policy(plain: PlainData) -> TokenPolicy:
    """Return the policy that `plain_policy` made ``plain`` of."""
    return _read_policy(PlainReader(plain))


def _read_policy(reader: "PlainReader") -> TokenPolicy:
    return TokenPolicy(
        algorithms=reader.choices("algorithms", SigningAlgorithm) or USUAL_POLICY.algorithms,
        required_scopes=reader.texts("required_scopes"),
        leeway_seconds=reader.optional_number("leeway_seconds"),
        max_age_seconds=reader.optional_number("max_age_seconds"),
        custom_domains=tuple(dict.fromkeys(map(domain_of, reader.texts("custom_domains")))),
    )


def plain_row(row: Row | IdentifierLink) -> dict[str, object]:
    """Return a mapping or link as plain data."""
    # Not only text-like: a YAML writer knows text, and no enum.
    return {name: value if isinstance(value, bool) else str(value) for name, value in asdict(row).items()}


class PlainReader:
    """Reads the plain data of a goal, or of one of its rows, and collects what is wrong with it."""

    def __init__(self, plain: PlainData, place: Place = ()) -> None:
        self.plain = plain
        self.place = place
        self.problems: list[Problem] = []

    def made(self, make: Callable[[], _Item]) -> _Item:
        """Return what ``make`` makes of what was read. Raises InvalidGoalError with all problems."""
        try:
            goal = make()
        except InvalidGoalError as error:
            # A row that could not be read is missing from the goal: what that says of rows would be beside the point.
            broken = {problem.place[0] for problem in self.problems}
            self.problems += [problem for problem in error.problems if problem.place[0] not in broken]
        if self.problems:
            raise InvalidGoalError(tuple(self.problems))
        return goal

    def complain(self, name: str, message: str) -> None:
        """Add a problem of one of the names."""
        self.problems.append(Problem((*self.place, name), message))

    def refuse_unknown(self, known: frozenset[str]) -> None:
        """Complain of names that nobody knows."""
        for name in self.plain:
            if name not in known:
                self.complain(str(name), f"Unknown; known are {', '.join(sorted(known))}.")

    def text(self, name: str) -> str:
        """Return a text without space around it; empty where there is none."""
        value = self.plain.get(name)
        if value is not None and not isinstance(value, str):
            self.complain(name, "Must be text.")
            return ""
        if "\0" in (value or ""):
            # PostgreSQL stores no such text.
            self.complain(name, "Must not hold a NUL character.")
            return ""
        return (value or "").strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, each once."""
        value = self.plain.get(name) or ()
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(dict.fromkeys(item.strip() for item in value if item.strip()))
        self.complain(name, "Must be a list of texts.")
        return ()

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self.plain.get(name, default)
        if isinstance(value, bool):
            return value
        self.complain(name, "Must be true or false.")
        return default

    def number(self, name: str, *, default: int) -> int:
        """Return a whole number from 1."""
        value = self.plain.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        self.complain(name, "Must be a whole number from 1.")
        return default

    def optional_number(self, name: str) -> int | None:
        """Return a whole number, or None."""
        value = self.plain.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        self.complain(name, "Must be a whole number, or nothing.")
        return None

    def choices(self, name: str, kind: type[SigningAlgorithm]) -> tuple[SigningAlgorithm, ...]:
        """Return those that are named, in the order of ``kind``."""
        named = self.texts(name)
        if unknown := [each for each in named if each not in list(kind)]:
            self.complain(name, f"{unknown[0]!r} is unknown; known are {', '.join(kind)}.")
        return tuple(each for each in kind if each in named)

    def choice(self, name: str, kind: type[StrEnum], default: str) -> str:
        """Return one of the words of ``kind``."""
        value = self.plain.get(name, default)
        try:
            return kind(str(value))
        except ValueError:
            self.complain(name, f"Must be one of {', '.join(kind)}.")
            return default

    def rule(self, name: str) -> ConsentRule | None:
        """Return a rule of consent, or None."""
        plain = self.plain.get(name)
        try:
            return None if plain is None else read_rule(plain)
        except ValueError as error:
            self.complain(name, str(error))
            return None

    def rows(self, name: str, read: Callable[["PlainReader"], _Item]) -> tuple[_Item, ...]:
        """Return what ``read`` makes of each row of a list."""
        value = self.plain.get(name) or ()
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.complain(name, "Must be a list of rows.")
            return ()
        items = []
        for index, plain in enumerate(value):
            row = PlainReader(plain if isinstance(plain, Mapping) else {}, (*self.place, name, index))
            try:
                items.append(read(row))
            except InvalidMappingError as error:
                row.complain(error.attribute, error.message)
            self.problems += row.problems
        return tuple(items)


def _read_mapping(row: PlainReader) -> Row:
    row.refuse_unknown(frozenset({"auth0_field", "profile_property", "direction", "strategy"}))
    return Row(
        row.text("auth0_field"),
        row.text("profile_property"),
        Direction(row.choice("direction", Direction, Direction.TO_PROFILE)),
        MergeStrategy(row.choice("strategy", MergeStrategy, MergeStrategy.SET)),
    )


def read_link(row: PlainReader) -> IdentifierLink:
    """Return the identifier link of a row. Raises InvalidMappingError."""
    row.refuse_unknown(frozenset({"auth0_field", "profile_property", "require_verified"}))
    return IdentifierLink(
        row.text("auth0_field"),
        row.text("profile_property"),
        row.flag("require_verified", default=True),
    )
