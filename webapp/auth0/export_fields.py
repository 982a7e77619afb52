"""Which fields an export asks for, under which names, and how a line of its file becomes a user again.

A file has flat names only (``user_metadata_plan``). What reads it gets the user as the Management API shows them, so
that an import need not know where a user comes from.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Step = str | int
Path = tuple[Step, ...]

ALWAYS = ("user_id", "updated_at")
"""Who it is, and how old the news is: of every user."""
MAX_NAME_LENGTH = 100
"""Source: Auth0 Management API v2, "Create export users job" (``name`` and ``export_as``)."""
_PLAIN_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ExportField:
    """A field of the file: ``name`` is Auth0's (``identities[0].connection``), ``export_as`` its name in a line."""

    name: str
    export_as: str
    path: Path


def export_fields(auth0_fields: Iterable[str]) -> tuple[ExportField, ...]:
    """Return what an export has to have for these fields (``user_metadata.plan``, ``identities[0].connection``).

    Their order says nothing, the result is always the same. A field inside another one that is asked for too comes with
    that. Where Auth0 might not understand a path, all that stands at its root is asked for.
    """
    paths = {_safe_path(field) for field in (*ALWAYS, *auth0_fields)}
    outermost = [path for path in paths if not any(path[:length] in paths for length in range(1, len(path)))]
    fields: dict[str, ExportField] = {}
    for path in sorted(outermost, key=str):
        name = _name_of(path)
        flat = base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "field"
        number = 2
        while flat in fields:
            flat, number = f"{base[: MAX_NAME_LENGTH - 4]}_{number}", number + 1
        fields[flat] = ExportField(name, flat, path)
    return tuple(fields.values())


def _safe_path(field: str) -> Path:
    path = _path_of(field)
    is_plain = all(isinstance(step, int) or _PLAIN_STEP.fullmatch(step) for step in path)
    # Of lists Auth0 documents this one.
    is_known = all(isinstance(step, str) for step in path) or (path[0] == "identities" and isinstance(path[1], int))
    return path if is_plain and is_known and len(_name_of(path)) <= MAX_NAME_LENGTH else path[:1]


def _path_of(field: str) -> Path:
    """Return the steps of a path. A list's place is written ``[0]`` or ``.0``."""
    root, *rest = re.sub(r"\[(\d{1,9})\]", r".\1", field).split(".")
    return root, *(int(step) if step.isascii() and step.isdecimal() else step for step in rest)


def _name_of(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def as_user(line: Mapping[str, Any], fields: Sequence[ExportField]) -> dict[str, Any]:
    """Return the user of a line, as the Management API shows them, without what the line does not have, or has as null.

    In a list only the asked places are there, with nothing in the places before them.
    """
    user: dict[Any, Any] = {}
    for field in fields:
        value, path = line.get(field.export_as), field.path
        if value is None:
            continue
        # Most fields are one of these two: a file has a great many lines.
        if len(path) == 1:
            user[field.name] = value
        elif len(path) == 2 and isinstance(path[1], str):
            user.setdefault(path[0], {})[path[1]] = value
        else:
            _put(user, path, value)
    return user


def _put(user: dict[str, Any], path: Path, value: Any) -> None:
    place: Any = user
    for step, following in pairwise(path):
        place = _opened(place, step, [] if isinstance(following, int) else {})
    _opened(place, path[-1], value)


def _opened(place: Any, step: Step, content: Any) -> Any:
    """Return what is at ``step`` of ``place``, which gets ``content`` there if it has nothing yet."""
    if isinstance(step, int):
        place += [{} for _ in range(len(place), step)]
        if len(place) == step:
            place.append(content)
        return place[step]
    return place.setdefault(step, content)
