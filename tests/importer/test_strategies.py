"""Every merge strategy with every shape of a value, as BlueConic's imports have it."""

from typing import Any

import pytest

from snippets.goals import IdentifierLink, MergeStrategy
from tests.importer.conftest import Tenant, a_user
from webapp.connections.import_goals import ImportMapping
from webapp.profiles.models import PropertyDefinition
from webapp.profiles.values import PropertyType

MISSING = object()
NESTED = {"b": {"c": 1}, "a": [True, None]}
NESTED_TEXT = '{"a":[true,null],"b":{"c":1}}'

# What is stored, and what is left of it after a source of the shape: by strategy, for a property of texts.
TEXTS: list[tuple[str, object, dict[str, list[str]]]] = [
    # shape, source value, {strategy: what is left of ["old"]}
    ("missing", MISSING, {"set": ["old"], "set_if_empty": ["old"], "set_or_clear": [], "add": ["old"]}),
    ("null", None, {"set": ["old"], "set_if_empty": ["old"], "set_or_clear": [], "add": ["old"]}),
    ("empty text", "", {"set": ["old"], "set_if_empty": ["old"], "set_or_clear": [], "add": ["old"]}),
    ("empty list", [], {"set": ["old"], "set_if_empty": ["old"], "set_or_clear": [], "add": ["old"]}),
    ("list of nothing", [None, ""], {"set": ["old"], "set_if_empty": ["old"], "set_or_clear": [], "add": ["old"]}),
    ("scalar", "new", {"set": ["new"], "set_if_empty": ["old"], "set_or_clear": ["new"], "add": ["old", "new"]}),
    ("false", False, {"set": ["false"], "set_if_empty": ["old"], "set_or_clear": ["false"], "add": ["old", "false"]}),
    ("zero", 0, {"set": ["0"], "set_if_empty": ["old"], "set_or_clear": ["0"], "add": ["old", "0"]}),
    (
        "list",
        ["b", "old", "a", "b"],
        {
            "set": ["b", "old", "a", "b"],
            "set_if_empty": ["old"],
            "set_or_clear": ["b", "old", "a", "b"],
            "add": ["old", "b", "a"],
        },
    ),
    (
        "nested",
        NESTED,
        {"set": [NESTED_TEXT], "set_if_empty": ["old"], "set_or_clear": [NESTED_TEXT], "add": ["old", NESTED_TEXT]},
    ),
    ("wrong type", "nul\0", {name: ["old"] for name in ("set", "set_if_empty", "set_or_clear", "add")}),
]

# The same for a property of numbers that has ["10"].
NUMBERS: list[tuple[str, object, dict[str, list[str]]]] = [
    ("missing", MISSING, {"sum": ["10"], "set": ["10"], "set_or_clear": []}),
    ("null", None, {"sum": ["10"], "set": ["10"], "set_or_clear": []}),
    ("empty text", "", {"sum": ["10"], "set": ["10"], "set_or_clear": []}),
    ("empty list", [], {"sum": ["10"], "set": ["10"], "set_or_clear": []}),
    ("scalar", 5, {"sum": ["15"], "set": ["5"], "set_or_clear": ["5"]}),
    ("number in a text", " 5 ", {"sum": ["15"], "set": ["5"], "set_or_clear": ["5"]}),
    ("zero", 0, {"sum": ["10"], "set": ["0"], "set_or_clear": ["0"]}),
    ("negative", -3, {"sum": ["7"], "set": ["-3"], "set_or_clear": ["-3"]}),
    ("list of one", [5], {"sum": ["15"], "set": ["5"], "set_or_clear": ["5"]}),
    ("list", [5, 6], {"sum": ["10"], "set": ["5", "6"], "set_or_clear": ["5", "6"]}),
    ("nested", NESTED, {"sum": ["10"], "set": ["10"], "set_or_clear": ["10"]}),
    ("wrong type", "many", {"sum": ["10"], "set": ["10"], "set_or_clear": ["10"]}),
    ("boolean", True, {"sum": ["10"], "set": ["10"], "set_or_clear": ["10"]}),
    ("not whole", 1.5, {"sum": ["10"], "set": ["10"], "set_or_clear": ["10"]}),
    ("too large", 2**31, {"sum": ["10"], "set": ["10"], "set_or_clear": ["10"]}),
]
REFUSED = {("sum", "list"), *((name, shape) for name in ("sum", "set", "set_or_clear") for shape in
                              ("nested", "wrong type", "boolean", "not whole", "too large"))}  # fmt: skip


def sources(rows: list[tuple[str, object, dict[str, list[str]]]]) -> list[Any]:
    return [
        pytest.param(MergeStrategy(strategy), source, left, shape, id=f"{strategy}-{shape}")
        for shape, source, by_strategy in rows
        for strategy, left in by_strategy.items()
    ]


def user_with(source: object) -> dict[str, Any]:
    return a_user(user_metadata={} if source is MISSING else {"x": source})


@pytest.mark.parametrize(("strategy", "source", "left", "shape"), sources(TEXTS))
def test_texts_meet_a_stored_value(
    tenant: Tenant, strategy: MergeStrategy, source: object, left: list[str], shape: str
) -> None:
    # given a profile that has a value
    first = tenant.save(mappings=(ImportMapping("user_metadata.x", "x"),))
    tenant.run(first, user_with("old"))
    # when a user with a value of this shape is imported
    goal = tenant.save(mappings=(ImportMapping("user_metadata.x", "x", strategy),))
    result = tenant.run(goal, user_with(source))
    # then
    assert tenant.values("auth0|ann").get("x", []) == left
    assert result.problem_count == ({"holds a character that cannot be stored": 1} if shape == "wrong type" else {})


@pytest.mark.parametrize(("strategy", "source", "left", "shape"), sources(NUMBERS))
def test_numbers_meet_a_stored_value(
    tenant: Tenant, strategy: MergeStrategy, source: object, left: list[str], shape: str
) -> None:
    # given a profile that has a number
    first = tenant.save(mappings=(ImportMapping("user_metadata.x", "x", MergeStrategy.SUM),))
    tenant.run(first, user_with(10))
    # when a user with a value of this shape is imported
    goal = tenant.save(mappings=(ImportMapping("user_metadata.x", "x", strategy),))
    result = tenant.run(goal, user_with(source))
    # then
    assert tenant.values("auth0|ann").get("x", []) == left
    assert result.problem_count.total() == ((str(strategy), shape) in REFUSED)


@pytest.mark.parametrize("strategy", MergeStrategy)
@pytest.mark.parametrize(
    ("source", "new"),
    [pytest.param(MISSING, [], id="missing-[]"), (None, []), ("", []), ([], []), (7, ["7"]), ([7], ["7"])],
    ids=str,
)
def test_every_strategy_meets_an_empty_property(
    tenant: Tenant, strategy: MergeStrategy, source: object, new: list[str]
) -> None:
    # given a property of numbers that no profile has yet
    goal = tenant.save(mappings=(ImportMapping("user_metadata.x", "x", strategy),))
    # when a new user is imported
    tenant.run(goal, user_with(source))
    # then
    assert tenant.values("auth0|ann").get("x", []) == new


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
    result = tenant.run(goal, user_with(source) | {"name": "Ann"})
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
