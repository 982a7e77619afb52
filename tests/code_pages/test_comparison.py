"""How what a tenant runs compares with the goal: decided without a tenant, then asked of the demo's."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from typing import Any

import httpx2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.code_pages.conftest import GOAL_KEY, SaveGoal
from tests.demo.conftest import RunningTenant, management_client
from tests.factories import make_full_goal
from webapp.auth0.management import Action, ActionVersion, Binding, BoundAction
from webapp.code_pages.comparison import (
    Comparison,
    TenantAction,
    TenantState,
    compare_with_tenant,
    named_revisions,
)
from webapp.code_pages.deployment import action_code
from webapp.code_pages.models import Deployment
from webapp.connections.models import GoalRevision
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET, READER_CLIENT_ID, READER_CLIENT_SECRET

PAGE = f"/goals/{GOAL_KEY}"
NOWHERE = "http://localhost:9"
GOAL = make_full_goal(revision=5)
OTHERWISE = make_full_goal(revision=3, client_ids=("other-client",))
KEPT = {3: action_code(OTHERWISE), 4: action_code(replace(GOAL, revision=4)), 5: action_code(GOAL)}


def tenant_action(code: str | None, *, is_bound: bool = True, is_draft_deployed: bool = True) -> TenantAction:
    """What a tenant may have. Without ``code`` the Action was never deployed."""
    version = ActionVersion(code, "node22") if code is not None else None
    action = Action("action-1", "Websync", deployed_version=version, all_changes_deployed=is_draft_deployed)
    others = (Binding("binding-1", BoundAction("of-somebody-else")),)
    own = (Binding("binding-2", BoundAction("action-1")),)
    return TenantAction(action, others + own if is_bound else others)


def compared(found: TenantAction, remembered: Deployment | None = None, **changes: Any) -> Comparison:
    return compare_with_tenant(replace(GOAL, **changes), found, remembered, KEPT)


def deployment(revision: int, code: str = "") -> Deployment:
    return Deployment(action_id="action-1", revision=revision, code=code)


@pytest.mark.parametrize(
    ("code", "state", "revision"),
    [
        (KEPT[5], TenantState.IN_SYNC, 5),
        (KEPT[4], TenantState.IN_SYNC, 4),  # the two do the same
        (KEPT[3], TenantState.OLDER_REVISION, 3),
        (KEPT[5] + "\n", TenantState.EDITED_BY_HAND, None),
        (KEPT[5].replace("\n", "\r\n"), TenantState.EDITED_BY_HAND, None),
        (KEPT[5].replace("revision 5", "revision 2"), TenantState.EDITED_BY_HAND, None),
        ("", TenantState.EDITED_BY_HAND, None),
        (None, TenantState.NOT_DEPLOYED, None),
    ],
)
def test_the_code_is_compared_byte_for_byte(code: str | None, state: TenantState, revision: int | None) -> None:
    # given a tenant whose logins run some code
    # when it is compared
    found = compared(tenant_action(code))
    # then it is what it is, and a revision of ours is named only if all of it is the same
    assert (found.state, found.revision) == (state, revision)


def test_an_action_that_is_not_there_is_not_deployed() -> None:
    assert compared(TenantAction(None)).state is TenantState.NOT_DEPLOYED
    assert compared(TenantAction(None), deployment(5)).state is TenantState.NOT_DEPLOYED


@pytest.mark.parametrize(("code", "revision"), [(KEPT[5], 5), (KEPT[3], 3), ("// mine", None)])
def test_an_action_that_no_login_runs_is_not_bound_whatever_its_code(code: str, revision: int | None) -> None:
    found = compared(tenant_action(code, is_bound=False))
    assert (found.state, found.revision) == (TenantState.NOT_BOUND, revision)


def test_what_was_deployed_is_known_again_after_websync_makes_other_code() -> None:
    # given what an older version of Websync deployed, of a revision that this one makes other code of
    older_code = "// Websync goal, revision 5.\n"
    # when the tenant still runs it
    found = compared(tenant_action(older_code), deployment(5, older_code))
    # then nobody edited it: it is just older
    assert (found.state, found.revision) == (TenantState.OLDER_REVISION, 5)


@pytest.mark.parametrize(
    ("remembered", "our_revision", "our_code"),
    [
        (None, 5, KEPT[5]),
        (deployment(3), 3, KEPT[3]),
        (deployment(3, "// as deployed"), 3, "// as deployed"),
        (deployment(2), 5, KEPT[5]),  # neither kept nor remembered: then the goal's own
        (deployment(2, "// as deployed"), 2, "// as deployed"),
    ],
)
def test_code_that_was_edited_is_held_against_what_was_deployed(
    remembered: Deployment | None, our_revision: int, our_code: str
) -> None:
    found = compared(tenant_action("// mine"), remembered)
    assert found.state is TenantState.EDITED_BY_HAND
    assert (found.our_revision, found.our_code, found.tenant_code) == (our_revision, our_code, "// mine")


def test_a_draft_that_is_not_deployed_is_told_and_changes_nothing_else() -> None:
    found = compared(tenant_action(KEPT[5], is_draft_deployed=False))
    assert (found.state, found.has_other_draft) == (TenantState.IN_SYNC, True)
    assert not compared(tenant_action(KEPT[5])).has_other_draft


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KEPT[3], {3}),
        (action_code(make_full_goal(name="Shop 24, 2", revision=7)), {24, 2, 7}),
        ("", set()),
        ("// no number\n// revision 8\n", set()),
        ("9" * 5000, set()),
        (", ".join(str(number) for number in range(100, 200)), set(range(180, 200))),
    ],
)
def test_the_first_line_names_the_revision(code: str, expected: set[int]) -> None:
    assert named_revisions(code) == expected


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


def compare(client: FlaskClient) -> str:
    """Press "Compare with Auth0"; return the page that comes then."""
    response = client.post(f"{PAGE}/comparison")
    assert response.status_code == 200
    return response.text


def state_of(page: str) -> str:
    found = re.search(r'id="state-title">(.*?)</h2>', page, re.DOTALL)
    assert found is not None
    return text_of(found[1])


@pytest.fixture
def management(tenant: RunningTenant) -> Iterator[httpx2.Client]:
    with management_client(tenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET) as management:
        yield management


@pytest.fixture
def deployed_goal(admin_client: FlaskClient, goal: str) -> str:
    """The key of a goal whose revision 1 is deployed to the demo tenant."""
    assert admin_client.post(f"{PAGE}/deploy").status_code == 303
    return goal


def edit_in_auth0(management: httpx2.Client, change: Callable[[str], str], *, deploy: bool = True) -> None:
    """Change the Action's code as somebody does in Auth0's own editor."""
    (action,) = management.get("actions/actions").json()["actions"]
    url = f"actions/actions/{action['id']}"
    management.patch(url, json={"code": change(action["code"])}).raise_for_status()
    if deploy:
        management.get(url)  # a look, which the demo tenant needs to finish the build
        management.post(f"{url}/deploy").raise_for_status()


def test_a_goal_that_was_never_deployed_is_not_deployed(admin_client: FlaskClient, goal: str) -> None:
    page = compare(admin_client)
    assert state_of(page) == "Not deployed"
    assert "The tenant has no deployed Action of this goal" in text_of(page)


def test_right_after_deploying_all_is_in_sync(admin_client: FlaskClient, deployed_goal: str) -> None:
    page = compare(admin_client)
    assert state_of(page) == "In sync"
    assert "Logins run exactly the code of revision 1, byte for byte." in text_of(page)


def test_a_revision_that_leaves_the_action_alone_keeps_it_in_sync(
    admin_client: FlaskClient, deployed_goal: str, save: SaveGoal
) -> None:
    save(revision=2, allowed_origins=("https://other.example",))
    page = compare(admin_client)
    assert state_of(page) == "In sync"
    assert "Revision 2 changes nothing in the Action." in text_of(page)


def test_an_older_revision_is_named_with_the_way_to_what_changed(
    admin_client: FlaskClient, deployed_goal: str, save: SaveGoal
) -> None:
    # given a deployed goal with a newer revision
    save(revision=2, client_ids=("other-client",))
    # when it is compared
    page = compare(admin_client)
    # then the page names what runs, and leads to the changes
    assert state_of(page) == "Older revision"
    assert "Logins run exactly the code of revision 1; the goal is at revision 2." in text_of(page)
    assert f'href="{PAGE}/history/changes?from=1&amp;to=2"' in page


def test_a_revision_that_somebody_rolled_back_to_in_auth0_is_named_too(
    admin_client: FlaskClient, deployed_goal: str, save: SaveGoal, management: httpx2.Client
) -> None:
    # given a goal of which revisions 1 and 3 were deployed
    first = management.get("actions/actions").json()["actions"][0]["code"]
    save(revision=2, client_ids=("other-client",))
    save(revision=3, client_ids=("third-client",))
    admin_client.post(f"{PAGE}/deploy")
    # when somebody deploys the first version again, in Auth0
    edit_in_auth0(management, lambda _code: first)
    # then it is known again
    assert "Logins run exactly the code of revision 1;" in text_of(compare(admin_client))


def test_an_action_that_was_edited_shows_what_was_edited(
    admin_client: FlaskClient, deployed_goal: str, management: httpx2.Client
) -> None:
    # given an Action that somebody edited in Auth0, with text that would be markup
    edit_in_auth0(management, lambda code: code + '<script>alert(1)</script></code>\u202e"\n')
    # when it is compared
    page = compare(admin_client)
    # then the added line is there, as text
    assert state_of(page) == "Edited by hand"
    assert '<ins class="line">+&lt;script&gt;alert(1)&lt;/script&gt;&lt;/code&gt;\\u202e&#34;\n</ins>' in page
    assert "<script>alert" not in page
    assert "Lines: 1 added, 0 removed" in text_of(page)
    # and deploying again puts it right
    admin_client.post(f"{PAGE}/deploy")
    assert state_of(compare(admin_client)) == "In sync"


def test_nobody_is_blamed_for_code_that_an_older_websync_may_have_made(
    app: Flask, admin_client: FlaskClient, deployed_goal: str, management: httpx2.Client
) -> None:
    # given other code in Auth0, and a deployment from before its code was kept
    edit_in_auth0(management, lambda code: code + "// other\n")
    assert "Somebody changed the Action in Auth0: its code" in text_of(compare(admin_client))
    with app.extensions["database"].transaction() as session:
        session.scalars(select(Deployment)).one().code = ""
    # when it is compared, then both explanations are given
    page = text_of(compare(admin_client))
    assert "Somebody changed the Action in Auth0, or an older version of Websync made it: its code" in page
    assert "From revision 1, as Websync makes it, to the code in Auth0" in page


def test_a_draft_that_is_not_deployed_is_told(
    admin_client: FlaskClient, deployed_goal: str, management: httpx2.Client
) -> None:
    edit_in_auth0(management, lambda code: code + "// a thought\n", deploy=False)
    page = compare(admin_client)
    assert state_of(page) == "In sync"
    assert "has a draft that is not deployed" in page


def test_an_action_that_was_taken_out_of_the_login_is_not_bound(
    admin_client: FlaskClient, deployed_goal: str, management: httpx2.Client
) -> None:
    management.patch("actions/triggers/post-login/bindings", json={"bindings": []})
    page = compare(admin_client)
    assert state_of(page) == "Not bound"
    assert "The Action has the code of revision 1, but no login runs it" in text_of(page)


def test_an_action_that_was_deleted_is_not_deployed(
    admin_client: FlaskClient, deployed_goal: str, management: httpx2.Client
) -> None:
    (action,) = management.get("actions/actions").json()["actions"]
    management.delete(f"actions/actions/{action['id']}", params={"force": "true"})
    page = compare(admin_client)
    assert state_of(page) == "Not deployed"
    assert "Websync deployed revision 1, but there is no deployed Action of it any more" in text_of(page)


def test_an_action_that_was_pasted_by_hand_is_found_by_its_name(
    app: Flask, admin_client: FlaskClient, deployed_goal: str
) -> None:
    # given an Action that Websync does not know of
    with app.extensions["database"].transaction() as session:
        session.delete(session.scalars(select(Deployment)).one())
    # when it is compared, then it is found, and it is right
    assert state_of(compare(admin_client)) == "In sync"


def test_a_kept_revision_that_is_no_goal_any_more_does_not_stop_the_comparison(
    app: Flask, admin_client: FlaskClient, deployed_goal: str, save: SaveGoal, management: httpx2.Client
) -> None:
    # given a deployed revision that this version of Websync no longer takes
    save(revision=2, client_ids=("other-client",))
    with app.extensions["database"].transaction() as session:
        row = session.scalars(select(GoalRevision).where(GoalRevision.revision == 1)).one()
        row.plain = {**row.plain, "token_kind": "opaque"}
    # when the goal is compared
    # then what was deployed is known all the same, and so is what was edited
    assert state_of(compare(admin_client)) == "Older revision"
    edit_in_auth0(management, lambda code: code + "// mine\n")
    assert state_of(compare(admin_client)) == "Edited by hand"


def test_looking_at_the_goals_page_calls_nobody(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal whose tenant does not answer
    connect(NOWHERE)
    save()
    # when its page and the address of the comparison are opened
    page, address = admin_client.get(PAGE), admin_client.get(f"{PAGE}/comparison")
    # then the button is there, and nothing was asked
    assert f'action="{PAGE}/comparison"' in page.text
    assert "does not answer" not in page.text
    assert (address.status_code, address.location) == (303, f"{PAGE}#code")


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        ((M2M_CLIENT_ID, "not-the-secret"), "Auth0 refuses the client id and secret"),
        ((READER_CLIENT_ID, READER_CLIENT_SECRET), "The application lacks the scope read:actions"),
        ((M2M_CLIENT_ID, None), "Give the connection a domain, a client id and a client secret"),
    ],
)
def test_what_auth0_refuses_is_explained_as_when_deploying(
    admin_client: FlaskClient,
    connect: Callable[..., None],
    save: SaveGoal,
    tenant: RunningTenant,
    credentials: tuple[str, str | None],
    expected: str,
) -> None:
    # given credentials that are not enough
    client_id, secret = credentials
    connect(tenant.base_url, auth0_client_id=client_id, secret=secret)
    save()
    # when the goal is compared
    response = admin_client.post(f"{PAGE}/comparison")
    # then its page says what is wrong, and where to mend it
    assert (response.status_code, response.location) == (303, f"{PAGE}#code")
    page = admin_client.get(PAGE).text
    assert expected in text_of(page)
    assert 'class="alert-link" href="/connections/connection-1"' in page


def test_a_tenant_that_is_down_is_explained(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    connect(NOWHERE)
    save()
    admin_client.post(f"{PAGE}/comparison")
    assert f"Auth0 cannot be reached. {NOWHERE} does not answer." in text_of(admin_client.get(PAGE).text)


def test_comparing_is_for_admins_and_needs_the_forms_token(client: FlaskClient, csrf_admin_client: FlaskClient) -> None:
    assert client.post(f"{PAGE}/comparison").status_code == 401
    assert csrf_admin_client.post(f"{PAGE}/comparison").status_code == 400


def test_a_goal_that_is_not_there_is_not_found(admin_client: FlaskClient) -> None:
    assert admin_client.post("/goals/no-such-goal/comparison").status_code == 404
