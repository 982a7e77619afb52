"""A key, from the page that makes it to the program that uses it."""

import httpx2
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo, look_at


def test_an_admin_makes_a_key_and_a_program_uses_it(demo: Demo, admin_page: Page) -> None:
    # given an admin who makes a key
    page = admin_page
    page.goto(f"{demo.websync_url}/api-keys")
    page.get_by_label("Name").fill("Nightly report")
    page.get_by_role("button", name="Make the key").click()
    key = page.get_by_text("wsk_").first.inner_text()
    look_at(page, "api-key-made")
    # when a program uses it, then it sees the connections, and may not run anything
    with httpx2.Client(base_url=f"{demo.websync_url}/api/v1", headers={"Authorization": f"Bearer {key}"}) as program:
        listed = program.get("connections").json()["connections"]
        (connection,) = [each for each in listed if each["name"] == "Demo shop"]
        assert program.post(f"connections/{connection['key']}/runs").status_code == 403
        # and when it is revoked, it sees nothing
        page.get_by_role("link", name="Back to the keys").click()
        look_at(page, "api-keys")
        page.get_by_role("button", name="Revoke Nightly report").click()
        expect(page.get_by_text("no: revoked")).to_be_visible()
        assert program.get("connections").status_code == 401
    # and the page of the API is good to read
    page.get_by_role("link", name="What the API can do").click()
    expect(page.get_by_role("heading", name="GET /connections", exact=True)).to_be_visible()
    look_at(page, "api-docs")
