"""Values of properties: whatever JSON holds, as texts."""

from typing import Any

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from webapp.profiles.values import MAX_NUMBER, PropertyType, profile_values

TEXT, NUMBER, DECIMAL = PropertyType.TEXT, PropertyType.NUMBER, PropertyType.DECIMAL
DATETIME, EMAIL = PropertyType.DATETIME, PropertyType.EMAIL
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("property_type", "value", "stored"),
    [
        (TEXT, "gold", ["gold"]),
        (TEXT, True, ["true"]),
        (TEXT, False, ["false"]),
        (TEXT, 0, ["0"]),
        (TEXT, 1.0, ["1"]),
        (TEXT, 0.1, ["0.1"]),
        (TEXT, 1e21, ["1000000000000000000000"]),
        (TEXT, ["a", "b", "a"], ["a", "b", "a"]),
        (TEXT, ["a", None, "", 1], ["a", "1"]),
        (TEXT, {"b": 1, "a": ["ä"]}, ['{"a":["ä"],"b":1}']),
        (TEXT, [["a", "b"]], ['["a","b"]']),
        (TEXT, "x" * 65_000, ["x" * 65_000]),
        (NUMBER, "007", ["7"]),
        (NUMBER, "-0", ["0"]),
        (NUMBER, 2.0, ["2"]),
        (NUMBER, MAX_NUMBER, [str(MAX_NUMBER)]),
        (NUMBER, -MAX_NUMBER, [str(-MAX_NUMBER)]),
        (NUMBER, "1e3", ["1000"]),
        (DECIMAL, "1.50", ["1.5"]),
        (DECIMAL, 0.30000000000000004, ["0.30000000000000004"]),
        (DECIMAL, "-.5", ["-0.5"]),
        (DATETIME, "2026-01-01T00:00:00.000Z", ["1767225600000"]),
        (DATETIME, "2026-01-01T01:00:00+01:00", ["1767225600000"]),
        (DATETIME, "2026-01-01", ["1767225600000"]),
        (DATETIME, 1767225600, ["1767225600000"]),
        (DATETIME, "1767225600", ["1767225600000"]),
        (DATETIME, 1767225600000, ["1767225600000"]),
        (DATETIME, 1767225600.5, ["1767225600500"]),
        (EMAIL, " Ann@Example.ORG ", ["ann@example.org"]),
    ],
)
def test_values_are_stored_in_one_form(property_type: PropertyType, value: object, stored: list[str]) -> None:
    assert profile_values(value, property_type) == (stored, [])


@pytest.mark.parametrize("property_type", PropertyType)
@pytest.mark.parametrize("value", [None, "", [], [None, ""]])
def test_empty_is_empty_for_every_type(property_type: PropertyType, value: object) -> None:
    assert profile_values(value, property_type) == ([], [])


@pytest.mark.parametrize(
    ("property_type", "value"),
    [
        (NUMBER, MAX_NUMBER + 1),
        (NUMBER, 1.5),
        (NUMBER, "twelve"),
        (NUMBER, "١٢"),
        (NUMBER, True),
        (NUMBER, {"a": 1}),
        pytest.param(NUMBER, 10**5000, id="huge"),
        (DECIMAL, "1e99"),
        (DECIMAL, "1e-99"),
        (DECIMAL, float("nan")),
        (DECIMAL, float("inf")),
        (DECIMAL, "0x10"),
        (DECIMAL, "1_000"),
        (DATETIME, "yesterday"),
        (DATETIME, "2026-01-01T00:00:00"),
        (DATETIME, "2026-02-30"),
        (DATETIME, True),
        (DATETIME, 1e17),
        (EMAIL, "ann"),
        (EMAIL, "ann@"),
        (EMAIL, 5),
        (TEXT, "x" * 65_001),
        (TEXT, "a\0b"),
        (TEXT, "\ud800"),
        (TEXT, {"\ud800": 1}),
        (TEXT, float("nan")),
    ],
)
def test_a_value_that_does_not_fit_is_a_problem_that_does_not_repeat_it(
    property_type: PropertyType, value: Any
) -> None:
    # when
    values, problems = profile_values(value, property_type)
    # then
    assert values == []
    assert len(problems) == 1


@pytest.mark.parametrize("property_type", PropertyType)
@given(value=JSON)
def test_any_json_has_values_or_problems_and_what_is_stored_can_be_stored_again(
    property_type: PropertyType, value: object
) -> None:
    # when
    values, problems = profile_values(value, property_type)
    # then every value is text that UTF-8 and both databases can hold
    assert all(text and "\0" not in text and text.encode() for text in values)
    assert all(problems)
    # and numbers, addresses and texts stay as they are when they come again
    if property_type is not DATETIME:
        assert profile_values(values, property_type) == (values, [])


def test_a_list_nested_too_deeply_is_a_problem() -> None:
    # given
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    # then
    assert profile_values(value, TEXT) == ([], ["nested too deeply"])


@given(st.integers(-MAX_NUMBER, MAX_NUMBER))
def test_a_whole_number_keeps_its_value(number: int) -> None:
    assert profile_values(number, NUMBER) == ([str(number)], [])


LOCAL_PARTS = st.text(alphabet="aZ0_+-.\"ä '", min_size=0, max_size=70)
DOMAINS = st.sampled_from(
    [
        "example.org",
        "mail.example.co.uk",
        "localhost",
        "a.invalid",
        "x..org",
        "-x.org",
        "münchen.example",
        "x.y",
        "",
        "1.2.3.4",
    ]
)


@given(local_part=LOCAL_PARTS, domain=DOMAINS | st.text(alphabet="ab.-", max_size=260))
def test_addresses_are_judged_as_the_library_does(local_part: str, domain: str) -> None:
    # given any address
    address = f"{local_part}@{domain}".strip()
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
        is_good = True
    except EmailNotValidError:
        is_good = False
    # when it is a value of the type e-mail
    values, problems = profile_values(address, PropertyType.EMAIL)
    # then the short cut for usual addresses has changed nothing
    assert (values == [address.lower()]) == is_good
    assert (problems == []) == is_good
