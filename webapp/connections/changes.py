"""What changed between two revisions of a goal: decided on plain data, so that it works for any that was kept.

An older version of Websync may have kept what this one no longer takes; it can still be compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

Plain = Mapping[str, object]
Row = Mapping[str, object]

ROW_LISTS = {"mappings": "mapping", "links": "identifier link"}
"""The lists of rows in a goal's plain data, and what one row is called."""
IDENTITY = frozenset({"key", "revision"})
"""What says which revision it is, and nothing of what it does."""
LABELS = {
    "name": "name",
    "is_on": "switched on",
    "allow_creation": "allow creation of profiles",
    "enable_rule": "Rule option",
    "enable_token": "Token option",
    "server_exchange": "Server exchange",
    "client_ids": "application client IDs",
    "audiences": "API audiences",
    "token_kind": "kind of token",
    "algorithms": "signature algorithms",
    "required_scopes": "required scopes",
    "leeway_seconds": "leeway in seconds",
    "max_age_seconds": "greatest token age in seconds",
    "custom_domains": "custom domains",
    "consent": "objectives of the connection",
    "databases": "Auth0 databases",
    "database_property": "property for the database name",
    "enable_batch": "Batch",
    "enable_webhook": "Webhook",
    "mode": "users of a run",
    "deletion_policy": "profiles of users who were deleted",
}
_PAIRED_BY: tuple[tuple[str, ...], ...] = (
    ("auth0_field", "profile_property", "direction"),
    ("auth0_field", "profile_property"),
    ("auth0_field", "direction"),
    ("profile_property", "direction"),
)
"""A row that is gone and one that is new are one changed row if they agree in these, tried in this order."""


class RowState(StrEnum):
    """What became of a row."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row before and after. Numbers count from 1, as the page does; None where the row was not there.

    A row that ``is_moved`` may be changed too.
    """

    before: Row | None
    after: Row | None
    old_number: int | None = None
    new_number: int | None = None
    is_moved: bool = False

    @property
    def state(self) -> RowState:
        """What became of the row."""
        if self.before is None:
            return RowState.ADDED
        if self.after is None:
            return RowState.REMOVED
        if self.before != self.after:
            return RowState.CHANGED
        return RowState.MOVED if self.is_moved else RowState.SAME


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting before and after, as plain data."""

    name: str
    before: object
    after: object

    @property
    def label(self) -> str:
        """The setting as people call it."""
        return LABELS.get(self.name, self.name.replace("_", " "))


@dataclass(frozen=True, slots=True)
class GoalChanges:
    """All differences between two revisions. The lists of rows have those that stayed as well."""

    mappings: tuple[RowChange, ...]
    links: tuple[RowChange, ...]
    settings: tuple[SettingChange, ...]

    @property
    def are_empty(self) -> bool:
        """Whether both say the same."""
        return not self.settings and not any(changed_rows(self.mappings)) and not any(changed_rows(self.links))


def compare_goals(before: Plain, after: Plain) -> GoalChanges:
    """Return what ``after`` says otherwise than ``before``."""
    return GoalChanges(
        mappings=compare_rows(_rows(before, "mappings"), _rows(after, "mappings")),
        links=compare_rows(_rows(before, "links"), _rows(after, "links")),
        settings=tuple(_setting_changes(before, after)),
    )


def compare_rows(before: Sequence[Row], after: Sequence[Row]) -> tuple[RowChange, ...]:
    """Return every row of ``after`` in its order, with the removed ones after the row that they followed."""
    partners = _pair(before, after)
    staying = _staying(partners)
    kept = [
        RowChange(before[old], row, old + 1, new + 1, is_moved=new not in staying)
        if (old := partners.get(new)) is not None
        else RowChange(None, row, None, new + 1)
        for new, row in enumerate(after)
    ]
    return tuple(_with_removed(kept, before, set(partners.values())))


def changed_rows(rows: Sequence[RowChange]) -> list[RowChange]:
    """Return the rows that did not stay as and where they were."""
    return [row for row in rows if row.state is not RowState.SAME]


def summary(before: Plain, after: Plain) -> str:
    """Return the differences in words: ``2 mappings added, allowed origins changed``."""
    changes = compare_goals(before, after)
    said = [*_row_words(changes.mappings, ROW_LISTS["mappings"]), *_row_words(changes.links, ROW_LISTS["links"])]
    said += [_setting_words(setting) for setting in changes.settings]
    return ", ".join(said) or "nothing changed"


def _rows(plain: Plain, name: str) -> list[Row]:
    found = plain.get(name)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, Sequence) else []


def _pair(before: Sequence[Row], after: Sequence[Row]) -> dict[int, int]:
    """Return the old place of each new row that was there before, if changed: the most alike find each other first."""
    partners: dict[int, int] = {}
    for names in (None, *_PAIRED_BY):
        taken = set(partners.values())
        waiting: dict[tuple[str, ...], list[int]] = {}
        for old, row in enumerate(before):
            if old not in taken:
                waiting.setdefault(_alike(row, names), []).append(old)
        for new, row in enumerate(after):
            if new not in partners and (places := waiting.get(_alike(row, names))):
                partners[new] = places.pop(0)
    return partners


def _alike(row: Row, names: Sequence[str] | None) -> tuple[str, ...]:
    """Return what two rows must have in common: the values of ``names``, or all that they have."""
    return tuple(f"{name}={row.get(name)}" for name in (sorted(row) if names is None else names))


def _staying(partners: Mapping[int, int]) -> set[int]:
    """Return the new places of the rows that kept their order; the others were moved between them."""
    places = sorted(partners)
    order = [partners[new] for new in places]
    blocks = SequenceMatcher(None, sorted(order), order, autojunk=False).get_matching_blocks()
    return {places[index] for block in blocks for index in range(block.b, block.b + block.size)}


def _with_removed(kept: Sequence[RowChange], before: Sequence[Row], found: set[int]) -> Iterator[RowChange]:
    """Yield the rows with each removed one after the one that it followed, among those that were not moved."""
    anchors = {0} | {row.old_number for row in kept if row.old_number and not row.is_moved}
    removed: dict[int, list[RowChange]] = {}
    for number, row in enumerate(before, start=1):
        if number - 1 not in found:
            anchor = max(each for each in anchors if each < number)
            removed.setdefault(anchor, []).append(RowChange(row, None, number))
    yield from removed.get(0, ())
    for change in kept:
        yield change
        if change.old_number and not change.is_moved:
            yield from removed.get(change.old_number, ())


def _setting_changes(before: Plain, after: Plain) -> Iterator[SettingChange]:
    for name in dict.fromkeys([*LABELS, *before, *after]):
        if name not in IDENTITY | ROW_LISTS.keys() and before.get(name) != after.get(name):
            yield SettingChange(name, before.get(name), after.get(name))


def _row_words(rows: Sequence[RowChange], noun: str) -> Iterator[str]:
    """Yield ``2 mappings added``, ``1 removed``: the noun is said once."""
    for state in (RowState.ADDED, RowState.REMOVED, RowState.CHANGED, RowState.MOVED):
        if count := sum(row.state is state for row in rows):
            yield f"{count}{noun and f' {noun}'}{'s' if noun and count > 1 else ''} {state}"
            noun = ""


def _setting_words(setting: SettingChange) -> str:
    if setting.name == "is_on":
        return "switched on" if setting.after else "switched off"
    if isinstance(setting.after, bool) and isinstance(setting.before, bool):
        return f"{setting.label} switched {'on' if setting.after else 'off'}"
    return f"{setting.label} changed"
