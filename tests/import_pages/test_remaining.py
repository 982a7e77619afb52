""" "Add remaining fields": a look at real users of the tenant, and what becomes of the fields that are chosen."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.connections.pages import Fields, message_at, read_form, rows
from tests.demo.conftest import RunningTenant
from tests.import_pages.conftest import CONNECTION_KEY, add_import_goal
from tests.trying.conftest import text_of
from webapp.demo.seed import READER_CLIENT_ID, READER_CLIENT_SECRET
from webapp.profiles.models import PropertyDefinition

HOSTILE = "<script>alert(1)</script>"


def press(client: FlaskClient, address: str, fields: Fields, do: str, **changes: str) -> TestResponse:
    return client.post(address, data=fields | {"do": do} | changes)


def find(client: FlaskClient, address: str, **changes: str) -> TestResponse:
    return press(client, address, read_form(client.get(address)), "find-fields", **changes)


def proposed(fields: Fields) -> dict[str, str]:
    """Return the properties that the page proposes, by the fields."""
    found = rows(fields, "remaining")
    return {field: fields[f"remaining-{index}-profile_property"] for index, field in enumerate(found)}


def only(fields: Fields, *wanted: str) -> Fields:
    """Return the form with only these fields checked."""
    checked = {f"remaining-{index}-is_chosen": field for index, field in enumerate(rows(fields, "remaining"))}
    return {name: text for name, text in fields.items() if checked.get(name, wanted[0]) in wanted}


def test_the_remaining_fields_are_listed_and_added(app: Flask, admin_client: FlaskClient, address: str) -> None:
    # when the remaining fields of the demo's users are asked for
    page = find(admin_client, address, name="Typed")
    # then each has an example and a property, and what was typed is still there
    assert page.status_code == 200
    fields = read_form(page)
    assert fields["name"] == "Typed"
    found = proposed(fields)
    assert {"email", "name", "user_id"}.isdisjoint(found)
    assert found["user_metadata.address.city"] == "address_city"
    assert "Nijmegen" in page.text
    assert 'value="datetime" selected' in page.text.split("remaining-0-property_type")[2]
    # when some of them are added, with a strategy and a prefix
    fields = only(fields, "created_at", "user_metadata.plan")
    added = press(
        admin_client, address, fields, "add-fields", remaining_strategy="set_if_empty", remaining_prefix="auth0_"
    )
    # then they are rows, and nothing is saved yet
    assert "2 mappings were added. Nothing is saved yet." in added.text
    fields = read_form(added)
    assert rows(fields) == ["email", "name", "user_id", "created_at", "user_metadata.plan"]
    assert fields["mappings-3-profile_property"] == "auth0_created_at"
    assert fields["mappings-3-property_type"] == "datetime"
    assert fields["mappings-4-strategy"] == "set_if_empty"
    assert rows(fields, "remaining") == []
    # when it is saved, then the properties are made with their types
    assert press(admin_client, address, fields, "save").status_code == 303
    with app.extensions["database"].reading() as session:
        types = {each.id: each.property_type for each in session.scalars(select(PropertyDefinition))}
    assert (types["auth0_created_at"], types["auth0_plan"]) == ("datetime", "text")
    # and asking again lists nothing of that
    again = proposed(read_form(find(admin_client, address)))
    assert {"created_at", "user_metadata.plan"}.isdisjoint(again)
    assert not {"auth0_created_at", "auth0_plan"} & set(again.values())


def test_all_of_them_can_be_added_once(admin_client: FlaskClient, address: str) -> None:
    # given a goal to which all remaining fields were added, which is not saved
    fields = read_form(press(admin_client, address, read_form(find(admin_client, address)), "add-fields"))
    assert len(rows(fields)) > 15
    # when the fields are asked for again, or the list of before is sent again
    again = press(admin_client, address, fields, "find-fields")
    twice = press(admin_client, address, fields | read_remaining(find(admin_client, address)), "add-fields")
    # then nothing is there to add
    assert "are mapped already." in again.text
    assert rows(read_form(again), "remaining") == []
    assert "No field is checked" in twice.text
    assert rows(read_form(twice)) == rows(fields)


def read_remaining(page: TestResponse) -> Fields:
    return {name: text for name, text in read_form(page).items() if name.startswith("remaining")}


def test_sum_is_for_numbers_alone(admin_client: FlaskClient, address: str) -> None:
    # when a number and a text are added to be summed
    fields = only(read_form(find(admin_client, address)), "app_metadata.points", "nickname")
    added = press(admin_client, address, fields, "add-fields", remaining_strategy="sum")
    # then the number is summed, the text is set, and the page says so
    found = read_form(added)
    places = {field: index for index, field in enumerate(rows(found))}
    assert found[f"mappings-{places['app_metadata.points']}-strategy"] == "sum"
    assert found[f"mappings-{places['nickname']}-strategy"] == "set"
    assert "1 holds no numbers, so Set stands there instead of Sum." in added.text


def test_the_users_are_those_of_the_chosen_databases(
    admin_client: FlaskClient, address: str, tenant: RunningTenant
) -> None:
    # given a field that only users of another database have
    with tenant.state.change() as data:
        google = next(user for user_id, user in data["users"].items() if user_id.startswith("google"))
        google["user_metadata"] = {"shoe_size": 44}
    # when the fields are asked for, of all and of one database, and of one without users
    every, one, none = (
        find(admin_client, address, other_databases=name)
        for name in ("", "Username-Password-Authentication", "Customers")
    )
    # then the field is there only where its user is
    assert "user_metadata.shoe_size" in proposed(read_form(every))
    assert "user_metadata.shoe_size" not in proposed(read_form(one))
    assert "The tenant has no users (in these databases)" in none.text
    # and that there are none is said at the button, which the browser shows, not at the top of the page
    assert none.text.index('id="find-fields"') < none.text.index("The tenant has no users (in these databases)")


def test_nothing_of_a_user_becomes_code(admin_client: FlaskClient, address: str, tenant: RunningTenant) -> None:
    # given users with hostile names of fields, and values
    hostile: dict[str, Any] = {HOSTILE: HOSTILE, '"onfocus="alert(1)': 1, "__proto__": "x", "a.b": "y"}
    with tenant.state.change() as data:
        for user in data["users"].values():
            user["user_metadata"] = hostile
    # when they are listed and added
    page = find(admin_client, address)
    added = press(admin_client, address, read_form(page), "add-fields")
    # then all is text, and what cannot be mapped is counted
    assert HOSTILE not in page.text + added.text
    assert 'autofocus="alert' not in page.text + added.text
    assert f"user_metadata.{HOSTILE}" in rows(read_form(added))
    assert "2 fields cannot be mapped" in page.text


def test_the_list_is_closed(admin_client: FlaskClient, address: str) -> None:
    closed = press(admin_client, address, read_form(find(admin_client, address)), "close-fields")
    assert "No field was added." in closed.text
    assert rows(read_form(closed), "remaining") == []


def test_a_prefix_that_cannot_be_is_told_and_the_list_stays(admin_client: FlaskClient, address: str) -> None:
    fields = read_form(find(admin_client, address))
    response = press(admin_client, address, fields, "add-fields", remaining_prefix="a b")
    assert response.status_code == 422
    assert "Letters, digits" in message_at(response, "remaining_prefix")
    assert proposed(read_form(response)) == proposed(fields)
    assert "Nijmegen" in response.text


def test_nothing_of_it_is_stored_by_saving(admin_client: FlaskClient, address: str) -> None:
    # when the goal is saved while the list is open
    response = press(admin_client, address, read_form(find(admin_client, address)), "save")
    # then only the goal is
    page = admin_client.get(response.location)
    assert "Nothing had changed." in page.text
    assert "Nijmegen" not in page.text


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ({"secret": None}, "Give the connection a domain, a client id and a client secret."),
        (
            {"secret": READER_CLIENT_SECRET, "auth0_client_id": READER_CLIENT_ID},
            "The application lacks the scope read:users.",
        ),
    ],
    ids=["no secret", "no scope"],
)
def test_a_tenant_that_cannot_be_asked_is_explained(
    admin_client: FlaskClient, connect: Callable[..., None], tenant: RunningTenant, connection: Any, message: str
) -> None:
    # given a connection that cannot read users
    with tenant.state.change() as data:
        for grant in data["client_grants"]:
            grant["scope"] = ["read:actions"]
    connect(tenant.base_url, **connection)
    address = add_import_goal(admin_client, f"/connections/{CONNECTION_KEY}")
    # when the fields are asked for
    page = find(admin_client, address, name="Typed")
    # then the page says why not and where that is mended, and keeps what was typed
    assert "The tenant's users cannot be read." in text_of(page.text)
    assert message in text_of(page.text)
    assert read_form(page)["name"] == "Typed"
