"""The generated code with the real @auth0/auth0-spa-js, on a page that is neither ours nor the shop's."""

from collections.abc import Iterator

import pytest
from flask import Flask, Response, request, send_file
from playwright.sync_api import Page, expect

from tests.demo.conftest import serve
from tests.e2e.conftest import NODE_MODULES, Demo, NewContext
from tests.e2e.test_web_sync import make_connection, make_goal, properties
from webapp.demo.seed import API_AUDIENCE, SPA_CLIENT_ID

SDK = NODE_MODULES / "@auth0" / "auth0-spa-js" / "dist" / "auth0-spa-js.production.js"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Somebody's site</title>
<script src="/sdk.js"></script>
<script src="{shop}/static/demo/blueconic.js"></script>
<script src="{websync}/sync/{goal}/application.js"></script>
<script src="{websync}/sync/{goal}/token.js"></script>
</head><body>
<button type="button">Log in</button> <p id="user"></p> <p id="outcome"></p>
<script>
  (async () => {{
    const auth0Client = await auth0.createAuth0Client({{
      domain: "{tenant}", clientId: "{client}",
      authorizationParams: {{ redirect_uri: location.origin{audience} }},
    }});
    document.querySelector("button").onclick = () => loginWithWebsync(auth0Client);
    addEventListener("websync:synced", ({{ detail }}) => {{
      document.querySelector("#outcome").textContent = JSON.stringify(detail);
    }});
    if (location.search.includes("code=") && location.search.includes("state=")) {{
      await auth0Client.handleRedirectCallback();
      history.replaceState({{}}, "", location.pathname);
      syncWithWebsync(auth0Client);
    }}
    if (await auth0Client.isAuthenticated()) {{
      document.querySelector("#user").textContent = (await auth0Client.getUser()).name;
    }}
  }})();
</script></body></html>
"""


@pytest.fixture
def site(demo: Demo) -> Iterator[str]:
    """The origin of the site. ``?goal=KEY`` chooses the goal, ``?audience=…`` the API."""
    app = Flask("somebodys_site")

    @app.get("/")
    def page() -> Response:
        goal = request.args.get("goal") or request.cookies.get("goal", "")
        audience = request.args.get("audience") or request.cookies.get("audience", "")
        html = PAGE.format(
            shop=demo.shop_url,
            websync=demo.websync_url,
            tenant=demo.tenant_url,
            goal=goal,
            client=SPA_CLIENT_ID,
            audience=f', audience: "{audience}"' if audience else "",
        )
        response = Response(html)
        response.set_cookie("goal", goal)
        response.set_cookie("audience", audience)
        return response

    @app.get("/sdk.js")
    def sdk() -> Response:
        return send_file(SDK)

    yield from serve(lambda _base_url: app)


def log_in(page: Page, name: str) -> None:
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=name).click()
    expect(page.locator("#outcome")).to_contain_text("profileId")


def test_the_pasted_code_works_with_the_real_sdk(
    demo: Demo, admin_page: Page, new_context: NewContext, site: str
) -> None:
    # given a goal for a site that uses the real SDK, with its Action deployed
    admin = admin_page
    make_connection(admin, demo, "A site with the real SDK")
    goal_key = make_goal(admin, demo, "Real SDK", origin=site)
    admin.get_by_role("button", name="Deploy to Auth0").click()
    expect(admin.get_by_text("Revision 1 is deployed", exact=True)).to_be_visible()
    # when a visitor who wants the newsletter logs in there
    page = new_context().new_page()
    page.goto(f"{site}/?goal={goal_key}")
    page.evaluate(
        """async () => {
          if (!window.blueConicClient) await new Promise((done) => addEventListener("onBlueConicLoaded", done));
          const profile = window.blueConicClient.profile.getProfile();
          profile.setValue("newsletter", "yes");
          profile.setValue("favourite_category", "hiking & more: Ålesund *~*");
          await new Promise((done) => window.blueConicClient.profile.updateProfile(window, done));
        }"""
    )
    log_in(page, "Zoë Åström-O'Neill")
    # then the profile has what the mappings say
    profile_id = page.evaluate("JSON.parse(document.querySelector('#outcome').textContent).profileId")
    found = properties(admin, f"{demo.websync_url}/profiles/{profile_id}")
    assert found == {
        "email": ["zoe@shop.example"],
        "auth0_user_id": ["auth0|650a1f3c9d1e8b0012ab0005"],
        "first_name": ["Zoë"],
        "nickname": ["zoe"],
        "points": ["0"],
        "newsletter_at_login": ["yes"],
    }
    # and the tenant has the value of the browser, every character of it
    admin.goto(f"{demo.tenant_url}/")
    expect(admin.locator("body")).to_contain_text('"favourite_category": "hiking & more: Ålesund *~*"')
    # when the page is loaded again, where the SDK (with its usual cache, in memory) gets a new token
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if "/sync/" in request.url else None)
    page.goto(site)
    expect(page.locator("#user")).to_have_text("Zoë Åström-O'Neill")
    # then the login does not count a second time
    assert [url for url in posts if url.endswith("/token")] == []
    assert properties(admin, f"{demo.websync_url}/profiles/{profile_id}") == found


def test_an_access_token_does_the_same_where_the_goal_says_so(
    demo: Demo, admin_page: Page, new_context: NewContext, site: str
) -> None:
    # given a goal that takes access tokens for an API
    admin = admin_page
    make_connection(admin, demo, "A site with an API")
    goal_key = make_goal(admin, demo, "Access tokens", origin=site, audience=API_AUDIENCE)
    admin.get_by_role("button", name="Deploy to Auth0").click()
    expect(admin.get_by_text("Revision 1 is deployed", exact=True)).to_be_visible()
    # when a visitor logs in with the real SDK, for that API
    page = new_context().new_page()
    page.goto(f"{site}/?goal={goal_key}&audience={API_AUDIENCE}")
    log_in(page, "Bram de Wit")
    # then the profile has what the Action put into the access token
    profile_id = page.evaluate("JSON.parse(document.querySelector('#outcome').textContent).profileId")
    found = properties(admin, f"{demo.websync_url}/profiles/{profile_id}")
    assert found["email"] == ["bram@shop.example"]
    assert found["interests"] == ["cycling"]
