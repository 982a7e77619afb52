import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.auth0.export_fields import MAX_NAME_LENGTH, as_user, export_fields
from webapp.demo.export_files import path_of, value_at

USER = {
    "user_id": "auth0|1",
    "updated_at": "2026-11-22T10:00:00.000Z",
    "email": "ada@shop.example",
    "identities": [{"connection": "Customers", "provider": "auth0"}, {"connection": "google-oauth2"}],
    "user_metadata": {"plan": "gold", "address": {"city": "Gent"}, "a b": 1, "tags": ["x", "y"]},
    "app_metadata": {"points": 7},
}


def named(*auth0_fields: str) -> dict[str, str]:
    return {field.name: field.export_as for field in export_fields(auth0_fields)}


def exported(user: dict[str, Any], *auth0_fields: str) -> dict[str, Any]:
    """Export a user as the demo tenant does, and read the line."""
    fields = export_fields(auth0_fields)
    line = {field.export_as: value_at(user, path_of(field.name)) for field in fields}
    return as_user(line, fields)


def test_only_what_is_needed_is_asked_for_under_flat_names() -> None:
    assert named("user_metadata.plan", "email", "email", "identities[0].connection", "user_metadata.address.city") == {
        "user_id": "user_id",
        "updated_at": "updated_at",
        "email": "email",
        "user_metadata.plan": "user_metadata_plan",
        "user_metadata.address.city": "user_metadata_address_city",
        "identities[0].connection": "identities_0_connection",
    }


def test_a_field_inside_another_comes_with_it() -> None:
    assert set(named("user_metadata.plan", "user_metadata", "user_metadata.address.city")) == {
        "user_id",
        "updated_at",
        "user_metadata",
    }


@pytest.mark.parametrize(
    "field",
    [
        "user_metadata.a b",
        "user_metadata.tags.0",
        "user_metadata.tags[0]",
        "user_metadata.é",
        "user_metadata.x[y",
        "user_metadata." + "x" * 99,
        "user_metadata.",
    ],
)
def test_where_auth0_might_not_understand_a_path_all_of_its_root_is_asked_for(field: str) -> None:
    assert "user_metadata" in named(field)


def test_names_that_would_be_the_same_are_told_apart() -> None:
    # given two fields that differ in a dot
    names = named("user_metadata.a.b", "user_metadata.a_b", "user_metadata_a.b")
    assert len(set(names.values())) == len(names) == 5


@pytest.mark.parametrize(
    ("auth0_fields", "expected"),
    [
        (("email",), {"email": "ada@shop.example"}),
        (("user_metadata.plan",), {"user_metadata": {"plan": "gold"}}),
        (("user_metadata.missing", "nickname"), {}),
        (("user_metadata.a b",), {"user_metadata": USER["user_metadata"]}),
        (("identities[1].connection",), {"identities": [{}, {"connection": "google-oauth2"}]}),
        (
            ("identities.0.connection", "identities[0].provider"),
            {"identities": [{"connection": "Customers", "provider": "auth0"}]},
        ),
        (
            ("user_metadata.address.city", "user_metadata.plan", "app_metadata"),
            {"user_metadata": {"address": {"city": "Gent"}, "plan": "gold"}, "app_metadata": {"points": 7}},
        ),
    ],
)
def test_a_line_becomes_a_user_again(auth0_fields: tuple[str, ...], expected: dict[str, Any]) -> None:
    always = {"user_id": "auth0|1", "updated_at": "2026-11-22T10:00:00.000Z"}
    assert exported(USER, *auth0_fields) == always | expected


def test_what_another_line_has_besides_is_left_alone() -> None:
    assert as_user({"user_id": "auth0|1", "other": 1, "email": None}, export_fields(["email"])) == {
        "user_id": "auth0|1"
    }


steps = st.sampled_from(
    ["user_metadata", "app_metadata", "identities", "email", "a", "b", "a_b", "[0]", "0", "é", "x" * 60]
)
roots = st.sampled_from(["user_metadata", "app_metadata", "identities", "email", "é", "0", "a b"])
paths = st.tuples(roots, st.lists(steps, max_size=3)).map(lambda parts: ".".join([parts[0], *parts[1]]))


@given(st.lists(paths, max_size=12), st.randoms())
def test_names_are_flat_short_and_unlike_each_other_in_any_order(auth0_fields: list[str], random: Any) -> None:
    # given any fields, in any order
    fields = export_fields(auth0_fields)
    random.shuffle(auth0_fields)
    # then the export is the same, and Auth0 takes its names
    assert export_fields(auth0_fields) == fields
    assert len({field.export_as for field in fields}) == len(fields)
    assert all(re.fullmatch(r"\w+", field.export_as, re.ASCII) for field in fields)
    assert all(1 <= len(text) <= MAX_NAME_LENGTH for field in fields for text in (field.name, field.export_as))
    # and a line of null for everything is a user without anything
    assert as_user({field.export_as: None for field in fields}, fields) == {}
