"""Looking an old Rule up in the tenant by its name: each thing that may come of it, as the page shows it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import jsonify, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue

from snippets.rendering import SnippetKind
from tests.code_pages.conftest import SaveGoal
from tests.code_pages.test_pages import NOWHERE, PAGE, shown_code, text_of
from tests.demo.conftest import RunningTenant, serve
from webapp.auth0.management import Rule
from webapp.code_pages.old_rules import matching
from webapp.demo.seed import READER_CLIENT_ID, READER_CLIENT_SECRET
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant

MOVE = f"{PAGE}/move-rule"
FIRST, SECOND, THIRD = (f"rul_000000000000000{number}" for number in (1, 2, 3))


def a_rule(rule_id: str, name: str, order: int, **changes: Any) -> dict[str, Any]:
    return {"id": rule_id, "name": name, "order": order, "enabled": True, "stage": "login_success"} | changes


def has_rules(tenant: RunningTenant, *rules: dict[str, Any]) -> None:
    with tenant.state.change() as data:
        data["rules"] = list(rules)


def look_up(client: FlaskClient, name: str) -> str:
    response = client.get(MOVE, query_string={"rule": name})
    assert response.status_code == 200
    return response.text


@pytest.mark.usefixtures("goal")
@pytest.mark.parametrize("name", ["BlueConic sync", "blueconic SYNC", "  BlueConic sync "])
def test_a_name_gives_the_steps_and_the_guarded_action(admin_client: FlaskClient, name: str) -> None:
    # given a tenant with an old Rule
    # when its name is typed
    page = look_up(admin_client, name)
    # then its id is in the guard, without anybody having looked for it
    assert 'if (api.rules.wasExecuted("rul_DemoBlueConic001")) return;' in shown_code(page, SnippetKind.ACTION)
    text = text_of(page)
    assert "The Rule “BlueConic sync” (rul_DemoBlueConic001)" in text
    assert "This is the last one: no Rule that runs after rul_DemoBlueConic001 is switched on." in text
    assert "Find the id" not in text


def test_rules_that_run_later_and_are_on_are_named(admin_client: FlaskClient, tenant: RunningTenant, goal: str) -> None:
    # given a tenant with Rules around the one that is moved, listed in another order than they run
    has_rules(
        tenant,
        a_rule(THIRD, "Last, off", 9, enabled=False),
        a_rule(SECOND, "Adds roles", 3),
        a_rule(FIRST, "Old sync", 2),
        a_rule("rul_0000000000000000", "Earlier", 1),
    )
    # when it is looked up
    text = text_of(look_up(admin_client, "Old sync"))
    # then the first step names what runs after it, and nothing else
    assert f"Adds roles {SECOND} On" in text
    assert "Last, off" not in text
    assert "Earlier" not in text


def test_a_rule_that_is_off_needs_no_move(admin_client: FlaskClient, tenant: RunningTenant, goal: str) -> None:
    # given a Rule that somebody switched off
    has_rules(tenant, a_rule(FIRST, "Old sync", 1, enabled=False))
    # when it is looked up, then the page says that no login runs it
    assert "This Rule is switched off: no login runs it." in text_of(look_up(admin_client, "Old sync"))


@pytest.mark.parametrize(
    ("names", "typed", "found"),
    [
        (["Sync", "Other"], "Sync", ["Sync"]),
        (["Sync", "SYNC"], "Sync", ["Sync"]),
        (["Sync"], "sync", ["Sync"]),
        (["Sync", "SYNC"], "sync", ["Sync", "SYNC"]),
        (["Sync", "Sync"], "Sync", ["Sync", "Sync"]),
        (["Syncs", "My Sync"], "Sync", []),
        ([], "Sync", []),
    ],
)
def test_a_name_means_the_rule_that_has_it_exactly_or_else_in_other_letters(
    names: list[str], typed: str, found: list[str]
) -> None:
    assert [rule.name for rule in matching([Rule(FIRST, name) for name in names], typed)] == found


def test_of_several_rules_somebody_chooses(admin_client: FlaskClient, tenant: RunningTenant, goal: str) -> None:
    # given two Rules that a name in small letters could mean
    has_rules(tenant, a_rule(FIRST, "Sync", 1), a_rule(SECOND, "SYNC", 2, enabled=False), a_rule(THIRD, "Other", 3))
    # when it is looked up
    page = look_up(admin_client, "sync")
    # then both are there with their ids, each a link to its steps, and no code yet
    text = text_of(page)
    assert "The tenant has 2 Rules of this name" in text
    assert f"Sync {FIRST} On" in text
    assert f"SYNC {SECOND} Off" in text
    assert THIRD not in text
    assert "wasExecuted" not in text
    assert SECOND in shown_code(admin_client.get(f"{MOVE}?rule={SECOND}").text, SnippetKind.ACTION)
    assert f'href="{MOVE}?rule={SECOND}"' in page


def test_a_name_that_no_rule_has_shows_which_there_are(
    admin_client: FlaskClient, tenant: RunningTenant, goal: str
) -> None:
    # given other Rules, one with a name that no Rule may have
    has_rules(tenant, a_rule(FIRST, "<script>alert(1)</script>", 1), a_rule("not-an-id", "Strange", 2))
    # when a name is looked up
    page = look_up(admin_client, "Sync")
    # then the page lists what there is, as text, and leaves out what has no id
    assert "No Rule of this name" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "Strange" not in page


def test_a_tenant_without_rules_needs_no_move(admin_client: FlaskClient, tenant: RunningTenant, goal: str) -> None:
    # given a tenant whose Rules are gone
    has_rules(tenant)
    # when a name is looked up, then the page leads to the Action
    assert "So nothing has to be moved: deploy the Action" in text_of(look_up(admin_client, "Sync"))


@pytest.fixture
def broken(connect: Callable[..., None], save: SaveGoal) -> Iterator[Callable[[int, str], None]]:
    """Return a function that stores a goal whose tenant answers for Rules with a status and a message."""
    said: list[tuple[int, str]] = []

    def fault() -> ResponseReturnValue | None:
        if request.path != "/api/v2/rules":
            return None
        status, message = said[0]
        return jsonify(statusCode=status, message=message), status

    def make_app(base_url: str) -> Any:
        app = create_tenant(base_url, TenantState())
        app.before_request(fault)
        return app

    for base_url in serve(make_app):
        connect(base_url)
        save()
        yield lambda status, message: said.append((status, message))


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (404, "Not Found", "Auth0 does not answer for the Rules of this tenant (HTTP 404). It ended Rules"),
        (410, "Gone", "Auth0 does not answer for the Rules of this tenant (HTTP 410). It ended Rules"),
        (403, "Not available", "Auth0 does not answer for the Rules of this tenant (HTTP 403). It ended Rules"),
        (400, "Bad query", "Auth0 did not do what was asked. Auth0 said: Bad query"),
        (500, "Oops", "Auth0 cannot be reached. Auth0 said: Oops (HTTP 500)."),
    ],
)
def test_a_tenant_that_does_not_answer_for_rules_leaves_the_way_by_hand(
    admin_client: FlaskClient, broken: Callable[[int, str], None], status: int, message: str, reason: str
) -> None:
    # given a tenant after the end of Rules, or on a bad day
    broken(status, message)
    # when a name is looked up
    text = text_of(look_up(admin_client, "BlueConic sync"))
    # then the page says why it has no answer, and where the id is
    assert f"Websync could not look the Rule up. {reason}" in text
    assert "Find the id of the Rule" in text
    assert "The address of that page ends with the id" in text
    assert "wasExecuted" not in text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"secret": None}, "Give the connection a domain, a client id and a client secret."),
        ({"auth0_client_id": ""}, "Give the connection a domain, a client id and a client secret."),
        ({"secret": "wrong"}, "Auth0 refuses the client id and secret."),
        (
            {"auth0_client_id": READER_CLIENT_ID, "secret": READER_CLIENT_SECRET},
            "A permission is missing at Auth0. The application lacks the scope read:rules.",
        ),
    ],
)
def test_without_credentials_or_the_scope_the_way_by_hand_is_left(
    admin_client: FlaskClient,
    connect: Callable[..., None],
    save: SaveGoal,
    tenant: RunningTenant,
    changes: dict[str, Any],
    reason: str,
) -> None:
    # given a connection that may not ask for Rules
    connect(tenant.base_url, **changes)
    save()
    # when a name is looked up
    page = look_up(admin_client, "BlueConic sync")
    # then the page says what is missing and leads to the connection, and where the id is
    text = text_of(page)
    assert reason in text
    assert "The address of that page ends with the id" in text
    assert 'href="/connections/connection-1"' in page


def test_a_tenant_that_is_away_leaves_the_way_by_hand(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a tenant that nobody reaches
    connect(NOWHERE)
    save()
    # when a name is looked up
    text = text_of(look_up(admin_client, "BlueConic sync"))
    # then that is said
    assert "Websync could not look the Rule up. Auth0 cannot be reached." in text
    assert "The address of that page ends with the id" in text


@pytest.mark.usefixtures("goal")
def test_an_id_asks_no_tenant(admin_client: FlaskClient, tenant: RunningTenant) -> None:
    # given a tenant that would refuse every call
    with tenant.state.change() as data:
        data["clients"] = {}
    # when an id is typed, then nothing is needed of it
    assert FIRST in shown_code(admin_client.get(f"{MOVE}?rule={FIRST}").text, SnippetKind.ACTION)
