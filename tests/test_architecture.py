"""Imports point down the list of CONTRIBUTING.md, never up: this reads them off the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
# From the top to the bottom. Rooms on one line don't import each other.
STOREYS = [
    {"cli"},
    {"demo", "serving", "checking", "worker", "import_command"},
    {"command_line"},
    {"app"},
    {"api"},
    {"trying", "import_pages"},
    {"code_pages", "tokens", "importer", "profile_pages", "run_pages"},
    {"runs", "live", "conflicts"},
    {"notifications"},
    {"connections"},
    {"accounts"},
    {"profiles", "auth0"},
    {"health", "mail", "webhooks"},
    {"metrics", "rates", "slow_clients"},
    {"errors"},
    {
        "assets",
        "database",
        "garbage",
        "group_commit",
        "json_text",
        "logs",
        "moments",
        "rows",
        "sealing",
        "settings",
        "smtp_url",
    },
]
LEVELS = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}
# The list below the floors: modules there may use each other.
GROUND = len(STOREYS) - 1


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "webapp" and len(parts) > 1 and parts[1] in LEVELS else None


def modules() -> list[Path]:
    return [path for path in (HOME / "webapp").rglob("*.py") if path.parent.name not in {"webapp", "versions"}] + [
        path for path in (HOME / "webapp").glob("*.py") if path.stem != "__init__"
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(HOME)))
def test_a_room_imports_only_what_stands_below_it(path: Path) -> None:
    # given a module of a room
    name = path.relative_to(HOME / "webapp").parts[0].removesuffix(".py")
    if name == "migrations":
        return  # they know every table
    # when its imports are read
    found = {room for module in imports_of(path) if (room := room_of(module)) not in {None, name}}
    # then all are of lower storeys (modules on the ground may use each other)
    upwards = [room for room in found if LEVELS[room] <= LEVELS[name] != GROUND or LEVELS[room] < LEVELS[name]]
    assert upwards == []


def test_every_room_has_its_storey() -> None:
    # given the rooms on the disk
    names = {path.stem for path in (HOME / "webapp").iterdir() if not path.name.startswith(("_", "migrations"))}
    # when they are compared with the list
    rooms = names - {"templates", "static"}
    # then none is missing and none is gone
    assert rooms == set(LEVELS)


@pytest.mark.parametrize("path", list((HOME / "snippets").glob("*.py")), ids=lambda path: path.name)
def test_the_generator_knows_nothing_of_the_service(path: Path) -> None:
    # given a module of the generator
    # when its imports are read
    roots = {module.split(".")[0] for module in imports_of(path)}
    # then there is no Flask, no database and no network in them
    assert roots.isdisjoint({"webapp", "flask", "sqlalchemy", "httpx2", "socket", "urllib3", "requests"})
