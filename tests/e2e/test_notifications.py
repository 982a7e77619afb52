"""Whom a connection tells: set up on its page, tested, and read in the demo's mailbox."""

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo, look_at
from tests.receivers import receiving


def test_an_admin_sets_up_mail_and_a_webhook_and_sees_both_arrive(demo: Demo, admin_page: Page) -> None:
    # given a receiver of webhooks, and the connection of the demo
    page = admin_page
    with receiving() as receiver:
        page.goto(f"{demo.websync_url}/connections")
        page.get_by_role("table").get_by_role("link").first.click()
        page.get_by_role("link", name="Set up notifications").click()
        # when an address and a URL are saved, with a slip first
        page.get_by_label("E-mail addresses").fill("grace")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("'grace' is no e-mail address")
        page.get_by_label("E-mail addresses").fill("grace@example.org")
        page.get_by_label("Webhook URL").fill(receiver.url)
        look_at(page, "notifications")
        page.get_by_role("button", name="Save").click()
        # then the secret is shown once
        expect(page.get_by_text("whsec_")).to_be_visible()
        look_at(page, "notifications-secret")
        page.get_by_role("link", name="Back to the notifications").click()
        # and tests of both ways arrive
        page.get_by_role("button", name="Call the webhook with a test").click()
        expect(page.get_by_role("status").first).to_contain_text("The receiver has taken the test.")
        assert len(receiver.requests) == 1
    page.get_by_role("button", name="Send a test mail").click()
    expect(page.get_by_role("status").first).to_contain_text("The mail server has taken a test for grace@example.org.")
    page.goto(f"{demo.tenant_url}/mailbox")
    expect(page.get_by_text("This is a test: mail about the runs of")).to_be_visible()
    look_at(page, "mailbox")
