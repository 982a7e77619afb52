"""The pages of identity conflicts, and what their three buttons do."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete

from tests.conflicts.conftest import OWNER, PROFILE_ID, TENANT, VISITOR, Case
from tests.conftest import ADMIN_EMAIL
from tests.connections.pages import audit_entries
from webapp.conflicts import listing
from webapp.conflicts.models import IdentityConflict
from webapp.profiles.models import ProfileIdentity

HOSTILE = "auth0|<script>alert(1)</script>"


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_goal_the_profiles_and_the_profile_lead_to_what_waits(case: Case) -> None:
    # given a conflict
    words = "1 identity conflict waits for your decision"
    for address, where in [
        ("/goals/goal-1", "/conflicts?goal=goal-1"),
        ("/profiles", "/conflicts"),
        (f"/profiles/{PROFILE_ID}", f"/conflicts?profile={PROFILE_ID}"),
    ]:
        # when somebody looks at the goal, the profiles or the profile
        page = case.client.get(address).text
        # then the conflict is told, and one click away
        assert words in text_of(page)
        assert f'href="{where}"' in page
        assert case.conflict.key in case.client.get(where).text
    # and nothing is told once it is decided
    case.choose("keep")
    assert words not in text_of(case.client.get("/goals/goal-1").text)


def test_the_page_shows_both_sides(case: Case) -> None:
    # when
    page = text_of(case.client.get(f"/conflicts/{case.conflict.key}").text)
    # then who came, how often, the owner, and what the profile holds
    for shown in (VISITOR[1], OWNER[1], TENANT, PROFILE_ID, "ann@example.org", "once", "Keep", "Move", "Split"):
        assert shown in page


def test_keep_leaves_everything_as_it_is(case: Case) -> None:
    # when
    page = text_of(case.choose("keep"))
    # then the profile is the owner's, and the page says who decided and that it can be decided otherwise
    assert "The profile stays with its present owner." in page
    assert f"{ADMIN_EMAIL} decided" in page
    assert case.owners() == [OWNER]
    assert case.profile_of(VISITOR) is None
    # and the list has it among the decided
    assert case.conflict.key not in case.client.get("/conflicts").text
    assert "Kept" in text_of(case.client.get("/conflicts?show=decided").text)
    assert case.owners() == [OWNER]
    case.choose("split")
    assert case.profile_of(VISITOR) is not None


def test_split_gives_the_visitor_a_profile_of_their_own(case: Case) -> None:
    # when
    page = text_of(case.choose("split"))
    # then there are two profiles, and nothing went from one to the other
    profile = case.profile_of(VISITOR)
    assert profile is not None
    assert (profile.id != PROFILE_ID, profile.properties) == (True, {})
    assert case.owners() == [OWNER]
    assert case.found_by("email", "ann@example.org") == [PROFILE_ID]
    assert "The visitor has a profile of their own now." in page
    assert "What shall be done?" not in page


def test_move_gives_the_visitor_the_profile_and_the_owner_a_new_one(case: Case) -> None:
    # given a profile with two owners, one of whose user ids is stored in it
    case.link((TENANT, "google-oauth2|owner"), PROFILE_ID)
    # when
    page = text_of(case.choose("move"))
    # then it is the visitor's alone, and the owners have another one together
    assert "The profile is the visitor's now." in page
    assert case.owners() == [VISITOR]
    own = case.profile_of(OWNER)
    assert own is not None
    assert case.owners(own.id) == [OWNER, (TENANT, "google-oauth2|owner")]
    # and the owner's user id went along, since it would lead back, while the rest stayed
    assert own.properties["auth0_user_id"]["values"] == [OWNER[1]]
    assert case.found_by("auth0_user_id", OWNER[1]) == [own.id]
    moved = case.profile_of(VISITOR)
    assert moved is not None
    assert moved.properties.keys() == {"email"}
    assert case.found_by("email", "ann@example.org") == [PROFILE_ID]


def test_of_several_values_only_the_owners_user_id_moves(bare_case: Case) -> None:
    # given a profile whose property lists the users of two people
    bare_case.add_profile(PROFILE_ID, OWNER, auth0_user_id=[OWNER[1], "auth0|other"])
    bare_case.refuse()
    # when
    bare_case.choose("move")
    # then
    assert bare_case.found_by("auth0_user_id", "auth0|other") == [PROFILE_ID]
    profile = bare_case.profile_of(VISITOR)
    assert profile is not None
    assert profile.properties["auth0_user_id"]["values"] == ["auth0|other"]


@pytest.mark.parametrize(("choice", "word"), [("keep", "kept"), ("move", "moved"), ("split", "split")])
def test_each_choice_is_on_record_without_personal_data(case: Case, choice: str, word: str) -> None:
    # when
    case.choose(choice)
    # then
    (entry,) = audit_entries(case.client.application, "conflict")
    assert (entry.actor, entry.action, entry.object_key) == (ADMIN_EMAIL, word, case.conflict.key)
    assert (entry.detail["goal"], entry.detail["profile"]) == ("goal-1", PROFILE_ID)
    assert OWNER[1] not in str(entry.detail)
    assert VISITOR[1] not in str(entry.detail)


@pytest.mark.parametrize("first", ["keep", "move", "split"])
@pytest.mark.parametrize("second", ["keep", "move", "split"])
def test_of_two_admins_the_second_hears_of_the_first(case: Case, first: str, second: str) -> None:
    # given a page that two admins have open
    seen = case.seen()
    case.choose(first, seen=seen)
    owners = case.owners()
    # when the second one decides too
    page = text_of(case.choose(second, seen=seen))
    # then nothing is done, and the page says what the first one did
    assert f"Nothing was changed. {ADMIN_EMAIL} has decided it meanwhile" in page
    assert case.owners() == owners
    assert len(audit_entries(case.client.application, "conflict")) == 1


def test_a_user_who_logged_in_meanwhile_stops_the_decision(case: Case) -> None:
    # given a page, and an owner who comes by another login since
    seen = case.seen()
    case.link((TENANT, "google-oauth2|owner"), PROFILE_ID)
    # when
    page = text_of(case.choose("move", seen=seen))
    # then the admin is to look again
    assert "Nothing was changed. It has changed since this page was opened" in page
    assert VISITOR not in case.owners()


def test_what_settled_by_itself_has_no_choices(case: Case) -> None:
    # given a visitor who has a profile now
    case.add_profile("profile-2", VISITOR)
    # when
    page = text_of(case.client.get(f"/conflicts/{case.conflict.key}").text)
    # then the page says so, and a button from before does nothing
    assert "There is nothing to decide any more" in page
    assert "What shall be done?" not in page
    assert "Nothing was changed." in text_of(case.choose("split"))
    # and so it is if the profile has no owner any more
    with case.database.transaction() as session:
        session.execute(delete(ProfileIdentity))
    page = text_of(case.client.get(f"/conflicts/{case.conflict.key}").text)
    assert "the profile is linked to nobody now" in page


def test_a_conflict_that_is_gone_says_so(case: Case) -> None:
    # given a page whose conflict made room for others
    key, seen = case.conflict.key, case.seen()
    with case.database.transaction() as session:
        session.execute(delete(IdentityConflict))
    # when a button is pressed
    page = case.client.post(f"/conflicts/{key}/move", data={"seen": seen}, follow_redirects=True)
    # then
    assert "This conflict is gone" in page.text
    assert case.owners() == [OWNER]
    assert case.client.get(f"/conflicts/{key}").status_code == 404


def test_users_with_hostile_names_are_text(bare_case: Case) -> None:
    # given
    bare_case.add_profile(PROFILE_ID, (TENANT, HOSTILE), email=["<b>ann</b>"])
    bare_case.refuse(visitor=(TENANT, f"{HOSTILE}2"))
    # when
    for address in ("/conflicts", f"/conflicts/{bare_case.conflict.key}"):
        page = bare_case.client.get(address).text
        # then
        assert "<script>alert" not in page
        assert "<b>ann" not in page
        assert "&lt;script&gt;" in page


def test_a_long_list_has_pages(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    # given three conflicts, and two on a page
    monkeypatch.setattr(listing, "PAGE_LENGTH", 2)
    for number in range(2):
        case.refuse(visitor=(TENANT, f"twitter|{number}"))
    # when the pages are followed
    first = case.client.get("/conflicts?goal=goal-1").text
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None
    second = case.client.get(unescape(older[1])).text
    # then each conflict is on one of them, the newest first
    subjects = [re.findall(r'href="/conflicts/[^"]+">([^<]+)</a>', page) for page in (first, second)]
    assert subjects == [["twitter|1", "twitter|0"], [VISITOR[1]]]


@pytest.mark.parametrize(
    "address", ["/conflicts?after=x", "/conflicts?after=2026-01-01~1", "/conflicts?profile=%00", "/conflicts?goal=%00"]
)
def test_an_address_that_no_page_has_is_refused(case: Case, address: str) -> None:
    assert case.client.get(address).status_code == 400


def test_what_is_not_there_is_not_found(case: Case) -> None:
    assert case.client.get("/conflicts?goal=nowhere").status_code == 404
    assert case.client.get("/conflicts/nowhere").status_code == 404
    assert (
        "There is no such choice."
        in case.client.post(f"/conflicts/{case.conflict.key}/burn", headers={"Accept": "text/html"}).text
    )


def test_empty_lists_say_what_will_be_there(bare_case: Case) -> None:
    assert "No conflicts" in bare_case.client.get("/conflicts").text
    assert "Nothing decided yet" in bare_case.client.get("/conflicts?show=decided").text
    assert "No more conflicts" in bare_case.client.get("/conflicts?after=2026-01-01T00:00:00%2B00:00~1").text


def test_deciding_is_for_admins_and_needs_the_forms_token(client: FlaskClient, csrf_admin_client: FlaskClient) -> None:
    assert client.get("/conflicts").status_code == 303
    assert client.post("/conflicts/any/move").status_code == 401
    assert csrf_admin_client.post("/conflicts/any/move").status_code == 400
