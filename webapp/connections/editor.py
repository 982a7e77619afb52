"""What a goal's editor does to its rows, and how mistakes come to their fields."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask import request
from flask_wtf import FlaskForm

from snippets.goals import Place, Problem
from webapp.connections.forms import RowField
from webapp.errors import MalformedRequestError

MAX_POSTED_ROWS = 400
"""More rows than a goal may have, so that its own message can say so; fewer than would make a page slow."""

_ACTION = re.compile(
    r"(?:add-(?P<added>mapping|link)|(?P<verb>remove|move-up|move-down)-(?P<kind>mapping|link)-(?P<index>\d{1,4}))"
)
_ROW = re.compile(r"(?:mappings|links|remaining)-[^-]*")


class Verb(StrEnum):
    """What a button of the editor does."""

    ADD = "add"
    REMOVE = "remove"
    MOVE_UP = "move-up"
    MOVE_DOWN = "move-down"


@dataclass(frozen=True, slots=True)
class RowAction:
    """A button that was pressed. ``kind`` is ``mapping`` or ``link``; ``index`` counts from 0 (unused by ADD)."""

    verb: Verb
    kind: str
    index: int = 0

    @property
    def rows(self) -> str:
        """The name of the form's list that has the row."""
        return f"{self.kind}s"


@dataclass(frozen=True, slots=True)
class Edited:
    """The form after a row action. ``focus_id`` is the element to go on from; ``notice`` says what happened."""

    form: FlaskForm
    focus_id: str
    notice: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line of the summary: the element that it leads to, and the message."""

    element_id: str
    message: str


def parse_action(text: str) -> RowAction:
    """Return what a button's value (``add-mapping``, ``move-up-link-2``) asks for. Raises MalformedRequestError."""
    found = _ACTION.fullmatch(text)
    if found is None:
        raise MalformedRequestError("There is no such button.")
    if found["added"]:
        return RowAction(Verb.ADD, found["added"])
    return RowAction(Verb(found["verb"]), found["kind"], int(found["index"]))


def edit(form: FlaskForm, action: RowAction) -> Edited:
    """Return the form with ``action`` done and everything else as it was typed. Nothing is saved.

    Raises:
        MalformedRequestError: there is no such row.
    """
    rows = list(form[action.rows].data)
    if action.verb is not Verb.ADD and action.index >= len(rows):
        raise MalformedRequestError(f"There is no {action.kind} {action.index + 1}.")
    rows, index = change_rows(rows, action)
    return Edited(with_data(form, {action.rows: rows}), _focus_id(action, index, len(rows)), _notice(action, index))


def with_data(form: FlaskForm, changes: dict[str, Any]) -> FlaskForm:
    """Return the form as it was typed, but for what ``changes`` says of some of its fields."""
    return type(form)(formdata=None, data=form.data | changes)


def change_rows(rows: Sequence[dict[str, object]], action: RowAction) -> tuple[list[dict[str, object]], int]:
    """Return the rows after ``action``, and the place of the row to go on from (the last one if its row is gone)."""
    changed = list(rows)
    if action.verb is Verb.ADD:
        return [*changed, {}], len(changed)
    row = changed.pop(action.index)
    if action.verb is Verb.REMOVE:
        return changed, min(action.index, len(changed) - 1)
    step = -1 if action.verb is Verb.MOVE_UP else 1
    place = min(max(action.index + step, 0), len(changed))
    changed.insert(place, row)
    return changed, place


def _focus_id(action: RowAction, index: int, count: int) -> str:
    if action.verb is Verb.ADD or (action.verb is Verb.REMOVE and count):
        return f"{action.rows}-{index}-auth0_field"
    if action.verb is Verb.REMOVE:
        return f"add-{action.kind}"
    return f"{action.verb}-{action.kind}-{index}"


def _notice(action: RowAction, index: int) -> str:
    name = action.kind.capitalize()
    if action.verb is Verb.ADD:
        return f"{name} {index + 1} was added. Nothing is saved yet."
    if action.verb is Verb.REMOVE:
        return f"{name} {action.index + 1} was removed. Nothing is saved yet."
    return f"{name} {action.index + 1} is number {index + 1} now. Nothing is saved yet."


def place_problems(form: FlaskForm, problems: Sequence[Problem]) -> list[Mistake]:
    """Put each message at its field, and return the summary at the top of the page, in the page's order."""
    order = [field.name for field in form]
    ordered = sorted(problems, key=lambda problem: order.index(problem.place[0]))
    return [Mistake(_place(form, problem), _name_of(form, problem.place) + problem.message) for problem in ordered]


def place_warnings(form: FlaskForm, warnings: Sequence[Problem]) -> list[Mistake]:
    """Put each warning at its row, and return the list at the top of the page."""
    for warning in warnings:
        field = _field_at(form, warning.place)
        if isinstance(field, RowField):
            field.warnings = (*field.warnings, warning.message)
    return [
        Mistake(str(_field_at(form, warning.place).id), _name_of(form, warning.place) + warning.message)
        for warning in warnings
    ]


def _place(form: FlaskForm, problem: Problem) -> str:
    field = _field_at(form, problem.place)
    field.errors = [*field.errors, problem.message]
    return str(field.id)


def _field_at(form: FlaskForm, place: Place) -> Any:
    field = form
    for part in place:
        field = field[part]
    return field


def _name_of(form: FlaskForm, place: Place) -> str:
    match place:
        case ("mappings", int(index), *_):
            return f"Mapping {index + 1}: "
        case ("links", int(index), *_):
            return f"Identifier link {index + 1}: "
    return f"{form[place[0]].label.text}: "


def refuse_what_no_page_sends() -> None:
    """Refuse a form that no page could have sent, before it costs anything.

    PostgreSQL cannot store a NUL character, and no browser lets people type one.
    """
    if any("\0" in value for values in request.form.listvalues() for value in values):
        raise MalformedRequestError("A NUL character cannot be part of a text.")
    if count_rows(iter(request.form)) > MAX_POSTED_ROWS:
        raise MalformedRequestError("These are more rows than a goal may have.")


def count_rows(names: Iterator[str]) -> int:
    """Return how many rows the names of a posted form speak of."""
    return len({found[0] for name in names if (found := _ROW.match(name))})
