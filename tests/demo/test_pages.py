"""The pages of the tenant and the shop, and where the demo refuses to be."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.demo.conftest import ADA, RunningTenant, Visitor, deploy, serve
from webapp.demo.controls import NUMBERS
from webapp.demo.faults import Faults, JobOutcome, faults_of
from webapp.demo.population import populate
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


def test_a_state_of_an_earlier_version_gets_what_is_new(tmp_path: Path) -> None:
    # given a file without generated users, jobs and their databases
    path = tmp_path / "tenant.json"
    TenantState(path)
    stored = json.loads(path.read_text())
    for name in ("populations", "jobs", "faults"):
        del stored[name]
    del stored["connections"][-1]
    path.write_text(json.dumps(stored))
    # when it is read, then they are there, once
    with TenantState(path).read() as data:
        assert (data["populations"], data["jobs"], data["faults"]) == ({}, {}, {})
        assert len({connection["id"] for connection in data["connections"]}) == len(data["connections"]) == 5


def send(tenant: RunningTenant, path: str, **form: str) -> httpx2.Response:
    """Send a form of the tenant's page as a browser does that has the page open."""
    page = httpx2.get(f"{tenant.base_url}/").text
    key = re.search(r'name="form_key" value="([^"]+)"', page)
    assert key is not None
    return httpx2.post(f"{tenant.base_url}{path}", data={"form_key": key[1]} | form)


def test_users_are_generated_changed_and_deleted_on_the_page(tenant: RunningTenant, management: httpx2.Client) -> None:
    # given a database
    def customers() -> int:
        query = {"q": "identities.connection:Customers", "include_totals": "true"}
        total: int = management.get("users", params=query).json()["total"]
        return total

    # when somebody generates users on the page, and lets things happen to them
    assert send(tenant, "/users", database="Customers", deed="generate", number="300").status_code == 303
    assert customers() == 300
    for deed in ("change", "login", "delete"):
        answer = send(tenant, "/users", database="Customers", deed=deed, one_in="100")
        assert answer.headers["Location"] == "/#many-users"
    # then it is so, and the page shows it
    assert customers() == 297
    changed = {"q": "updated_at:[2026-01-01 TO *] AND identities.connection:Customers"}
    assert len(management.get("users", params=changed).json()) == 6
    assert 'value="300"' in httpx2.get(f"{tenant.base_url}/").text
    # and 0 takes them all away
    send(tenant, "/users", database="Customers", deed="generate", number="0")
    assert customers() == 0


def test_faults_are_set_and_mended_on_the_page(tenant: RunningTenant, management: httpx2.Client) -> None:
    # given forms with every fault
    form = dict.fromkeys(NUMBERS, "1") | {"limit": "7", "job_outcome": "fails", "failing_call_one_in": "0"}
    # when one is sent, then the tenant has them
    assert send(tenant, "/faults", deed="set", **form).headers["Location"] == "/#faults"
    assert management.get("users").status_code == 429
    with tenant.state.read() as data:
        faults = faults_of(data)
        assert (faults.job_outcome, faults.broken_line_one_in, faults.job_seconds) == (JobOutcome.FAILS, 1, 1)
        assert data["management_requests_per_second"] == 7
    # and another button mends them all
    send(tenant, "/faults", deed="mend")
    assert management.get("users").status_code == 200
    with tenant.state.read() as data:
        assert faults_of(data) == Faults()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/users", {"database": "google-oauth2", "deed": "generate", "number": "1"}),
        ("/users", {"database": "Customers", "deed": "generate", "number": "-1"}),
        ("/users", {"database": "Customers", "deed": "generate", "number": "2000001"}),
        ("/users", {"database": "Customers", "deed": "explode", "one_in": "1"}),
        ("/users", {"database": "Customers", "deed": "change", "one_in": "many"}),
        ("/faults", {"deed": "set", "job_seconds": "1"}),
        ("/faults", {"deed": "set", "limit": "1", "job_outcome": "unknown"} | dict.fromkeys(NUMBERS, "0")),
    ],
)
def test_a_wrong_form_changes_nothing(tenant: RunningTenant, path: str, form: dict[str, str]) -> None:
    with tenant.state.change() as data:
        populate(data, "Customers", 10)
        before = json.dumps(data)
    assert send(tenant, path, **form).status_code == 400
    with tenant.state.read() as data:
        assert json.dumps(data) == before


def test_a_form_of_another_site_is_refused(tenant: RunningTenant) -> None:
    # given a page that cannot read the tenant's
    for key in ("", "guessed", "é"):
        form = {"form_key": key, "database": "Customers", "deed": "generate", "number": "10"}
        # when it sends the form, then nothing happens
        assert httpx2.post(f"{tenant.base_url}/users", data=form).status_code == 403
    with tenant.state.read() as data:
        assert data["populations"] == {}
