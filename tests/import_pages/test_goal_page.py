"""The import goal's page: what an admin types, what becomes of it, and what the page says."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from snippets.goals import MergeStrategy
from tests.connections.pages import add_connection, add_goal, audit_entries, message_at, read_form, rows
from tests.import_pages.conftest import add_import_goal
from webapp.connections.import_goals import DeletionPolicy, ImportGoal, ImportMode
from webapp.connections.import_saving import find_import_goal, to_import_goal
from webapp.connections.transforms import Transform, TransformKind
from webapp.import_pages.views import MAX_POSTED_CHIP_FIELDS
from webapp.profiles.models import PropertyDefinition

HOSTILE = "</script><script>alert(1)</script>\u2028\"'"
TRANSFORMED = {
    "mappings-1-auth0_field": "user_metadata.interests",
    "mappings-1-profile_property": "interests",
    "mappings-1-strategy": "add",
    "mappings-1-transforms-0-kind": "split",
    "mappings-1-transforms-0-argument": ",",
    "mappings-1-transforms-1-kind": "lower",
}


def stored_goal(app: Flask, address: str) -> ImportGoal:
    with app.extensions["database"].reading() as session:
        return to_import_goal(find_import_goal(session, address.rsplit("/", 1)[1]))


def types(app: Flask) -> dict[str, str]:
    with app.extensions["database"].reading() as session:
        return {each.id: each.property_type for each in session.scalars(select(PropertyDefinition))}


def test_a_connection_leads_to_its_first_import_goal(admin_client: FlaskClient) -> None:
    # given a connection without goals
    address = add_connection(admin_client)
    assert f'href="{address}/imports/new"' in admin_client.get(address).text
    # when the page of a new goal is opened
    fields = read_form(admin_client.get(f"{address}/imports/new"))
    # then it begins with what suits most tenants
    assert fields["name"] == "Import data"
    assert rows(fields) == ["email", "name", "user_id"]
    assert rows(fields, "links") == ["user_id", "email"]
    assert (fields["mode"], fields["deletion_policy"]) == ("full", "ignore")


def test_each_new_goal_begins_with_a_name_of_its_own(admin_client: FlaskClient) -> None:
    # given goals that were saved under the name that the page proposes
    address = add_connection(admin_client)
    proposed = [read_form(admin_client.get(f"{address}/imports/new"))["name"]]
    for _ in range(2):
        add_import_goal(admin_client, address)
        # when the next is begun
        proposed.append(read_form(admin_client.get(f"{address}/imports/new"))["name"])
    # then no two are called alike: the command line knows goals by their names
    assert proposed == ["Import data", "Import data 2", "Import data 3"]


def test_a_goal_is_saved_as_it_was_typed(app: Flask, admin_client: FlaskClient) -> None:
    # when a goal is saved with everything
    address = add_import_goal(
        admin_client,
        name="Nightly",
        other_databases="Customers\r\n google-oauth2 \r\nCustomers",
        database_property="auth0_database",
        mode="incremental",
        deletion_policy="clear",
        **TRANSFORMED,
    )
    # then it is stored so
    goal = stored_goal(app, address)
    assert goal.databases == ("Customers", "google-oauth2")
    assert (goal.database_property, goal.mode) == ("auth0_database", ImportMode.INCREMENTAL)
    assert goal.deletion_policy is DeletionPolicy.CLEAR
    assert goal.mappings[1].strategy is MergeStrategy.ADD
    assert goal.mappings[1].transforms == (Transform(TransformKind.SPLIT, ","), Transform(TransformKind.LOWER))
    # and its page shows the same, so that saving it again changes nothing
    page = admin_client.get(address)
    assert read_form(page)["mappings-1-transforms-0-argument"] == ","
    assert "Saved as revision 1." in page.text
    assert "auth0_database" in page.text
    again = admin_client.post(address, data=boxes_checked(page.text, read_form(page)), follow_redirects=True)
    assert "Nothing had changed." in again.text


def boxes_checked(page: str, fields: dict[str, str]) -> dict[str, list[str]]:
    """Return the form with all checked databases: several boxes have one name."""
    names = [tag.split('value="')[1].split('"')[0] for tag in page.split("<input") if 'name="databases"' in tag[:200]]
    return {name: [value] for name, value in fields.items()} | {"databases": names}


def test_the_connection_and_the_list_show_import_goals(admin_client: FlaskClient) -> None:
    # given a connection with a goal of each kind, the import goal off
    goal = add_goal(admin_client)
    connection = admin_client.get("/connections").text.split('href="/connections/')[2].split('"')[0]
    address = f"/connections/{connection}"
    imports = add_import_goal(admin_client, address, name="Nightly")
    fields = read_form(admin_client.get(imports))
    del fields["is_on"]
    assert "Saved as revision 2." in admin_client.post(imports, data=fields, follow_redirects=True).text
    # when the connection and the list are opened
    page, listed = admin_client.get(address).text, admin_client.get("/connections").text
    # then both goals are there with their states, and the box for deleting names both
    assert f'<a href="{goal}">Shop visitors</a>' in page
    assert f'<a href="{imports}">Nightly</a>' in page
    assert page.index("Nightly") < page.index('state-off">Off')
    assert "1 of 2 on" in listed
    assert "import goals: <strong>Nightly</strong>" in page
    assert admin_client.post(f"{address}/delete").status_code == 303
    assert admin_client.get(imports).status_code == 404


def test_who_saves_second_is_told_and_keeps_what_was_typed(app: Flask, admin_client: FlaskClient) -> None:
    # given two pages of one goal
    address = add_import_goal(admin_client)
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
        ({"database_property": "a b"}, "database_property", "letters, digits"),
        ({"mode": "often"}, "mode", "Must be one of"),
        ({"mappings-1-auth0_field": ""}, "mappings-1-auth0_field", "Name an Auth0 field"),
        ({"mappings-1-auth0_field": "organization.name"}, "mappings-1-auth0_field", "at login only"),
        ({"mappings-1-profile_property": "with space"}, "mappings-1-profile_property", "letters, digits"),
        ({"mappings-1-strategy": "remove"}, "mappings-1-strategy", "Must be one of"),
        ({"mappings-1-property_type": "colour"}, "mappings-1-property_type", "Must be one of"),
        ({"links-1-profile_property": ""}, "links-1-profile_property", "Name a profile property."),
    ],
)
def test_a_mistake_stands_at_its_field_and_what_was_typed_is_kept(
    admin_client: FlaskClient, changes: dict[str, str], field: str, message: str
) -> None:
    # given a new goal's page with a mistake in it
    address = f"{add_connection(admin_client)}/imports/new"
    typed = read_form(admin_client.get(address)) | TRANSFORMED | changes
    # when it is saved
    response = admin_client.post(address, data=typed)
    # then nothing is saved, the message is at the field and in the summary, and everything typed is still there
    # (but a choice that there is not)
    assert response.status_code == 422
    if field != "mode":
        assert message in message_at(response, field)
    assert message in response.text
    assert f'<a href="#{field}">' in response.text
    kept = read_form(response)
    offered = ("mode", "strategy", "property_type")
    assert {name: kept[name] for name in typed if name != field or not field.endswith(offered)}.items() <= typed.items()
    assert "data-is-unsaved" in response.text


@pytest.mark.parametrize(
    ("chip", "message"),
    [
        (("split", ""), "split needs something after it"),
        (("date", "%Q"), "is no format of a date"),
        (("shout", ""), "Each must be one of"),
    ],
)
def test_a_transform_that_cannot_be_is_told_at_its_row(
    admin_client: FlaskClient, chip: tuple[str, str], message: str
) -> None:
    address = f"{add_connection(admin_client)}/imports/new"
    kind, argument = chip
    typed = {"mappings-1-transforms-0-kind": kind, "mappings-1-transforms-0-argument": argument}
    response = admin_client.post(address, data=read_form(admin_client.get(address)) | typed)
    assert response.status_code == 422
    assert '<a href="#mappings-1-transforms">Mapping 2: ' in response.text
    assert message in response.text


def test_a_database_that_cannot_be_and_a_link_that_is_missing_are_told(admin_client: FlaskClient) -> None:
    address = f"{add_connection(admin_client)}/imports/new"
    typed = {name: text for name, text in read_form(admin_client.get(address)).items() if "links-" not in name}
    page = admin_client.post(address, data=typed | {"other_databases": "a b"})
    assert page.status_code == 422
    assert "is no name of an Auth0 database" in page.text
    assert '<a href="#links">' in page.text


def test_the_type_of_a_new_property_is_chosen_and_that_of_another_shown(app: Flask, admin_client: FlaskClient) -> None:
    # when a goal is saved with a type for a property that is new, and for one that will be there
    address = add_import_goal(
        admin_client, **{"mappings-1-auth0_field": "app_metadata.points", "mappings-1-property_type": "decimal"}
    )
    # then the new one has it, the others have what suits their rows
    assert types(app) == {"email": "email", "full_name": "decimal", "auth0_user_id": "text"}
    # and from now on the page shows it and no longer asks
    page = admin_client.get(address).text
    select_tag = page.split('id="mappings-1-property_type"')[1].split("</select>")[0]
    assert "disabled" in select_tag
    assert '<option value="decimal" selected>' in select_tag
    # when another type is sent nevertheless, then it stays as it is
    admin_client.post(address, data=read_form(admin_client.get(address)) | {"mappings-1-property_type": "text"})
    assert types(app)["full_name"] == "decimal"


def test_the_type_that_a_new_property_gets_by_itself_is_told(admin_client: FlaskClient) -> None:
    # given a form with a row that sums into a property that does not exist
    address = f"{add_connection(admin_client)}/imports/new"
    row = {"mappings-1-auth0_field": "app_metadata.points", "mappings-1-strategy": "sum"}
    page = admin_client.get(address)
    assert "Automatic (text)" in page.text
    # when the page comes again with what was typed, then it says what comes of that
    moved = admin_client.post(address, data=read_form(page) | row | {"do": "move-up-mapping-1"}).text
    assert "Automatic (number)" in moved
    # but not while the goal could not be saved at all
    broken = admin_client.post(address, data=read_form(page) | row | {"do": "add-link"}).text
    assert "Automatic (" not in broken


def test_two_rows_cannot_give_one_property_two_types(admin_client: FlaskClient) -> None:
    address = f"{add_connection(admin_client)}/imports/new"
    typed = read_form(admin_client.get(address)) | {
        "mappings-0-profile_property": "points",
        "mappings-0-property_type": "number",
        "mappings-1-profile_property": "points",
        "mappings-1-property_type": "text",
    }
    response = admin_client.post(address, data=typed)
    assert response.status_code == 422
    assert "Another row makes points a property of the type number." in message_at(response, "mappings-1-property_type")


def test_a_sum_needs_a_number(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal that made "full_name" a text property
    address = add_import_goal(admin_client)
    # when a row sums into it
    response = admin_client.post(address, data=read_form(admin_client.get(address)) | {"mappings-1-strategy": "sum"})
    # then the row says why not, and nothing was made
    assert response.status_code == 422
    assert "full_name is stored as text, and only numbers can be summed." in message_at(response, "mappings-1-strategy")
    assert stored_goal(app, address).revision == 1


@pytest.mark.parametrize(
    ("do", "chips", "focused"),
    [
        ("add-transform-mapping-1", ["split", "lower", "upper"], "add-transform-mapping-1"),
        ("remove-transform-0-mapping-1", ["lower"], "add-transform-mapping-1"),
        ("move-up-mapping-1", ["split", "lower"], "move-up-mapping-0"),
    ],
)
def test_transforms_change_without_javascript(
    app: Flask, admin_client: FlaskClient, do: str, chips: list[str], focused: str
) -> None:
    # given a goal with transforms, on whose page something was typed
    address = add_import_goal(admin_client, **TRANSFORMED)
    typed = read_form(admin_client.get(address)) | {"name": "Typed", "mappings-1-new_transform": "upper", "do": do}
    # when a button of a chip, or of its row, is pressed
    response = admin_client.post(address, data=typed)
    # then the transforms are so, in their row, the rest is as typed, and nothing is saved
    assert response.status_code == 200
    fields = read_form(response)
    row = rows(fields).index("user_metadata.interests")
    found = [
        fields[name] for name in sorted(fields) if name.startswith(f"mappings-{row}-transforms-") and "kind" in name
    ]
    assert found == chips
    assert fields["name"] == "Typed"
    assert "Nothing is saved yet." in response.text
    assert f'id="{focused}"' in next(tag for tag in response.text.split("<") if " autofocus" in tag)
    assert stored_goal(app, address).revision == 1


def test_a_transform_that_takes_an_argument_is_typed_on(admin_client: FlaskClient) -> None:
    # when a transform with an argument is added
    address = add_import_goal(admin_client)
    typed = read_form(admin_client.get(address)) | {
        "mappings-0-new_transform": "split",
        "do": "add-transform-mapping-0",
    }
    page = admin_client.post(address, data=typed).text
    # then the field for it has the focus
    focused = next(tag for tag in page.split("<") if " autofocus" in tag)
    assert 'id="mappings-0-transforms-0-argument"' in focused


@pytest.mark.parametrize(
    "typed",
    [
        {"do": "add-transform-mapping-9"},
        {"do": "remove-transform-5-mapping-1"},
        {"do": "shout"},
        {"do": "add-transform-mapping-1", "mappings-1-new_transform": "shout"},
        {"name": "a\0b"},
        {f"mappings-0-transforms-{number}-kind": "trim" for number in range(MAX_POSTED_CHIP_FIELDS + 1)},
    ],
    ids=["no row", "no chip", "no button", "no transform", "NUL", "too many chips"],
)
def test_what_no_page_sends_is_refused(admin_client: FlaskClient, typed: dict[str, str]) -> None:
    address = add_import_goal(admin_client, **TRANSFORMED)
    response = admin_client.post(address, data=read_form(admin_client.get(address)) | typed)
    assert response.status_code == 400


def test_a_row_takes_ten_transforms_and_no_more(admin_client: FlaskClient) -> None:
    # given a row with ten of them
    ten = {f"mappings-0-transforms-{number}-kind": "trim" for number in range(10)}
    address = add_import_goal(admin_client, **ten)
    # when one more is asked for, or sent
    typed = read_form(admin_client.get(address))
    asked = admin_client.post(address, data=typed | {"do": "add-transform-mapping-0"}).text
    sent = admin_client.post(address, data=typed | {"mappings-0-transforms-10-kind": "trim"})
    # then the page says so
    assert "A mapping has at most 10 transforms." in asked
    assert sent.status_code == 422
    assert "At most 10 transforms." in sent.text


def test_nothing_that_was_typed_becomes_code(admin_client: FlaskClient) -> None:
    # given a goal with a hostile name, and hostile transforms
    address = add_import_goal(admin_client, name=HOSTILE, **TRANSFORMED | {"mappings-1-transforms-0-argument": HOSTILE})
    # when its pages and its connection's are opened
    connection = admin_client.get(address).text.split('href="/connections/')[1].split('"')[0]
    pages = [
        admin_client.get(each).text for each in (address, f"/connections/{connection}", f"/goals/{address[9:]}/history")
    ]
    # then the text is text
    assert all("<script>alert" not in page for page in pages)


@pytest.mark.parametrize("path", ["/imports/nowhere-1", "/connections/nowhere-1/imports/new"])
def test_a_key_that_nothing_has_is_not_found(admin_client: FlaskClient, path: str) -> None:
    assert admin_client.get(path).status_code == 404
    assert admin_client.post(path, data={"name": "x"}).status_code == 404


def test_a_page_of_the_other_kind_is_not_found(admin_client: FlaskClient) -> None:
    web, imports = add_goal(admin_client), add_import_goal(admin_client)
    assert admin_client.get(web.replace("goals", "imports")).status_code == 404
    assert admin_client.get(imports.replace("imports", "goals")).status_code == 404


def test_a_goal_is_deleted_and_that_is_recorded(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal
    address = add_import_goal(admin_client)
    # when it is deleted on its page
    assert f'action="{address}/delete"' in admin_client.get(address).text
    page = admin_client.post(f"{address}/delete", follow_redirects=True)
    # then it is gone, and the audit log knows who did that
    assert "The import goal Import data is deleted." in page.text
    assert admin_client.get(address).status_code == 404
    assert admin_client.post(f"{address}/delete").status_code == 404
    assert [entry.action for entry in audit_entries(app, "goal")] == ["created", "deleted"]


def test_a_connection_that_is_off_says_so(admin_client: FlaskClient) -> None:
    address = add_import_goal(admin_client)
    connection = "/connections/" + admin_client.get(address).text.split('href="/connections/')[1].split('"')[0]
    fields = read_form(admin_client.get(connection))
    del fields["is_on"]
    admin_client.post(connection, data=fields)
    assert "is switched off, so this goal imports nobody." in admin_client.get(address).text


def test_a_stranger_sees_nothing(client: FlaskClient) -> None:
    assert client.get("/imports/some-goal").location.startswith("/sign-in")
    assert client.get("/connections/some/imports/databases").location.startswith("/sign-in")
    assert client.post("/imports/some-goal").status_code == 401


def test_a_form_without_its_token_is_refused(csrf_admin_client: FlaskClient) -> None:
    assert csrf_admin_client.post("/imports/some-goal", data={"name": "x"}).status_code == 400
    assert csrf_admin_client.post("/imports/some-goal/delete").status_code == 400


def test_the_history_of_an_import_goal_is_read_compared_and_restored(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal that was saved with other transforms and settings
    address = add_import_goal(admin_client, **TRANSFORMED)
    history = f"/goals/{address[9:]}/history"
    assert f'href="{history}"' in admin_client.get(address).text
    changes = {"mappings-1-transforms-1-kind": "upper", "mode": "incremental", "other_databases": "Customers"}
    assert admin_client.post(address, data=read_form(admin_client.get(address)) | changes).status_code == 303
    # when its history is opened, and the two revisions are compared
    listed = admin_client.get(history).text
    compared = admin_client.get(f"{history}/changes?from=1&to=2").text
    # then the words are those of the page
    assert "1 mapping changed, Auth0 databases changed, users of a run changed" in listed
    assert f'href="{address}"' in listed
    assert "<del>split “,”, lower</del>" in compared
    assert "Customers" in compared
    assert "The generated code" not in compared
    # when the first is restored
    response = admin_client.post(f"{history}/1/restore", data={"expected_revision": "2"}, follow_redirects=True)
    # then it is the third
    assert "Revision 1 is restored as revision 3." in response.text
    goal = stored_goal(app, address)
    assert (goal.revision, goal.mode, goal.databases) == (3, ImportMode.FULL, ())
