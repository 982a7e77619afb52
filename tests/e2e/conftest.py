"""The demo as a newcomer starts it, and a real Chromium to look at it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tools.find_chromium import find_chromium

HOME = Path(__file__).parent.parent.parent
NODE_MODULES = HOME / "tests" / "node_modules"
SCREENSHOTS = HOME / "build" / "screenshots"
CHROMIUM_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
EMAIL, PASSWORD = "grace@example.org", "a tall ship and a star"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
PATIENCE_MS = 15_000  # a page that lost its stream tries again after 5 s, and machines that run tests may be slow

NewContext = Callable[[], BrowserContext]


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the running demo and its database are, and the link that it printed."""

    websync_url: str
    tenant_url: str
    shop_url: str
    link: str
    database_url: str


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`websync demo`, started as `make run` starts it, on three free ports and with a new folder.

    Each module has its own: who has logged in at one of them is no stranger there any more.
    """
    folder = tmp_path_factory.mktemp("demo")
    websync, tenant, shop = free_ports(3)
    command = [sys.executable, "-m", "webapp.cli", "demo", "--folder", str(folder)]
    command += ["--port", str(websync), "--tenant-port", str(tenant), "--shop-port", str(shop)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBSYNC_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Stop with Ctrl+C" in line:
            break
    found = re.search(r"http://\S+/sign-in/link/\S+", printed)
    assert found, f"the demo did not start: {printed}"
    urls = [f"http://localhost:{port}" for port in (websync, tenant, shop)]
    yield Demo(urls[0], urls[1], urls[2], found[0], f"sqlite:///{folder / 'websync.db'}")
    process.terminate()
    assert process.wait(timeout=20) == 0


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. It ends with this package, since Playwright's event loop would be in the way of other tests' own."""
    path = find_chromium()
    if path is None:
        pytest.fail("no Chromium: run `.venv/bin/playwright install chromium`, or install Debian's chromium")
    arguments = CHROMIUM_ARGUMENTS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """Return a function that makes a browser profile of its own: another person, or another device."""
    contexts = []

    def make() -> BrowserContext:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def state_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the admin's cookies are kept, once there is an admin."""
    return tmp_path_factory.mktemp("state") / "admin.json"


@pytest.fixture
def admin_state(demo: Demo, browser: Browser, state_path: Path) -> Path:
    """The cookies of the admin who opened the printed link, which works once, and made an account."""
    if state_path.exists():
        return state_path
    context = browser.new_context()
    page = context.new_page()
    page.goto(demo.link)
    look_at(page, "first-admin")
    page.get_by_label("Your name").fill("Grace Hopper")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    page.get_by_role("heading", name="Connections").wait_for()
    context.storage_state(path=state_path)
    context.close()
    return state_path


@pytest.fixture
def admin_page(demo: Demo, browser: Browser, admin_state: Path) -> Iterator[Page]:
    """A page of Websync's admin, who may use the clipboard. An error in a script or the console fails the test."""
    context = browser.new_context(
        storage_state=admin_state, viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC"
    )
    context.set_default_timeout(PATIENCE_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=demo.websync_url)
    page = context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda message: mistakes.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not [mistake for mistake in mistakes if "status of 4" not in mistake]


def accessibility_violations(page: Page) -> list[str]:
    """Return what axe finds on the page as it is: one line for each rule and place."""
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary']})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def take_picture(page: Page, name: str, *, height: int) -> None:
    """Keep what is on the screen in build/pictures; with WEBSYNC_RENEW_PICTURES=1 in docs/images, for the README."""
    folder = HOME / "docs" / "images" if os.environ.get("WEBSYNC_RENEW_PICTURES") else HOME / "build" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size({"width": 1180, "height": height})
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=folder / f"{name}.png")


def look_at(page: Page, name: str) -> None:
    """Look at the page in its four looks: keep a screenshot of each in build/screenshots, and ask axe.

    The page stays as it is, so what was typed into it is seen too.
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of the two literals
            page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{scheme}.png", full_page=True)
            assert accessibility_violations(page) == [], f"{name}, {size}, {scheme}"
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{name} scrolls sideways on a {size} by {overflow} pixels"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
