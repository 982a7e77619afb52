"""The tenant's databases as boxes to check, or why they cannot be listed."""

from collections.abc import Callable
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.connections.pages import read_form
from tests.demo.conftest import RunningTenant
from tests.import_pages.conftest import CONNECTION_KEY, add_import_goal
from webapp.demo.seed import READER_CLIENT_ID, READER_CLIENT_SECRET

LIST = f"/connections/{CONNECTION_KEY}/imports/databases"


def boxes(page: str) -> dict[str, bool]:
    """Return the boxes of the page, and whether they are checked."""
    tags = [tag.partition(">")[0] for tag in page.split("<input") if 'name="databases"' in tag.partition(">")[0]]
    return {unescape(tag.split('value="')[1].split('"')[0]): " checked" in tag for tag in tags}


def test_the_databases_are_offered_beside_what_is_chosen(admin_client: FlaskClient, address: str) -> None:
    # given a goal that names a database of the tenant, and one that the tenant has not
    fields = read_form(admin_client.get(address)) | {"other_databases": "Old-users\nCustomers"}
    assert admin_client.post(address, data=fields).status_code == 303
    page = admin_client.get(address)
    assert list(boxes(page.text).items()) == [("Old-users", True), ("Customers", True)]
    # when the databases are asked for, by the button or by the script
    fields = read_form(page) | {"name": "Typed", "databases": "Customers", "do": "databases"}
    by_button = admin_client.post(address, data=fields)
    by_script = admin_client.get(LIST, query_string={"chosen": ["Old-users", "Customers"]})
    # then all are there, those that were chosen are checked, and nothing that was typed is lost
    offered = {"Customers", "Staff", "Username-Password-Authentication"}
    assert {name for name, is_checked in boxes(by_button.text).items() if is_checked} == {"Customers"}
    assert set(boxes(by_button.text)) == offered
    assert read_form(by_button)["name"] == "Typed"
    # in the goal's order, so that saving it unchanged changes nothing
    assert list(boxes(by_script.text)) == ["Old-users", "Customers", "Staff", "Username-Password-Authentication"]
    assert boxes(by_script.text)["Old-users"]
    assert "Old-users (the tenant has no such database)" in by_script.text


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ({"secret": None}, "Give the connection a domain, a client id and a client secret."),
        ({"secret": "wrong"}, "Auth0 refuses the client id and secret."),
        (
            {"secret": READER_CLIENT_SECRET, "auth0_client_id": READER_CLIENT_ID},
            "The application lacks the scope read:connections.",
        ),
    ],
    ids=["no secret", "wrong secret", "no scope"],
)
def test_a_tenant_that_cannot_be_asked_is_explained_and_the_choice_is_kept(
    admin_client: FlaskClient,
    connect: Callable[..., None],
    tenant: RunningTenant,
    connection: dict[str, str],
    message: str,
) -> None:
    # given a connection that cannot list the tenant's databases, and a goal that names one
    connect(tenant.base_url, **connection)
    address = add_import_goal(admin_client, f"/connections/{CONNECTION_KEY}", other_databases="Customers")
    # when the databases are asked for
    page = admin_client.post(address, data=read_form(admin_client.get(address)) | {"do": "databases"})
    fragment = admin_client.get(LIST, query_string={"chosen": "Customers"})
    # then the page says why not and where that is mended, and what was chosen is still chosen
    for text in (page.text, fragment.text):
        assert message in text
        assert f'href="/connections/{CONNECTION_KEY}#auth0-title"' in text
        assert boxes(text) == {"Customers": True}


def test_a_connection_that_is_gone_has_no_list(admin_client: FlaskClient) -> None:
    assert admin_client.get("/connections/nowhere-1/imports/databases").status_code == 404
