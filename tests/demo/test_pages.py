"""The pages of the tenant and the shop, and where the demo refuses to be."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.demo.conftest import ADA, RunningTenant, Visitor, deploy, serve
from webapp.demo.shop import create_shop
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant

WEBSYNC = "http://localhost:64999"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def shop(tenant: RunningTenant) -> Iterator[httpx2.Client]:
    for base_url in serve(lambda _: create_shop(tenant.base_url, WEBSYNC, goal_key="goal-default")):
        with httpx2.Client(base_url=base_url) as client:
            yield client


def test_hostile_names_are_only_text_on_the_pages(visitor: Visitor, management: httpx2.Client) -> None:
    # given a user and an Action with hostile names, and an Action that says hostile things
    change = {"name": HOSTILE, "user_metadata": {HOSTILE: HOSTILE}}
    assert management.patch(f"users/{ADA}", json=change).status_code == 200
    deploy(management, HOSTILE, f"console.log({json.dumps(HOSTILE)}); throw new Error({json.dumps(HOSTILE)});")
    # when they are shown
    visitor.log_in()
    login_page = visitor.http.get(visitor.authorize(prompt="login").headers["Location"])
    answer = visitor.authorize(prompt="none", response_mode="web_message", state=HOSTILE)
    # then no page has an element made of them
    for page in (visitor.http.get("/"), login_page, answer):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "alert(1)" in page.text
        assert "unsafe-inline" not in page.headers["Content-Security-Policy"]


def test_the_tenants_page_shows_users_actions_and_runs(visitor: Visitor, management: httpx2.Client) -> None:
    deploy(management, "Websync login", "api.idToken.setCustomClaim('https://w.example/a', 1);")
    visitor.tokens()
    page = visitor.http.get("/").text
    for text in ("Ada Okafor", "C-1001", "Websync login", "1 claim", ADA):
        assert text in page


def test_the_login_form_may_lead_back_to_the_application_only(visitor: Visitor) -> None:
    page = visitor.http.get(visitor.authorize().headers["Location"])
    assert "form-action 'self' http://localhost:65000;" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("form", [{"state": "unknown", "user_id": ADA}, {"state": "unknown", "user_id": "nobody"}, {}])
def test_a_login_that_nobody_started_is_refused(visitor: Visitor, form: dict[str, str]) -> None:
    assert visitor.http.post("/u/login", data=form).status_code == 400
    assert visitor.http.get("/u/login", params={"state": "unknown"}).status_code == 400


def test_the_shop_carries_the_goals_code_from_websync(shop: httpx2.Client) -> None:
    page = shop.get("/")
    for name in ("application", "token"):
        assert f'<script src="{WEBSYNC}/sync/goal-default/{name}.js" defer></script>' in page.text
    assert f"script-src 'self' {WEBSYNC};" in page.headers["Content-Security-Policy"]


def test_a_chosen_goal_is_remembered_and_a_bad_one_ignored(shop: httpx2.Client) -> None:
    assert "/sync/goal-chosen/token.js" in shop.get("/", params={"goal": "goal-chosen"}).text
    assert "/sync/goal-chosen/token.js" in shop.get("/").text
    for bad in ("short", "x" * 65, "../../evil", '"><script>', "goal-chosen\n"):
        page = shop.get("/", params={"goal": bad})
        assert "/sync/goal-chosen/token.js" in page.text
        assert "Set-Cookie" not in page.headers


def test_the_shop_shows_one_category_or_all(shop: httpx2.Client) -> None:
    assert "Boot Basalt" in shop.get("/").text
    hiking = shop.get("/", params={"category": "hiking"}).text
    assert "Boot Basalt" in hiking
    assert "City bike Hazel" not in hiking
    assert "City bike Hazel" in shop.get("/", params={"category": "unknown"}).text


@pytest.mark.parametrize(
    "base_url",
    ["https://tenant.example", "http://10.0.0.1:8001", "ftp://localhost", "http://localhost.evil.example", ""],
)
def test_the_demo_stands_on_loopback_only(base_url: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        create_tenant(base_url, TenantState())
    with pytest.raises(ValueError, match="loopback"):
        create_shop(base_url, "http://localhost:8000")
    with pytest.raises(ValueError, match="loopback"):
        create_shop("http://localhost:8001", base_url)


def test_a_shop_with_a_bad_goal_key_does_not_start() -> None:
    with pytest.raises(ValueError, match="goal key"):
        create_shop("http://localhost:8001", "http://localhost:8000", goal_key="a/b")


def change_half_way(state: TenantState) -> None:
    with state.change() as data:
        data["users"][ADA]["name"] = "Half done"
        raise ZeroDivisionError


def test_the_state_outlives_a_restart_and_a_failed_change(tmp_path: Path) -> None:
    # given a state with a file
    path = tmp_path / "demo" / "tenant.json"
    state = TenantState(path)
    with state.change() as data:
        data["users"][ADA]["name"] = "Changed"
    # when a change fails
    with pytest.raises(ZeroDivisionError):
        change_half_way(state)
    # then neither this process nor the next sees it
    for known in (state, TenantState(path)):
        with known.read() as data:
            assert data["users"][ADA]["name"] == "Changed"
    assert path.stat().st_mode & 0o077 == 0
    # and a reset begins anew
    state.reset()
    with TenantState(path).read() as data:
        assert data["users"][ADA]["name"] == "Ada Okafor"
