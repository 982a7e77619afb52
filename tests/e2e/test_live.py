"""The Live page beside a shop: what visitors' logins come to, as they come."""

import json
import re
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import wait_until
from tests.e2e.conftest import Demo, NewContext, look_at
from tests.e2e.test_web_sync import log_in, log_in_again, make_connection, make_goal, open_shop

FOLLOWING = "New items appear by themselves."
CUT_OFF = "The connection is lost, trying again. If this stays, reload the page."


def status(page: Page) -> Locator:
    return page.get_by_role("status").and_(page.locator("[data-live-status]"))


CHOICES = ("All", "Accepted", "Refused", "Profile (created|changed)", "The token is opaque")


def rows(page: Page) -> Locator:
    return page.get_by_role("table").locator("tbody tr")


def test_the_live_page_shows_each_login_as_it_comes(demo: Demo, admin_page: Page, new_context: NewContext) -> None:
    # given a goal that has received nothing, and its Live page
    page = admin_page
    make_connection(page, demo, "Watched shop")
    goal_key = make_goal(page, demo, "Watched visitors")
    page.get_by_role("link", name="Live", exact=True).click()
    expect(status(page)).to_have_text(FOLLOWING)
    expect(page.get_by_text("Nothing received yet")).to_be_visible()
    look_at(page, "live-empty")
    # when a visitor logs in at the shop
    shop = open_shop(new_context(), demo, goal_key)
    token_post = log_in(shop, "Ada Okafor")
    profile_id = shop.locator("[data-profile-id]").inner_text()
    # then the row appears, with the profile's id and the person masked
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Accepted")
    expect(rows(page)).to_contain_text(re.compile("Profile (created|changed)"))
    expect(page.get_by_text("Nothing received yet")).to_be_hidden()
    expect(page.get_by_role("log")).to_contain_text(re.compile("Accepted: Profile (created|changed)"))
    expect(rows(page).get_by_role("cell").last).to_have_text(f"…{profile_id[-4:]}")
    expect(rows(page).get_by_role("cell").nth(3)).to_have_text(re.compile(r"^[0-9a-f]{12}$"))
    # when a page posts what is no token, while the connection is cut off
    page.route("**/live/events*", lambda route: route.fulfill(status=404, body="cut off"))
    page.get_by_role("button", name="Pause").click()
    expect(status(page)).to_have_text("Paused.")
    page.get_by_role("button", name="Go on").click()
    expect(status(page)).to_have_text(CUT_OFF)
    look_at(page, "live-cut-off")
    post_again(shop, demo, goal_key, json.dumps({"token": "x"}))
    post_again(shop, demo, goal_key, token_post)
    # then the page goes on where it was as soon as it can
    page.unroute("**/live/events*")
    expect(rows(page)).to_have_count(3)
    expect(status(page)).to_have_text(FOLLOWING)
    expect(rows(page).nth(1)).to_contain_text("Refused")
    expect(rows(page).nth(1).get_by_role("link")).to_have_attribute("href", "/problems/token-opaque")
    # and what came can be asked for
    choices = page.get_by_role("navigation", name="Which outcomes").get_by_role("link")
    expect(choices).to_have_text([re.compile(each) for each in CHOICES])
    look_at(page, "live")
    choices.filter(has_text="The token is opaque").click()
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/live\?outcome=token-opaque$"))
    page.go_back()
    expect(rows(page)).to_have_count(3)
    # and says nothing of the person, neither by the stream nor on the page as the server makes it
    live = page.content()
    page.reload()
    for html in (live, page.content()):
        assert not any(word in html for word in ("Ada", "Okafor", "ada@", "auth0|", profile_id, token_post[20:60]))
    # when only what was refused is asked for, then only that is there
    choices.filter(has_text="Refused").click()
    expect(rows(page)).to_have_count(1)
    expect(status(page)).to_have_text(FOLLOWING)
    look_at(page, "live-refused")
    # and a new login does not come between
    log_in_again(shop, "Ada Okafor")
    post_again(shop, demo, goal_key, json.dumps({"token": "y"}))
    expect(rows(page)).to_have_count(2)
    expect(rows(page).get_by_text("Accepted")).to_have_count(0)


def test_the_live_page_says_when_it_is_cut_off_for_long(demo: Demo, browser: Browser, admin_state: Path) -> None:
    # given an admin whose network is gone when the Live page wants to follow
    with closing(browser.new_context(storage_state=admin_state)) as context:
        page = context.new_page()
        page.clock.install()
        page.route("**/live/events*", lambda route: route.abort("connectionrefused"))
        page.goto(f"{demo.websync_url}/connections")
        page.get_by_role("link", name="Demo shop").first.click()
        page.get_by_role("link", name="Sync web data").click()
        with page.expect_request("**/live/events*"):
            page.get_by_role("link", name="Live", exact=True).click()
        # when that lasts, then the page says so
        wait_until(lambda: says_in_a_while(page, CUT_OFF))
        # and when the network is there again, it follows without a reload
        page.unroute("**/live/events*")
        wait_until(lambda: says_in_a_while(page, FOLLOWING))


def says_in_a_while(page: Page, text: str) -> bool:
    """Let time pass for the page, which may have heard of its network only now, and return if it says ``text``."""
    page.clock.run_for(20_000)
    return status(page).inner_text() == text


def post_again(shop: Page, demo: Demo, goal_key: str, body: str) -> None:
    """Post ``body`` from the shop's page, and wait for the answer."""
    shop.evaluate(
        """([url, body]) => fetch(url, {method: "POST", body, headers: {"content-type": "application/json"}})""",
        [f"{demo.websync_url}/sync/{goal_key}/token", body],
    )
