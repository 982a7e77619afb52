"""Auth0's fields: what may be written in a row, and where a login has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.fields import (
    LOGIN_FIELDS,
    SUGGESTED_FIELDS,
    FieldPathError,
    FieldSource,
    overlaps,
    parse_field,
    source_of,
)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("", "Name an Auth0 field"),
        ("x" * 201, "At most 200 characters."),
        ("user_metadata.", "Every part between the dots needs a name"),
        (".plan", "Every part"),
        ("a..b", "Every part"),
        ("a. b", "Every part"),
        ("a. ", "Every part"),
        ("a\x00b", "Control characters"),
        ("a.b\u2028c", "Control characters"),
        ("user_metadata.__proto__", "__proto__ is a name that JavaScript keeps"),
        ("constructor.prototype", "constructor is a name"),
    ],
)
def test_a_text_that_names_no_field_says_why(field: str, message: str) -> None:
    with pytest.raises(FieldPathError, match=message):
        parse_field(field)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("connection", "Of connection a login has these fields: connection.id, connection.name, connection.strategy"),
        ("organization.metadata", "organization.display_name"),
        ("geoip.latitude", "geoip.country_code"),
        ("last_ip", "an import goal can map it, a web goal cannot"),
        ("blocked", "does not tell blocked"),
    ],
)
def test_a_field_that_no_login_has_says_which_there_are(field: str, message: str) -> None:
    with pytest.raises(FieldPathError, match=message):
        source_of(field)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("email", FieldSource(("user", "email"), ("user", "email"))),
        (
            "user_metadata.a b.ü",
            FieldSource(("user", "user_metadata", "a b", "ü"), ("user", "user_metadata", "a b", "ü")),
        ),
        ("logins_count", FieldSource(("stats", "logins_count"), ("context", "stats", "loginsCount"))),
        ("connection.name", FieldSource(("connection", "name"), ("context", "connection"))),
    ],
)
def test_a_field_is_found_where_auth0_has_it(field: str, expected: FieldSource) -> None:
    assert source_of(field) == expected


@pytest.mark.parametrize("field", SUGGESTED_FIELDS)
def test_every_suggestion_can_be_mapped(field: str) -> None:
    source = source_of(field + "plan" if field.endswith(".") else field)
    assert source.action
    assert source.rule[0] in {"user", "context"}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a", "a", True),
        ("a", "a.b", True),
        ("a.b.c", "a.b", True),
        ("a.b", "a.c", False),
        ("a.b", "a.bc", False),
        ("ab", "a", False),
    ],
)
def test_fields_overlap_if_one_is_inside_the_other(one: str, other: str, expected: bool) -> None:
    assert overlaps(one, other) is expected
    assert overlaps(other, one) is expected


@given(st.text(max_size=220))
def test_any_text_is_a_path_or_a_told_mistake(text: str) -> None:
    try:
        path = parse_field(text)
    except FieldPathError:
        return
    assert ".".join(path) == text
    assert all(path)


def test_the_fields_of_the_login_have_both_sources() -> None:
    assert all(source.rule[0] == "context" for source in LOGIN_FIELDS.values())
