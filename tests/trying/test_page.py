"""The page as an admin uses it: what it runs, what it shows, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from snippets.consent import ConsentRule
from snippets.goals import PROFILE_ID, IdentifierLink, Mapping
from tests.conftest import wait_until
from tests.factories import to_auth0
from tests.tokens.conftest import LINKS, MAPPINGS, Shop
from tests.trying.conftest import TryPage, changes, text_of, token_of
from webapp.database import Base

NEWSLETTER = to_auth0("user_metadata.newsletter", "newsletter")

OpenPage = Callable[[Shop], TryPage]


def stored(shop: Shop) -> dict[str, list[Any]]:
    """Return every row of every table."""
    assert shop.app.extensions["item_keeper"].flush(seconds=30)  # what was received is kept in the background
    with shop.database.reading() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


@pytest.mark.parametrize("code", ["action", "rule"])
@pytest.mark.parametrize(
    "user",
    [
        {},
        {"email_verified": False},
        {"user_metadata": {"points": "many", "plan": ["a", "b"], "roles": {"of": "an object"}}},
        {"user_metadata": {"plan": None}},
        {"email": "Ann@EXAMPLE.com", "name": "", "user_metadata": {"points": 2.5}},
    ],
)
def test_the_preview_is_what_a_signed_token_does_then(
    shop: Shop, page: TryPage, code: str, user: dict[str, Any]
) -> None:
    # given a visitor who has a profile from an earlier login
    sub = page.sample()[0]["user_id"]
    profile_id = shop.log_in({"sub": sub, "email": "ann@example.com", "email_verified": True})["profileId"]
    before = shop.properties(profile_id)
    # when their next login is tried
    shown = page.run(user, code=code)
    # and after that a token with the same claims is really posted
    answer = shop.post(shop.issuer.encode(token_of(shown))).get_json()
    # then the page had said what happened
    assert f"Answer {answer['state']}" in text_of(shown)
    assert answer["profileId"] == profile_id
    after = shop.properties(profile_id)
    assert {name: old for name, (old, _) in changes(shown).items() if old} == before
    assert {name: new for name, (_, new) in changes(shown).items() if new} == after
    assert {name for name, (old, new) in changes(shown).items() if old != new} == set(answer["updated"])
    for reason in (reason for reasons in answer.get("problems", {}).values() for reason in reasons):
        assert reason in text_of(shown)


def test_the_preview_of_a_first_login_is_what_it_makes(shop: Shop, page: TryPage) -> None:
    # given a browser with a profile id that nothing has yet
    shown = page.run(profile_id="browser-1")
    # when a token with the claims of the trial is posted from there
    answer = shop.post(shop.issuer.encode(token_of(shown)), "browser-1").get_json()
    # then the new profile is the one that the page had shown
    assert "Answer CREATED" in text_of(shown)
    assert "A new one, with the id browser-1" in text_of(shown)
    assert answer["profileId"] == "browser-1"
    assert {name: new for name, (_, new) in changes(shown).items()} == shop.properties("browser-1")


def test_a_login_that_changes_nothing_is_shown_with_all_its_rows(shop: Shop, page: TryPage) -> None:
    # given a profile that has what the login would bring
    without_points = {"user_metadata": {"plan": "gold"}}
    shop.post(shop.issuer.encode(token_of(page.run(without_points))))
    # when the login is tried
    shown = page.run(without_points)
    # then the rows are there, and none is changed
    assert "Answer UNCHANGED" in text_of(shown)
    assert set(changes(shown)) == {"auth0_user_id", "email", "full_name", "plan", "points", "roles"}
    assert all(old == new for old, new in changes(shown).values())


def test_trying_writes_nothing_anywhere(shop: Shop, page: TryPage, now: Any) -> None:
    # given a store with a profile in it
    shop.log_in({"sub": page.sample()[0]["user_id"], "name": "Ann"})
    wait_until(lambda: bool(stored(shop)["key_sets"]))  # the tenant's keys are kept in the background
    before = stored(shop)
    # when logins are tried: one that would change it, one that would make another, one that is mistyped
    page.run({"name": "Anna"}, profile_id="browser-1")
    page.run({"user_id": "auth0|bob", "email": "bob@example.com"}, profile_id="browser-2")
    page.send(user="{")
    # then every table is as it was
    assert stored(shop) == before


@pytest.mark.parametrize(
    ("login_kind", "is_written"), [("redirect", True), ("refresh_with_values", True), ("without_values", False)]
)
@pytest.mark.parametrize("code", ["action", "rule"])
def test_what_the_browser_brings_reaches_user_metadata(
    make_shop: Callable[..., Shop], open_page: OpenPage, code: str, login_kind: str, is_written: bool
) -> None:
    # given a goal that sends a property to Auth0 and reads it back
    page = open_page(make_shop(mappings=(NEWSLETTER, Mapping("user_metadata.newsletter", "newsletter_at_login"))))
    values = {"value-newsletter": "yes *~% ünïcode\r\nno"}
    # when a browser with two values logs in
    shown = page.run({"user_metadata": {}}, code=code, login_kind=login_kind, **values)
    # then they are there, in each kind of login that carries them
    changed = "user_metadata.newsletter nothing" in text_of(shown)
    assert changed == is_written
    assert (changes(shown)["newsletter_at_login"][1] == ["yes *~% ünïcode", "no"]) == is_written
    assert ("It changed no metadata." in text_of(shown)) != is_written


def test_the_profile_id_of_the_browser_reaches_its_field(make_shop: Callable[..., Shop], open_page: OpenPage) -> None:
    # given a goal that keeps the profile id in user_metadata
    page = open_page(make_shop(links=(IdentifierLink("user_metadata.bc_id", PROFILE_ID), *LINKS)))
    # when a browser logs in
    shown = text_of(page.run(profile_id="browser-1"))
    # then the Action keeps its profile id
    assert 'user_metadata.bc_id nothing "browser-1"' in shown


def test_the_page_says_what_led_to_the_profile(shop: Shop, page: TryPage, now: Any) -> None:
    # given a profile that is found by its user id, one that only belongs to the user, and one of the browser
    sub = page.sample()[0]["user_id"]
    shop.add_profile("of-somebody", now, owner=(shop.issuer.tenant.issuer, "auth0|somebody"))
    shop.add_profile("of-nobody", now)
    # when logins are tried, then each says which way it went
    hinted = text_of(page.run(profile_id="of-nobody"))
    assert "of-nobody , which the browser named, and which belongs to nobody else." in hinted
    switched = text_of(page.run(profile_id="of-somebody"))
    assert "The browser's own profile belongs to somebody else" in switched
    shop.add_profile("of-ann", now, owner=(shop.issuer.tenant.issuer, sub))
    assert "of-ann , which belongs to this Auth0 user since an earlier login." in text_of(page.run())
    shop.log_in({"sub": sub, "email": "ann@example.com", "email_verified": True})
    assert "of-ann , found by identifier link 2 ." in text_of(page.run())


def test_nobody_is_found_and_nobody_may_be_made(make_shop: Callable[..., Shop], open_page: OpenPage) -> None:
    # given a goal that makes no profiles
    page = open_page(make_shop(allow_creation=False))
    # when a stranger logs in
    shown = page.run({"email_verified": False})
    # then the page says so, and which links were tried
    assert "Answer NOTFOUND" in text_of(shown)
    assert "user_id = auth0_user_id finds no profile." in text_of(shown)
    assert "email = email is not tried: Auth0 has not verified it." in text_of(shown)
    assert changes(shown) == {}


def test_a_profile_of_somebody_else_is_refused_as_the_service_would(
    make_shop: Callable[..., Shop], open_page: OpenPage
) -> None:
    # given a goal that links by an address that nobody verified, and somebody's profile with that address
    unproven = (IdentifierLink("email", "email", require_verified=False),)
    shop = make_shop(links=unproven)
    shop.log_in({"sub": "auth0|somebody", "email": "ann@example.com"})
    # when another user with that address is tried
    shown = open_page(shop).run()
    # then the page says what the service would answer
    answer = shop.post(shop.issuer.encode(token_of(shown)))
    assert answer.status_code == 409
    assert answer.get_json()["title"] in text_of(shown)
    assert answer.get_json()["detail"] in text_of(shown)
    assert "/problems/identity-conflict" in shown


def test_a_link_to_somebody_elses_profile_is_passed_over(make_shop: Callable[..., Shop], open_page: OpenPage) -> None:
    # given two people, at a goal that links by an address that nobody verified
    links = (IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email", require_verified=False))
    shop = make_shop(links=links)
    shop.log_in({"sub": "auth0|somebody", "email": "ann@example.com"})
    page = open_page(shop)
    own = shop.log_in({"sub": page.sample()[0]["user_id"], "email": "other@example.com"})
    # when the second one comes with the first one's address
    shown = text_of(page.run({"email": "ann@example.com", "email_verified": False}))
    # then the page says whose profile it is, and what becomes of the link
    assert own["profileId"] in shown
    assert "email = email is passed over: it leads to the profile of another user" in shown


@pytest.mark.parametrize(
    ("user", "position", "reason"),
    [
        ({"user_metadata": {"points": "many"}}, 4, "not a number"),
        ({"email": "no address"}, 0, "not an e-mail address"),
        ({"email_verified": False}, 0, "Auth0 has not verified it"),
        ({"user_metadata": {"points": 1}}, 3, "the login has no user_metadata.roles"),
        ({"user_metadata": {"plan": "\ud800", "points": 1}}, 2, "holds a character that cannot be stored"),
    ],
)
def test_a_problem_leads_to_its_mapping(page: TryPage, user: dict[str, Any], position: int, reason: str) -> None:
    # when a login is tried of which one value is not as it should be
    shown = page.run(user)
    # then the mapping is named by its number, with the way to its row
    mapping = MAPPINGS[position]
    line = f"Mapping {position + 1} ( {mapping.auth0_field} → {mapping.profile_property} ): {reason}"
    assert line in text_of(shown)
    assert f'href="/goals/shop-goal#mappings-{position}-auth0_field"' in shown


def test_a_visitor_without_consent_is_told_in_words(
    make_shop: Callable[..., Shop], open_page: Callable[[Shop], TryPage]
) -> None:
    # given a goal that asks for consent everywhere in the rest of the world
    shop = make_shop(consent=ConsentRule(("marketing",), opt_in=("NONE",)))
    # when a login is tried
    shown = open_page(shop).run()
    # then the page says what the token service would answer, and why; no property is shown
    assert "Answer CONSENT_MISMATCH" in text_of(shown)
    assert "this visitor has not consented where consent is needed" in text_of(shown)
    assert changes(shown) == {}
