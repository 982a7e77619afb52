"""Whom a connection tells: set up on its page, tested, told of a real run, and read in the demo's mailbox."""

from contextlib import closing
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from tests.conftest import wait_until
from tests.e2e.conftest import Demo, look_at
from tests.e2e.test_web_sync import make_connection
from tests.factories import make_import_goal
from tests.receivers import Receiver, receiving
from webapp.connections.goals import find_connection
from webapp.connections.import_saving import add_import_goal
from webapp.connections.saving import Change
from webapp.database import Database

NAME = "Shop that tells"


def test_an_admin_sets_up_mail_and_a_webhook_and_hears_of_a_run(demo: Demo, admin_page: Page) -> None:
    # given a receiver of webhooks, and a connection with an import goal
    page = admin_page
    make_connection(page, demo, NAME)
    connection_url = page.url
    store_goal(demo, connection_url.rpartition("/")[2])
    with receiving() as receiver:
        # when an address and a URL are saved, with a slip first
        page.get_by_role("link", name="Set up notifications").click()
        set_up(page, receiver)
        # then the secret is shown once
        expect(page.get_by_text("whsec_")).to_be_visible()
        look_at(page, "notifications-secret")
        page.get_by_role("link", name="Back to the notifications").click()
        # and tests of both ways arrive
        page.get_by_role("button", name="Call the webhook with a test").click()
        expect(page.get_by_role("status").first).to_contain_text("The receiver has taken the test.")
        page.get_by_role("button", name="Send a test mail").click()
        expect(page.get_by_role("status").first).to_contain_text("has taken a test for grace@example.org.")
        # when an import has run
        page.goto(connection_url)
        page.get_by_role("region", name="Set up and run").get_by_role("button", name="Run now").click()
        # then both tell of it
        wait_until(lambda: mail_has_come(page, demo), seconds=60)
        look_at(page, "mailbox")
        wait_until(lambda: len(receiver.requests) == 2)
    # and the pages say so
    page.goto(f"{connection_url}/notifications")
    table = page.get_by_role("table", name="The last notifications")
    expect(table.get_by_text("Sent")).to_have_count(2)
    table.get_by_role("link", name="Import users").first.click()
    expect(page.get_by_role("table", name="Notifications about this run").get_by_text("Sent")).to_have_count(2)


def set_up(page: Page, receiver: Receiver) -> None:
    page.get_by_label("E-mail addresses").fill("grace")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("'grace' is no e-mail address")
    page.get_by_label("E-mail addresses").fill("grace@example.org")
    page.get_by_role("group", name="Send an e-mail when").get_by_label("a run finishes or is stopped").check()
    page.get_by_label("Webhook URL").fill(receiver.url)
    look_at(page, "notifications")
    page.get_by_role("button", name="Save").click()


def mail_has_come(page: Page, demo: Demo) -> bool:
    page.goto(f"{demo.tenant_url}/mailbox")
    return page.get_by_role("heading", name=f"[Websync] {NAME}: Import users is finished").is_visible()


def store_goal(demo: Demo, connection_key: str) -> None:
    """Store an import goal of a database that has no users: what it imports is another test's."""
    with closing(Database(demo.database_url)) as database, database.transaction() as session:
        goal = make_import_goal(key="customers-import", databases=("Customers",))
        change = Change("ada@example.org", datetime.now(UTC))
        add_import_goal(session, find_connection(session, connection_key), goal, change, is_on=True)
