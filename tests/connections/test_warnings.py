"""Warnings about Auth0's limits on the goal's page: seen once before a goal is saved, then shown at their rows."""

from flask import Flask
from flask.testing import FlaskClient

from snippets.goals import Problem
from tests.connections.pages import GOAL, add_connection, add_goal, message_at, read_form
from tests.connections.test_goal_pages import stored_goal
from webapp.connections.confirming import marks_of

WHOLE = {"mappings-1-auth0_field": "app_metadata", "mappings-1-profile_property": "everything"}
LISTS = {
    f"mappings-{index}-{name}": value
    for index in range(3, 6)
    for name, value in {
        "auth0_field": f"user_metadata.list_{index}",
        "profile_property": f"list_{index}",
        "direction": "to_auth0",
        "strategy": "add",
    }.items()
}


def test_a_new_goal_with_a_warning_comes_back_once_with_all_that_was_typed(
    app: Flask, admin_client: FlaskClient
) -> None:
    # given a new goal with a row that puts everything into the token
    address = f"{add_connection(admin_client)}/goals/new"
    typed = read_form(admin_client.get(address)) | GOAL | WHOLE
    # when it is saved
    response = admin_client.post(address, data=typed)
    # then nothing is saved, the warning is at its row and in the list above, and everything typed is still there
    assert response.status_code == 422
    assert "Nothing was saved yet." in response.text
    assert "All of app_metadata goes into each visitor&#39;s token" in response.text
    assert '<a href="#mappings-1-auth0_field">Mapping 2: ' in response.text
    assert "All of app_metadata" in message_at(response, "mappings-1-auth0_field")
    again = read_form(response)
    assert again | {"seen_warnings": ""} == typed
    assert ">Save anyway</button>" in response.text
    # when it is saved all the same
    saved = admin_client.post(address, data=again)
    # then it is stored, and the warning stays at its row
    assert saved.status_code == 303
    assert stored_goal(app, saved.location).mappings[1].auth0_field == "app_metadata"
    page = admin_client.get(saved.location)
    assert "All of app_metadata" in message_at(page, "mappings-1-auth0_field")
    assert "Save anyway" not in page.text
    assert "Nothing was saved" not in page.text


def test_a_warning_that_the_goal_has_already_asks_no_more(admin_client: FlaskClient) -> None:
    # given a goal that was saved with a warning
    address = goal_with_warning(admin_client)
    # when it is saved with another change, and with its rows in another order
    typed = read_form(admin_client.get(address)) | {"name": "Renamed"}
    renamed = admin_client.post(address, data=typed)
    moved = read_form(
        admin_client.post(address, data=read_form(admin_client.get(address)) | {"do": "move-up-mapping-1"})
    )
    # then nobody is asked
    assert renamed.status_code == 303
    assert admin_client.post(address, data=moved).status_code == 303


def test_each_new_warning_is_seen_once(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal that was saved with a warning
    address = goal_with_warning(admin_client)
    # when rows are added that bring another one
    typed = read_form(admin_client.get(address)) | LISTS
    response = admin_client.post(address, data=typed)
    # then the page shows both and asks, and nothing is saved until then
    assert response.status_code == 422
    assert "come near 10 KB" in message_at(response, "mappings-5-auth0_field")
    assert "All of app_metadata" in message_at(response, "mappings-1-auth0_field")
    assert stored_goal(app, address).revision == 2
    # when a third one comes before it is saved
    more = read_form(response) | {"mappings-2-auth0_field": "identities"}
    third = admin_client.post(address, data=more)
    # then that is asked too, and after that all are saved
    assert third.status_code == 422
    assert admin_client.post(address, data=read_form(third)).status_code == 303
    assert stored_goal(app, address).revision == 3


def test_buttons_of_rows_keep_what_was_seen(admin_client: FlaskClient) -> None:
    # given a page that came back with a warning
    address = add_goal(admin_client)
    seen = read_form(admin_client.post(address, data=read_form(admin_client.get(address)) | WHOLE))
    # when a row is added and removed without JavaScript
    added = read_form(admin_client.post(address, data=seen | {"do": "add-mapping"}))
    removed = read_form(admin_client.post(address, data=added | {"do": "remove-mapping-3"}))
    # then saving does not ask again
    assert admin_client.post(address, data=removed).status_code == 303


def test_mistakes_come_before_warnings(admin_client: FlaskClient) -> None:
    # given a goal's page with both
    address = add_goal(admin_client)
    typed = read_form(admin_client.get(address)) | WHOLE | {"mappings-0-strategy": "sum"}
    # when it is saved
    response = admin_client.post(address, data=typed)
    # then it tells of the mistake only
    assert response.status_code == 422
    assert "only numbers can be summed" in response.text
    assert "Save anyway" not in response.text


def test_what_is_certain_to_fail_cannot_be_saved(app: Flask, admin_client: FlaskClient) -> None:
    # given a row that writes under a name that metadata cannot have
    address = add_goal(admin_client)
    typed = read_form(admin_client.get(address)) | LISTS | {"mappings-3-auth0_field": "user_metadata.$a"}
    # when it is saved
    response = admin_client.post(address, data=typed)
    # then the row says why not, and there is no way around it
    assert "Auth0 takes no $" in message_at(response, "mappings-3-auth0_field")
    assert "Save anyway" not in response.text
    assert stored_goal(app, address).revision == 1


def test_a_mark_that_no_page_made_is_no_mark(admin_client: FlaskClient) -> None:
    # given a form with marks of something else
    address = add_goal(admin_client)
    typed = read_form(admin_client.get(address)) | WHOLE | {"seen_warnings": "<script> 0123456789ab"}
    # when it is saved, then the page asks all the same
    response = admin_client.post(address, data=typed)
    assert response.status_code == 422
    assert "<script> 0123" not in response.text


def test_a_mark_stays_when_the_row_moves() -> None:
    first, second = Problem(("mappings", 0, "auth0_field"), "Long."), Problem(("mappings", 7, "auth0_field"), "Long.")
    assert marks_of([first]) == marks_of([second, first]) != marks_of([Problem(("links", 0, "auth0_field"), "Long.")])


def goal_with_warning(client: FlaskClient) -> str:
    """Add a goal with a warning that was seen, and return its address."""
    address = add_goal(client)
    response = client.post(address, data=read_form(client.get(address)) | WHOLE)
    assert client.post(address, data=read_form(response)).status_code == 303
    return address
