"""The whole loop, through the pages only: what a newcomer does, and what the product promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.demo.conftest import RunningTenant, management_client
from tests.e2e.conftest import EMAIL, Demo, NewContext, look_at, take_picture
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET, SPA_CLIENT_ID, WEB_APP_CLIENT_ID
from webapp.demo.state import TenantState

TO_PROFILE, TO_AUTH0 = "Auth0 → BlueConic", "BlueConic → Auth0"
MAPPINGS = [
    ("email", TO_PROFILE, "email", "Set"),
    ("user_id", TO_PROFILE, "auth0_user_id", "Set"),
    ("given_name", TO_PROFILE, "first_name", "Set if empty"),
    ("nickname", TO_PROFILE, "nickname", "Set or clear"),
    ("user_metadata.interests", TO_PROFILE, "interests", "Add"),
    ("app_metadata.points", TO_PROFILE, "points", "Sum"),
    ("user_metadata.newsletter", TO_PROFILE, "newsletter_at_login", "Set"),
    ("user_metadata.newsletter", TO_AUTH0, "newsletter", "Set"),
    ("user_metadata.favourite_category", TO_AUTH0, "favourite_category", "Set if empty"),
]
ADA = {
    "email": ["ada@shop.example"],
    "auth0_user_id": ["auth0|650a1f3c9d1e8b0012ab0001"],
    "first_name": ["Ada"],
    "nickname": ["ada"],
    "interests": ["running", "hiking"],
    "points": ["120"],
    "newsletter_at_login": ["yes"],
}


def test_a_newcomer_sees_the_whole_loop(demo: Demo, admin_page: Page, new_context: NewContext, tmp_path: Path) -> None:
    # given a connection and a web goal with all five merge strategies and both directions, made on the pages
    page = admin_page
    make_connection(page, demo, "Web shop")
    goal_key = make_goal(page, demo, "Visitors of the web shop")
    # when each code block is copied by its button
    for kind in ("application", "action", "rule", "token"):
        # then the clipboard has exactly what the download has
        assert copied(page, kind) == downloaded(page, kind, tmp_path)
    # when the Action is deployed
    page.get_by_role("button", name="Deploy to Auth0").click()
    # then the page says which revision logins run now
    expect(page.get_by_text("Revision 1 is deployed", exact=True)).to_be_visible()
    page.goto(f"{demo.tenant_url}/")
    expect(page.get_by_text("Websync Visitors of the web shop").first).to_be_visible()
    # when a visitor ticks the newsletter, chooses a favourite, and logs in at the shop
    shop = open_shop(new_context(), demo, goal_key)
    shop.get_by_label("Send me the newsletter").check()
    shop.get_by_label("Favourite category").select_option("hiking")
    expect(shop.locator("[data-saved]")).to_have_text("Kept in your profile.")
    token_post = log_in(shop, "Ada Okafor")
    expect(shop.locator("[data-outcome]")).to_contain_text("CREATED")
    # then the profile has exactly the values that the mappings say
    profile_url = shop.get_by_role("link", name="See the profile in Websync").get_attribute("href")
    assert profile_url is not None
    assert properties(page, profile_url) == ADA
    take_picture(page, "profile", height=760)
    look_at(page, "profile")
    # when the same token is posted once more
    answer = shop.evaluate(
        """([url, body]) => fetch(url, {method: "POST", body, headers: {"content-type": "application/json"}})
             .then((response) => response.json())""",
        [f"{demo.websync_url}/sync/{goal_key}/token", token_post],
    )
    # then it is answered as before, and nothing is summed or added twice
    assert answer["state"] == "CREATED"
    assert properties(page, profile_url) == ADA
    # when she logs in again: a new token
    log_in_again(shop, "Ada Okafor")
    # then the new token has counted once, and what was there stays
    expect(shop.locator("[data-outcome]")).to_contain_text("MODIFIED")
    assert properties(page, profile_url) == ADA | {"points": ["240"]}
    # and the values that travelled to Auth0 are in the tenant
    page.goto(f"{demo.tenant_url}/")
    ada = page.locator("body").inner_text()
    assert '"favourite_category": "hiking"' in ada
    assert '"newsletter": "yes"' in ada
    look_at(shop, "shop-logged-in")


def test_with_the_server_exchange_a_blocked_post_loses_nothing(
    demo: Demo, admin_page: Page, new_context: NewContext
) -> None:
    # given a goal whose Action calls Websync, with a value for app_metadata
    page = admin_page
    make_connection(page, demo, "Shop with exchange")
    goal_key = make_goal(page, demo, "Exchange")
    page.get_by_label("Server exchange").check()
    add_mapping(page, "app_metadata.known_points", TO_AUTH0, "points", "Set")
    save(page)
    page.get_by_role("button", name="Deploy to Auth0").click()
    expect(page.get_by_text("Revision 2 is deployed", exact=True)).to_be_visible()
    # when a visitor whose browser blocks the post logs in
    shop = open_shop(new_context(), demo, goal_key)
    shop.route("**/sync/*/token", lambda route: route.abort())
    shop.get_by_role("button", name="Log in").click()
    shop.get_by_role("button", name="Ada Okafor").click()
    expect(shop.locator("[data-account]")).to_have_text("Hello, Ada Okafor")
    # then the profile has its values all the same
    profile = found_profile(page, demo, "ada@shop.example")
    before = properties(page, profile)
    assert before["nickname"] == ["ada"]
    # and the next login brings one of them to app_metadata
    shop.unroute("**/sync/*/token")
    log_in_again(shop, "Ada Okafor")
    expect(shop.locator("[data-outcome]")).to_contain_text("MODIFIED")
    page.goto(f"{demo.tenant_url}/")
    assert '"known_points": "' in page.locator("body").inner_text()
    # and that login, of which both the Action and the browser told, counted once
    points = int(properties(page, profile)["points"][0])
    assert points == int(before["points"][0]) + 120
    # and the secret can be made anew by hand
    page.goto(f"{demo.websync_url}/goals/{goal_key}")
    page.get_by_text("Deploy it by hand instead").click()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_role("heading", name="A new secret for the Action")).to_be_visible()
    look_at(page, "exchange-secret")
    # and without the exchange the Action calls nobody any more, and so leaves other tests' logins alone
    page.goto(f"{demo.websync_url}/goals/{goal_key}")
    page.get_by_label("Server exchange").uncheck()
    row(page, 10).get_by_role("button", name="Remove").click()
    save(page)
    page.get_by_role("button", name="Deploy to Auth0").click()
    expect(page.get_by_text("Revision 3 is deployed", exact=True)).to_be_visible()


def test_a_changed_goal_asks_for_a_new_deployment(demo: Demo, admin_page: Page) -> None:
    # given a deployed goal
    page = admin_page
    make_connection(page, demo, "Changing shop")
    make_goal(page, demo, "A changing goal")
    page.get_by_role("button", name="Deploy to Auth0").click()
    expect(page.get_by_text("Revision 1 is deployed", exact=True)).to_be_visible()
    # when a mapping is added
    add_mapping(page, "user_metadata.plan", TO_PROFILE, "plan", "Set")
    save(page)
    # then the page says that the deployed code is older
    expect(page.get_by_text("the goal is at revision 2: deploy again.")).to_be_visible()
    look_at(page, "goal-older-deployment")
    page.get_by_role("button", name="Deploy to Auth0").click()
    expect(page.get_by_text("Revision 2 is deployed", exact=True)).to_be_visible()


def test_an_old_revision_is_compared_and_restored(demo: Demo, admin_page: Page) -> None:
    # given a deployed goal, and a later revision that changes rows, settings and code
    page = admin_page
    make_connection(page, demo, "Shop with a past")
    make_goal(page, demo, "A goal with a past")
    page.get_by_role("button", name="Deploy to Auth0").click()
    expect(page.get_by_text("Revision 1 is deployed", exact=True)).to_be_visible()
    add_mapping(page, "user_metadata.plan", TO_PROFILE, "plan", "Set")
    row(page, 3).get_by_label("Merge strategy").select_option("Set")
    row(page, 4).get_by_role("button", name="Move up").click()
    row(page, 6).get_by_role("button", name="Remove").click()
    page.get_by_label("Allowed origins").fill(f"{demo.shop_url}\nhttps://www.shop.example")
    save(page)
    # when the goal is compared with the tenant
    page.get_by_role("button", name="Compare with Auth0").click()
    # then the page names the older revision that logins run
    expect(page.get_by_role("heading", name="Older revision")).to_be_visible()
    look_at(page, "comparison-older-revision")
    # when the history is opened, and the newest revision's changes
    page.get_by_role("link", name="Back to the goal").click()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("row", name=re.compile("^2 current"))).to_contain_text("allowed origins changed")
    look_at(page, "history")
    page.get_by_role("link", name=re.compile("changes of revision 2")).click()
    # then all that changed is there
    expect(page.get_by_role("heading", name="Changes from revision 1 to 2")).to_be_visible()
    expect(
        page.get_by_role("region", name="Post-login Action for Auth0").get_by_role("insertion").first
    ).to_be_visible()
    look_at(page, "history-changes")
    # when the old revision is restored
    page.get_by_role("button", name="Restore revision 1").click()
    # then it is the newest one, and what logins run does the same
    expect(page.get_by_text("Revision 1 is restored as revision 3.")).to_be_visible()
    page.get_by_role("button", name="Compare with Auth0").click()
    expect(page.get_by_role("heading", name="In sync")).to_be_visible()
    look_at(page, "comparison-in-sync")


def test_an_action_that_was_edited_in_auth0_shows_the_edit(demo: Demo, admin_page: Page) -> None:
    # given a deployed goal whose Action somebody edited in Auth0
    page = admin_page
    make_connection(page, demo, "Edited shop")
    make_goal(page, demo, "A goal with an edited Action")
    page.get_by_role("button", name="Deploy to Auth0").click()
    expect(page.get_by_text("Revision 1 is deployed", exact=True)).to_be_visible()
    edit_action(demo, page.url.partition("#")[0].rpartition("/")[2])
    # when the goal is compared with the tenant
    page.get_by_role("button", name="Compare with Auth0").click()
    # then the edit is shown, line by line
    expect(page.get_by_role("heading", name="Edited by hand")).to_be_visible()
    expect(page.get_by_role("insertion")).to_have_text(re.compile("edited in Auth0"))
    look_at(page, "comparison-edited-by-hand")


def test_an_old_rule_is_moved_to_the_action(demo: Demo, admin_page: Page) -> None:
    # given the guide of a goal, with its part about the legacy Rule
    page = admin_page
    page.goto(f"{demo.websync_url}/connections")
    page.get_by_role("link", name="Demo shop").first.click()
    page.get_by_role("link", name="Sync web data").click()
    page.get_by_text("The legacy Rule", exact=True).click()
    # when somebody knows the old Rule by its name only
    page.get_by_label("The Rule's id or name").fill("BlueConic sync")
    page.get_by_role("button", name="Show the steps").click()
    # then it is found in the tenant: there are the steps, and the Action with its guard to copy
    expect(page.get_by_text("The Rule “BlueConic sync” (rul_DemoBlueConic001)")).to_be_visible()
    expect(page.get_by_role("heading", level=3)).to_have_count(7)
    assert 'if (api.rules.wasExecuted("rul_DemoBlueConic001")) return;' in copied(page, "action")
    look_at(page, "rule-move-found")
    # when the tenant has no Rule of the name
    page.get_by_role("link", name="Move another Rule").click()
    page.get_by_label("The Rule's id or name").fill("Blue sync")
    page.get_by_role("button", name="Show the steps").click()
    # then the page says which there are
    expect(page.get_by_role("heading", name="No Rule of this name")).to_be_visible()
    expect(page.get_by_role("link", name="BlueConic sync")).to_be_visible()
    look_at(page, "rule-move-unknown")
    # when a part of the id is missing
    page.get_by_label("The Rule's id or name").fill("rul_0123")
    page.get_by_role("button", name="Show the steps").click()
    # then that is said at the field
    expect(page.get_by_text("This is none: copy it whole.")).to_be_visible()
    look_at(page, "rule-move-mistake")
    # when it is the whole id
    page.get_by_label("The Rule's id or name").fill("rul_0123456789abcDEF")
    page.get_by_role("button", name="Show the steps").click()
    # then there are the steps, and the Action with its guard to copy
    expect(page.get_by_role("heading", level=3)).to_have_count(7)
    assert 'if (api.rules.wasExecuted("rul_0123456789abcDEF")) return;' in copied(page, "action")
    look_at(page, "rule-move")


def test_mistakes_are_shown_at_their_fields_and_nothing_typed_is_lost(demo: Demo, admin_page: Page) -> None:
    # given a goal's page with two mistakes
    page = admin_page
    make_connection(page, demo, "Mistaken shop")
    page.get_by_role("link", name="Add web goal").click()
    page.get_by_label("Name", exact=True).fill("A goal with mistakes")
    page.get_by_label("Allowed origins").fill("http://shop.example")
    add_mapping(page, "app_metadata.role", TO_AUTH0, "role", "Set")
    look_at(page, "goal-new")
    # when it is saved
    page.get_by_role("button", name="Save", exact=True).last.click()
    # then each mistake is named at the top and at its field, and what was typed is still there
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("Nothing was saved")
    row = page.get_by_role("group", name=re.compile(r"^Mapping 4\b"))
    expect(row).to_contain_text("they may only go to user_metadata")
    expect(row.get_by_label("Auth0 field")).to_have_value("app_metadata.role")
    expect(page.get_by_label("Allowed origins")).to_have_value("http://shop.example")
    expect(page.get_by_label("Name", exact=True)).to_have_value("A goal with mistakes")
    look_at(page, "goal-with-mistakes")


def test_a_warning_is_seen_before_a_goal_is_saved_with_it(demo: Demo, admin_page: Page) -> None:
    # given a goal's page with a row that puts everything into the token
    page = admin_page
    make_connection(page, demo, "Warned shop")
    page.get_by_role("link", name="Add web goal").click()
    page.get_by_label("Name", exact=True).fill("A goal with a warning")
    page.get_by_label("Application client IDs").fill(SPA_CLIENT_ID)
    page.get_by_label("Allowed origins").fill(demo.shop_url)
    add_mapping(page, "app_metadata", TO_PROFILE, "everything", "Set")
    # when it is saved
    page.get_by_role("button", name="Save", exact=True).last.click()
    # then the row is named, and nothing is saved yet
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved yet.")
    expect(row(page, 4)).to_contain_text("All of app_metadata goes into each visitor's token")
    expect(page.get_by_label("Name", exact=True)).to_have_value("A goal with a warning")
    look_at(page, "goal-with-warnings")
    # when it is saved anyway
    page.get_by_role("button", name="Save anyway").click()
    # then it is saved, and the row goes on saying it
    expect(page.get_by_text("Saved as revision 1.")).to_be_visible()
    expect(row(page, 4)).to_contain_text("All of app_metadata")
    look_at(page, "goal-saved-with-warnings")


def test_an_identity_conflict_is_shown_with_both_sides_and_decided(
    demo: Demo, admin_page: Page, new_context: NewContext
) -> None:
    # given a goal that takes e-mail addresses without proof, and Ada's profile
    page = admin_page
    make_connection(page, demo, "Trusting shop")
    goal_key = make_goal(page, demo, "Trusting")
    link = page.get_by_role("group", name=re.compile("^Identifier link ")).filter(has=page.get_by_label("Auth0 field"))
    link.last.get_by_label("Only if Auth0 verified it").uncheck()
    save(page)
    shop = open_shop(new_context(), demo, goal_key)
    log_in(shop, "Ada Okafor")
    owned = shop.locator("[data-profile-id]").inner_text()
    # when somebody with her address, which nobody has verified, logs in elsewhere
    other = open_shop(new_context(), demo, goal_key)
    with other.expect_response(lambda response: response.url.endswith(f"/sync/{goal_key}/token")) as answer:
        other.get_by_role("button", name="Log in").click()
        other.get_by_role("button", name="A. Okafor").click()
    assert answer.value.status == 409
    # then the goal's page tells, and the conflict has both sides
    page.reload()
    look_at(page, "goal-with-conflict")
    page.get_by_role("link", name="1 identity conflict waits for your decision").click()
    look_at(page, "conflicts")
    page.get_by_role("link", name="twitter|5120478813").click()
    expect(page.get_by_role("region", name="The profile and its owner")).to_contain_text("ada@shop.example")
    look_at(page, "conflict")
    # when the admin gives the visitor a profile of their own
    page.get_by_role("button", name="Give the visitor a profile of their own").click()
    expect(page.get_by_text("The visitor has a profile of their own now.")).to_be_visible()
    look_at(page, "conflict-decided")
    # then the next login goes there
    log_in_again(other, "A. Okafor")
    expect(other.locator("[data-outcome]")).to_contain_text("MODIFIED")
    assert other.locator("[data-profile-id]").inner_text() != owned


def test_what_two_people_edit_at_once_is_not_lost(demo: Demo, admin_page: Page) -> None:
    # given a connection's page that is open twice
    page = admin_page
    make_connection(page, demo, "Busy shop")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Name", exact=True).fill("Busy shop, renamed")
    save(other)
    other.close()
    # when the older one is saved
    page.get_by_label("Name", exact=True).fill("Busy shop, named otherwise")
    page.get_by_role("button", name="Save", exact=True).last.click()
    # then it says so, and keeps what was typed
    expect(page.get_by_role("alert")).to_contain_text("Somebody else saved this connection")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Busy shop, named otherwise")
    look_at(page, "connection-stale")


def test_unsaved_changes_warn_before_leaving(demo: Demo, admin_page: Page) -> None:
    # given a page on which something was typed
    page = admin_page
    page.goto(f"{demo.websync_url}/connections/new")
    page.get_by_label("Name", exact=True).fill("Half a connection")
    questions: list[str] = []

    def stay(dialog: object) -> None:
        questions.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    # when it is left by a link
    page.get_by_role("link", name="Profiles").first.click()
    # then the browser asks, and "stay" keeps the page as it is
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half a connection")
    assert questions == ["beforeunload"]
    assert page.url == f"{demo.websync_url}/connections/new"


def test_rows_are_moved_and_removed_by_keyboard(demo: Demo, admin_page: Page) -> None:
    # given a new goal with its three rows
    page = admin_page
    make_connection(page, demo, "Keyboard shop")
    page.get_by_role("link", name="Add web goal").click()
    fields = page.get_by_role("group", name=re.compile("^Mapping ")).get_by_label("Auth0 field")
    before = [each.input_value() for each in fields.all()]
    # when the second moves up, and the last is removed
    row(page, 2).get_by_role("button", name="Move up").press("Enter")
    row(page, 3).get_by_role("button", name="Remove").press("Enter")
    # then the order is the new one, and no page was loaded in between
    expect(fields).to_have_count(2)
    assert [each.input_value() for each in fields.all()] == [before[1], before[0]]
    # and the names that are sent follow the new order
    assert fields.first.get_attribute("name") == "mappings-0-auth0_field"


def test_the_shop_logs_in_while_the_snippets_cannot_be_loaded(demo: Demo, new_context: NewContext) -> None:
    # given a shop whose goal does not exist
    shop = open_shop(new_context(), demo, "no-such-goal")
    expect(shop.locator("[data-snippets]")).to_contain_text("missing")
    # when a visitor logs in
    shop.get_by_role("button", name="Log in").click()
    shop.get_by_role("button", name="Bram de Wit").click()
    # then the login works all the same
    expect(shop.locator("[data-account]")).to_have_text("Hello, Bram de Wit")


def test_a_second_person_in_the_same_browser_gets_a_profile_of_their_own(
    demo: Demo, admin_page: Page, new_context: NewContext
) -> None:
    # given a browser in which one visitor was logged in
    page = admin_page
    page.goto(f"{demo.websync_url}/")
    page.get_by_role("link", name="Demo shop").first.click()
    page.get_by_role("link", name="Sync web data").click()
    goal_key = page.url.rpartition("/")[2]
    shop = open_shop(new_context(), demo, goal_key)
    log_in(shop, "Chidi")
    first = shop.locator("[data-profile-id]").inner_text()
    before = properties(page, f"{demo.websync_url}/profiles/{first}")
    assert before["email"] == ["chidi@mail.example"]
    # when another one logs in there
    log_in_again(shop, "Bram de Wit")
    expect(shop.locator("[data-outcome]")).to_contain_text("this browser switched to a profile of its own")
    # then nothing of the second reached the first one's profile
    second = shop.locator("[data-profile-id]").inner_text()
    assert properties(page, f"{demo.websync_url}/profiles/{first}") == before
    assert properties(page, f"{demo.websync_url}/profiles/{second}")["email"] == ["bram@shop.example"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("connections", "/connections"),
        ("connection-new", "/connections/new"),
        ("profiles", "/profiles"),
        ("properties", "/properties"),
        ("property", "/properties/email"),
        ("account", "/account"),
        ("not-found", "/goals/nowhere-1"),
        ("problem", "/problems/token-expired"),
    ],
)
def test_every_page_is_good_to_look_at_and_to_listen_to(demo: Demo, admin_page: Page, name: str, path: str) -> None:
    # given a signed-in admin
    # when a page is opened
    admin_page.goto(f"{demo.websync_url}{path}")
    # then axe finds nothing in any of its four looks, and nothing stands out sideways
    look_at(admin_page, name)


def test_a_token_can_be_checked(demo: Demo, admin_page: Page) -> None:
    # given the page of a goal
    page = admin_page
    page.goto(f"{demo.websync_url}/connections")
    page.get_by_role("link", name="Demo shop").first.click()
    page.get_by_role("link", name="Sync web data").click()
    # when the admin pastes a token there
    page.get_by_role("link", name="Check a token").click()
    page.get_by_label("Token", exact=True).fill("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhdXRoMHxhbm4ifQ.")
    page.get_by_role("button", name="Check").click()
    # then the page says which checks it fails, the token is gone from the form, and all is good to look at
    expect(page.get_by_role("heading", name="The token is refused")).to_be_focused()
    expect(page.get_by_label("Token", exact=True)).to_have_value("")
    look_at(page, "token-checker")


def test_the_first_goal_is_there_to_be_read(demo: Demo, admin_page: Page) -> None:
    # given the demo as it begins
    page = admin_page
    page.goto(f"{demo.websync_url}/connections")
    # when a newcomer follows the connection to its goal
    page.get_by_role("link", name="Demo shop").first.click()
    look_at(page, "connection")
    page.get_by_role("link", name="Sync web data").click()
    # then the mappings and the code are there, good to look at
    expect(page.get_by_role("group", name=re.compile(r"^Mapping 1\b"))).to_be_visible()
    expect(page.get_by_text("Post-login Action for Auth0")).to_be_visible()
    take_picture(page, "web-goal", height=900)
    # and long code is folded until somebody wants all of it
    code = page.locator("#action-pre")
    folded = code.evaluate("(each) => each.clientHeight")
    button = page.get_by_role("button", name="Show all").nth(1)
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("Enter")
    expect(page.locator("#action-code").get_by_role("button", name="Show less")).to_be_visible()
    assert code.evaluate("(each) => each.clientHeight") > folded
    look_at(page, "goal")


def test_a_goal_is_tried_before_anybody_logs_in(demo: Demo, admin_page: Page) -> None:
    # given a goal that is not deployed
    page = admin_page
    make_connection(page, demo, "Careful shop")
    make_goal(page, demo, "A goal to try")
    # when its page leads to the trial, and a user of the tenant is loaded there
    page.get_by_role("link", name="Try it on a sample login").first.click()
    look_at(page, "try")
    page.get_by_label("User id or e-mail address").fill("dana@shop.example")
    page.get_by_role("button", name="Load this user").click()
    expect(page.get_by_text("The user is loaded.")).to_be_visible()
    # and the Action is run for them
    page.get_by_role("button", name="Run", exact=True).last.click()
    # then the page shows what would happen, and the mapping that would be left out
    changes = page.get_by_role("table", name="The profile before and after")
    expect(changes.get_by_role("row", name="nickname")).to_contain_text("dana")
    problem = page.get_by_role("list", name="Mappings to look at")
    expect(problem).to_contain_text("Auth0 has not verified it")
    look_at(page, "try-result")
    with page.expect_popup() as opened:
        problem.get_by_role("link", name="Mapping 1").click()
    expect(row(opened.value, 1).get_by_label("Auth0 field")).to_be_in_viewport()
    # when the JSON is mistyped
    page.get_by_label("User (JSON)").fill('{"user_id": "auth0|1", "name" "Dana"}')
    page.get_by_role("button", name="Run", exact=True).last.click()
    # then the field says where
    expect(page.get_by_role("alert")).to_contain_text("Line 1, column 31")
    look_at(page, "try-mistyped")


def test_an_admin_signs_in_by_a_link(demo: Demo, admin_state: Path, new_context: NewContext) -> None:
    # given a link for an admin who lost the password
    environment = os.environ | {"WEBSYNC_MODE": "demo", "WEBSYNC_PUBLIC_URL": demo.websync_url}
    command = [sys.executable, "-m", "webapp.cli", "sign-in-link", EMAIL]
    database = {"WEBSYNC_DATABASE_URL": demo.database_url}
    link = subprocess.run(command, env=environment | database, capture_output=True, text=True, check=True).stdout
    page = new_context().new_page()
    # when it is opened
    page.goto(link.strip())
    look_at(page, "sign-in-link")
    page.get_by_role("button", name="Sign in as Grace Hopper").click()
    # then they are signed in
    expect(page.get_by_role("heading", name="Connections")).to_be_visible()


def test_the_code_for_another_sdk_takes_its_place_and_nothing_typed_is_lost(demo: Demo, admin_page: Page) -> None:
    # given a goal's page on which something was typed
    page = admin_page
    page.goto(f"{demo.websync_url}/connections")
    page.get_by_role("link", name="Demo shop").first.click()
    page.get_by_role("link", name="Sync web data").click()
    page.get_by_label("Name", exact=True).fill("Half a name")
    # when another SDK is chosen
    tabs = page.get_by_role("navigation", name="How your site logs visitors in")
    tabs.get_by_role("link", name="React", exact=True).click()
    # then its code is there, works as the other's did, and the page was not left
    expect(page.locator("#token-code")).to_contain_text("useSyncWithWebsync")
    expect(tabs.get_by_role("link", name="React", exact=True)).to_be_focused()
    assert "useLoginWithWebsync" in copied(page, "application")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half a name")
    # and the choice is remembered
    page.get_by_label("Name", exact=True).fill("Sync web data")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#application-code")).to_contain_text("@auth0/auth0-react")
    # and each guide is a page of its own
    other.get_by_role("link", name="This guide as a page of its own").first.click()
    expect(other.get_by_role("heading", name="Rule option with auth0-react")).to_be_visible()
    look_at(other, "guide-rule")
    other.get_by_role("link", name="Express").click()
    other.goto(other.url.replace("/rule/", "/token/"))
    expect(other.locator("#token-2-caption")).to_have_text("websync-token-route.js")
    look_at(other, "guide-token")


def test_the_guide_for_an_app_offers_the_files_for_pipelines(demo: Demo, admin_page: Page) -> None:
    # given the guide of a goal for an app
    page = admin_page
    page.goto(f"{demo.websync_url}/connections")
    page.get_by_role("link", name="Demo shop").first.click()
    page.get_by_role("link", name="Sync web data").click()
    page.goto(f"{page.url.partition('#')[0]}/guides/rule/auth0-swift")
    expect(page.locator("#application-code")).to_contain_text("func websyncParameters")
    # when its files for pipelines are unfolded, and one of the zips is downloaded
    page.get_by_text("Files for pipelines").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Files for Terraform").click()
    # then it is named for what it is, and the page shows what is in it
    assert download.value.suggested_filename == "websync-terraform.zip"
    expect(page.locator("#terraform-code")).to_contain_text('resource "auth0_trigger_action" "websync"')
    look_at(page, "guide-rule-app")


def test_the_pages_before_signing_in_are_good_to_look_at(demo: Demo, new_context: NewContext) -> None:
    # given somebody who has not signed in
    page = new_context().new_page()
    # when a page is opened, it is the sign-in page
    page.goto(f"{demo.websync_url}/connections")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    look_at(page, "sign-in")
    # and the tenant's and the shop's pages are fit to be seen as well
    page.goto(f"{demo.tenant_url}/")
    look_at(page, "tenant")
    page.goto(f"{demo.shop_url}/")
    page.locator("body[data-ready=true]").wait_for()
    look_at(page, "shop")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Log in to Demo shop").wait_for()
    look_at(page, "tenant-login")


def make_connection(page: Page, demo: Demo, name: str) -> None:
    page.goto(f"{demo.websync_url}/connections")
    page.get_by_role("link", name="Add connection").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Auth0 domain").fill(demo.tenant_url)
    page.get_by_label("Client ID").fill(M2M_CLIENT_ID)
    page.get_by_label("Client secret").fill(M2M_CLIENT_SECRET)
    save(page)
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def make_goal(page: Page, demo: Demo, name: str, *, origin: str | None = None, audience: str | None = None) -> str:
    """Make a web goal with `MAPPINGS` on the pages; return its key. The goal's page stays open.

    With ``audience`` it takes access tokens for that API.
    """
    page.get_by_role("link", name="Add web goal").click()
    page.get_by_label("Name", exact=True).fill(name)
    rows = page.get_by_role("group", name=re.compile("^Mapping "))
    while rows.count():
        rows.last.get_by_role("button", name="Remove").click()
    for mapping in MAPPINGS:
        add_mapping(page, *mapping)
    page.get_by_label("Application client IDs").fill(f"{SPA_CLIENT_ID}\n{WEB_APP_CLIENT_ID}")
    page.get_by_label("Allowed origins").fill(origin or demo.shop_url)
    if audience is not None:
        page.get_by_label("Access token").check()
        page.get_by_label("API audiences").fill(audience)
    save(page)
    expect(page.get_by_text("Revision 1", exact=True)).to_be_visible()
    return page.url.partition("#")[0].rpartition("/")[2]


def add_mapping(page: Page, field: str, direction: str, profile_property: str, strategy: str) -> None:
    page.get_by_role("button", name="Add mapping").click()
    added = page.get_by_role("group", name=re.compile("^Mapping ")).last
    added.get_by_label("Auth0 field").fill(field)
    added.get_by_label("Direction").select_option(direction)
    added.get_by_label("Profile property").fill(profile_property)
    added.get_by_label("Merge strategy").select_option(strategy)


def edit_action(demo: Demo, goal_key: str) -> None:
    """Change a line of the goal's Action, as somebody does in Auth0's own editor."""
    tenant = RunningTenant(demo.tenant_url, TenantState())
    with management_client(tenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET) as management:
        actions = management.get("actions/actions").json()["actions"]
        (action,) = [each for each in actions if goal_key in each["name"]]
        url = f"actions/actions/{action['id']}"
        code = action["code"].replace("  try {\n", "  try { // edited in Auth0\n", 1)
        management.patch(url, json={"code": code}).raise_for_status()
        management.get(url)  # a look, which the demo tenant needs to finish the build
        management.post(f"{url}/deploy").raise_for_status()


def row(page: Page, number: int) -> Locator:
    return page.get_by_role("group", name=re.compile(rf"^Mapping {number}\b"))


def save(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).last.click()
    saved = re.compile(r"The connection is saved\.|Saved as revision \d+\.")
    expect(page.get_by_role("status").get_by_text(saved)).to_be_visible()


def copied(page: Page, kind: str) -> str:
    """Press the block's copy button and return what the clipboard has then."""
    block = page.locator(f"#{kind}-code")
    if kind == "rule":
        page.get_by_text("The legacy Rule").click()
    block.get_by_role("button", name="Copy").click()
    expect(block.get_by_role("status")).to_have_text("Copied")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def downloaded(page: Page, kind: str, folder: Path) -> str:
    with page.expect_download() as download:
        page.locator(f"#{kind}-code").get_by_role("link", name="Download").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


def open_shop(context: BrowserContext, demo: Demo, goal_key: str) -> Page:
    shop = context.new_page()
    shop.goto(f"{demo.shop_url}/?goal={goal_key}")
    shop.locator("body[data-ready=true]").wait_for()
    return shop


def log_in(shop: Page, name: str) -> str:
    """Log in at the shop and wait for the outcome; return the body of the token post."""
    with shop.expect_request(lambda request: request.url.endswith("/token") and "/sync/" in request.url) as posted:
        shop.get_by_role("button", name="Log in").click()
        shop.get_by_role("button", name=name).click()
    expect(shop.locator("[data-outcome]")).not_to_have_text("nothing yet")
    body = posted.value.post_data
    assert body is not None
    return body


def log_in_again(shop: Page, name: str) -> None:
    shop.get_by_role("button", name="Log out").click()
    shop.get_by_role("button", name="Log in").wait_for()
    shop.locator("body[data-ready=true]").wait_for()
    log_in(shop, name)


def found_profile(page: Page, demo: Demo, text: str) -> str:
    """Search for a profile and return the address of its page."""
    page.goto(f"{demo.websync_url}/profiles?q={text}")
    href = page.get_by_role("main").locator("a[href^='/profiles/']").first.get_attribute("href")
    assert href is not None
    return f"{demo.websync_url}{href}"


def properties(page: Page, profile_url: str) -> dict[str, list[str]]:
    """Read the properties off a profile's page."""
    page.goto(profile_url)
    rows = page.locator("tr[data-property]").all()
    return {
        each.get_attribute("data-property") or "": each.locator(".value-list li").all_inner_texts() for each in rows
    }
