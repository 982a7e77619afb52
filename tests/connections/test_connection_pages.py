"""The pages of connections: what an admin sees and what is kept."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.connections.pages import CONNECTION, add_connection, add_goal, audit_entries, message_at, read_form
from webapp.connections.models import Connection
from webapp.sealing import Sealer

SECRET = "s3cret-of-the-tenant"
HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"


def stored_connection(app: Flask) -> Connection:
    with app.extensions["database"].reading() as session:
        connection: Connection = session.scalars(select(Connection)).one()
        session.expunge(connection)
        return connection


def test_an_empty_list_leads_to_the_first_connection(admin_client: FlaskClient) -> None:
    # when an admin opens the list while there is nothing
    page = admin_client.get("/", follow_redirects=True)
    # then it says so and leads on
    assert "No connection yet" in page.text
    assert 'href="/connections/new"' in page.text


def test_a_stranger_is_asked_to_sign_in(client: FlaskClient) -> None:
    assert client.get("/connections").location.startswith("/sign-in")
    assert client.post("/connections/new", data=CONNECTION).status_code == 401


def test_a_new_connection_stands_in_the_list(admin_client: FlaskClient) -> None:
    # when a connection is added with its metadata
    add_connection(admin_client, name="Shop DE", labels="shop, Germany, shop", is_favourite="y")
    # then the list shows it
    page = admin_client.get("/connections").text
    for text in ("Shop DE", "acme.eu.auth0.com", "Germany", "Favourite", 'state-on">On'):
        assert text in page


def test_the_list_counts_the_goals_that_are_on(admin_client: FlaskClient) -> None:
    # given a connection with a goal
    goal = add_goal(admin_client)
    assert "1 of 1 on" in admin_client.get("/connections").text
    # when the goal is switched off
    fields = read_form(admin_client.get(goal))
    del fields["is_on"]
    admin_client.post(goal, data=fields)
    # then the list says so
    assert "0 of 1 on" in admin_client.get("/connections").text


def test_favourites_stand_first_and_the_list_can_be_searched(admin_client: FlaskClient) -> None:
    # given three connections
    add_connection(admin_client, name="Alpha", labels="north")
    add_connection(admin_client, name="Beta", auth0_domain="beta.example.com", is_favourite="y")
    add_connection(admin_client, name="Gamma", labels="north, Süd")
    # when they are listed, searched and filtered
    every, by_text, by_label, none = (
        admin_client.get("/connections", query_string=query).text
        for query in ({}, {"q": "BETA.ex"}, {"label": "Süd"}, {"q": "nothing like it"})
    )
    # then favourites come first, and only what matches is there
    assert every.index(">Beta<") < every.index(">Alpha<") < every.index(">Gamma<")
    assert ">Beta<" in by_text
    assert ">Alpha<" not in by_text
    assert ">Gamma<" in by_label
    assert ">Alpha<" not in by_label
    assert "Nothing found" in none


def test_the_secret_is_sealed_and_never_shown(app: Flask, admin_client: FlaskClient) -> None:
    # given a connection with a secret
    address = add_connection(admin_client, auth0_client_id="m2m", client_secret=SECRET)
    # when its page is opened and saved with the secret left empty
    page = admin_client.get(address)
    admin_client.post(address, data=read_form(page))
    # then the page does not have it, the database has it sealed only, and it is still there
    sealed = stored_connection(app).sealed_client_secret or ""
    sealer: Sealer = app.extensions["sealer"]
    assert SECRET not in page.text
    assert "A secret is stored" in page.text
    assert SECRET not in sealed
    assert sealer.unseal(sealed) == SECRET


def test_a_stored_secret_is_not_sent_to_another_tenant(app: Flask, admin_client: FlaskClient) -> None:
    # given a connection with a secret
    address = add_connection(admin_client, client_secret=SECRET)
    sealed = stored_connection(app).sealed_client_secret
    # when the domain becomes another, and the secret is left empty
    fields = read_form(admin_client.get(address)) | {"auth0_domain": "evil.example.com"}
    page = admin_client.post(address, data=fields)
    # then nothing is saved, and the message stands at the secret's field
    assert page.status_code == 422
    assert "The domain has changed: type the client secret of that tenant" in message_at(page, "client_secret")
    assert stored_connection(app).auth0_domain == "acme.eu.auth0.com"
    assert stored_connection(app).sealed_client_secret == sealed
    # and with the new tenant's secret it is
    assert admin_client.post(address, data=fields | {"client_secret": "another"}).status_code == 303
    assert stored_connection(app).auth0_domain == "evil.example.com"


def test_the_secret_can_be_removed(app: Flask, admin_client: FlaskClient) -> None:
    # given a connection with a secret
    address = add_connection(admin_client, client_secret=SECRET)
    # when the box is ticked
    admin_client.post(address, data={**read_form(admin_client.get(address)), "remove_secret": "y"})
    # then it is gone
    assert stored_connection(app).sealed_client_secret is None


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"name": "  "}, "name", "Give the connection a name."),
        ({"name": "x" * 201}, "name", "cannot be longer than 200"),
        ({"auth0_domain": ""}, "auth0_domain", "such as acme.eu.auth0.com"),
        ({"auth0_domain": "https://acme.eu.auth0.com/path"}, "auth0_domain", "without a path"),
        ({"auth0_domain": "169.254.169.254"}, "auth0_domain", "such as acme.eu.auth0.com"),
        ({"labels": "x" * 51}, "labels", "50 characters"),
        ({"description": "x" * 5001}, "description", "cannot be longer than 5000"),
    ],
)
def test_a_mistake_stands_at_its_field_and_what_was_typed_is_kept(
    admin_client: FlaskClient, changes: dict[str, str], field: str, message: str
) -> None:
    # when a connection is saved with a mistake
    typed = CONNECTION | {"name": "Typed", "description": "My tenant", "client_secret": SECRET} | changes
    response = admin_client.post("/connections/new", data=typed)
    # then nothing is saved, the message is at the field, and the form has what was typed (but never the secret)
    assert response.status_code == 422
    assert message in message_at(response, field)
    fields = read_form(response)
    assert fields["description"] == typed["description"]
    assert fields["auth0_domain"] == typed["auth0_domain"]
    assert SECRET not in response.text
    assert "please type it again" in response.text


def test_who_saves_second_is_told_and_keeps_what_was_typed(app: Flask, admin_client: FlaskClient) -> None:
    # given two pages of one connection
    address = add_connection(admin_client)
    mine, theirs = read_form(admin_client.get(address)), read_form(admin_client.get(address))
    # when both are saved
    admin_client.post(address, data={**theirs, "name": "Theirs"})
    response = admin_client.post(address, data={**mine, "name": "Mine"})
    # then the second changes nothing, says so, and can be sent again knowingly
    assert response.status_code == 409
    assert "Somebody else saved this" in response.text
    assert stored_connection(app).name == "Theirs"
    again = read_form(response)
    assert again["name"] == "Mine"
    admin_client.post(address, data=again)
    assert stored_connection(app).name == "Mine"


def test_a_version_that_is_no_number_counts_as_stale(admin_client: FlaskClient) -> None:
    address = add_connection(admin_client)
    assert admin_client.post(address, data=CONNECTION | {"version": "²"}).status_code == 409


def test_the_audit_log_names_the_changed_fields_and_no_secret(app: Flask, admin_client: FlaskClient) -> None:
    # given a connection
    address = add_connection(admin_client, client_secret=SECRET)
    # when it is saved unchanged, then with a new name and secret, then deleted
    admin_client.post(address, data=read_form(admin_client.get(address)))
    changed = {**read_form(admin_client.get(address)), "name": "Other", "client_secret": "another-secret"}
    admin_client.post(address, data=changed)
    admin_client.post(f"{address}/delete")
    # then the log has what changed, by whom, without the values of secrets
    entries = audit_entries(app, "connection")
    assert [entry.action for entry in entries] == ["created", "saved", "deleted"]
    assert entries[1].detail == {"changed": ["name", "client_secret"]}
    assert {entry.actor for entry in entries} == {"admin@example.org"}
    assert "secret" not in str([entry.detail for entry in entries]).replace("client_secret", "")


def test_deleting_names_what_goes_and_takes_the_goals_along(app: Flask, admin_client: FlaskClient) -> None:
    # given a connection with a goal
    goal = add_goal(admin_client, name="Newsletter readers")
    address = f"/connections/{stored_connection(app).key}"
    assert "with its web goals: <strong>Newsletter readers</strong>" in admin_client.get(address).text
    # when it is deleted
    page = admin_client.post(f"{address}/delete", follow_redirects=True)
    # then both are gone
    assert "The connection Shop is deleted." in page.text
    assert admin_client.get(address).status_code == 404
    assert admin_client.get(goal).status_code == 404


def test_hostile_text_stays_text(admin_client: FlaskClient) -> None:
    # given a connection and a goal whose texts try to become markup
    address = add_connection(admin_client, name=HOSTILE, labels=HOSTILE, description=HOSTILE, auth0_client_id=HOSTILE)
    # when its pages are opened
    pages = [admin_client.get(each) for each in ("/connections", address, f"{address}/goals/new")]
    # then they show the text
    for page in pages:
        assert "<script>alert(1)" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
    assert read_form(pages[1])["name"] == HOSTILE


@pytest.mark.parametrize("address", ["/connections/nothing", "/connections/nothing/goals/new", "/goals/nothing"])
def test_what_does_not_exist_is_not_found(admin_client: FlaskClient, address: str) -> None:
    assert admin_client.get(address, headers={"Accept": "text/html"}).status_code == 404
    assert admin_client.post(address, data=CONNECTION).status_code == 404
    assert admin_client.post(f"{address}/delete").status_code in {404, 405}


def test_a_text_that_no_database_can_store_is_refused(admin_client: FlaskClient) -> None:
    assert admin_client.post("/connections/new", data=CONNECTION | {"name": "a\0b"}).status_code == 400


def test_a_form_without_its_token_is_refused(csrf_admin_client: FlaskClient) -> None:
    # given the service as it runs for people, and an admin who is signed in
    client = csrf_admin_client
    # when another site sends the form
    refused = client.post("/connections/new", data=CONNECTION)
    # then nothing happens; the page's own form works
    assert refused.status_code == 400
    own = {**CONNECTION, **read_form(client.get("/connections/new")), "name": "Own", "auth0_domain": "a.auth0.com"}
    assert client.post("/connections/new", data=own).status_code == 303
