"""Connections and goals as a YAML file: read, with every mistake reported at its place.

Secrets are never in the file: ``client_secret: {env: NAME}`` names the environment variable that has it, and so does
``signing_secret`` of a goal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from snippets.goals import InvalidGoalError, Place, Problem, WebGoal
from snippets.reading import FIELDS, read_web_goal
from webapp.auth0.tenant import InvalidDomainError, parse_domain
from webapp.connections.models import (
    MAX_CLIENT_ID_LENGTH,
    MAX_DESCRIPTION_LENGTH,
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    MAX_NAME_LENGTH,
)

MAX_FILE_BYTES = 1_000_000
KEY_TO_COME = "key-to-come"
"""Stands in a goal read from a file without a key: `apply_configuration` gives it a real one."""

_CONNECTION_FIELDS = frozenset({"name", "favourite", "labels", "description", "enabled", "auth0", "goals"})
_AUTH0_FIELDS = frozenset({"domain", "client_id", "client_secret"})
_GOAL_FIELDS = FIELDS | {"kind", "enabled", "signing_secret"}


class InvalidConfigurationError(ValueError):
    """The file is wrong. ``problems`` has every mistake that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class GoalConfiguration:
    """A web goal as the file has it. Without a key of its own ``web_goal.key`` is `KEY_TO_COME`.

    ``secret_variable`` names the environment variable with the secret by which its tokens are signed (HS256).
    """

    web_goal: WebGoal
    is_on: bool
    secret_variable: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionConfiguration:
    """A connection as the file has it. ``secret_variable`` names the environment variable with the client secret."""

    name: str
    is_favourite: bool
    labels: tuple[str, ...]
    description: str
    is_on: bool
    auth0_domain: str
    auth0_client_id: str
    secret_variable: str | None
    goals: tuple[GoalConfiguration, ...]


def read_yaml(text: str) -> object:
    """Return the plain data of a YAML text without aliases or repeated keys. Raises InvalidConfigurationError."""
    if len(text.encode()) > MAX_FILE_BYTES:
        raise InvalidConfigurationError([Problem((), f"The file is larger than {MAX_FILE_BYTES:,} bytes.")])
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506, a SafeLoader
    except yaml.YAMLError as error:
        raise InvalidConfigurationError([Problem((), f"The file is not good YAML: {error}")]) from error


def read_configuration(plain: object, *, public_url: str, allow_loopback: bool) -> tuple[ConnectionConfiguration, ...]:
    """Return the connections that ``plain`` (``{"connections": [...]}``) describes.

    Raises:
        InvalidConfigurationError: with all problems at once.
    """
    problems: list[Problem] = []
    rows = plain.get("connections") if isinstance(plain, Mapping) else None
    if not isinstance(rows, list) or set(plain) != {"connections"}:  # type: ignore[call-overload]  # a Mapping here
        raise InvalidConfigurationError([Problem((), "The file has one key, connections, with a list.")])
    connections = []
    for index, row in enumerate(rows):
        reader = _Row(row, ("connections", index), problems, _CONNECTION_FIELDS)
        connections.append(_read_connection(reader, public_url=public_url, allow_loopback=allow_loopback))
    problems += _repeated_names(connections)
    if problems:
        raise InvalidConfigurationError(problems)
    return tuple(connections)


class _Row:
    """Reads one mapping of the file, and adds what is wrong with it to the common list."""

    def __init__(self, plain: object, place: Place, problems: list[Problem], known: frozenset[str]) -> None:
        self.place = place
        self.problems = problems
        self.plain: Mapping[str, Any] = plain if isinstance(plain, Mapping) else {}
        if not isinstance(plain, Mapping):
            problems.append(Problem(place, "Must be a mapping of names to values."))
        for name in self.plain:
            if name not in known:
                self.complain(str(name), f"Unknown; known are {', '.join(sorted(known))}.")

    def complain(self, name: str, message: str) -> None:
        self.problems.append(Problem((*self.place, name), message))

    def text(self, name: str, *, required: bool = False, longest: int = 1000) -> str:
        value = self.plain.get(name)
        if value is not None and not isinstance(value, str):
            self.complain(name, "Must be text (put it in quotes).")
        elif "\0" in (value or ""):
            self.complain(name, "Must not hold a NUL character.")
        elif required and not (value or "").strip():
            self.complain(name, "Is missing.")
        elif len(value or "") > longest:
            self.complain(name, f"At most {longest} characters.")
        return value.strip() if isinstance(value, str) else ""

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.plain.get(name, default)
        if not isinstance(value, bool):
            self.complain(name, "Must be true or false.")
            return default
        return value

    def rows(self, name: str) -> list[Any]:
        value = self.plain.get(name) or []
        if not isinstance(value, list):
            self.complain(name, "Must be a list.")
            return []
        return value


def _read_connection(row: _Row, *, public_url: str, allow_loopback: bool) -> ConnectionConfiguration:
    auth0 = _Row(row.plain.get("auth0") or {}, (*row.place, "auth0"), row.problems, _AUTH0_FIELDS)
    domain = auth0.text("domain", required=True)
    if domain:
        try:
            domain = parse_domain(domain, allow_loopback=allow_loopback).domain
        except InvalidDomainError as error:
            auth0.complain("domain", str(error))
    labels = _read_labels(row)
    goals = [
        _read_goal(plain, (*row.place, "goals", index), row.problems, public_url)
        for index, plain in enumerate(row.rows("goals"))
    ]
    return ConnectionConfiguration(
        name=row.text("name", required=True, longest=MAX_NAME_LENGTH),
        is_favourite=row.flag("favourite", default=False),
        labels=labels,
        description=row.text("description", longest=MAX_DESCRIPTION_LENGTH),
        is_on=row.flag("enabled", default=True),
        auth0_domain=domain,
        auth0_client_id=auth0.text("client_id", longest=MAX_CLIENT_ID_LENGTH),
        secret_variable=_secret_variable(auth0, "client_secret"),
        goals=tuple(goal for goal in goals if goal is not None),
    )


def _read_labels(row: _Row) -> tuple[str, ...]:
    labels = row.rows("labels")
    if not all(isinstance(label, str) for label in labels):
        row.complain("labels", "Must be a list of texts.")
        return ()
    labels = list(dict.fromkeys(label.strip() for label in labels if label.strip()))
    if any("," in label or len(label) > MAX_LABEL_LENGTH for label in labels) or len(labels) > MAX_LABELS:
        message = f"At most {MAX_LABELS} labels of {MAX_LABEL_LENGTH} characters each, without commas."
        row.complain("labels", message)
    return tuple(labels)


def _secret_variable(row: _Row, name: str) -> str | None:
    reference = row.plain.get(name)
    if reference is None:
        return None
    if isinstance(reference, Mapping) and set(reference) == {"env"} and isinstance(reference["env"], str):
        return reference["env"]
    row.complain(name, "Secrets stay out of the file: write {env: NAME_OF_A_VARIABLE}.")
    return None


def _read_goal(plain: object, place: Place, problems: list[Problem], public_url: str) -> GoalConfiguration | None:
    row = _Row(plain, place, problems, _GOAL_FIELDS)
    if row.plain.get("kind") != "web":
        row.complain("kind", "Must be web.")
    is_on = row.flag("enabled", default=True)
    try:
        web_goal = read_web_goal({"key": KEY_TO_COME, **row.plain}, public_url=public_url)
        return GoalConfiguration(web_goal, is_on, _secret_variable(row, "signing_secret"))
    except InvalidGoalError as error:
        problems += [Problem((*place, *problem.place), problem.message) for problem in error.problems]
        return None


def _repeated_names(connections: list[ConnectionConfiguration]) -> Iterator[Problem]:
    names = [connection.name for connection in connections]
    for index, connection in enumerate(connections):
        if names.index(connection.name) < index:
            yield Problem(("connections", index, "name"), f"{connection.name!r} is in the file twice.")
        goals = [goal.web_goal.name for goal in connection.goals]
        for number, goal in enumerate(goals):
            if goals.index(goal) < number:
                yield Problem(("connections", index, "goals", number, "name"), f"{goal!r} is there twice.")


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without aliases (they let a small file grow to gigabytes) and repeated keys (one would be lost)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, name in enumerate(names):
            if name in names[:position]:
                mark = node.value[position][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} is there twice", mark)
        return super().construct_mapping(node, deep)
