"""The code for each SDK that can be installed, pasted unchanged into a site that uses the real one."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, send_from_directory
from playwright.sync_api import Page, expect

from snippets.sdks import APPLICATION_FILES, TOKEN_FILES, Sdk
from tests.demo.conftest import serve
from tests.e2e.conftest import NODE_MODULES, Demo, NewContext, free_ports
from tests.e2e.test_web_sync import make_connection, make_goal, properties
from tests.javascript import NODE, NodeProcess
from webapp.demo.seed import SPA_CLIENT_ID, WEB_APP_CLIENT_ID, WEB_APP_CLIENT_SECRET

Download = Callable[[Sdk], None]

SITES = Path(__file__).parent / "sites"
ENTRIES = {
    Sdk.REACT: "auth0-react.jsx",
    Sdk.VUE: "auth0-vue.js",
    Sdk.AUTH0_JS: "auth0.js.js",
    Sdk.AUTHORIZE_URL: "authorize-url.js",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A site with {sdk}</title>
<script src="{blueconic}"></script>
{scripts}
</head><body data-domain="{tenant}" data-client-id="{client}" data-redirect-uri="{site}/{sdk}/">
<div id="app"></div> <p id="outcome"></p>
<script src="outcome.js"></script>
<script type="module" src="bundle.js"></script>
</body></html>
"""
OUTCOME = """addEventListener("websync:synced", ({ detail }) => {
  document.querySelector("#outcome").textContent = JSON.stringify(detail);
});
"""
BUNDLE = """
require(given.esbuild).buildSync({
  entryPoints: [given.entry], outfile: given.bundle, bundle: true, format: "esm", jsx: "automatic",
  nodePaths: [given.nodeModules], define: { "process.env.NODE_ENV": '"production"' }, logLevel: "error",
});
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sites' files are: a folder for each SDK."""
    return tmp_path_factory.mktemp("sites")


@pytest.fixture(scope="module")
def site(demo: Demo, folder: Path) -> Iterator[str]:
    """The origin of the sites that need no server of their own: each stands below the name of its SDK."""
    app = Flask("sites")
    here: list[str] = []

    @app.get("/<sdk>/")
    def page(sdk: str) -> str:
        scripts = sorted(path.name for path in (folder / sdk).glob("websync-*.js"))
        return PAGE.format(
            sdk=sdk,
            scripts="\n".join(f'<script src="{name}"></script>' for name in scripts),
            blueconic=f"{demo.shop_url}/static/demo/blueconic.js",
            tenant=demo.tenant_url,
            client=SPA_CLIENT_ID,
            site=here[0],
        )

    @app.get("/<sdk>/outcome.js")
    def outcome(sdk: str) -> Response:
        return Response(OUTCOME, mimetype="text/javascript")

    @app.get("/<sdk>/<name>")
    def file(sdk: str, name: str) -> Response:
        return send_from_directory(folder / sdk, name, mimetype="text/javascript")

    for origin in serve(lambda _base_url: app):
        here.append(origin)
        yield origin


@pytest.fixture(scope="module")
def express_port() -> int:
    """Where the site in Express will listen."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def goal_key() -> list[str]:
    """The key of the goal that all sites share, once it is made."""
    return []


@pytest.fixture
def goal(demo: Demo, admin_page: Page, site: str, express_port: int, goal_key: list[str]) -> str:
    """The key of a goal for all these sites, with its Action deployed."""
    admin_page.goto(demo.websync_url)
    if not goal_key:
        make_connection(admin_page, demo, "Sites with other SDKs")
        goal_key.append(make_goal(admin_page, demo, "Other SDKs", origin=f"{site}\nhttp://localhost:{express_port}"))
        admin_page.get_by_role("button", name="Deploy to Auth0").click()
        expect(admin_page.get_by_text("Revision 1 is deployed", exact=True)).to_be_visible()
    return goal_key[0]


@pytest.fixture
def visitor(new_context: NewContext) -> Page:
    """A page of somebody who has not logged in anywhere."""
    return new_context().new_page()


@pytest.mark.parametrize("sdk", ENTRIES)
def test_the_code_works_with_the_real_sdk(
    admin_page: Page, visitor: Page, site: str, download: Download, folder: Path, sdk: Sdk
) -> None:
    # given a site that was built with the SDK and the downloaded code
    download(sdk)
    bundle(folder / sdk, SITES / ENTRIES[sdk])
    # when a visitor with values in the browser's profile logs in
    visitor.goto(f"{site}/{sdk}/")
    give_values(visitor, newsletter=f"by {sdk}")
    visitor.get_by_role("button", name="Log in").click()
    profile_id = synced_profile(visitor)
    # then the profile has what the mappings say, and the value that went through the login and came back as a claim
    check(admin_page, profile_id, newsletter=f"by {sdk}")
    # when the page is loaded again
    posts: list[str] = []
    visitor.on("request", lambda request: posts.append(request.url) if "/sync/" in request.url else None)
    visitor.goto(f"{site}/{sdk}/")
    if sdk in {Sdk.REACT, Sdk.VUE}:
        expect(visitor.locator("#user")).to_have_text("Zoë Åström-O'Neill")
    visitor.wait_for_load_state("networkidle")
    # then the login does not count a second time
    assert posts == []


@pytest.fixture
def express(demo: Demo, folder: Path, express_port: int, download: Download) -> Iterator[str]:
    """The address of a running site in Express that was built with the SDK and the downloaded code."""
    download(Sdk.EXPRESS)
    settings = {
        "folder": str(folder / Sdk.EXPRESS),
        "port": express_port,
        "domain": demo.tenant_url,
        "clientId": WEB_APP_CLIENT_ID,
        "clientSecret": WEB_APP_CLIENT_SECRET,
        "blueConic": f"{demo.shop_url}/static/demo/blueconic.js",
    }
    server = subprocess.Popen(
        [str(NODE), str(SITES / "express-openid-connect.cjs"), json.dumps(settings)],
        stdout=subprocess.PIPE,
        text=True,
        env={"NODE_PATH": str(NODE_MODULES)},
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n"
        yield f"http://localhost:{express_port}/"
    finally:
        server.kill()
        server.communicate()


def test_the_code_works_with_express(admin_page: Page, visitor: Page, express: str) -> None:
    # given a site in Express
    visitor.goto(express)
    # when a visitor with values in the browser's profile logs in there
    give_values(visitor, newsletter="by express")
    visitor.get_by_role("link", name="Log in").click()
    profile_id = synced_profile(visitor)
    # then the profile has what the mappings say
    check(admin_page, profile_id, newsletter="by express")
    # when the page is loaded again, where the session still has the same token, then it is not posted again
    posts: list[str] = []
    visitor.on("request", lambda request: posts.append(request.url) if "/sync/" in request.url else None)
    visitor.goto(express)
    visitor.wait_for_load_state("networkidle")
    assert posts == []


@pytest.fixture
def download(demo: Demo, admin_page: Page, goal: str, folder: Path) -> Download:
    """Return a function that puts the goal's code for an SDK where its guide says, as the download gives it."""

    def download(sdk: Sdk) -> None:
        for kind, specs in (("application", APPLICATION_FILES[sdk]), ("token", TOKEN_FILES[sdk])):
            for spec in specs:
                name = spec.path.rpartition("/")[2]
                url = f"{demo.websync_url}/goals/{goal}/code/{kind}?sdk={sdk}&file={name}"
                response = admin_page.request.get(url)
                assert response.ok, url
                path = folder / sdk / spec.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(response.body())

    return download


def bundle(folder: Path, entry: Path) -> None:
    source = folder / entry.name
    source.write_bytes(entry.read_bytes())
    given = {
        "esbuild": str(NODE_MODULES / "esbuild"),
        "entry": str(source),
        "bundle": str(folder / "bundle.js"),
        "nodeModules": str(NODE_MODULES),
    }
    with NodeProcess() as node:
        node.run(BUNDLE, given)


def give_values(page: Page, **values: str) -> None:
    """Write values into the browser's BlueConic profile."""
    page.evaluate(
        """async (values) => {
          if (!window.blueConicClient) await new Promise((done) => addEventListener("onBlueConicLoaded", done));
          const profile = window.blueConicClient.profile.getProfile();
          for (const [name, value] of Object.entries(values)) profile.setValue(name, value);
          await new Promise((done) => window.blueConicClient.profile.updateProfile(window, done));
        }""",
        values,
    )


def synced_profile(page: Page) -> str:
    """Choose the visitor at the tenant, wait for the outcome of the post, and return the profile's id."""
    page.get_by_role("button", name="Zoë Åström-O'Neill").click()
    expect(page.locator("#outcome")).to_contain_text("profileId")
    expect(page.locator("#user")).to_contain_text(re.compile("zo[eë]", re.IGNORECASE))
    profile_id: str = page.evaluate("JSON.parse(document.querySelector('#outcome').textContent).profileId")
    return profile_id


def check(admin: Page, profile_id: str, *, newsletter: str) -> None:
    """Look at what the login left on the profile."""
    origin = admin.evaluate("location.origin")
    found = properties(admin, f"{origin}/profiles/{profile_id}")
    assert found["email"] == ["zoe@shop.example"]
    assert found["first_name"] == ["Zoë"]
    assert found["newsletter_at_login"] == [newsletter]
