"""The names of the login's parameters, within Auth0's rules for them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.literals import JsCode, environment
from snippets.parameters import MAX_VALUE_LENGTH, PROFILE_ID_PARAMETER, encode_values, parameter_name
from tests.javascript import NodeProcess

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


IN_JAVASCRIPT = (
    environment.get_template("application/encoding.js.jinja").render(typed=lambda _annotation: JsCode(""))
    + environment.get_template("decoding.js.jinja").render()
    + "return [encodeValues(given.texts), decodeValues(given.encoded)];"
)
texts_of_people = st.lists(st.text(max_size=30) | st.text("!~*'()%.-_ \u2028<\x00\ud800", max_size=30), max_size=6)


@settings(max_examples=300)
@given(texts=texts_of_people)
def test_python_encodes_as_the_site_does_and_the_action_decodes_it(node: NodeProcess, texts: list[str]) -> None:
    # given any texts, encoded here
    encoded = encode_values(texts)
    # when the site's login call encodes them too, and the Action decodes what was made here
    in_javascript, decoded = node.run(IN_JAVASCRIPT, {"texts": texts, "encoded": encoded})
    # then both wrote the same, and the Action sees the texts that were meant
    assert encoded == in_javascript
    assert decoded == ([] if encoded is None else [text for text in texts if text])


@pytest.mark.parametrize("texts", [[], [""], ["\ud800"], ["x" * (MAX_VALUE_LENGTH + 1)]])
def test_what_cannot_travel_is_not_sent(texts: list[str]) -> None:
    assert encode_values(texts) is None
