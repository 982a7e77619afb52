"""Loading a user of the demo tenant as the sample."""

import json
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.code_pages.conftest import GOAL_KEY, SaveGoal, connect, goal, save, tenant
from tests.demo.conftest import ADA, RunningTenant
from tests.trying.conftest import TryPage, text_of, typed
from webapp.connections.goals import find_goal
from webapp.demo.seed import READER_CLIENT_ID, READER_CLIENT_SECRET

__all__ = ["connect", "goal", "save", "tenant"]

NOWHERE = "http://localhost:9"


@pytest.fixture
def goal_page(admin_client: FlaskClient, goal: str) -> TryPage:
    return TryPage(admin_client, f"/goals/{goal}/try")


@pytest.mark.parametrize("wanted", [ADA, f"  {ADA} ", "ada@shop.example", "Ada@Shop.example"])
def test_a_user_is_loaded_by_id_or_address(goal_page: TryPage, wanted: str) -> None:
    # given a value that was typed before
    values = {"value-newsletter": "typed before"}
    # when a user of the tenant is asked for
    response = goal_page.send("load", lookup=wanted, **values)
    # then the sample is that user, as an Action would see them, and the rest is as it was
    assert response.status_code == 200
    assert "The user is loaded. Nothing was run yet." in text_of(response.text)
    user = json.loads(typed(response.text, "user"))
    assert (user["user_id"], user["user_metadata"]["plan"]) == (ADA, "gold")
    assert "logins_count" not in user
    around = json.loads(typed(response.text, "around"))
    assert around["connection"] == {"name": "Username-Password-Authentication", "strategy": "auth0"}
    assert around["stats"] == {"logins_count": 0}
    assert typed(response.text, "value-newsletter") == "typed before"
    # and it can be run as it is
    assert "Answer CREATED" in text_of(goal_page.run(user, around=around))


def test_an_address_of_several_users_says_so(goal_page: TryPage) -> None:
    # given the demo's two users with one address
    # when it is asked for
    shown = text_of(goal_page.send("load", lookup="ada@shop.example").text)
    # then the page says which one it is
    assert "2 users have this address; this is the first." in shown


def test_upstream_tokens_and_huge_users_are_not_shown(goal_page: TryPage, tenant: RunningTenant) -> None:
    # given a user with a token of their identity provider
    with tenant.state.change() as data:
        data["users"][ADA]["identities"][0] |= {"access_token": "of-google", "refresh_token": "of-google"}
    # when they are loaded, then the tokens are not shown
    assert "of-google" not in goal_page.send("load", lookup=ADA).text
    # when the user is larger than the page takes
    with tenant.state.change() as data:
        data["users"][ADA]["app_metadata"] = {"note": "x" * 70_000}
    response = goal_page.send("load", lookup=ADA)
    # then the page says so
    assert response.status_code == 422
    assert "This user has more than 64 KiB." in text_of(response.text)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("", "Enter a user id or an e-mail address."),
        ("auth0|nobody", "The tenant has no such user."),
        ("nobody@shop.example", "The tenant has no such user."),
        ("..", "The tenant has no such user."),
        ("../clients", "The tenant has no such user."),
        ("a" * 400, "A plain text of at most 320 characters."),
        ("auth0|\0", "A plain text of at most 320 characters."),
    ],
)
def test_a_user_who_cannot_be_found_is_told_at_the_field(goal_page: TryPage, wanted: str, message: str) -> None:
    # when somebody is asked for who is not there
    response = goal_page.send("load", lookup=wanted)
    # then the field says so, and the sample stays
    assert response.status_code == 422
    assert message in text_of(response.text)
    assert json.loads(typed(response.text, "user")) == goal_page.sample()[0]


def test_a_connection_without_credentials_says_what_is_missing(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, tenant: RunningTenant
) -> None:
    # given a connection whose code is pasted by hand
    connect(tenant.base_url, secret=None)
    save()
    page = TryPage(admin_client, f"/goals/{GOAL_KEY}/try")
    # then the page says beforehand that nobody can be loaded, and says it again when asked
    assert "Not possible yet" in text_of(admin_client.get(page.path).text)
    shown = text_of(page.send("load", lookup=ADA).text)
    assert "Give the connection a domain, a client id and a client secret." in shown


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ("", "Auth0 refuses the client id and secret."),
        (NOWHERE, "Auth0 cannot be reached."),
        ("no domain", "The tenant's domain, such as acme.eu.auth0.com"),
    ],
)
def test_a_tenant_that_says_no_is_quoted(
    goal_page: TryPage, app: Flask, tenant: RunningTenant, domain: str, message: str
) -> None:
    # given a connection that Auth0 does not accept, or that leads nowhere
    with app.extensions["database"].transaction() as session:
        connection = find_goal(session, GOAL_KEY).connection
        connection.auth0_domain = domain or tenant.base_url
        connection.sealed_client_secret = app.extensions["sealer"].seal("wrong")
    # when a user is asked for
    response = goal_page.send("load", lookup=ADA)
    # then the field says why
    assert response.status_code == 422
    assert message in text_of(response.text)


def test_a_missing_scope_is_named(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, tenant: RunningTenant
) -> None:
    # given an application that may not read users
    with tenant.state.change() as data:
        for grant in data["client_grants"]:
            grant["scope"] = ["read:actions"]
    connect(tenant.base_url, secret=READER_CLIENT_SECRET, auth0_client_id=READER_CLIENT_ID)
    save()
    # when a user is asked for
    shown = text_of(TryPage(admin_client, f"/goals/{GOAL_KEY}/try").send("load", lookup=ADA).text)
    # then the field names the scope and where to grant it
    assert "A permission is missing at Auth0. The application lacks the scope read:users" in shown


def test_the_goal_page_leads_here(admin_client: FlaskClient, goal: str) -> None:
    assert f'href="/goals/{goal}/try"' in admin_client.get(f"/goals/{goal}").text
