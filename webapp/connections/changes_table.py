"""The changes between two revisions in the words of the page: rows with their cells, settings with their lines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types

from webapp.connections.changes import Row, RowChange, RowState, SettingChange, changed_rows
from webapp.connections.forms import DIRECTIONS, STRATEGIES, TOKEN_KINDS

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of rows: the name in the plain data, the heading, and words for values that need some."""

    name: str
    heading: str
    words: Words

    def text(self, row: Row | None) -> str:
        """Return what the cell of ``row`` says."""
        value = row.get(self.name, "") if row is not None else ""
        if isinstance(value, list):
            return ", ".join(map(_transform_words, value))
        return self.words.get(str(value), str(value))


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A cell before and after. It is the same in both unless ``is_changed``."""

    heading: str
    before: str
    after: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row that did not stay as it was. ``words`` say what became of it; a moved one may be nearer to the top now."""

    state: RowState
    words: str
    is_upwards: bool
    cells: tuple[ShownCell, ...]


@dataclass(frozen=True, slots=True)
class RowTable:
    """The rows of one kind that changed, and how many stayed."""

    headings: tuple[str, ...]
    rows: tuple[ShownRow, ...]
    same_count: int


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting before and after, one line for each value."""

    label: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def _words(choices: Sequence[SelectChoice]) -> Words:
    return {str(choice.value): choice.label for choice in choices}


_FIELD, _PROPERTY = Column("auth0_field", "Auth0 field", {}), Column("profile_property", "Profile property", {})
MAPPING_COLUMNS = (
    _FIELD,
    Column("direction", "Direction", _words(DIRECTIONS)),
    _PROPERTY,
    Column("strategy", "Merge strategy", _words(STRATEGIES)),
)
IMPORT_COLUMNS = (_FIELD, Column("transforms", "Transforms", {}), *MAPPING_COLUMNS[2:])
LINK_COLUMNS = (
    _FIELD,
    _PROPERTY,
    Column("require_verified", "Only if verified", {"True": "Yes", "False": "No"}),
)


def row_table(changes: Sequence[RowChange], columns: Sequence[Column]) -> RowTable:
    """Return the table of the rows that changed."""
    changed = changed_rows(changes)
    rows = tuple(
        ShownRow(row.state, _row_words(row), (row.new_number or 0) < (row.old_number or 0), _cells(row, columns))
        for row in changed
    )
    return RowTable(tuple(column.heading for column in columns), rows, len(changes) - len(changed))


def shown_setting(setting: SettingChange) -> ShownSetting:
    """Return a setting with its values as lines."""
    words = _words(TOKEN_KINDS) if setting.name == "token_kind" else {}
    label = setting.label[:1].upper() + setting.label[1:]
    return ShownSetting(label, _lines(setting.before, words), _lines(setting.after, words))


def _row_words(row: RowChange) -> str:
    moved = f"moved from {row.old_number} to {row.new_number}"
    if row.state is RowState.MOVED:
        return moved.capitalize()
    state = row.state.value.capitalize()
    return f"{state}, {moved}" if row.is_moved else state


def _cells(row: RowChange, columns: Sequence[Column]) -> tuple[ShownCell, ...]:
    cells = []
    for column in columns:
        before, after = column.text(row.before), column.text(row.after)
        is_changed = row.state is RowState.CHANGED and before != after
        cells.append(ShownCell(column.heading, before, after or before, is_changed))
    return tuple(cells)


def _transform_words(plain: object) -> str:
    """Return ``lower``, or ``split “,”``."""
    if isinstance(plain, Mapping):
        return " ".join(f"{kind} “{argument}”" for kind, argument in plain.items())
    return str(plain)


def _lines(value: object, words: Words) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("On" if value else "Off",)
    if isinstance(value, Mapping):  # a consent rule, and nothing else is a mapping
        return tuple(_rule_lines(value))
    found = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return tuple(words.get(str(each), str(each)) for each in found)


def _rule_lines(rule: Mapping[str, object]) -> Iterator[str]:
    for name, words in (("objectives", ""), ("opt_in", "opt-in: "), ("opt_out", "opt-out: ")):
        found = rule.get(name)
        if isinstance(found, list) and found:
            yield words + ", ".join(map(str, found))
