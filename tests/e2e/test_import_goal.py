"""An import goal as a data manager makes it: the editor, the fields of real users, and the preview."""

import re
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Demo, look_at
from tests.e2e.test_web_sync import make_connection, save
from webapp.demo.seed import CUSTOMERS, DATABASE, STAFF


def test_an_import_goal_is_made_and_looked_at_before_anything_is_saved(demo: Demo, admin_page: Page) -> None:
    # given a connection to the tenant
    page = admin_page
    make_connection(page, demo, "Shop to import from")
    # when an import goal is added
    page.get_by_role("link", name="Add import goal").click()
    # then the tenant's databases are offered by themselves
    expect(page.get_by_role("checkbox", name=CUSTOMERS)).to_be_visible()
    page.get_by_role("checkbox", name=DATABASE).check()
    page.get_by_label("Save the database name to a profile property").fill("auth0_database")
    # when transforms are added and removed by the keyboard alone
    row = mapping(page, 2)
    add_transform(row, "split at")
    page.keyboard.type(" ")
    add_transform(row, "upper case")
    add_transform(row, "last value")
    row.get_by_role("button", name="Remove “upper case”").press("Enter")
    expect(row.locator(".chip-label")).to_have_text(["split at", "last value"])
    expect(page.get_by_role("status").get_by_text("The transform was removed.")).to_be_visible()
    # and the row is moved, its transforms with it
    row.get_by_role("button", name="Move up").click()
    expect(mapping(page, 1).get_by_label("split at")).to_have_value(" ")
    # and the fields that are left are added, as numbers and dates and texts
    page.get_by_role("button", name="Add remaining fields").click()
    expect(page.get_by_role("heading", name="Remaining fields")).to_be_focused()
    expect(page.get_by_label("Type for created_at")).to_have_value("datetime")
    expect(page.get_by_label("Type for app_metadata.points")).to_have_value("number")
    look_at(page, "import-goal-remaining")
    page.get_by_role("checkbox", name="Add picture").uncheck()
    page.get_by_label("Merge strategy of all").select_option("set_if_empty")
    page.get_by_label("Prefix of new properties").fill("crm_")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"\d+ mappings were added\. Nothing is saved yet\."))).to_be_visible()
    # then a user can be previewed, though nothing is saved
    page.get_by_label("User id or e-mail address").fill("bram@shop.example")
    page.keyboard.press("Enter")
    changes = page.get_by_role("table", name="The profile before and after")
    expect(changes.get_by_role("row", name="full_name")).to_contain_text("Wit")
    expect(changes.get_by_role("row", name="crm_points")).to_contain_text("15")
    look_at(page, "import-goal-preview")
    # when it is saved, then its page is as it was typed, and nothing of the users is on it
    save(page)
    expect(page.get_by_text("Import goal, revision 1")).to_be_visible()
    expect(page.get_by_role("checkbox", name=DATABASE)).to_be_checked()
    expect(page.get_by_role("checkbox", name=STAFF)).not_to_be_checked()
    expect(mapping(page, 1).get_by_label("split at")).to_have_value(" ")
    expect(page.locator("[data-unsaved-badge]")).to_be_empty()
    expect(page.get_by_text("bram@shop.example")).to_have_count(0)
    # and asking for the remaining fields once more brings the one that was left out, and no other
    page.get_by_role("button", name="Add remaining fields").click()
    expect(page.get_by_role("checkbox", name=re.compile("^Add "))).to_have_count(1)
    expect(page.get_by_role("checkbox", name="Add picture")).to_be_visible()


def test_the_type_of_a_property_is_shown_as_soon_as_it_is_typed(demo: Demo, admin_page: Page) -> None:
    # given the page of the demo's first import goal
    page = admin_page
    open_first_goal(page, demo)
    look_at(page, "import-goal")
    # when a row is added for a property that exists, and then for one that does not
    page.get_by_role("button", name="Add mapping").click()
    row = page.get_by_role("group", name=re.compile("^Mapping ")).last
    row.get_by_label("Profile property").fill("registered_at")
    # then its type is there to be read, or to be chosen
    expect(row.get_by_label("Type")).to_be_disabled()
    expect(row.get_by_label("Type")).to_have_value("datetime")
    row.get_by_label("Profile property").fill("registered_at_the_shop")
    expect(row.get_by_label("Type")).to_be_enabled()
    expect(row.get_by_label("Type")).to_have_value("")


def test_an_import_goal_is_edited_without_javascript(demo: Demo, browser: Browser, admin_state: Path) -> None:
    # given an admin without JavaScript
    with closing(browser.new_context(storage_state=admin_state, java_script_enabled=False)) as context:
        page = context.new_page()
        open_first_goal(page, demo)
        # when the databases are asked for, and a transform is added
        page.get_by_role("button", name="Choose from the tenant's databases").click()
        expect(page.get_by_role("checkbox", name=CUSTOMERS)).to_be_visible()
        add_transform(mapping(page, 3), "if empty")
        # then both are there, and the focus is where one types on
        expect(page.get_by_label("if empty")).to_be_focused()
        page.keyboard.type("nobody")
        # when a mistake is made
        mapping(page, 1).get_by_label("Profile property").fill("a b")
        page.get_by_role("button", name="Save", exact=True).last.click()
        # then it is told at its field, and what was typed is there
        expect(page.get_by_role("alert")).to_contain_text("Mapping 1: A profile property's id has letters")
        expect(page.get_by_label("if empty")).to_have_value("nobody")


def open_first_goal(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.websync_url}/connections")
    page.get_by_role("link", name="Demo shop").first.click()
    page.get_by_role("link", name="Import data", exact=True).click()


def mapping(page: Page, number: int) -> Locator:
    return page.get_by_role("group", name=re.compile(rf"^Mapping {number}\b"))


def add_transform(row: Locator, name: str) -> None:
    row.get_by_label("Add transform", exact=True).select_option(name)
    row.get_by_role("button", name="Add a transform").press("Enter")
