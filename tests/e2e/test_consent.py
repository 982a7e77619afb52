"""Objectives and consent through the pages: what an admin sets up, and what then happens in a visitor's browser."""

from playwright.sync_api import Page, Request, expect

from tests.e2e.conftest import Demo, NewContext, look_at
from tests.e2e.test_web_sync import make_connection, make_goal, open_shop, properties, save


def add_objective(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.websync_url}/connections")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Objectives").click()
    expect(page.get_by_role("heading", name="No objective yet")).to_be_visible()
    look_at(page, "objectives-empty")
    page.get_by_role("link", name="Add objective").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Name: Enter a name.")).to_be_visible()
    look_at(page, "objective-mistakes")
    page.get_by_role("textbox", name="Id").fill("marketing")
    page.get_by_label("Name", exact=True).fill("Marketing")
    page.get_by_label("UK GDPR").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The objective Marketing is added.")).to_be_visible()
    look_at(page, "objectives")


def test_a_visitor_is_synced_once_the_consent_is_there(demo: Demo, admin_page: Page, new_context: NewContext) -> None:
    # given a connection with an objective that needs consent in Europe, where the shop's visitors are
    page = admin_page
    add_objective(page, demo)
    page.get_by_role("link", name="Change the zones").click()
    page.get_by_label("CCPA (California)").check()
    look_at(page, "zones")
    page.get_by_role("button", name="Save").click()
    make_connection(page, demo, "Shop with consent")
    page.get_by_label("Marketing").check()
    look_at(page, "connection-objectives")
    save(page)
    goal_key = make_goal(page, demo, "Asks for consent")
    # when a visitor who said nothing logs in
    shop = open_shop(new_context(), demo, goal_key)
    posts: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and "/sync/" in request.url:
            posts.append(request.url)

    shop.on("request", note)
    shop.get_by_role("button", name="Log in").click()
    shop.get_by_role("button", name="dana@shop.example").click()
    # then nothing is posted, and no profile is made
    expect(shop.locator("[data-outcome]")).to_contain_text("CONSENT_MISMATCH")
    look_at(shop, "shop-without-consent")
    page.goto(f"{demo.websync_url}/profiles?q=dana@shop.example")
    expect(page.get_by_text("No profile found")).to_be_visible()
    assert posts == []
    # when the visitor consents, on the same page
    shop.get_by_label("I consent to marketing").check()
    # then the profile is made, without another login, and knows the consent
    expect(shop.locator("[data-outcome]")).to_contain_text("CREATED")
    assert posts == [f"{demo.websync_url}/sync/{goal_key}/token"]
    profile = shop.get_by_role("link", name="See the profile in Websync").get_attribute("href") or ""
    stored = properties(page, profile)
    assert len(stored["auth0_user_id"]) == 1
    assert stored["consented_objectives"] == ["marketing"]
    expect(page.get_by_role("heading", name="Consent")).to_be_visible()
    expect(page.get_by_text("GDPR (European Union), where visitors consent first (opt-in)")).to_be_visible()
    look_at(page, "profile-consent")
    # when the visitor refuses later, on the same page
    shop.get_by_label("I consent to marketing").uncheck()
    # then that is posted, once, and nothing is written but the answer
    expect(shop.locator("[data-outcome]")).to_contain_text("CONSENT_MISMATCH")
    assert len(posts) == 2
    refused = properties(page, profile)
    assert refused["refused_objectives"] == ["marketing"]
    assert {name: refused[name] for name in stored if name in refused} == {
        name: values for name, values in stored.items() if name != "consented_objectives"
    }
    # and so it is at the next login
    shop.get_by_role("button", name="Log out").click()
    shop.locator("body[data-ready=true]").wait_for()
    with shop.expect_response(lambda response: response.url == posts[0]) as answered:
        shop.get_by_role("button", name="Log in").click()
        shop.get_by_role("button", name="dana@shop.example").click()
    assert answered.value.json() == {"state": "CONSENT_MISMATCH", "profileId": None, "updated": []}
    assert properties(page, profile) == refused
    # and an objective in use is not deleted by mistake
    page.goto(f"{demo.websync_url}/objectives/marketing")
    expect(page.get_by_role("link", name="Shop with consent")).to_be_visible()
    look_at(page, "objective")
