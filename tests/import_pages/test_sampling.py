"""What fields users have, and which property is proposed for each."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.connections.import_goals import ImportMapping
from webapp.import_pages.sampling import MAX_EXAMPLE_CHARACTERS, Proposal, find_fields, folded, propose
from webapp.profiles.values import PropertyType

ANN: dict[str, Any] = {
    "user_id": "auth0|ann",
    "email": "ann@example.org",
    "created_at": "2026-11-01T10:00:00.000Z",
    "logins_count": 3,
    "blocked": False,
    "nickname": "",
    "identities": [{"provider": "auth0", "connection": "Customers", "access_token": "secret", "profileData": {}}],
    "user_metadata": {
        "plan": "gold",
        "address": {"city": "Nijmegen", "geo": {"lat": 51.8}},
        "interests": ["running"],
        "empty": {},
        "second_address": "ann@example.com",
    },
    "app_metadata": {"plan": 7, "since": "2026-11-01", "user_metadata.plan": "x", "a b": 1, " c": 2},
}


def proposals(*users: dict[str, Any], mapped: str = "", taken: str = "", known: str = "") -> dict[str, Proposal]:
    found = find_fields(users)
    properties = {folded(name): name for name in known.split()}
    return {each.auth0_field: each for each in propose(found, mapped.split(), taken.split(), properties)}


def test_nested_fields_are_flattened_and_get_properties_of_types_that_fit() -> None:
    # when a user is looked at
    found = proposals(ANN)
    # then each value has its path, a property of a fitting type, and nothing of the identities' secrets is there
    assert {field: (each.profile_property, each.property_type) for field, each in found.items()} == {
        "user_id": ("auth0_user_id", PropertyType.TEXT),
        "email": ("email", PropertyType.EMAIL),
        "created_at": ("created_at", PropertyType.DATETIME),
        "logins_count": ("logins_count", PropertyType.NUMBER),
        "blocked": ("blocked", PropertyType.TEXT),
        "identities[0].provider": ("identities_0_provider", PropertyType.TEXT),
        "identities[0].connection": ("identities_0_connection", PropertyType.TEXT),
        "user_metadata.plan": ("plan", PropertyType.TEXT),
        "user_metadata.address.city": ("address_city", PropertyType.TEXT),
        "user_metadata.address.geo.lat": ("address_geo_lat", PropertyType.DECIMAL),
        "user_metadata.interests": ("interests", PropertyType.TEXT),
        "user_metadata.second_address": ("second_address", PropertyType.EMAIL),
        "app_metadata.plan": ("app_metadata_plan", PropertyType.NUMBER),
        "app_metadata.since": ("since", PropertyType.DATETIME),
        "app_metadata.a b": ("a_b", PropertyType.NUMBER),
    }
    assert found["user_metadata.interests"].example == '["running"]'
    assert found["blocked"].example == "false"
    # and the names that no path can have are counted
    assert find_fields([ANN]).unmappable == 2


def test_what_is_mapped_is_left_out_and_a_property_that_exists_is_met_by_its_name() -> None:
    # given a goal that maps two fields, and properties that exist
    found = proposals(
        ANN, mapped="email user_metadata.plan", taken="email plan", known="Plan City-name CREATED-AT since"
    )
    # then those fields are not proposed, properties that are mapped already are not used twice, others are met
    assert "email" not in found
    assert "user_metadata.plan" not in found
    assert found["created_at"].profile_property == "CREATED-AT"
    assert found["created_at"].property_type is None
    assert found["app_metadata.plan"].profile_property == "Plan"


def test_a_type_has_to_fit_all_users() -> None:
    # given users whose values are of several kinds
    users = [
        {"user_metadata": {"a": 1, "b": "2026-11-01", "c": 1}},
        {"user_metadata": {"a": 1.5, "b": "soon", "c": True}},
    ]
    found = proposals(*users)
    assert [each.property_type for each in found.values()] == [
        PropertyType.DECIMAL,
        PropertyType.TEXT,
        PropertyType.TEXT,
    ]


@pytest.mark.parametrize(
    ("field", "expected"),
    [("lastvisitdate", "lastvisitdate_2"), ("profileId", "profileId_2"), ("日本", "field"), ("a.b", "a_b")],
)
def test_names_that_no_property_can_have_are_not_proposed(field: str, expected: str) -> None:
    found = proposals({field: "x"})
    assert found[field].profile_property == expected


def test_an_example_is_cut_and_has_no_controls() -> None:
    (found,) = proposals({"name": "a\u202e\nb" + "c" * 100}).values()
    assert found.example.startswith("a  bccc")
    assert len(found.example) == MAX_EXAMPLE_CHARACTERS + 1


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda members: st.lists(members, max_size=3) | st.dictionaries(st.text(max_size=5), members, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.sampled_from(["email", "user_metadata", "identities", "x", "a.b", ""]), _json)))
def test_every_proposal_is_a_mapping_and_no_property_comes_twice(
    users: list[dict[str, Any]],
) -> None:
    # given users with any values
    found = propose(find_fields(users), (), (), {"x": "X"})
    # then each proposal can be a row, and each row has a property of its own
    assert all(ImportMapping(each.auth0_field, each.profile_property) for each in found)
    properties = [each.profile_property for each in found]
    assert len(set(properties)) == len(properties)
