"""The preview: what the form as it is would do to one user, without writing anything."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.connections.pages import message_at, read_form
from tests.demo.conftest import ADA, RunningTenant
from tests.import_pages.conftest import CONNECTION_KEY, add_import_goal
from tests.trying.conftest import changes, text_of
from webapp.connections.goals import find_connection
from webapp.connections.import_saving import find_import_goal, live_import_goal
from webapp.demo.seed import READER_CLIENT_ID, READER_CLIENT_SECRET
from webapp.importer.applying import ChunkApplier, ImportRun
from webapp.importer.reading import User
from webapp.profiles.models import Objective, Profile, PropertyDefinition

ANN: dict[str, Any] = {"user_id": "auth0|ann", "email": "Ann@example.org", "email_verified": True, "name": "Ann"}
HOSTILE = "<script>alert(1)</script>"


def preview(client: FlaskClient, address: str, user: dict[str, Any] | str = "", **changes: str) -> TestResponse:
    """Press "Preview" on the page as it is, with changes that are not saved."""
    pasted = user if isinstance(user, str) else json.dumps(user)
    return client.post(address, data=read_form(client.get(address)) | {"pasted": pasted, "do": "preview"} | changes)


def shown(response: TestResponse) -> str:
    return text_of(response.text)


def run(app: Flask, address: str, *users: dict[str, Any], now: datetime) -> None:
    """Import users by the goal as it is saved."""
    database = app.extensions["database"]
    with database.reading() as session:
        goal = live_import_goal(find_import_goal(session, address.rsplit("/", 1)[1]), allow_loopback=True)
    applier = ChunkApplier(database, ImportRun("run-1", goal))
    applier.apply([applier.read(User(1, user)) for user in users], now=now)


def stored(app: Flask) -> tuple[int, list[str]]:
    """Return how many profiles there are, and which properties."""
    with app.extensions["database"].reading() as session:
        properties = list(session.scalars(select(PropertyDefinition.id).order_by(PropertyDefinition.id)))
        return session.scalar(select(func.count()).select_from(Profile)) or 0, properties


def test_a_goal_is_previewed_before_it_is_saved(app: Flask, admin_client: FlaskClient, address: str) -> None:
    # given the page of a goal to come, with a row that is not saved
    before, new = stored(app), f"/connections/{CONNECTION_KEY}/imports/new"
    rows = {
        "mappings-3-auth0_field": "user_metadata.since",
        "mappings-3-profile_property": "since",
        "mappings-3-property_type": "datetime",
        "mappings-4-auth0_field": "user_metadata.likes",
        "mappings-4-profile_property": "likes",
        "mappings-4-transforms-0-kind": "split",
        "mappings-4-transforms-0-argument": ",",
        "database_property": "source",
    }
    # when a pasted user is previewed
    user = ANN | {"user_metadata": {"since": "2026-11-01T10:00:00Z", "likes": "tea, rain"}, "connection": "Customers"}
    response = preview(admin_client, new, user, **rows)
    # then the page shows what the rows read, and the profile before and after
    assert response.status_code == 200
    assert "Outcome CREATED Profile A new one." in shown(response)
    assert changes(response.text) == {
        "auth0_user_id": ([], ["auth0|ann"]),
        "email": ([], ["ann@example.org"]),
        "full_name": ([], ["Ann"]),
        "likes": ([], ["tea", "rain"]),
        "since": ([], ["2026-11-01 10:00:00 UTC"]),
        "source": ([], ["Customers"]),
    }
    assert "Customers Location of the data" in shown(response)
    assert 'user_metadata.likes "tea, rain" likes' in shown(response)
    # and nothing was written, and what was typed is still there
    assert stored(app) == before
    assert read_form(response)["mappings-4-transforms-0-argument"] == ","


@pytest.mark.parametrize("wanted", [ADA, " ada@shop.example "])
def test_a_user_of_the_tenant_is_previewed(
    admin_client: FlaskClient, address: str, tenant: RunningTenant, wanted: str
) -> None:
    # given a user with a token of their identity provider
    with tenant.state.change() as data:
        data["users"][ADA]["identities"][0] |= {"access_token": "of-google"}
    # when they are asked for by id or address
    response = preview(admin_client, address, lookup=wanted, **{"mappings-1-auth0_field": "identities"})
    # then the page shows them, without the token
    assert changes(response.text)["email"] == ([], ["ada@shop.example"])
    assert "of-google" not in response.text
    # and says so if others have the address
    assert ("2 users have this address; this is the first." in shown(response)) is (wanted != ADA)


def test_who_was_imported_is_compared_with_their_profile(
    app: Flask, admin_client: FlaskClient, address: str, now: datetime
) -> None:
    # given a user who was imported, with a sum
    row = {"mappings-2-auth0_field": "points", "mappings-2-profile_property": "points", "mappings-2-strategy": "sum"}
    fields = read_form(admin_client.get(address)) | row
    assert admin_client.post(address, data=fields).status_code == 303
    run(app, address, ANN | {"points": 5}, now=now)
    # when they are previewed as they were, and as they might become
    same = preview(admin_client, address, ANN | {"points": 5})
    other = preview(admin_client, address, ANN | {"points": 7, "name": "Ann B."})
    # then the first changes nothing, the sum included, and the second adds to what is there
    assert "data-is-unsaved" not in same.text
    assert "Outcome UNCHANGED" in shown(same)
    assert "a run leaves the user out" in shown(same)
    assert changes(same.text)["points"] == (["5"], ["5"])
    assert "Outcome MODIFIED" in shown(other)
    assert "found by identifier link 1 ." in shown(other)
    assert changes(other.text)["points"] == (["5"], ["12"])
    assert changes(other.text)["full_name"] == (["Ann"], ["Ann B."])


def test_values_that_do_not_fit_are_told_at_their_rows(admin_client: FlaskClient, address: str) -> None:
    # when a user has values that no row can take
    user = ANN | {"name": HOSTILE, "email": "nobody", "email_verified": False}
    response = preview(admin_client, address, user, **{"mappings-3-auth0_field": "name"} | new_number("mappings-3"))
    # then the rows say so, the rest is previewed, and nothing becomes code
    assert 'email "nobody" Not imported: not an e-mail address email' in shown(response)
    assert "Not imported: not a number" in shown(response)
    assert "is not tried: Auth0 has not verified it" in shown(response)
    assert changes(response.text)["full_name"] == ([], [HOSTILE])
    assert HOSTILE not in response.text


def new_number(row: str) -> dict[str, str]:
    return {f"{row}-profile_property": "count_of_names", f"{row}-property_type": "number"}


@pytest.mark.parametrize(
    ("user", "changes", "message"),
    [
        ({"email": "ann@example.org"}, {}, "The user cannot be imported: no user_id."),
        ({"user_id": "auth0|\u0007"}, {}, "the user_id has characters that no id has"),
        (ANN | {"connection": "Staff"}, {"other_databases": "Customers"}, "of a database that this goal does not"),
    ],
)
def test_a_user_who_would_not_be_imported_is_refused(
    admin_client: FlaskClient, address: str, user: dict[str, Any], changes: dict[str, str], message: str
) -> None:
    response = preview(admin_client, address, user, **changes)
    assert response.status_code == 200
    assert message in shown(response)


def test_a_goal_that_creates_nobody_finds_nobody(admin_client: FlaskClient, address: str) -> None:
    fields = read_form(admin_client.get(address)) | {"pasted": json.dumps(ANN), "do": "preview"}
    del fields["allow_creation"]
    assert "the goal does not allow creation" in shown(admin_client.post(address, data=fields))


def test_a_link_to_somebody_elses_profile_is_a_conflict(
    app: Flask, admin_client: FlaskClient, address: str, now: datetime
) -> None:
    # given a profile of Ann's, and a goal that links by an address that nobody verified
    run(app, address, ANN, now=now)
    fields = read_form(admin_client.get(address)) | {"do": "preview"}
    del fields["links-1-require_verified"]
    # when somebody else comes with her address
    other = {"user_id": "auth0|bob", "email": "ann@example.org"}
    response = admin_client.post(address, data=fields | {"pasted": json.dumps(other)})
    # then the page says what an import would say
    assert "a link leads to the profile of another user" in shown(response)


def test_who_did_not_consent_is_left_alone(app: Flask, admin_client: FlaskClient, address: str, now: datetime) -> None:
    # given a connection with an objective that needs consent
    with app.extensions["database"].transaction() as session:
        session.add(
            Objective(id="mail", name="Mail", needs_consent=True, legislations=["NONE"], created_at=now, updated_at=now)
        )
        find_connection(session, CONNECTION_KEY).objectives = ["mail"]
    # when somebody is previewed of whom no consent is known
    response = preview(admin_client, address, ANN)
    # then nothing would be written
    assert "Outcome CONSENT_MISMATCH" in shown(response)


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({}, "lookup", "Enter a user id or an e-mail address."),
        ({"lookup": "auth0|nobody"}, "lookup", "The tenant has no such user."),
        ({"pasted": '{"user_id" "x"}'}, "pasted", "Line 1, column 12"),
        ({"pasted": "[1]"}, "pasted", "An object in braces is needed."),
        ({"pasted": "{}", "name": ""}, "name", "Give the goal a name."),
        ({"pasted": "{}", "mappings-1-strategy": "sum"}, "mappings-1-strategy", "only numbers can be summed"),
    ],
)
def test_what_cannot_be_previewed_says_why_at_its_field(
    admin_client: FlaskClient, address: str, typed: dict[str, str], field: str, message: str
) -> None:
    response = preview(admin_client, address, **typed)
    assert response.status_code == 422
    assert message in message_at(response, field)


def test_a_tenant_that_cannot_be_asked_is_explained(
    app: Flask, admin_client: FlaskClient, connect: Callable[..., None], tenant: RunningTenant
) -> None:
    # given an application that may not read users
    with tenant.state.change() as data:
        for grant in data["client_grants"]:
            grant["scope"] = ["read:actions"]
    connect(tenant.base_url, secret=READER_CLIENT_SECRET, auth0_client_id=READER_CLIENT_ID)
    address = add_import_goal(admin_client, f"/connections/{CONNECTION_KEY}")
    # when a user is asked for, then the field names what is missing
    assert "The application lacks the scope read:users" in message_at(
        preview(admin_client, address, lookup=ADA), "lookup"
    )
    # and a pasted one works still, but for a connection without a tenant
    assert "CREATED" in shown(preview(admin_client, address, ANN))
    with app.extensions["database"].transaction() as session:
        find_connection(session, CONNECTION_KEY).auth0_domain = ""
    assert "Give the connection its Auth0 domain first" in message_at(preview(admin_client, address, ANN), "lookup")
    assert "Not possible yet" in admin_client.get(address).text
