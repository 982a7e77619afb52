"""The pages of a goal's history: the list, the changes between two revisions, restoring."""

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.connections.pages import add_goal, audit_entries, read_form
from webapp.connections.goals import find_goal
from webapp.connections.history import PAGE_LENGTH
from webapp.connections.models import GoalRevision

HOSTILE = "</script><script>alert(1)</script>"


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def save(client: FlaskClient, address: str, **changes: str) -> None:
    """Save the goal with changes, on its page."""
    response = client.post(address, data=read_form(client.get(address)) | changes)
    assert response.status_code == 303, response.text


def restore(client: FlaskClient, address: str, revision: int, *, expected: int) -> str:
    """Press "Restore"; return the page that comes then."""
    data = {"expected_revision": str(expected)}
    response = client.post(f"{address}/history/{revision}/restore", data=data)
    assert response.status_code == 303
    return client.get(response.location).text


def listed(page: str) -> list[str]:
    return [text_of(row) for row in re.findall(r"<tr data-revision.*?</tr>", page, re.DOTALL)]


def make_unreadable(app: Flask, revision: int) -> None:
    """Have a revision say what this version does not take, as an older one may have kept it."""
    with app.extensions["database"].transaction() as session:
        row = session.scalars(select(GoalRevision).where(GoalRevision.revision == revision)).one()
        row.plain = {**row.plain, "token_kind": "opaque", "name": HOSTILE}


def test_the_goals_page_leads_to_its_history_and_back(admin_client: FlaskClient) -> None:
    # given a goal
    address = add_goal(admin_client)
    # when its history is opened from its page
    assert f'href="{address}/history"' in admin_client.get(address).text
    page = admin_client.get(f"{address}/history").text
    # then there is one revision, and the way back
    (line,) = listed(page)
    assert line == "Revision 1 current Created just now admin@example.org"
    assert f'href="{address}"' in page
    # and a page of a goal that does not exist yet leads nowhere
    assert "/history" not in admin_client.get("/connections").text


def test_the_list_says_what_each_revision_changed(admin_client: FlaskClient) -> None:
    # given a goal that was saved with changes
    address = add_goal(admin_client)
    save(admin_client, address, **{"name": "Renamed", "mappings-0-strategy": "set_if_empty"})
    save(admin_client, address, allowed_origins="https://other.example")
    # when its history is opened
    page = admin_client.get(f"{address}/history").text
    # then the newest stands first, and old ones can be compared and restored
    lines = listed(page)
    assert [line.split(" (")[0] for line in lines[:2]] == [
        "Revision 3 current Allowed origins changed",
        "Revision 2 1 mapping changed, name changed",
    ]
    assert "Restore" not in lines[0]
    assert "Restore revision 2" in lines[1]
    assert f'href="{address}/history/changes?from=2&amp;to=3"' in page


def test_who_saved_a_revision_from_before_is_unknown(app: Flask, admin_client: FlaskClient) -> None:
    # given a revision that is older than the table of revisions
    address = add_goal(admin_client)
    with app.extensions["database"].transaction() as session:
        session.scalars(select(GoalRevision)).one().saved_by = ""
    # when it is listed, then that is said
    assert listed(admin_client.get(f"{address}/history").text) == ["Revision 1 current Created just now unknown"]


def test_a_long_history_has_pages(app: Flask, admin_client: FlaskClient) -> None:
    # given more revisions than a page has
    address = add_goal(admin_client)
    with app.extensions["database"].transaction() as session:
        goal = find_goal(session, address.rsplit("/", 1)[1])
        (first,) = session.scalars(select(GoalRevision))
        columns = {"plain": first.plain, "is_on": True, "saved_at": first.saved_at, "saved_by": "ada@example.org"}
        for number in range(2, PAGE_LENGTH + 2):
            session.add(GoalRevision(goal_id=goal.id, revision=number, **columns))
        goal.revision = PAGE_LENGTH + 1
    # when the first page is opened, and the next one from there
    page = admin_client.get(f"{address}/history").text
    link = re.search(r'href="([^"]*)" rel="next"', page)
    assert link is not None
    second = admin_client.get(unescape(link[1])).text
    # then none is missing
    assert len(listed(page)) == PAGE_LENGTH
    assert [line.split(" ")[1] for line in listed(second)] == ["1"]
    assert 'rel="next"' not in second
    assert "Newest" in second


def test_the_changes_between_two_revisions_are_shown(admin_client: FlaskClient) -> None:
    # given a goal with a revision in which much changes
    address = add_goal(admin_client)
    changes = {
        "mappings-0-strategy": "set_if_empty",
        "mappings-2-auth0_field": "nickname",
        "mappings-2-profile_property": "nickname",
        "links-1-profile_property": "mail",
        "token_kind": "access_token",
        "audiences": "https://api.shop.example",
        "client_ids": "shop-client\r\nsecond-client",
    }
    save(admin_client, address, **changes)
    # when the two are compared
    page = admin_client.get(f"{address}/history/changes?from=1&to=2").text
    # then rows, settings and code say what was and what is, by words and elements
    text = text_of(page)
    assert "Changes from revision 1 to 2" in text
    assert "Changed email Auth0 → BlueConic email Set Set if empty" in text
    assert "<del>Set</del>" in page
    assert "<ins>Set if empty</ins>" in page
    assert "Removed user_id Auth0 → BlueConic auth0_user_id Set" in text
    assert "Added nickname Auth0 → BlueConic nickname Set" in text
    assert "1 other mapping stayed the same." in text
    assert "Changed email email mail Yes" in text
    assert "Kind of token ID token, issued to your application Access token" in text
    assert "Application client IDs shop-client shop-client second-client" in text
    assert "API audiences nothing https://api.shop.example" in text
    assert any("second-client" in line for line in re.findall(r'<ins class="line">(.*?)</ins>', page, re.DOTALL))
    assert "The first line of each file names its revision; here both name 2" in text


def test_code_that_did_not_change_is_folded_away(admin_client: FlaskClient) -> None:
    # given a revision that changes nothing in the code
    address = add_goal(admin_client)
    save(admin_client, address, allowed_origins="https://other.example")
    # when it is compared
    page = admin_client.get(f"{address}/history/changes?from=1&to=2").text
    # then each block says so
    assert page.count("no change in the code") == 4
    assert "<ins" not in page


def test_the_same_revision_twice_is_no_mistake(admin_client: FlaskClient) -> None:
    address = add_goal(admin_client)
    assert "Both revisions say the same." in admin_client.get(f"{address}/history/changes?from=1&to=1").text


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "“from” must be the number of a revision"),
        ("?from=1", 400, "“to” must be the number of a revision"),
        ("?from=one&to=1", 400, "“from” must be"),
        ("?from=-1&to=1", 400, "“from” must be"),
        ("?from=1&to=0", 400, "“to” must be"),
        ("?from=1&to=99999999999999999999", 400, "“to” must be"),
        ("?from=1&to=999999999", 404, "Revision 999999999 of this goal is not kept."),
        ("?from=7&to=1", 404, "Revision 7 of this goal is not kept."),
    ],
)
def test_revisions_that_there_are_not_are_told(
    admin_client: FlaskClient, query: str, status: int, message: str
) -> None:
    address = add_goal(admin_client)
    response = admin_client.get(f"{address}/history/changes{query}", headers={"Accept": "text/html"})
    assert response.status_code == status
    assert message in unescape(response.text)


def test_a_goal_that_is_not_there_has_no_history(admin_client: FlaskClient) -> None:
    for path in ("history", "history/changes?from=1&to=1"):
        assert admin_client.get(f"/goals/no-such-goal/{path}").status_code == 404
    assert admin_client.post("/goals/no-such-goal/history/1/restore").status_code == 404


def test_restoring_makes_a_new_revision_of_an_old_one(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal that was renamed and switched off
    address = add_goal(admin_client, name="First name")
    fields = read_form(admin_client.get(address)) | {"name": "Second name"}
    del fields["is_on"]
    admin_client.post(address, data=fields)
    # when its first revision is restored
    page = restore(admin_client, address, 1, expected=2)
    # then that is revision 3, the second one is still there, and the switch stays as it is
    assert "Revision 1 is restored as revision 3." in page
    assert read_form(admin_client.get(address))["name"] == "First name"
    assert 'state-on">On' not in page
    lines = listed(admin_client.get(f"{address}/history").text)
    assert [line.split(" (")[0] for line in lines] == [
        "Revision 3 current Name changed",
        "Revision 2 Name changed, switched off",
        lines[2],
    ]
    # and it is on record, once
    entries = audit_entries(app, "goal")
    assert [entry.action for entry in entries] == ["created", "saved", "restored"]
    assert entries[2].detail == {"revision": 3, "changed": ["name"], "restored_revision": 1}


def test_restoring_what_is_there_already_changes_nothing(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal that was changed and changed back
    address = add_goal(admin_client, name="First name")
    save(admin_client, address, name="Second name")
    save(admin_client, address, name="First name")
    # when the first revision is restored
    page = restore(admin_client, address, 1, expected=3)
    # then nothing had to change
    assert "Nothing had changed." in page
    assert len(listed(admin_client.get(f"{address}/history").text)) == 3
    assert [entry.action for entry in audit_entries(app, "goal")] == ["created", "saved", "saved"]


def test_what_somebody_saved_meanwhile_is_not_lost(admin_client: FlaskClient) -> None:
    # given a page of the history that is older than the last save
    address = add_goal(admin_client, name="First name")
    save(admin_client, address, name="Second name")
    save(admin_client, address, name="Third name")
    # when a revision is restored from there
    page = restore(admin_client, address, 1, expected=2)
    # then the page says so, and the last save stands
    assert "Somebody else saved this meanwhile" in page
    assert read_form(admin_client.get(address))["name"] == "Third name"


def test_a_revision_that_no_longer_suits_its_properties_says_why(admin_client: FlaskClient) -> None:
    # given a goal whose first revision sums into a property that is text by now
    address = add_goal(
        admin_client,
        **{
            "mappings-0-auth0_field": "app_metadata.points",
            "mappings-0-profile_property": "points",
            "mappings-0-strategy": "sum",
        },
    )
    save(admin_client, address, **{"mappings-0-strategy": "set"})
    form = {"name": "Points", "property_type": "text"}
    assert admin_client.post("/properties/points", data=form).status_code == 303
    # when that revision is restored
    page = restore(admin_client, address, 1, expected=2)
    # then the row is named, and the goal is as it was
    assert "Revision 1 cannot be restored, and nothing has changed." in page
    assert "points is stored as text, and only numbers can be summed." in page
    assert read_form(admin_client.get(address))["expected_revision"] == "2"


def test_a_revision_of_an_older_version_is_shown_with_what_is_wrong(app: Flask, admin_client: FlaskClient) -> None:
    # given a revision that this version of Websync does not take
    address = add_goal(admin_client)
    save(admin_client, address, name="Renamed")
    make_unreadable(app, 1)
    # when it is listed, compared and restored
    history = admin_client.get(f"{address}/history")
    changes = admin_client.get(f"{address}/history/changes?from=1&to=2")
    restored = restore(admin_client, address, 1, expected=2)
    # then each page works and says what can be said
    assert history.status_code == changes.status_code == 200
    assert "Name changed, kind of token changed" in text_of(history.text)
    assert "this version does not take it any more" in changes.text
    assert "token_kind: Must be one of id_token, access_token." in changes.text
    assert "Generated code" not in changes.text
    assert "Revision 1 cannot be restored" in restored
    assert "<script>alert" not in history.text + changes.text


def test_hostile_names_stay_text(admin_client: FlaskClient) -> None:
    address = add_goal(admin_client, name=HOSTILE)
    save(admin_client, address, name=f"{HOSTILE}2")
    for path in ("history", "history/changes?from=1&to=2"):
        assert "<script>alert" not in admin_client.get(f"{address}/{path}").text


def test_the_history_is_for_admins_and_restoring_needs_the_forms_token(
    client: FlaskClient, csrf_admin_client: FlaskClient
) -> None:
    assert "/sign-in" in client.get("/goals/shop-goal/history").location
    assert client.post("/goals/shop-goal/history/1/restore").status_code == 401
    assert csrf_admin_client.post("/goals/shop-goal/history/1/restore").status_code == 400
