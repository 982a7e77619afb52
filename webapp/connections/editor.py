"""What the web goal's editor does to its rows, and how mistakes come to their fields."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snippets.goals import Place, Problem
from webapp.connections.forms import GoalForm, RowField
from webapp.errors import MalformedRequestError

_ACTION = re.compile(
    r"(?:add-(?P<added>mapping|link)|(?P<verb>remove|move-up|move-down)-(?P<kind>mapping|link)-(?P<index>\d{1,4}))"
)


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

    form: GoalForm
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


def edit(form: GoalForm, action: RowAction) -> Edited:
    """Return the form with ``action`` done and everything else as it was typed. Nothing is saved.

    Raises:
        MalformedRequestError: there is no such row.
    """
    rows = list(form[action.rows].data)
    if action.verb is not Verb.ADD and action.index >= len(rows):
        raise MalformedRequestError(f"There is no {action.kind} {action.index + 1}.")
    rows, index = change_rows(rows, action)
    edited = GoalForm(formdata=None, data=form.data | {action.rows: rows})
    return Edited(edited, _focus_id(action, index, len(rows)), _notice(action, index))


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


def place_problems(form: GoalForm, problems: Sequence[Problem]) -> list[Mistake]:
    """Put each message at its field, and return the summary at the top of the page, in the page's order."""
    order = [field.name for field in form]
    ordered = sorted(problems, key=lambda problem: order.index(problem.place[0]))
    return [Mistake(_place(form, problem), _name_of(form, problem.place) + problem.message) for problem in ordered]


def place_warnings(form: GoalForm, warnings: Sequence[Problem]) -> list[Mistake]:
    """Put each warning at its row, and return the list at the top of the page."""
    for warning in warnings:
        field = _field_at(form, warning.place)
        if isinstance(field, RowField):
            field.warnings = (*field.warnings, warning.message)
    return [
        Mistake(str(_field_at(form, warning.place).id), _name_of(form, warning.place) + warning.message)
        for warning in warnings
    ]


def _place(form: GoalForm, problem: Problem) -> str:
    field = _field_at(form, problem.place)
    field.errors = [*field.errors, problem.message]
    return str(field.id)


def _field_at(form: GoalForm, place: Place) -> Any:
    field = form
    for part in place:
        field = field[part]
    return field


def _name_of(form: GoalForm, place: Place) -> str:
    match place:
        case ("mappings", int(index), *_):
            return f"Mapping {index + 1}: "
        case ("links", int(index), *_):
            return f"Identifier link {index + 1}: "
    return f"{form[place[0]].label.text}: "


def count_rows(names: Iterator[str]) -> int:
    """Return how many rows the names of a posted form speak of."""
    return len({name.rsplit("-", 1)[0] for name in names if name.startswith(("mappings-", "links-"))})
