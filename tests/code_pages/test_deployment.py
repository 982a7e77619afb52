import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from flask import request

from snippets.actions import action_name
from snippets.goals import WebGoal
from snippets.rendering import SnippetKind, render
from tests.demo.conftest import RunningTenant, deploy, management_client, serve
from tests.demo.test_management_contract import document, validate
from tests.factories import make_full_goal, make_goal
from webapp.auth0.answers import Auth0AnswerError, Auth0UnavailableError, MissingScopeError
from webapp.auth0.management import Action, ActionDraft, ManagementClient
from webapp.auth0.tenant import Tenant
from webapp.code_pages.deployment import (
    WAITS_SECONDS,
    DeployedAction,
    DeploymentState,
    code_digest,
    compare,
    deploy_action,
)
from webapp.code_pages.models import Deployment
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET, READER_CLIENT_ID, READER_CLIENT_SECRET
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant

__all__ = ["document"]


@pytest.fixture
def client(tenant: RunningTenant) -> Iterator[ManagementClient]:
    with ManagementClient(Tenant(tenant.base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET) as client:
        yield client


@pytest.fixture
def management(tenant: RunningTenant) -> Iterator[httpx2.Client]:
    with management_client(tenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET) as management:
        yield management


def at_once(_seconds: float) -> None:
    """Do not wait: the demo tenant builds between two looks."""


def deployed_by(client: ManagementClient, goal: WebGoal, remembered: Deployment | None = None) -> DeployedAction:
    return deploy_action(client, goal, remembered, at_once)


def row(deployed: DeployedAction, goal: WebGoal) -> Deployment:
    return Deployment(
        action_id=deployed.action_id,
        revision=goal.revision,
        code_digest=code_digest(goal),
        secret_digest=deployed.secret_digest,
    )


def running(management: httpx2.Client) -> list[tuple[str, str]]:
    """Return name and deployed code of what a login runs, in order."""
    actions = [binding["action"] for binding in bindings(management)]
    return [(action["name"], action["deployed_version"]["code"]) for action in actions]


def bindings(management: httpx2.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = management.get("actions/triggers/post-login/bindings").json()["bindings"]
    return found


def test_the_first_deployment_runs_after_the_actions_that_are_there(
    client: ManagementClient, management: httpx2.Client
) -> None:
    # given a tenant with two Actions of its own
    deploy(management, "First", "")
    deploy(management, "Second", "")
    before = bindings(management)
    goal = make_full_goal()
    # when the goal's Action is deployed
    deployed = deployed_by(client, goal)
    # then it runs last, and the others are where and what they were
    after = bindings(management)
    assert deployed.has_changed
    assert [(one["id"], one["display_name"]) for one in after[:2]] == [
        (one["id"], one["display_name"]) for one in before
    ]
    assert running(management)[2:] == [(action_name(goal), render(goal, SnippetKind.ACTION).code)]


def test_a_second_deployment_updates_the_action_in_its_place(
    client: ManagementClient, management: httpx2.Client
) -> None:
    # given a deployed goal, and another Action after it
    goal = make_full_goal(revision=1)
    first = deployed_by(client, goal)
    deploy(management, "Later", "")
    # when the next revision, with another name, is deployed
    newer = make_full_goal(revision=2, name="Renamed")
    second = deployed_by(client, newer, row(first, goal))
    # then the same Action has the new code and name, and its place
    assert (second.action_id, second.has_changed) == (first.action_id, True)
    assert [name for name, _ in running(management)] == [action_name(newer), "Later"]
    assert running(management)[0][1] == render(newer, SnippetKind.ACTION).code


def test_the_same_code_again_changes_nothing(client: ManagementClient, management: httpx2.Client) -> None:
    # given a deployed goal
    goal = make_full_goal()
    first = deployed_by(client, goal)
    before = management.get(f"actions/actions/{first.action_id}/versions").json()["total"]
    # when it is deployed again
    second = deployed_by(client, goal, row(first, goal))
    # then there was nothing to do
    assert second == DeployedAction(first.action_id, first.name, has_changed=False)
    assert management.get(f"actions/actions/{first.action_id}/versions").json()["total"] == before
    assert len(bindings(management)) == 1


def test_an_action_that_was_unbound_is_bound_again(client: ManagementClient, management: httpx2.Client) -> None:
    # given a deployed goal whose Action somebody took out of the flow
    goal = make_full_goal()
    first = deployed_by(client, goal)
    management.patch("actions/triggers/post-login/bindings", json={"bindings": []})
    # when it is deployed again
    second = deployed_by(client, goal, row(first, goal))
    # then logins run it again
    assert second.has_changed
    assert [name for name, _ in running(management)] == [action_name(goal)]


def test_a_change_in_auth0_is_put_right(client: ManagementClient, management: httpx2.Client) -> None:
    # given a deployed goal whose draft somebody edited in Auth0
    goal = make_full_goal()
    first = deployed_by(client, goal)
    management.patch(f"actions/actions/{first.action_id}", json={"code": "// mine"})
    # when it is deployed again
    second = deployed_by(client, goal, row(first, goal))
    # then the goal's code is both draft and deployed
    found = client.get_action(first.action_id)
    assert second.has_changed
    assert found is not None
    assert found.all_changes_deployed
    assert found.code == render(goal, SnippetKind.ACTION).code


def test_an_action_that_was_deleted_is_made_anew(client: ManagementClient, management: httpx2.Client) -> None:
    # given a deployed goal whose Action somebody deleted
    goal = make_full_goal()
    first = deployed_by(client, goal)
    management.delete(f"actions/actions/{first.action_id}", params={"force": "true"})
    # when it is deployed again
    second = deployed_by(client, goal, row(first, goal))
    # then logins run a new one
    assert second.action_id != first.action_id
    assert [name for name, _ in running(management)] == [action_name(goal)]


def test_an_action_is_found_by_its_name_when_websync_forgot_it(
    client: ManagementClient, management: httpx2.Client
) -> None:
    # given an Action of this goal that is no longer remembered
    goal = make_full_goal()
    first = deployed_by(client, goal)
    # when the goal is deployed
    second = deployed_by(client, goal, remembered=None)
    # then no second one was made
    assert second.action_id == first.action_id
    assert len(bindings(management)) == 1


def test_missing_scopes_are_named_all_at_once_and_nothing_is_changed(
    tenant: RunningTenant, management: httpx2.Client
) -> None:
    # given an application that may only read users
    with (
        ManagementClient(Tenant(tenant.base_url), READER_CLIENT_ID, READER_CLIENT_SECRET) as reader,
        pytest.raises(MissingScopeError, match="scopes create:actions, read:actions, update:actions"),
    ):
        # when it deploys
        deployed_by(reader, make_full_goal())
    # then there is no Action
    assert management.get("actions/actions").json()["total"] == 0


class StuckClient(ManagementClient):
    """The tenant's builds never get anywhere, or fail."""

    build_status = "building"

    def get_action(self, action_id: str) -> Action | None:
        return Action(id=action_id, name="Stuck", status=self.build_status)


@pytest.mark.parametrize(
    ("build_status", "expected", "looks"),
    [("building", Auth0UnavailableError, len(WAITS_SECONDS)), ("failed", Auth0AnswerError, 0)],
)
def test_a_build_that_does_not_end_well_stops_the_deployment(
    tenant: RunningTenant, management: httpx2.Client, build_status: str, expected: type[Exception], looks: int
) -> None:
    # given a tenant whose builds get stuck
    waits: list[float] = []
    goal = make_full_goal()
    with StuckClient(Tenant(tenant.base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET) as client:
        client.build_status = build_status
        # when the goal is deployed
        with pytest.raises(expected, match="Action"):
            deploy_action(client, goal, None, waits.append)
    # then it was waited for in bounds, and logins run what they ran
    assert len(waits) == looks
    assert bindings(management) == []


class RacingClient(ManagementClient):
    """Somebody else replaces the trigger's list right after we did."""

    def bind(self, bindings: Any, action: Action) -> None:
        super().bind(bindings, action)
        self.call("PATCH", "actions/triggers/post-login/bindings", body={"bindings": []})


def test_a_race_for_the_bindings_is_noticed(tenant: RunningTenant) -> None:
    # given somebody who changes the trigger at the same time
    with (
        RacingClient(Tenant(tenant.base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET) as client,
        pytest.raises(Auth0AnswerError, match="Deploy again"),
    ):
        # when the goal is deployed, then the admin is told
        deployed_by(client, make_full_goal())


@pytest.fixture
def recorded() -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """A tenant with everything that it is sent: method, path, JSON."""
    sent: list[tuple[str, str, Any]] = []

    def make(base_url: str) -> Any:
        app = create_tenant(base_url, TenantState())
        app.before_request(lambda: sent.append((request.method, request.path, request.get_json(silent=True))))
        return app

    for base_url in serve(make):
        yield base_url, sent


def test_what_is_sent_follows_auth0s_document(
    document: dict[str, Any],
    recorded: tuple[str, list[tuple[str, str, Any]]],
) -> None:
    # given a tenant that keeps what it is sent
    base_url, sent = recorded
    goal, newer = make_full_goal(revision=1), make_full_goal(revision=2)
    # when a goal is deployed, and its next revision
    with ManagementClient(Tenant(base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET) as client:
        deployed_by(client, newer, row(deployed_by(client, goal), goal))
    # then every call is documented, and so is its body
    seen = set()
    for method, path, body in sent:
        if path.startswith("/api/v2/"):
            template = documented_path(document, path.removeprefix("/api/v2"))
            assert method.lower() in document["paths"][template]
            seen.add(f"{method} {template}")
            if body is not None:
                validate(document, body, template, method.lower(), "requestBody")
    assert seen >= {
        "POST /actions/actions",
        "PATCH /actions/actions/{id}",
        "POST /actions/actions/{id}/deploy",
        "PATCH /actions/triggers/{triggerId}/bindings",
    }


def documented_path(document: dict[str, Any], path: str) -> str:
    def matches(template: str) -> bool:
        return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path) is not None

    # A path with fewer variables is the more exact one.
    templates: list[str] = [template for template in document["paths"] if matches(template)]
    return min(templates, key=lambda template: template.count("{"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Shop visitors", "Websync Shop visitors (shop-goal)"),
        ('");process.exit(1);//', "Websync process exit 1 (shop-goal)"),
        ("Größe ✓", "Websync Gr e (shop-goal)"),
        ("日本", "Websync (shop-goal)"),
        ("x" * 200, f"Websync {'x' * 108} (shop-goal)"),
    ],
)
def test_the_actions_name_has_plain_characters_and_ends_with_the_goals_key(name: str, expected: str) -> None:
    # given a goal of any name
    # when its Action is named
    found = action_name(make_goal(name=name))
    # then the name is plain and short enough
    assert found == expected
    assert len(found) <= 128


def test_a_draft_sends_its_empty_lists() -> None:
    # given a draft
    draft = ActionDraft("n", "c", "node22", ())
    # when it is sent, then nothing that was there before stays
    assert (draft.dependencies, draft.secrets) == ((), ())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, DeploymentState.UP_TO_DATE),
        ({"revision": 8}, DeploymentState.UP_TO_DATE),
        ({"revision": 8, "allowed_origins": ("https://other.example",)}, DeploymentState.UP_TO_DATE),
        ({"revision": 8, "client_ids": ("other-client",)}, DeploymentState.OUTDATED),
        ({"public_url": "https://moved.example"}, DeploymentState.OUTDATED),
    ],
)
def test_a_deployment_is_outdated_when_the_action_would_be_another(
    changes: dict[str, Any], expected: DeploymentState
) -> None:
    # given a deployed goal
    deployed = Deployment(revision=7, code_digest=code_digest(make_full_goal()), secret_digest="")
    # when the goal is changed
    # then only a change of the Action's code makes the deployment outdated
    assert compare(make_full_goal(**changes), deployed) is expected


def test_a_goal_without_deployment_is_not_deployed() -> None:
    assert compare(make_full_goal(), None) is DeploymentState.NOT_DEPLOYED
