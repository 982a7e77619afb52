"""Connections and goals as a YAML file: read, with every mistake reported at its place.

Secrets are never in the file: ``client_secret: {env: NAME}`` names the environment variable that has it, and so does
``signing_secret`` of a goal, and ``secret`` of a webhook.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from snippets.consent import MAX_OBJECTIVES, OBJECTIVE_ID
from snippets.goals import InvalidGoalError, Place, Problem, WebGoal
from snippets.reading import FIELDS, read_web_goal
from webapp.auth0.tenant import InvalidDomainError, parse_domain
from webapp.connections.import_goals import FIELDS as IMPORT_FIELDS
from webapp.connections.import_goals import ImportGoal, read_import_goal
from webapp.connections.models import (
    MAX_CLIENT_ID_LENGTH,
    MAX_DESCRIPTION_LENGTH,
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    MAX_NAME_LENGTH,
)
from webapp.connections.notifications import (
    InvalidNotificationsError,
    NotificationSettings,
    read_notification_settings,
)
from webapp.connections.schedule import FIELDS as SCHEDULE_FIELDS
from webapp.connections.schedule import InvalidScheduleError, Schedule, read_schedule
from webapp.profiles.consent import consent_rule
from webapp.profiles.legislation import ZONES
from webapp.profiles.objectives import MAX_DESCRIPTION_LENGTH as MAX_OBJECTIVE_DESCRIPTION_LENGTH
from webapp.profiles.objectives import MAX_NAME_LENGTH as MAX_OBJECTIVE_NAME_LENGTH
from webapp.profiles.objectives import RESERVED_IDS, ObjectiveDetails, terms_of
from webapp.webhooks.destinations import MAX_URL_LENGTH

MAX_FILE_BYTES = 1_000_000
KEY_TO_COME = "key-to-come"
"""Stands in a goal read from a file without a key: `apply_configuration` gives it a real one."""

_CONNECTION_FIELDS = frozenset(
    {
        "name",
        "favourite",
        "labels",
        "description",
        "enabled",
        "auth0",
        "objectives",
        "schedule",
        "notifications",
        "goals",
    }
)
_NOTIFICATION_FIELDS = frozenset({"email", "webhook"})
_EMAIL_FIELDS = frozenset({"to", "events"})
_WEBHOOK_FIELDS = frozenset({"url", "events", "secret"})
_AUTH0_FIELDS = frozenset({"domain", "client_id", "client_secret"})
_GOAL_FIELDS = FIELDS - {"consent"} | {"kind", "enabled", "signing_secret"}
_IMPORT_GOAL_FIELDS = IMPORT_FIELDS | {"kind", "enabled"}
_SCHEDULE_FIELDS = SCHEDULE_FIELDS | {"enabled", "run_missed"}
_OBJECTIVE_FIELDS = frozenset({"id", "name", "description", "needs_consent", "legislations"})
_FILE_FIELDS = frozenset({"objectives", "opt_out_zones", "connections"})


class InvalidConfigurationError(ValueError):
    """The file is wrong. ``problems`` has every mistake that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class GoalConfiguration:
    """A web goal as the file has it. Without a key of its own ``web_goal.key`` is `KEY_TO_COME`.

    ``secret_variable`` names the environment variable with the secret by which its tokens are signed (HS256).
    ``position`` counts the goals of its connection in the file.
    """

    web_goal: WebGoal
    is_on: bool
    secret_variable: str | None = None
    position: int = 0


@dataclass(frozen=True, slots=True)
class ImportGoalConfiguration:
    """An import goal as the file has it, at its ``position`` among the connection's goals."""

    import_goal: ImportGoal
    is_on: bool
    position: int = 0


@dataclass(frozen=True, slots=True)
class ScheduleConfiguration:
    """A connection's schedule as the file has it."""

    schedule: Schedule
    is_on: bool
    run_missed: bool


@dataclass(frozen=True, slots=True)
class NotificationsConfiguration:
    """Whom to tell of runs. ``secret_variable`` names the environment variable with the webhook's secret."""

    settings: NotificationSettings
    secret_variable: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionConfiguration:
    """A connection as the file has it. ``secret_variable`` names the environment variable with the client secret.

    ``schedule`` is None where the file says nothing of it.
    """

    name: str
    is_favourite: bool
    labels: tuple[str, ...]
    description: str
    is_on: bool
    auth0_domain: str
    auth0_client_id: str
    secret_variable: str | None
    goals: tuple[GoalConfiguration, ...]
    import_goals: tuple[ImportGoalConfiguration, ...] = ()
    objectives: tuple[str, ...] = ()
    schedule: ScheduleConfiguration | None = None
    notifications: NotificationsConfiguration | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the file has. ``opt_out_zones`` is None where it says nothing of zones."""

    connections: tuple[ConnectionConfiguration, ...]
    objectives: Mapping[str, ObjectiveDetails] = field(default_factory=dict)
    opt_out_zones: tuple[str, ...] | None = None


def read_yaml(text: str) -> object:
    """Return the plain data of a YAML text without aliases or repeated keys. Raises InvalidConfigurationError."""
    if len(text.encode()) > MAX_FILE_BYTES:
        raise InvalidConfigurationError([Problem((), f"The file is larger than {MAX_FILE_BYTES:,} bytes.")])
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506, a SafeLoader
    except yaml.YAMLError as error:
        raise InvalidConfigurationError([Problem((), f"The file is not good YAML: {error}")]) from error


def read_configuration(plain: object, *, public_url: str, allow_loopback: bool) -> Configuration:
    """Return what ``plain`` (``{"connections": [...]}``, and perhaps objectives and zones) describes.

    Raises:
        InvalidConfigurationError: with all problems at once.
    """
    problems: list[Problem] = []
    rows = plain.get("connections") if isinstance(plain, Mapping) else None
    if not isinstance(plain, Mapping) or not isinstance(rows, list):
        raise InvalidConfigurationError([Problem((), "The file needs the key connections, with a list.")])
    file = _Row(plain, (), problems, _FILE_FIELDS)
    objectives, zones = _read_objectives(file), _read_zones(file, "opt_out_zones")
    connections = []
    for index, row in enumerate(rows):
        reader = _Row(row, ("connections", index), problems, _CONNECTION_FIELDS)
        connections.append(_read_connection(reader, public_url=public_url, allow_loopback=allow_loopback))
    problems += _repeated_names(connections)
    if problems:
        raise InvalidConfigurationError(problems)
    return Configuration(tuple(connections), objectives, None if "opt_out_zones" not in plain else zones)


def goal_with_consent(wanted: Configuration, connection: ConnectionConfiguration, goal: GoalConfiguration) -> WebGoal:
    """Return a goal of the file with what its connection's objectives come to, by what the file says of them.

    Raises:
        InvalidConfigurationError: the file does not define one of them.
    """
    if unknown := [each for each in connection.objectives if each not in wanted.objectives]:
        message = f"{', '.join(unknown)}: not among the objectives of this file, which alone are known here."
        place: Place = ("connections", wanted.connections.index(connection), "objectives")
        raise InvalidConfigurationError([Problem(place, message)])
    linked = [terms_of(each, wanted.objectives[each]) for each in connection.objectives]
    return replace(goal.web_goal, consent=consent_rule(linked, wanted.opt_out_zones or ()))


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

    def texts(self, name: str) -> list[str]:
        value = self.rows(name)
        if not all(isinstance(each, str) for each in value):
            self.complain(name, "Must be a list of texts.")
            return []
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
        goals=tuple(goal for goal in goals if isinstance(goal, GoalConfiguration)),
        import_goals=tuple(goal for goal in goals if isinstance(goal, ImportGoalConfiguration)),
        objectives=_read_objective_ids(row),
        schedule=_read_schedule(row),
        notifications=_read_notifications(row, allow_loopback=allow_loopback),
    )


def _read_schedule(connection: _Row) -> ScheduleConfiguration | None:
    if (plain := connection.plain.get("schedule")) is None:
        return None
    row = _Row(plain, (*connection.place, "schedule"), connection.problems, _SCHEDULE_FIELDS)
    is_on, run_missed = row.flag("enabled", default=True), row.flag("run_missed", default=True)
    try:
        schedule = read_schedule({name: value for name, value in row.plain.items() if name in SCHEDULE_FIELDS})
    except InvalidScheduleError as error:
        row.complain("cron" if error.field == "cron_text" else error.field, str(error))
        return None
    return ScheduleConfiguration(schedule, is_on, run_missed)


def _read_notifications(row: _Row, *, allow_loopback: bool) -> NotificationsConfiguration | None:
    if "notifications" not in row.plain:
        return None
    place: Place = (*row.place, "notifications")
    both = _Row(row.plain["notifications"], place, row.problems, _NOTIFICATION_FIELDS)
    email = _Row(both.plain.get("email") or {}, (*place, "email"), row.problems, _EMAIL_FIELDS)
    webhook = _Row(both.plain.get("webhook") or {}, (*place, "webhook"), row.problems, _WEBHOOK_FIELDS)
    try:
        settings = read_notification_settings(
            email.texts("to"),
            email.texts("events"),
            webhook.text("url", longest=MAX_URL_LENGTH),
            webhook.texts("events"),
            allow_loopback=allow_loopback,
        )
    except InvalidNotificationsError as error:
        names = {"emails": (email, "to"), "email_events": (email, "events"), "webhook_url": (webhook, "url")}
        part, name = names.get(error.field, (webhook, "events"))
        part.complain(name, str(error))
        return None
    return NotificationsConfiguration(settings, _secret_variable(webhook, "secret"))


def _read_objectives(file: _Row) -> dict[str, ObjectiveDetails]:
    objectives: dict[str, ObjectiveDetails] = {}
    for index, plain in enumerate(file.rows("objectives")):
        row = _Row(plain, ("objectives", index), file.problems, _OBJECTIVE_FIELDS)
        objective_id = row.text("id", required=True)
        if objective_id and not OBJECTIVE_ID.fullmatch(objective_id):
            row.complain("id", "Letters, digits, - and _ only (at most 100).")
        if objective_id in RESERVED_IDS:
            row.complain("id", "This id is reserved.")
        if objective_id in objectives:
            row.complain("id", f"{objective_id!r} is in the file twice.")
        objectives[objective_id] = ObjectiveDetails(
            name=row.text("name", required=True, longest=MAX_OBJECTIVE_NAME_LENGTH),
            description=row.text("description", longest=MAX_OBJECTIVE_DESCRIPTION_LENGTH),
            needs_consent=row.flag("needs_consent", default=True),
            legislations=_read_zones(row, "legislations"),
        )
    return objectives


def _read_zones(row: _Row, name: str) -> tuple[str, ...]:
    zones = row.rows(name)
    if unknown := [str(zone) for zone in zones if not isinstance(zone, str) or zone not in ZONES]:
        row.complain(name, f"{', '.join(unknown)}: no legislation zone; known are {', '.join(ZONES)}.")
        return ()
    return tuple(sorted(set(zones)))


def _read_objective_ids(row: _Row) -> tuple[str, ...]:
    ids = row.rows("objectives")
    if not all(isinstance(each, str) for each in ids):
        row.complain("objectives", "Must be a list of objectives' ids.")
        return ()
    if len(set(ids)) > MAX_OBJECTIVES:
        row.complain("objectives", f"At most {MAX_OBJECTIVES} objectives.")
    return tuple(sorted(set(ids)))


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


def _read_goal(
    plain: object, place: Place, problems: list[Problem], public_url: str
) -> GoalConfiguration | ImportGoalConfiguration | None:
    kind = plain.get("kind") if isinstance(plain, Mapping) else None
    row = _Row(plain, place, problems, _IMPORT_GOAL_FIELDS if kind == "import" else _GOAL_FIELDS)
    if kind not in {"web", "import"}:
        row.complain("kind", "Must be web or import.")
    is_on = row.flag("enabled", default=True)
    position = int(place[-1])
    try:
        if kind == "import":
            return ImportGoalConfiguration(read_import_goal({"key": KEY_TO_COME, **row.plain}), is_on, position)
        web_goal = read_web_goal({"key": KEY_TO_COME, **row.plain}, public_url=public_url)
        return GoalConfiguration(web_goal, is_on, _secret_variable(row, "signing_secret"), position)
    except InvalidGoalError as error:
        problems += [Problem((*place, *problem.place), problem.message) for problem in error.problems]
        return None


def _repeated_names(connections: list[ConnectionConfiguration]) -> Iterator[Problem]:
    names = [connection.name for connection in connections]
    for index, connection in enumerate(connections):
        if names.index(connection.name) < index:
            yield Problem(("connections", index, "name"), f"{connection.name!r} is in the file twice.")
        named = [(goal.position, goal.web_goal.name) for goal in connection.goals]
        named += [(goal.position, goal.import_goal.name) for goal in connection.import_goals]
        goals = [name for _, name in sorted(named)]
        for number, (position, name) in enumerate(sorted(named)):
            if goals.index(name) < number:
                yield Problem(("connections", index, "goals", position, "name"), f"{name!r} is there twice.")


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
