"""The web goal's page: what an admin types, what becomes of it, and what the page says."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from snippets.goals import MergeStrategy, WebGoal
from tests.connections.pages import GOAL, add_connection, add_goal, audit_entries, message_at, read_form, rows
from webapp.connections.editor import RowAction, Verb, change_rows
from webapp.connections.goals import find_goal, to_web_goal

HOSTILE = "</script><script>alert(1)</script>\u2028\"'"


def stored_goal(app: Flask, address: str) -> WebGoal:
    with app.extensions["database"].reading() as session:
        return to_web_goal(find_goal(session, address.rsplit("/", 1)[1]), public_url="http://localhost:8000")


def test_a_new_goal_begins_with_rows_that_suit_most_sites(admin_client: FlaskClient) -> None:
    # when the page of a new goal is opened
    page = admin_client.get(f"{add_connection(admin_client)}/goals/new")
    # then it has mappings, links and a namespace, and says when the code comes
    fields = read_form(page)
    assert rows(fields) == ["email", "name", "user_id"]
    assert rows(fields, "links") == ["user_id", "email"]
    assert fields["claim_namespace"] == "http://localhost:8000/claims/"
    assert "once the goal is saved" in page.text


def test_a_goal_is_saved_as_it_was_typed(app: Flask, admin_client: FlaskClient) -> None:
    # when a goal is saved with a row of each direction
    address = add_goal(
        admin_client,
        **{
            "mappings-3-auth0_field": "user_metadata.newsletter",
            "mappings-3-profile_property": "newsletter",
            "mappings-3-direction": "to_auth0",
            "mappings-3-strategy": "set_if_empty",
            "client_ids": "one\r\n two \r\n\r\none",
        },
    )
    # then it is stored so, and its page shows the same
    goal = stored_goal(app, address)
    assert [mapping.auth0_field for mapping in goal.mappings][-1] == "user_metadata.newsletter"
    assert goal.mappings[-1].strategy is MergeStrategy.SET_IF_EMPTY
    assert goal.client_ids == ("one", "two")
    fields = read_form(admin_client.get(address))
    assert fields["mappings-3-direction"] == "to_auth0"
    assert fields["allowed_origins"] == "https://shop.example"


def test_saving_says_the_revision_and_which_properties_were_made(admin_client: FlaskClient) -> None:
    # given a goal
    address = add_goal(admin_client)
    first = admin_client.get(address).text
    # when it is saved with a change, then without one
    fields = read_form(admin_client.get(address))
    second = admin_client.post(address, data={**fields, "name": "Renamed"}, follow_redirects=True).text
    third = admin_client.post(address, data=read_form(admin_client.get(address)), follow_redirects=True).text
    # then the revision grew once
    assert "Saved as revision 1." in first
    assert "New profile properties were made: " in first
    assert "full_name" in first
    assert "Saved as revision 2." in second
    assert "New profile properties" not in second
    assert "Nothing had changed." in third
    assert "Revision 2" in third


def test_switching_off_is_a_change(admin_client: FlaskClient) -> None:
    address = add_goal(admin_client)
    fields = read_form(admin_client.get(address))
    del fields["is_on"]
    page = admin_client.post(address, data=fields, follow_redirects=True)
    assert "Saved as revision 2." in page.text
    assert 'state-off">Off' in page.text


def test_who_saves_second_is_told_and_keeps_what_was_typed(app: Flask, admin_client: FlaskClient) -> None:
    # given two pages of one goal
    address = add_goal(admin_client)
    mine, theirs = read_form(admin_client.get(address)), read_form(admin_client.get(address))
    # when both are saved
    admin_client.post(address, data={**theirs, "name": "Theirs"})
    response = admin_client.post(address, data={**mine, "name": "Mine"})
    # then the second changes nothing, says so, and can be sent again knowingly
    assert response.status_code == 409
    assert "Somebody else saved this" in response.text
    assert stored_goal(app, address).name == "Theirs"
    again = read_form(response)
    assert again["name"] == "Mine"
    admin_client.post(address, data=again)
    assert (stored_goal(app, address).name, stored_goal(app, address).revision) == ("Mine", 3)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"name": " "}, "name", "Give the goal a name."),
        ({"mappings-1-auth0_field": ""}, "mappings-1-auth0_field", "Name an Auth0 field"),
        ({"mappings-1-auth0_field": "__proto__.x"}, "mappings-1-auth0_field", "JavaScript keeps"),
        ({"mappings-1-profile_property": "with space"}, "mappings-1-profile_property", "letters, digits"),
        ({"mappings-1-direction": "to_auth0"}, "mappings-1-auth0_field", "the visitor's word"),
        ({"mappings-1-direction": "sideways"}, "mappings-1-direction", "Must be one of"),
        ({"mappings-1-strategy": "remove"}, "mappings-1-strategy", "Must be one of"),
        ({"links-1-profile_property": ""}, "links-1-profile_property", "Name a profile property."),
        ({"client_ids": ""}, "client_ids", "at least one application"),
        ({"token_kind": "access_token"}, "audiences", "audience"),
        ({"allowed_origins": "https://shop.example/path"}, "allowed_origins", "is no origin"),
        ({"claim_namespace": "https://acme.auth0.com/"}, "claim_namespace", "Auth0 ignores"),
    ],
)
def test_a_mistake_stands_at_its_field_and_what_was_typed_is_kept(
    admin_client: FlaskClient, changes: dict[str, str], field: str, message: str
) -> None:
    # given a goal's page with a mistake in it
    address = f"{add_connection(admin_client)}/goals/new"
    typed = read_form(admin_client.get(address))
    typed.update(GOAL | changes)
    # when it is saved
    response = admin_client.post(address, data=typed)
    # then nothing is saved, the message is at the field and in the summary, and everything typed is still there
    # (but a choice that there is not)
    assert response.status_code == 422
    assert message in message_at(response, field)
    assert f'<a href="#{field}">' in response.text
    kept, offered = read_form(response), {"direction", "strategy"}
    assert kept == {name: value for name, value in typed.items() if name != field or field[11:] not in offered}
    assert "data-is-unsaved" in response.text


def test_the_summary_has_all_mistakes_in_the_order_of_the_page(admin_client: FlaskClient) -> None:
    # given a page of a new goal on which much is missing
    address = f"{add_connection(admin_client)}/goals/new"
    typed = {**read_form(admin_client.get(address)), "mappings-2-auth0_field": "", "links-0-profile_property": ""}
    # when it is saved
    page = admin_client.post(address, data=typed).text
    # then the summary leads from top to bottom
    places = [f'<a href="#{place}">' for place in ("name", "mappings-2-auth0_field", "links-0-profile_property")]
    places += [f'<a href="#{place}">' for place in ("client_ids", "allowed_origins")]
    found = [page.index(place) for place in places]
    assert found == sorted(found)


def test_a_sum_needs_a_number(admin_client: FlaskClient) -> None:
    # given a goal that made "full_name" a text property
    address = add_goal(admin_client)
    fields = read_form(admin_client.get(address))
    # when a row sums into it
    response = admin_client.post(address, data={**fields, "mappings-1-strategy": "sum"})
    # then the row says why not
    assert response.status_code == 422
    assert "full_name is stored as text, and only numbers can be summed." in message_at(response, "mappings-1-strategy")


@pytest.mark.parametrize(
    ("do", "expected", "focused"),
    [
        ("add-mapping", ["email", "name", "user_id", ""], "mappings-3-auth0_field"),
        ("remove-mapping-1", ["email", "user_id"], "mappings-1-auth0_field"),
        ("remove-mapping-2", ["email", "name"], "mappings-1-auth0_field"),
        ("move-up-mapping-2", ["email", "user_id", "name"], "move-up-mapping-1"),
        ("move-down-mapping-0", ["name", "email", "user_id"], "move-down-mapping-1"),
        ("move-up-mapping-0", ["email", "name", "user_id"], "move-up-mapping-0"),
    ],
)
def test_rows_change_without_javascript(
    app: Flask, admin_client: FlaskClient, do: str, expected: list[str], focused: str
) -> None:
    # given a goal's page on which something was typed
    address = add_goal(admin_client)
    typed = {**read_form(admin_client.get(address)), "name": "Typed", "mappings-0-strategy": "add", "do": do}
    # when a row's button is pressed
    response = admin_client.post(address, data=typed)
    # then the rows are so, the rest is as typed, the focus goes on from there, and nothing is saved
    assert response.status_code == 200
    fields = read_form(response)
    assert rows(fields) == expected
    assert fields["name"] == "Typed"
    strategies = [fields[f"mappings-{index}-strategy"] for index in range(len(expected))]
    assert strategies[expected.index("email")] == "add"
    assert "Nothing is saved yet." in response.text
    assert response.text.count(" autofocus") == 1
    assert f'id="{focused}"' in next(tag for tag in response.text.split("<") if " autofocus" in tag)
    assert stored_goal(app, address).revision == 1


def test_links_change_without_javascript_and_keep_their_boxes(admin_client: FlaskClient) -> None:
    # given a link whose box is not ticked
    address = add_goal(admin_client)
    typed = read_form(admin_client.get(address))
    del typed["links-1-require_verified"]
    # when it moves up, and another link is added
    moved = read_form(admin_client.post(address, data={**typed, "do": "move-up-link-1"}))
    added = read_form(admin_client.post(address, data={**moved, "do": "add-link"}))
    # then its box stays as it was, and a new link starts with it ticked
    assert rows(added, "links") == ["email", "user_id", ""]
    assert [f"links-{index}-require_verified" in added for index in range(3)] == [False, True, True]


def test_the_last_row_can_go_on_a_new_goal_too(admin_client: FlaskClient) -> None:
    # given the page of a new goal with one link left
    address = f"{add_connection(admin_client)}/goals/new"
    fields = read_form(admin_client.post(address, data={**read_form(admin_client.get(address)), "do": "remove-link-1"}))
    # when that one is removed, and the goal saved
    response = admin_client.post(address, data={**fields, "do": "remove-link-0"})
    saved = admin_client.post(address, data={**read_form(response), **GOAL})
    # then there is none, and the page says that one is needed
    assert rows(read_form(response), "links") == []
    assert "Add an identifier link" in saved.text
    assert saved.status_code == 422


@pytest.mark.parametrize("do", ["remove-mapping-3", "add-goal", "remove-mapping", "move-up-link-99999"])
def test_a_button_that_no_page_has_is_refused(admin_client: FlaskClient, do: str) -> None:
    address = add_goal(admin_client)
    assert admin_client.post(address, data={**read_form(admin_client.get(address)), "do": do}).status_code == 400


def test_too_many_rows_are_refused_with_a_message(admin_client: FlaskClient) -> None:
    # given a form with more rows than a goal may have, and one with more than any page sends
    address = f"{add_connection(admin_client)}/goals/new"
    fields = read_form(admin_client.get(address))

    def with_rows(count: int) -> dict[str, str]:
        values = {f"mappings-{index}-auth0_field": f"user_metadata.f{index}" for index in range(count)}
        names = {f"mappings-{index}-profile_property": f"p{index}" for index in range(count)}
        choices = {
            f"mappings-{index}-{name}": value
            for index in range(count)
            for name, value in (("direction", "to_profile"), ("strategy", "set"))
        }
        return {**fields, **GOAL, **values, **names, **choices}

    # when they are saved
    some, many = (admin_client.post(address, data=with_rows(count)) for count in (201, 401))
    # then the first says how many there may be, and the second is not even read
    assert some.status_code == 422
    assert "At most 200 mappings." in some.text
    assert many.status_code == 400


def test_a_hostile_name_stays_text(admin_client: FlaskClient) -> None:
    address = add_goal(admin_client, name=HOSTILE)
    page = admin_client.get(address)
    assert "<script>alert" not in page.text
    assert read_form(page)["name"] == HOSTILE


def test_deleting_takes_the_goal_away(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal
    address = add_goal(admin_client, name="Short-lived")
    # when it is deleted
    page = admin_client.post(f"{address}/delete", follow_redirects=True)
    # then the connection's page says so, and the goal is not found
    assert "The web goal Short-lived is deleted." in page.text
    assert admin_client.get(address).status_code == 404


def test_the_audit_log_says_what_changed(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal
    address = add_goal(admin_client)
    # when it is saved with a change, without one, and deleted
    fields = {**read_form(admin_client.get(address)), "name": "Renamed", "mappings-0-strategy": "set_if_empty"}
    admin_client.post(address, data=fields)
    admin_client.post(address, data=read_form(admin_client.get(address)))
    admin_client.post(f"{address}/delete")
    # then there is an entry for each change
    entries = audit_entries(app, "goal")
    assert [entry.action for entry in entries] == ["created", "saved", "deleted"]
    assert entries[1].detail == {"revision": 2, "changed": ["name", "mappings"]}
    assert {entry.object_key for entry in entries} == {address.rsplit("/", 1)[1]}


@given(count=st.integers(1, 8), data=st.data())
def test_moving_a_row_loses_none(count: int, data: st.DataObject) -> None:
    # given rows, and one to move
    before: list[dict[str, object]] = [{"auth0_field": str(number)} for number in range(count)]
    action = RowAction(
        data.draw(st.sampled_from([Verb.MOVE_UP, Verb.MOVE_DOWN])), "mapping", data.draw(st.integers(0, count - 1))
    )
    # when it moves
    after, place = change_rows(before, action)
    # then all rows are there, it stands at its place, and the others keep their order
    assert after[place] == before[action.index]
    others = [row for row in before if row is not before[action.index]]
    assert [row for row in after if row is not before[action.index]] == others
