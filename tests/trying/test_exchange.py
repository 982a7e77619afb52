"""Trying a goal with server exchange: the Action's call is answered here, and nothing is written."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import to_auth0
from tests.tokens.conftest import MAPPINGS, Shop
from tests.tokens.test_login_exchange import a_call, call, make_secret
from tests.trying.conftest import TryPage, changes, text_of
from tests.trying.test_page import stored

OpenPage = Callable[[Shop], TryPage]
TO_APP = to_auth0("user_metadata.known_plan", "plan")


def test_a_trial_shows_the_call_its_answer_and_what_comes_of_it(
    make_shop: Callable[..., Shop], open_page: OpenPage
) -> None:
    # given a goal with server exchange, and a visitor of whom Websync knows a plan
    shop = make_shop(server_exchange=True, mappings=(*MAPPINGS, TO_APP))
    page = open_page(shop)
    user_id = page.sample()[0]["user_id"]
    call(shop, make_secret(shop), a_call(userId=user_id))
    before = stored(shop)
    # when their next login is tried
    shown = page.run({"user_metadata": {"plan": "silver", "points": 7}, "app_metadata": {}})
    # then the page has the call and the answer
    text = text_of(shown)
    assert "Server exchange It called Websync, which would do what stands above, and answer 200." in text
    assert f"POST {shop.goal.public_url}" in text or f"/sync/{shop.goal.key}/login" in text
    assert '"values"' in text
    # the metadata that the answer leads to, and the profile as it would be
    assert "user_metadata.known_plan" in text
    assert changes(shown)["plan"] == (["gold"], ["silver"])
    assert changes(shown)["points"] == (["5"], ["12"])
    # and nothing was written
    assert stored(shop) == before


def test_a_call_that_would_be_refused_is_shown_with_the_reason(
    make_shop: Callable[..., Shop], open_page: OpenPage
) -> None:
    # given a goal with server exchange
    shop = make_shop(server_exchange=True)
    # when a login is tried of a user who is no person
    shown = open_page(shop).run({"user_id": "robot@clients"})
    # then the page says what Websync would answer, and the login goes on
    assert "and answer 401." in text_of(shown)
    assert "websync 401" in text_of(shown)


@pytest.mark.parametrize(
    "changes", [{"login_kind": "without_values"}, {"login_kind": "refresh_with_values"}, {"code": "rule"}]
)
def test_what_is_no_login_makes_no_call_in_a_trial_either(
    make_shop: Callable[..., Shop], open_page: OpenPage, changes: dict[str, Any]
) -> None:
    # given a goal with server exchange
    shop = make_shop(server_exchange=True, mappings=(*MAPPINGS, TO_APP))
    # when silent authentication, a refresh of the tokens, or the legacy Rule is tried
    shown = text_of(open_page(shop).run(**changes))
    # then, as in Auth0, nobody is called, and the page says so
    assert "It called Websync" not in shown
    assert "It did not call Websync" in shown


def test_what_keeps_a_value_from_auth0_is_named_at_its_mapping(
    make_shop: Callable[..., Shop], open_page: OpenPage
) -> None:
    # given a goal with server exchange, and a visitor of whom Websync knows nothing yet
    newsletter, tier = to_auth0("user_metadata.newsletter", "newsletter"), to_auth0("app_metadata.tier", "tier")
    page = open_page(make_shop(server_exchange=True, mappings=(newsletter, tier)))
    # when a login brings a value that is too long for a parameter
    typed: dict[str, Any] = {"value-newsletter": "x" * 256}
    shown = text_of(page.run(**typed))
    # then both rows say why nothing is written
    assert "Mapping 1 ( user_metadata.newsletter ← newsletter ): longer than 255 characters when encoded" in shown
    assert "Mapping 2 ( app_metadata.tier ← tier ): Websync answered no other value" in shown
    # and where nobody is called, that is said
    typed = {"value-newsletter": "", "login_kind": "refresh_with_values"}
    shown = text_of(page.run(**typed))
    assert "Mapping 1 ( user_metadata.newsletter ← newsletter ): the browser has no value" in shown
    assert "Mapping 2 ( app_metadata.tier ← tier ): Websync was not called" in shown
