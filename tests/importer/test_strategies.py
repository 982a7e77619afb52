"""Every merge strategy with every shape of a value, as BlueConic's imports have it."""

from typing import Any

import pytest

from snippets.goals import IdentifierLink, InvalidGoalError, MergeStrategy
from tests.importer.conftest import Tenant, a_user
from webapp.connections.import_goals import ImportMapping
from webapp.profiles.models import PropertyDefinition
from webapp.profiles.values import PropertyType

MISSING = object()
NESTED = {"b": {"c": 1}, "a": [True, None]}
NESTED_TEXT = '{"a":[true,null],"b":{"c":1}}'

LIST = ["b", "old", "a", "b"]
OLD, NEW, NOTHING = ["old"], ["new"], list[str]()
ADDED = ["old", "new"]
TEXT_STRATEGIES = ("set", "set_if_empty", "set_or_clear", "add")
NUMBER_STRATEGIES = (*TEXT_STRATEGIES, "sum")

# By strategy (BlueConic fact sheet, 4): what is left of a property of texts that has ["old"], what an empty one gets.
TEXTS: list[tuple[str, object, tuple[list[str], ...], tuple[list[str], ...]]] = [
    # shape, source value, (set, set_if_empty, set_or_clear, add), the same for an empty property
    ("missing", MISSING, (OLD, OLD, NOTHING, OLD), (NOTHING, NOTHING, NOTHING, NOTHING)),
    ("null", None, (OLD, OLD, NOTHING, OLD), (NOTHING, NOTHING, NOTHING, NOTHING)),
    ("empty text", "", (OLD, OLD, NOTHING, OLD), (NOTHING, NOTHING, NOTHING, NOTHING)),
    ("empty list", [], (OLD, OLD, NOTHING, OLD), (NOTHING, NOTHING, NOTHING, NOTHING)),
    ("list of nothing", [None, ""], (OLD, OLD, NOTHING, OLD), (NOTHING, NOTHING, NOTHING, NOTHING)),
    ("scalar", "new", (NEW, OLD, NEW, ADDED), (NEW, NEW, NEW, NEW)),
    ("false", False, (["false"], OLD, ["false"], ["old", "false"]), (["false"],) * 4),
    ("zero", 0, (["0"], OLD, ["0"], ["old", "0"]), (["0"],) * 4),
    ("list", LIST, (LIST, OLD, LIST, ["old", "b", "a"]), (LIST, LIST, LIST, ["b", "old", "a"])),
    ("nested", NESTED, ([NESTED_TEXT], OLD, [NESTED_TEXT], ["old", NESTED_TEXT]), ([NESTED_TEXT],) * 4),
    ("wrong type", "nul\0", (OLD, OLD, OLD, OLD), (NOTHING, NOTHING, NOTHING, NOTHING)),
]

# The same of a property of numbers that has ["10"].
TEN, FIVE = ["10"], ["5"]
NUMBERS: list[tuple[str, object, tuple[list[str], ...], tuple[list[str], ...]]] = [
    # shape, source value, (set, set_if_empty, set_or_clear, add, sum), the same for an empty property
    ("missing", MISSING, (TEN, TEN, NOTHING, TEN, TEN), (NOTHING,) * 5),
    ("null", None, (TEN, TEN, NOTHING, TEN, TEN), (NOTHING,) * 5),
    ("empty text", "", (TEN, TEN, NOTHING, TEN, TEN), (NOTHING,) * 5),
    ("empty list", [], (TEN, TEN, NOTHING, TEN, TEN), (NOTHING,) * 5),
    ("scalar", 5, (FIVE, TEN, FIVE, ["10", "5"], ["15"]), (FIVE,) * 5),
    ("number in a text", " 5 ", (FIVE, TEN, FIVE, ["10", "5"], ["15"]), (FIVE,) * 5),
    ("zero", 0, (["0"], TEN, ["0"], ["10", "0"], TEN), (["0"],) * 5),
    ("negative", -3, (["-3"], TEN, ["-3"], ["10", "-3"], ["7"]), (["-3"],) * 5),
    ("list of one", [5], (FIVE, TEN, FIVE, ["10", "5"], ["15"]), (FIVE,) * 5),
    ("list", [5, 6], (["5", "6"], TEN, ["5", "6"], ["10", "5", "6"], TEN), (*(["5", "6"],) * 4, NOTHING)),
    ("nested", NESTED, (TEN,) * 5, (NOTHING,) * 5),
    ("wrong type", "many", (TEN,) * 5, (NOTHING,) * 5),
    ("boolean", True, (TEN,) * 5, (NOTHING,) * 5),
    ("not whole", 1.5, (TEN,) * 5, (NOTHING,) * 5),
    ("too large", 2**31, (TEN,) * 5, (NOTHING,) * 5),
]
WRONG_TEXTS = frozenset({"wrong type"})
WRONG_NUMBERS = frozenset({"nested", "wrong type", "boolean", "not whole", "too large"})


def users_with(sources: dict[str, object]) -> list[dict[str, Any]]:
    """Return a user for each shape, with its value in ``x``."""
    return [
        a_user(user_id=f"auth0|{shape}", user_metadata={} if source is MISSING else {"x": source})
        for shape, source in sources.items()
    ]


def meet(tenant: Tenant, strategy: str, kind: PropertyType, old: object, sources: dict[str, object]) -> Any:
    """Import users who have ``old``, then each with another source; return what each has, and who was told of."""
    with tenant.database.transaction() as session:
        session.add(PropertyDefinition(id="x", name="x", property_type=kind, created_at=tenant.now))
    tenant.run(tenant.save(mappings=(ImportMapping("user_metadata.x", "x"),)), *users_with(dict.fromkeys(sources, old)))
    goal = tenant.save(mappings=(ImportMapping("user_metadata.x", "x", MergeStrategy(strategy)),))
    result = tenant.run(goal, *users_with(sources), is_full=True)
    left = {shape: tenant.values(f"auth0|{shape}").get("x", []) for shape in sources}
    return left, {problem.user_id.removeprefix("auth0|") for problem in result.problems}


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "empty"])
@pytest.mark.parametrize("strategy", TEXT_STRATEGIES)
def test_every_shape_meets_texts(tenant: Tenant, strategy: str, *, is_stored: bool) -> None:
    # given profiles that have a text, or none, when a user with each shape of a value is imported
    sources = {row[0]: row[1] for row in TEXTS}
    left, told = meet(tenant, strategy, PropertyType.TEXT, "old" if is_stored else MISSING, sources)
    # then it is as the table says, and what cannot be stored is told
    place = TEXT_STRATEGIES.index(strategy)
    assert left == {row[0]: (row[2] if is_stored else row[3])[place] for row in TEXTS}
    assert told == WRONG_TEXTS


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "empty"])
@pytest.mark.parametrize("strategy", NUMBER_STRATEGIES)
def test_every_shape_meets_numbers(tenant: Tenant, strategy: str, *, is_stored: bool) -> None:
    # given profiles that have a number, or none, when a user with each shape of a value is imported
    sources = {row[0]: row[1] for row in NUMBERS}
    left, told = meet(tenant, strategy, PropertyType.NUMBER, 10 if is_stored else MISSING, sources)
    # then it is as the table says, and what is no number is told, or several where one is summed
    place = NUMBER_STRATEGIES.index(strategy)
    assert left == {row[0]: (row[2] if is_stored else row[3])[place] for row in NUMBERS}
    assert told == WRONG_NUMBERS | ({"list"} if strategy == "sum" else set())


def test_texts_cannot_be_summed(tenant: Tenant) -> None:
    # given a property of texts, when a goal is to sum it, then that is refused
    with tenant.database.transaction() as session:
        session.add(PropertyDefinition(id="x", name="x", property_type=PropertyType.TEXT, created_at=tenant.now))
    with pytest.raises(InvalidGoalError, match="only numbers can be summed"):
        tenant.save(mappings=(ImportMapping("user_metadata.x", "x", MergeStrategy.SUM),))


@pytest.mark.parametrize(
    ("kind", "source", "stored", "reason"),
    [
        (PropertyType.DECIMAL, "1.50", ["1.5"], None),
        (PropertyType.DECIMAL, 0.1, ["0.1"], None),
        (PropertyType.DATETIME, "2026-11-22T12:00:00.000Z", ["1795348800000"], None),
        (PropertyType.DATETIME, "2026-11-22", ["1795305600000"], None),
        (PropertyType.DATETIME, 1795348800, ["1795348800000"], None),
        (PropertyType.DATETIME, "soon", None, "not a date: ISO 8601 or the time since 1970 is"),
        (PropertyType.EMAIL, "Ann@Example.ORG", ["ann@example.org"], None),
        (PropertyType.EMAIL, "ann at home", None, "not an e-mail address"),
        (PropertyType.TEXT, True, ["true"], None),
        (PropertyType.NUMBER, "x", None, "not a number"),
    ],
)
def test_each_type_of_property_takes_what_suits_it(
    tenant: Tenant, kind: PropertyType, source: object, stored: list[str] | None, reason: str | None
) -> None:
    # given a property of the type, and a second mapping
    with tenant.database.transaction() as session:
        session.add(PropertyDefinition(id="x", name="x", property_type=kind, created_at=tenant.now))
    goal = tenant.save(mappings=(ImportMapping("user_metadata.x", "x"), ImportMapping("name", "name")))
    # when a user is imported
    result = tenant.run(goal, a_user(user_metadata={"x": source}, name="Ann"))
    # then what fits is stored; what does not is told, and the rest of the user comes in all the same
    assert tenant.values("auth0|ann").get("x") == stored
    assert tenant.values("auth0|ann")["name"] == ["Ann"]
    assert [(problem.line, problem.reason, problem.auth0_field) for problem in result.problems] == (
        [(1, reason, "user_metadata.x")] if reason else []
    )


def test_two_rows_on_one_property_are_applied_in_their_order(tenant: Tenant) -> None:
    # given
    mappings = ImportMapping("given_name", "names"), ImportMapping("nickname", "names", MergeStrategy.ADD)
    goal = tenant.save(mappings=mappings, links=(IdentifierLink("user_id", "auth0_user_id"),))
    # when
    tenant.run(goal, a_user(given_name="Ann", nickname="annie"))
    # then
    assert tenant.values("auth0|ann")["names"] == ["Ann", "annie"]
