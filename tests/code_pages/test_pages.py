import re
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from snippets.rendering import PIPELINE_KINDS, SnippetKind, render
from tests.code_pages.conftest import GOAL_KEY, PUBLIC_URL, SaveGoal
from tests.demo.conftest import RunningTenant, management_client
from tests.factories import make_full_goal
from webapp.accounts.models import AuditEntry
from webapp.code_pages.models import Deployment
from webapp.connections.goals import find_goal
from webapp.connections.models import Connection
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET, READER_CLIENT_ID, READER_CLIENT_SECRET

PAGE = f"/goals/{GOAL_KEY}"
NOWHERE = "http://localhost:9"
CODE_KINDS = [kind for kind in SnippetKind if kind not in PIPELINE_KINDS]


def code(kind: SnippetKind, revision: int = 1) -> str:
    return render(make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=revision), kind).code


def shown_code(page: str, kind: SnippetKind) -> str:
    """Return the text of a code block, as a browser's textContent would be."""
    found = re.search(rf'<pre id="{kind}-pre".*?<code>(.*?)</code></pre>', page, re.DOTALL)
    assert found is not None
    return unescape(re.sub(r"<[^>]+>", "", found[1]))


def deployed(client: FlaskClient) -> str:
    """Press "Deploy to Auth0"; return the page that comes then."""
    response = client.post(f"{PAGE}/deploy")
    assert response.status_code == 303
    assert response.location == f"{PAGE}#code"
    return client.get(PAGE).text


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


def running_actions(tenant: RunningTenant) -> list[str]:
    with management_client(tenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET) as management:
        bindings = management.get("actions/triggers/post-login/bindings").json()["bindings"]
    return [binding["action"]["deployed_version"]["code"] for binding in bindings]


def test_the_page_shows_each_code_exactly_as_it_is_made(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal with both options on
    connect(NOWHERE)
    save()
    # when its page is opened
    page = admin_client.get(PAGE).text
    # then what can be copied is the code, to the letter
    for kind in SnippetKind:
        assert shown_code(page, kind) == code(kind)


@pytest.mark.parametrize(
    ("option", "shown", "hidden"),
    [
        ("enable_rule", ["token"], ["application", "action", "rule"]),
        ("enable_token", ["application", "action", "rule"], ["token"]),
    ],
)
def test_an_option_that_is_off_says_how_to_switch_it_on(
    admin_client: FlaskClient,
    connect: Callable[..., None],
    save: SaveGoal,
    option: str,
    shown: list[str],
    hidden: list[str],
) -> None:
    # given a goal with one option off
    connect(NOWHERE)
    save(**{option: False})
    # when its page is opened
    page = admin_client.get(PAGE).text
    # then only the other one's guide is there
    assert "Switched off. Tick" in page
    assert all(f'id="{kind}-code"' in page for kind in shown)
    assert not any(f'id="{kind}-code"' in page for kind in hidden)


def test_the_guides_have_the_exact_values_to_paste(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal
    connect(NOWHERE)
    save(client_ids=("client-42",), allowed_origins=("https://www.shop.example",))
    # when its page is opened
    page = text_of(admin_client.get(PAGE).text)
    # then it names what Auth0 and the site have to be given
    for value in (
        "client-42",
        "https://www.shop.example",
        f"connect-src {PUBLIC_URL}",
        f'<script src="{PUBLIC_URL}/sync/{GOAL_KEY}/token.js"></script>',
        f'<script src="{PUBLIC_URL}/sync/{GOAL_KEY}/application.js"></script>',
        f"Websync Shop visitors everything ({GOAL_KEY})",
        "2024-11-18",
        "2026-11-18",
    ):
        assert value in page


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "</code>"]
)
def test_a_hostile_name_stays_text(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, name: str
) -> None:
    # given a goal and a connection whose names try to become markup
    connect(NOWHERE, name=name, secret=None)
    save(name=name)
    # when the page is opened
    page = admin_client.get(PAGE).text
    # then they are text, and the code is whole
    section = page[page.index('id="code"') :]
    assert "<script>alert" not in section
    assert "<img" not in section
    assert unescape(section).count(name) >= 1
    assert "revision 1" in shown_code(page, SnippetKind.TOKEN)


@pytest.mark.parametrize("kind", CODE_KINDS)
def test_a_download_is_the_code_as_a_file(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, kind: SnippetKind
) -> None:
    # given a goal
    connect(NOWHERE)
    save()
    # when code is downloaded
    response = admin_client.get(f"{PAGE}/code/{kind}")
    # then it is a JavaScript file with just that code
    assert response.data == code(kind).encode()
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="websync-{kind}.js"'


@pytest.mark.parametrize("path", [f"{PAGE}/code/other", "/goals/no-such-goal/code/token"])
def test_there_is_no_download_of_what_is_not(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, path: str
) -> None:
    # given a goal
    connect(NOWHERE)
    save()
    # when other code is asked for, then there is none
    assert admin_client.get(path).status_code == 404


def test_downloads_and_deployments_are_for_admins(
    client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal
    connect(NOWHERE)
    save()
    # when somebody who has not signed in tries
    # then there is only the sign-in page
    assert "/sign-in" in client.get(f"{PAGE}/code/action").location
    assert client.post(f"{PAGE}/deploy").status_code == 401


@pytest.mark.parametrize("kind", [SnippetKind.APPLICATION, SnippetKind.TOKEN])
def test_a_hosted_script_is_the_code_for_any_site(
    client: FlaskClient, connect: Callable[..., None], save: SaveGoal, kind: SnippetKind
) -> None:
    # given a goal that is on
    connect(NOWHERE)
    save()
    # when a site loads its script
    response = client.get(f"/sync/{GOAL_KEY}/{kind}.js")
    # then it is the code, kept for a minute, and tells no visitor apart
    assert response.text == code(kind)
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert {part.strip() for part in response.headers["Cache-Control"].split(",")} == {"public", "max-age=60"}
    assert "Set-Cookie" not in response.headers
    # and once it is there, it is not sent again
    again = client.get(f"/sync/{GOAL_KEY}/{kind}.js", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "action"),
        ({}, "rule"),
        ({}, "other"),
        ({"enable_rule": False}, "application"),
        ({"enable_token": False}, "token"),
    ],
)
def test_other_scripts_are_not_hosted(
    client: FlaskClient, connect: Callable[..., None], save: SaveGoal, changes: dict[str, bool], kind: str
) -> None:
    # given a goal
    connect(NOWHERE)
    save(**changes)
    # when a site asks for what is not for sites, or switched off
    response = client.get(f"/sync/{GOAL_KEY}/{kind}.js")
    # then there is a problem that a program can read
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_a_goal_that_is_off_hosts_no_script(
    app: Flask, client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal that is switched off
    connect(NOWHERE)
    save()
    with app.extensions["database"].transaction() as session:
        find_goal(session, GOAL_KEY).is_on = False
    # when a site asks for its script, then there is none
    assert client.get(f"/sync/{GOAL_KEY}/token.js").status_code == 404


def test_deploying_makes_logins_run_the_action(
    app: Flask, admin_client: FlaskClient, tenant: RunningTenant, goal: str
) -> None:
    # given a goal that is not deployed
    assert "Not deployed." in admin_client.get(PAGE).text
    # when it is deployed
    page = deployed(admin_client)
    # then the page says so, and it is so
    assert "Deployed revision 1 and bound to post-login." in page
    assert re.search(
        r"Revision 1 is deployed \(\d{4}-\d\d-\d\d .* UTC by admin@example.org\) ?: up to date", text_of(page)
    )
    assert running_actions(tenant) == [code(SnippetKind.ACTION)]
    # and it is on record
    with app.extensions["database"].reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "deployed")).one()
    assert (entry.actor, entry.object_key, entry.detail["revision"]) == ("admin@example.org", GOAL_KEY, 1)
    assert M2M_CLIENT_SECRET not in str(entry.detail)


def test_deploying_twice_says_that_there_was_nothing_to_do(
    admin_client: FlaskClient, tenant: RunningTenant, goal: str
) -> None:
    # given a deployed goal
    deployed(admin_client)
    # when it is deployed again
    page = deployed(admin_client)
    # then the page says so
    assert "nothing to do" in page
    assert len(running_actions(tenant)) == 1


def test_a_newer_revision_asks_to_deploy_again(
    admin_client: FlaskClient, tenant: RunningTenant, goal: str, save: SaveGoal
) -> None:
    # given a deployed goal
    deployed(admin_client)
    # when a revision is saved that changes the Action
    save(revision=2, client_ids=("other-client",))
    # then the page says that Auth0 runs older code, until it is deployed
    assert "the goal is at revision 2: deploy again" in text_of(admin_client.get(PAGE).text)
    assert "Deployed revision 2 and bound" in deployed(admin_client)
    assert ["other-client" in one for one in running_actions(tenant)] == [True]


def test_a_newer_revision_with_the_same_action_is_up_to_date(
    admin_client: FlaskClient, goal: str, save: SaveGoal
) -> None:
    # given a deployed goal
    deployed(admin_client)
    # when a revision is saved that changes other things
    save(revision=2, allowed_origins=("https://other.example",))
    # then nothing needs to be deployed
    assert "Revision 2 changes nothing in the Action: up to date." in text_of(admin_client.get(PAGE).text)


def test_what_another_tenant_runs_says_nothing_about_this_one(app: Flask, admin_client: FlaskClient, goal: str) -> None:
    # given a deployed goal
    deployed(admin_client)
    assert "Revision 1 is deployed" in text_of(admin_client.get(PAGE).text)
    # when its connection moves to another tenant
    with app.extensions["database"].transaction() as session:
        session.scalars(select(Connection)).one().auth0_domain = "other.eu.auth0.com"
    # then nothing is deployed there, as far as Websync knows
    assert "Not deployed." in text_of(admin_client.get(PAGE).text)


def test_an_action_that_is_still_deployed_is_told_while_the_rule_option_is_off(
    admin_client: FlaskClient, goal: str, save: SaveGoal
) -> None:
    # given a deployed goal
    deployed(admin_client)
    # when its Rule option is switched off
    save(revision=2, enable_rule=False)
    # then the page says that logins go on running the Action, and how to end that
    page = text_of(admin_client.get(PAGE).text)
    assert "is still deployed (revision 1), so logins go on running it" in page
    assert "take it out of Actions > Triggers > post-login" in page


def test_without_a_secret_the_button_is_off_and_says_why(
    app: Flask, admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a connection without a client secret
    connect(NOWHERE, secret=None)
    save()
    # when the page is opened
    page = admin_client.get(PAGE).text
    # then the button is off, with the way to mend it
    assert re.search(r'aria-describedby="deploy-note" disabled>Deploy to Auth0<', page)
    assert 'href="/connections/connection-1"' in page
    # and a request made without it changes nothing
    assert "Give the connection a domain, a client id and a client secret" in deployed(admin_client)
    with app.extensions["database"].reading() as session:
        assert session.scalars(select(Deployment)).all() == []


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        ((M2M_CLIENT_ID, "not-the-secret"), "Auth0 refuses the client id and secret"),
        (
            (READER_CLIENT_ID, READER_CLIENT_SECRET),
            "lacks the scopes create:actions, read:actions, update:actions",
        ),
    ],
)
def test_what_auth0_refuses_is_explained_with_the_way_to_mend_it(
    admin_client: FlaskClient,
    connect: Callable[..., None],
    save: SaveGoal,
    tenant: RunningTenant,
    credentials: tuple[str, str],
    expected: str,
) -> None:
    # given credentials that are not enough
    client_id, secret = credentials
    connect(tenant.base_url, auth0_client_id=client_id, secret=secret)
    save()
    # when the goal is deployed
    page = deployed(admin_client)
    # then the page says what is wrong and links to the connection; nothing counts as deployed
    assert expected in text_of(page)
    assert 'class="alert-link" href="/connections/connection-1"' in page
    assert secret not in page
    assert "Not deployed." in page


def test_a_tenant_that_is_down_is_explained(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a tenant that does not answer
    connect(NOWHERE)
    save()
    # when the goal is deployed, then the page says so
    assert f"Auth0 cannot be reached. {NOWHERE} does not answer." in text_of(deployed(admin_client))


def test_a_secret_that_cannot_be_opened_is_explained(
    app: Flask, admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a secret that was sealed with a key that is gone
    connect(NOWHERE, secret=None, sealed_client_secret="gAAAA-not-ours")
    save()
    # when the goal is deployed, then the page says what to do
    assert "put the key that sealed it back" in text_of(deployed(admin_client))


def test_a_goal_without_the_rule_option_is_not_deployed(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal whose Rule option is off
    connect(NOWHERE)
    save(enable_rule=False)
    # when it is deployed all the same, then the page says what to switch on
    assert "Switch on Enable Rule" in deployed(admin_client)


def test_deploying_needs_the_forms_token(csrf_admin_client: FlaskClient) -> None:
    # given an admin who has signed in, with the CSRF check on
    # when another site has the browser post the form, then it is refused
    assert csrf_admin_client.post(f"{PAGE}/deploy").status_code == 400
