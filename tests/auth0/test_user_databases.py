from collections.abc import Callable

import pytest
from flask import Response, jsonify

from tests.auth0.scripted import ScriptedTenant
from tests.demo.conftest import RunningTenant
from webapp.auth0.answers import Auth0AnswerError, MissingScopeError
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import Tenant
from webapp.auth0.user_databases import MAX_DATABASES, PAGE_SIZE, UserDatabase, user_databases
from webapp.demo.seed import READER_CLIENT_ID, READER_CLIENT_SECRET

Answer = Callable[[], Response]


def test_the_tenants_databases_come_by_name(patient: ManagementClient) -> None:
    # given a tenant with three databases, and with social logins
    assert user_databases(patient) == (
        UserDatabase("con_DemoCustomers001", "Customers"),
        UserDatabase("con_DemoStaff0000001", "Staff"),
        UserDatabase("con_DemoDatabase0001", "Username-Password-Authentication"),
    )


def page(start: int, number: int, **more: str) -> Answer:
    found = [{"id": f"con_{place}", "name": f"db-{place:04}"} for place in range(start, start + number)]
    return lambda: jsonify(connections=found, **more)


def test_all_pages_are_read() -> None:
    # given more databases than a page has
    scripted = ScriptedTenant([page(0, PAGE_SIZE, next="abc"), page(PAGE_SIZE, 2)])
    with scripted.client() as client:
        assert len(user_databases(client)) == PAGE_SIZE + 2
    # then the second page was asked for by the first one's word
    assert [query.get("from") for query in scripted.queries[1:]] == [None, "abc"]


def test_a_bare_list_is_read_too() -> None:
    with ScriptedTenant([lambda: jsonify([{"id": "con_1", "name": "Users"}])]).client() as client:
        assert user_databases(client) == (UserDatabase("con_1", "Users"),)


def test_a_list_without_an_end_is_read_to_a_bound() -> None:
    # given a tenant that gives the same page for ever, or empty ones
    with ScriptedTenant([page(0, PAGE_SIZE, next="abc")]).client() as client:
        assert len(user_databases(client)) == MAX_DATABASES
    with ScriptedTenant([page(0, 0, next="abc")]).client() as client:
        assert user_databases(client) == ()


@pytest.mark.parametrize("answer", [5, {}, {"connections": 5}, [{"id": 7}], {"connections": [], "next": 5}])
def test_what_is_no_list_of_connections_is_refused(answer: object) -> None:
    with ScriptedTenant([lambda: jsonify(answer)]).client() as client, pytest.raises(Auth0AnswerError):
        user_databases(client)


def test_a_missing_permission_is_named(tenant: RunningTenant) -> None:
    with (
        ManagementClient(Tenant(tenant.base_url), READER_CLIENT_ID, READER_CLIENT_SECRET) as reader,
        pytest.raises(MissingScopeError, match="read:connections"),
    ):
        user_databases(reader)
