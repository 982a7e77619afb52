"""Differences of code, line by line: between two revisions of a goal, or between our code and a tenant's."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import unified_diff
from enum import StrEnum

from flask import render_template
from markupsafe import Markup

from snippets.goals import WebGoal
from snippets.rendering import PIPELINE_KINDS, Snippet, SnippetKind, render
from snippets.sdks import Sdk
from webapp.code_pages.sdk_choice import chosen_sdk

MAX_LINES, MAX_CHARACTERS = 5000, 200_000
"""Longer code is not compared line by line: a tenant's answer may be made to cost much. Auth0 takes 100 kB."""


class LineState(StrEnum):
    """What a line of a difference is. ``PLACE`` says where the next lines stand."""

    ADDED = "added"
    REMOVED = "removed"
    SAME = "same"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a difference, without its line end. ``text`` shows what would be invisible."""

    state: LineState
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from one code to another. No lines: nothing did, unless it ``is_too_long`` to be compared."""

    lines: tuple[Line, ...] = ()
    is_too_long: bool = False

    @property
    def added_count(self) -> int:
        """How many lines are new."""
        return sum(line.state is LineState.ADDED for line in self.lines)

    @property
    def removed_count(self) -> int:
        """How many lines are gone."""
        return sum(line.state is LineState.REMOVED for line in self.lines)


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One file of code in two revisions. ``element_id`` is its place on the page."""

    element_id: str
    caption: str
    difference: Difference


def compare_code(before: str, after: str) -> Difference:
    """Return the unified difference of two codes, which may be a stranger's.

    Lines end with LF only: whatever else may end one (CR, U+2028) is shown as a part of it.
    """
    if before == after:
        return Difference()
    old, new = before.split("\n"), after.split("\n")
    if not old[-1] and not new[-1]:  # both end their last line, so neither has another one
        old, new = old[:-1], new[:-1]
    if max(len(old), len(new)) > MAX_LINES or max(len(before), len(after)) > MAX_CHARACTERS:
        return Difference(is_too_long=True)
    _from, _to, *lines = unified_diff(old, new, lineterm="")
    return Difference(tuple(_line(line) for line in lines))


def changes_of_code(before: WebGoal, after: WebGoal, sdk: Sdk = Sdk.SPA_JS) -> tuple[CodeChange, ...]:
    """Return each file of code that one of the revisions offers, with its difference.

    Both are made as if they were of the later revision: the number in the header is no change of what the code does.
    Files for pipelines are left out: they repeat the Action's code.
    """
    older, newer = (replace(goal, revision=max(before.revision, after.revision)) for goal in (before, after))
    return tuple(
        change
        for kind in SnippetKind
        if _offers(before, kind) or _offers(after, kind)
        for change in _file_changes(render(older, kind, sdk=sdk), render(newer, kind, sdk=sdk))
    )


def _file_changes(older: Snippet, newer: Snippet) -> Iterator[CodeChange]:
    """Yield the change of each file: which files there are depends on kind and SDK alone."""
    for number, (old, new) in enumerate(zip(older.files, newer.files, strict=True), start=1):
        element_id = newer.kind.value if number == 1 else f"{newer.kind}-{number}"
        caption = newer.caption if len(newer.files) == 1 else new.path
        yield CodeChange(element_id, caption, compare_code(old.code, new.code))


def code_changes(before: WebGoal, after: WebGoal) -> Markup:
    """Return the code part of the page that compares two revisions."""
    page = render_template(
        "code_pages/changes.html",
        changes=changes_of_code(before, after, chosen_sdk()),
        revision=max(before.revision, after.revision),
    )
    return Markup(page)  # noqa: S704, the template escapes


def _offers(goal: WebGoal, kind: SnippetKind) -> bool:
    if kind in PIPELINE_KINDS:
        return False
    return goal.enable_token if kind is SnippetKind.TOKEN else goal.enable_rule


def _line(line: str) -> Line:
    states = {"+": LineState.ADDED, "-": LineState.REMOVED, "@": LineState.PLACE}
    state = states.get(line[0], LineState.SAME)
    return Line(state, visible(line if state is LineState.PLACE else line[1:]))


def visible(text: str) -> str:
    r"""Return ``text`` with ``\u202e`` and the like for what has no shape or turns the reading direction round."""
    return "".join(each if each.isprintable() or each == "\t" else f"\\u{ord(each):04x}" for each in text)
