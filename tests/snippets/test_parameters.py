"""The names of the login's parameters, within Auth0's rules for them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.parameters import PROFILE_ID_PARAMETER, parameter_name

AUTH0_NAME = re.compile(r"ext-[a-z_-]{1,28}")
property_ids = st.from_regex(r"[A-Za-z0-9_-]{1,100}", fullmatch=True)


@pytest.mark.parametrize(
    ("profile_property", "expected"),
    [
        ("newsletter", "ext-bcp_newsletter"),
        ("first_visit-date", "ext-bcp_first_visit-date"),
        ("a" * 24, "ext-bcp_" + "a" * 24),
    ],
)
def test_a_property_that_fits_is_used_as_it_is(profile_property: str, expected: str) -> None:
    assert parameter_name(profile_property) == expected


@pytest.mark.parametrize(
    ("profile_property", "start"),
    [
        ("favouriteCategory", "ext-bcp_favouritecategory_"),
        ("a" * 25, "ext-bcp_" + "a" * 17 + "_"),
        ("123", "ext-bcp__"),
        ("A-1", "ext-bcp_a_"),
    ],
)
def test_another_keeps_its_readable_part_and_a_digest(profile_property: str, start: str) -> None:
    name = parameter_name(profile_property)
    assert name.startswith(start)
    assert len(name) == len(start) + 6


def test_names_that_look_alike_stay_apart() -> None:
    alike = ["favCat1", "favCat2", "FavCat", "favcat", "fav1cat", "a" * 25, "a" * 26, "1", "2", "-", "_", "--"]
    assert len({parameter_name(name) for name in alike}) == len(alike)


@given(property_ids)
def test_every_name_is_one_that_auth0_lets_through(profile_property: str) -> None:
    name = parameter_name(profile_property)
    assert AUTH0_NAME.fullmatch(name)
    assert name == parameter_name(profile_property)
    assert name != PROFILE_ID_PARAMETER
    assert AUTH0_NAME.fullmatch(PROFILE_ID_PARAMETER)
