"""The sample login: an example for every field that a goal maps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.fields import SUGGESTED_FIELDS, source_of
from snippets.goals import Direction, IdentifierLink, Mapping, MergeStrategy, TokenKind
from snippets.rendering import SnippetKind
from tests.factories import make_full_goal, make_goal
from webapp.profiles.values import PropertyType, profile_values
from webapp.trying.logins import LoginKind, TriedLogin
from webapp.trying.running import run
from webapp.trying.sample import sample_login, value_at

FIELDS = [field for field in SUGGESTED_FIELDS if not field.endswith(".")]
PATHS = [
    "user_metadata",
    "user_metadata.a",
    "user_metadata.a.b",
    "user_metadata.a.b.c",
    "app_metadata.a",
    "identities",
    "identities.0.connection",
    "locale",
]


@given(st.lists(st.sampled_from(FIELDS + PATHS), unique=True), st.sampled_from(list(SnippetKind)[1:3]))
def test_every_mapped_field_has_an_example_and_comes_into_the_token(fields: list[str], code: SnippetKind) -> None:
    # given a goal with any fields, some inside others
    goal = make_goal(
        mappings=tuple(Mapping(field, f"property-{index}") for index, field in enumerate(fields)),
        token_kind=TokenKind.ACCESS_TOKEN,
        audiences=("https://api.shop.example",),
    )
    # when its sample logs in
    sample = sample_login(goal, {})
    login = TriedLogin(LoginKind.REDIRECT, sample.user, sample.login, sample.values, None)
    # then every field has a value, and the code finds it
    assert all(value_at(login.as_event(), source_of(field).action) is not None for field in fields)
    done = run(goal, code, login)
    assert done.failure is None
    found = {name.removeprefix(goal.claim_namespace) for name in done.access_token_claims}
    assert found >= set(fields) - {"user_id"}


@pytest.mark.parametrize("property_type", list(PropertyType))
def test_an_example_fits_the_type_of_its_property(property_type: PropertyType) -> None:
    # given a property of a type
    goal = make_goal(mappings=(Mapping("user_metadata.plan", "plan", strategy=MergeStrategy.ADD),))
    # when its sample is made
    example = sample_login(goal, {"plan": property_type}).user["user_metadata"]["plan"]
    # then the value is one that the property takes
    values, problems = profile_values(example, property_type)
    assert values
    assert problems == []


def test_links_have_examples_and_the_profile_id_is_left_to_the_login() -> None:
    # given a goal that links by a field of its own and keeps the profile id
    goal = make_full_goal()
    goal = make_full_goal(links=(*goal.links, IdentifierLink("app_metadata.customer", "customer")))
    # when its sample is made
    user = sample_login(goal, {}).user
    # then the link can be tried, and the profile id comes with the login
    assert user["app_metadata"]["customer"] == "example customer"
    assert "bc_profile_id" not in user["user_metadata"]


def test_the_values_that_travel_to_auth0_have_examples() -> None:
    goal = make_full_goal()
    values = sample_login(goal, {}).values
    assert set(values) == {mapping.profile_property for mapping in goal.mappings_to(Direction.TO_AUTH0)}
    assert all(values.values())
