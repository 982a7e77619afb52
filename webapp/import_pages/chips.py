"""Chips: the transforms of a mapping, added and removed by buttons of the form. static/js/chips.js does the same."""

import re
from typing import Any

from webapp.connections.editor import Edited, with_data
from webapp.connections.transforms import MAX_TRANSFORMS, TransformKind
from webapp.errors import MalformedRequestError
from webapp.import_pages.forms import ImportGoalForm

_ACTION = re.compile(r"(?:add-transform|remove-transform-(?P<chip>\d{1,2}))-mapping-(?P<row>\d{1,4})")


def edit_chips(form: ImportGoalForm, pressed: str) -> Edited | None:
    """Return the form with a chip more or less, or None if the button is none of a chip's. Nothing is saved.

    Raises:
        MalformedRequestError: there is no such row or chip.
    """
    found = _ACTION.fullmatch(pressed)
    if found is None:
        return None
    rows, index = list(form.mappings.data), int(found["row"])
    if index >= len(rows):
        raise MalformedRequestError(f"There is no mapping {index + 1}.")
    chips = list(rows[index]["transforms"])
    if found["chip"] is None:
        focus, notice = _add(chips, rows[index], index)
    else:
        focus, notice = _remove(chips, int(found["chip"]), index)
    rows[index] = rows[index] | {"transforms": chips}
    return Edited(with_data(form, {"mappings": rows}), focus, notice)


def _add(chips: list[dict[str, Any]], row: dict[str, Any], index: int) -> tuple[str, str]:
    if len(chips) >= MAX_TRANSFORMS:
        return _add_button(index), f"A mapping has at most {MAX_TRANSFORMS} transforms."
    kind = row["new_transform"]
    if kind not in list(TransformKind):
        raise MalformedRequestError("There is no such transform.")
    chips.append({"kind": kind, "argument": ""})
    takes_argument = TransformKind(kind).takes_argument
    focus = f"mappings-{index}-transforms-{len(chips) - 1}-argument" if takes_argument else _add_button(index)
    return focus, f"Transform {len(chips)} of mapping {index + 1} was added. Nothing is saved yet."


def _remove(chips: list[dict[str, Any]], place: int, index: int) -> tuple[str, str]:
    if place >= len(chips):
        raise MalformedRequestError(f"Mapping {index + 1} has no transform {place + 1}.")
    chips.pop(place)
    notice = f"Transform {place + 1} of mapping {index + 1} was removed. Nothing is saved yet."
    return _add_button(index), notice


def _add_button(index: int) -> str:
    return f"add-transform-mapping-{index}"
