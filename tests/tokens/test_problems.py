"""The documentation of the problems names each of them, and nothing else."""

import re
from pathlib import Path

import webapp.app  # noqa: F401, loads every kind of error
from webapp.errors import problem_types

DOCS = Path(__file__).parents[2] / "docs" / "problems.md"


def test_every_problem_of_the_service_has_its_section() -> None:
    # given the slugs of everything that can go wrong
    slugs = {kind.slug for kind in problem_types() if kind.__module__.startswith("webapp.")}
    # then the page has exactly these
    documented = re.findall(r"^### `([a-z0-9-]+)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(slugs)


def test_every_section_names_the_status() -> None:
    # given
    text = DOCS.read_text(encoding="utf-8")
    for kind in problem_types():
        if kind.__module__.startswith("webapp."):
            # then
            section = text.split(f"### `{kind.slug}`\n", 1)[1].split("\n### ", 1)[0]
            assert f"{kind.status.value}" in section.splitlines()[1], kind.slug
