"""An import from its goal to its mail, with a worker that really runs: made, scheduled, run, watched, downloaded."""

import csv
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Download, Locator, Page, expect

from tests.conftest import wait_until
from tests.e2e.conftest import SCREENSHOTS, Demo, look_at
from tests.e2e.test_web_sync import make_connection, save
from webapp.database import Database
from webapp.runs.models import Run, RunState, RunTrigger

USERS = 3_000
ONE_BROKEN_IN = 500
NAME = "Shop with imports"
PAST = (RunState.FINISHED, RunState.FINISHED, RunState.FINISHED_WITH_ERRORS, RunState.FAILED, RunState.STOPPED)


def test_an_import_is_made_scheduled_run_watched_and_told_of(demo: Demo, admin_page: Page, tmp_path: Path) -> None:
    # given a tenant with many users and some broken lines, and a connection that tells somebody of its imports
    page = admin_page
    set_tenant(page, demo, users=USERS, broken_line_one_in=ONE_BROKEN_IN)
    make_connection(page, demo, NAME)
    connection_url = page.url
    have_mail_sent(page)
    # when an import goal is made, with all that its users have, and looked at before it is saved
    page.goto(connection_url)
    make_import_goal(page)
    page.goto(connection_url)
    section = page.get_by_role("region", name="Set up and run")
    expect(section).to_contain_text("Not scheduled")
    # when its schedule is set in the window
    set_schedule(page)
    expect(page.get_by_text("The schedule is saved.")).to_be_visible()
    expect(section).to_contain_text(re.compile("Mon .*, 04:30"))
    look_at(page, "connection-runs")
    # when it is run now
    section.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("A run of Import users is queued.")).to_be_visible()
    # then the page shows its progress, and its end, by itself
    watch(page)
    # and its error list can be downloaded
    with page.expect_download() as download:
        page.get_by_role("link", name="Errors, CSV").click()
    lines = read_csv(download.value, tmp_path)
    assert lines[0] == ["line", "user_id", "auth0_field", "reason"]
    assert sum(not line[1] for line in lines) == USERS // ONE_BROKEN_IN
    # and a profile that it made can be opened
    page.locator("[data-part=newest] a").first.click()
    expect(page.get_by_role("heading", name=re.compile("^Profile "))).to_be_visible()
    # and the connection says how many profiles were imported
    page.goto(connection_url)
    expect(section.locator("[data-part=exchange]")).to_contain_text(f"{USERS:,}")
    section.get_by_role("link", name="Run history").click()
    expect(past_runs(page)).to_have_count(1)
    # and that it has ended came by mail
    wait_until(lambda: mail_has_come(page, demo), seconds=60)
    page.goto(f"{connection_url}/runs")
    # and with more runs there is a chart of them
    with closing(Database(demo.database_url)) as database:
        store_past_runs(database)
    look_at_lists(page)
    set_tenant(page, demo, users=0, broken_line_one_in=0)


def test_the_schedule_is_a_page_without_javascript(demo: Demo, browser: Browser, admin_state: Path) -> None:
    # given an admin without JavaScript
    with closing(browser.new_context(storage_state=admin_state, java_script_enabled=False)) as context:
        page = context.new_page()
        page.goto(f"{demo.websync_url}/connections")
        page.get_by_role("link", name="Demo shop").first.click()
        page.goto(f"{page.url}/schedule")
        # when cron text that is none is to be saved
        page.get_by_label("By cron text, for experts").check()
        page.get_by_role("textbox", name="Cron text").fill("every day")
        page.get_by_role("button", name="Save").click()
        # then the page says what is wrong, at the field
        expect(page.get_by_role("link", name=re.compile("Cron text: Write five fields"))).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "schedule-mistake.png", full_page=True)
        # when it is mended, then the next runs are shown on request
        page.get_by_role("textbox", name="Cron text").fill("0 3 * * 1-5")
        page.get_by_role("button", name="Show the next runs").click()
        expect(page.get_by_role("listitem").filter(has_text="03:00")).to_have_count(5)


def past_runs(page: Page) -> Locator:
    return page.get_by_role("table", name="Past runs").locator("tbody tr")


def set_schedule(page: Page) -> None:
    """Set a schedule in the window that the connection's page opens, and save it."""
    page.get_by_role("link", name="Schedule").click()
    window = page.get_by_role("dialog", name="Schedule")
    expect(window.get_by_label("Time zone")).to_have_value("UTC")  # the browser's
    window.get_by_label("On days of the week").check()
    expect(window.get_by_role("status")).to_contain_text("Choose at least one day of the week.")
    window.get_by_label("Monday").check()
    window.get_by_label("Time zone").fill("Europe/Amsterdam")
    window.get_by_label("At", exact=True).fill("04:30")
    # before it is saved it shows the next five runs
    times = window.get_by_role("status").get_by_role("listitem")
    expect(times).to_have_count(5)
    expect(times.first).to_contain_text(re.compile(r"Mon .* 04:30 CES?T"))
    look_at(page, "schedule-window")
    window.get_by_role("button", name="Save").click()


def watch(page: Page) -> None:
    """See a run come to its end, without a reload."""
    state = page.locator("[data-part=state] .state")
    expect(state).to_have_text("Running")
    expect(page.get_by_role("progressbar", name="Progress of the run")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "run-running.png", full_page=True)
    expect(state).to_have_text("Finished with errors", timeout=30_000)
    expect(page.get_by_text("The run is over: Finished with errors.")).to_be_attached()
    counts = page.locator("[data-part=counts]")
    expect(counts.locator("[data-count=created] dd")).to_have_text(f"{USERS:,}")
    expect(counts.locator("[data-count=invalid] dd")).to_have_text(str(USERS // ONE_BROKEN_IN))
    look_at(page, "run-finished")


def read_csv(download: Download, folder: Path) -> list[list[str]]:
    """Return the rows of a file that was downloaded."""
    assert re.fullmatch(r"websync-run-[\w-]+-errors\.csv", download.suggested_filename)
    file = folder / download.suggested_filename
    download.save_as(file)
    return list(csv.reader(file.read_text(encoding="utf-8").splitlines()))


def look_at_lists(page: Page) -> None:
    """Look at the history of the connection, and at that of all."""
    page.reload()
    page.get_by_text("The figures as a table").click()
    look_at(page, "runs")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs of all connections")).to_be_visible()
    look_at(page, "runs-all")


def set_tenant(page: Page, demo: Demo, *, users: int, broken_line_one_in: int) -> None:
    """Have so many users in the database Staff, and so many broken lines in exports."""
    page.goto(demo.tenant_url)
    form_key = page.locator("[name=form_key]").first.get_attribute("value")
    for path, fields in (
        ("users", {"database": "Staff", "deed": "generate", "number": str(users)}),
        (
            "faults",
            {
                "job_seconds": "2",
                "broken_line_one_in": str(broken_line_one_in),
                "cut_downloads": "0",
                "expired_downloads": "0",
                "failing_call_one_in": "0",
                "limited_call_one_in": "0",
                "job_outcome": "completes",
                "limit": "1000",
            },
        ),
    ):
        answer = page.request.post(f"{demo.tenant_url}/{path}", form={"form_key": form_key or "", **fields})
        assert answer.ok


def have_mail_sent(page: Page) -> None:
    """Have the end of each import of the connection told by mail."""
    page.get_by_role("link", name="Set up notifications").click()
    page.get_by_label("E-mail addresses").fill("grace@example.org")
    page.get_by_role("group", name="Send an e-mail when").get_by_label("a run finishes or is stopped").check()
    page.get_by_role("button", name="Save").click()


def mail_has_come(page: Page, demo: Demo) -> bool:
    page.goto(f"{demo.tenant_url}/mailbox")
    heading = f"[Websync] {NAME}: Import users is finished, with errors"
    return page.get_by_role("heading", name=heading).is_visible()


def make_import_goal(page: Page) -> None:
    """Make an import goal of the database Staff, with all fields, and preview a user before it is saved."""
    page.get_by_role("link", name="Add import goal").click()
    page.get_by_label("Name", exact=True).fill("Import users")
    page.get_by_role("checkbox", name="Staff").check()
    page.get_by_role("button", name="Add remaining fields").click()
    page.get_by_label("Prefix of new properties").fill("staff_")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"\d+ mappings were added\. Nothing is saved yet\."))).to_be_visible()
    page.get_by_label("User id or e-mail address").fill("user.2@staff.example")
    page.keyboard.press("Enter")
    changes = page.get_by_role("table", name="The profile before and after")
    expect(changes.get_by_role("row", name="staff_points")).to_contain_text("14")
    save(page)
    expect(page.get_by_text("Import goal, revision 1")).to_be_visible()


def store_past_runs(database: Database) -> None:
    """Store runs of each fate, as a month of them would be."""
    with database.transaction() as session:
        last = session.query(Run).order_by(Run.id.desc()).first()
        assert last is not None
        for number in range(40):
            began = datetime.now(UTC) - timedelta(days=40 - number)
            state = PAST[number % len(PAST)]
            failed = state is RunState.FAILED
            counts = {"read": 3_000, "created": 40 * number % 700, "modified": 300, "unchanged": 1_900 + 20 * number}
            session.add(
                Run(
                    key=f"past-{number}",
                    goal_id=last.goal_id,
                    connection_id=last.connection_id,
                    trigger=RunTrigger.SCHEDULE,
                    requested_by="",
                    is_full=False,
                    state=state,
                    requested_at=began,
                    started_at=began,
                    ended_at=began + timedelta(seconds=37 + number),
                    counts={} if failed else counts | {"invalid": 30 * (number % 5)},
                    problem="export-failed" if failed else "",
                    problem_detail="Auth0 could not export its users." if failed else "",
                )
            )
