"""Fields: where a user of an export has what a goal reads."""

import re
from collections.abc import Mapping
from typing import Any

DATABASE_FIELDS = ("connection", "identities[0].connection")
"""Where an export may have the name of a user's database: as Websync asks for it, and as Auth0 has it."""
_INDEXED = re.compile(r"(.+)\[(\d{1,4})\]")

Path = tuple[str | int, ...]


def path_of(field: str) -> Path:
    """Return the steps to a field: names, and places in lists (``identities[0].provider``, also ``identities.0.…``)."""
    path: list[str | int] = []
    for part in field.split("."):
        if found := _INDEXED.fullmatch(part):
            path += [found[1], int(found[2])]
        else:
            path.append(part)
    return tuple(path)


def value_at(fields: Mapping[str, Any], field: str) -> Any:
    """Return what a user has at ``field``: under the path as a name, as some exports have it, or along the path."""
    found = fields.get(field)
    return walk(fields, path_of(field)) if found is None else found


def walk(found: Any, path: Path) -> Any:
    """Return what is at the end of ``path``, None if there is no such field."""
    try:
        for step in path:
            found = found[int(step) if type(found) is list else step]
    except (KeyError, IndexError, TypeError, ValueError):  # another shape than the path's: the user has no such field
        return None
    return found


def database_of(fields: Mapping[str, Any]) -> str | None:
    """Return the name of a user's database."""
    for name in DATABASE_FIELDS:
        found = value_at(fields, name)
        if isinstance(found, str) and found:
            return found
    return None
