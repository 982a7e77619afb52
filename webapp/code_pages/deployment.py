"""Deploying a goal's Action: make or update it, have it built and deployed, and let logins run it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from snippets.actions import ACTION_RUNTIME, ACTION_TRIGGER_VERSION, action_name
from snippets.exchange import EXCHANGE_SECRET
from snippets.goals import WebGoal
from snippets.rendering import SnippetKind, render
from webapp.auth0.answers import Auth0AnswerError, Auth0UnavailableError, missing_scopes
from webapp.auth0.management import POST_LOGIN, Action, ActionDraft, ActionSecret, ActionTrigger, ManagementClient
from webapp.code_pages.models import Deployment
from webapp.connections.exchange_secrets import secret_digest
from webapp.connections.models import Goal

TRIGGER = ActionTrigger(POST_LOGIN, ACTION_TRIGGER_VERSION)
DEPLOY_SCOPES = frozenset({"read:actions", "create:actions", "update:actions"})
WAITS_SECONDS = (0.2, 0.5, 1.0, *[2.0] * 14)
"""How long between two looks at a build: half a minute in all, and a page is waiting for it."""


class DeploymentState(StrEnum):
    """How what Auth0 runs compares with the goal as it is saved."""

    NOT_DEPLOYED = "not_deployed"
    UP_TO_DATE = "up_to_date"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True)
class DeployedAction:
    """The Action that logins run now. ``has_changed`` is false if all of it was so before.

    ``secret_digest`` is that of the secret that it has, or empty.
    """

    action_id: str
    name: str
    has_changed: bool
    secret_digest: str = ""


def action_code(goal: WebGoal) -> str:
    """Return the code of the goal's Action."""
    return render(goal, SnippetKind.ACTION).code


def code_digest(goal: WebGoal) -> str:
    """Return the SHA-256, as hex, of what the goal's Action does: its code without the revision.

    So a revision that changes other things only, such as an allowed origin, needs no new deployment.
    """
    return hashlib.sha256(action_code(replace(goal, revision=0)).encode()).hexdigest()


def compare(goal: WebGoal, deployment: Deployment | None, exchange_secret: str | None = None) -> DeploymentState:
    """Say if the deployed Action still does what the goal says, with the secret that it should have."""
    if deployment is None:
        return DeploymentState.NOT_DEPLOYED
    if deployment.code_digest == code_digest(goal) and deployment.secret_digest == secret_digest(exchange_secret):
        return DeploymentState.UP_TO_DATE
    return DeploymentState.OUTDATED


def deploy_action(
    client: ManagementClient,
    goal: WebGoal,
    remembered: Deployment | None,
    wait: Callable[[float], object],
    *,
    exchange_secret: str | None = None,
) -> DeployedAction:
    """Let the tenant's logins run the goal's Action, after the Actions that they run already.

    Does only what is missing, so that it may be called again after any failure. ``wait`` is called with the seconds
    between two looks at a build. ``exchange_secret`` is what the Action of a server exchange calls Websync with.

    Raises:
        Auth0RefusedError, MissingScopeError, Auth0UnavailableError, Auth0AnswerError: what came of a call.
    """
    if lacking := DEPLOY_SCOPES - client.granted_scopes():
        raise missing_scopes(sorted(lacking))
    secrets = (ActionSecret(EXCHANGE_SECRET, exchange_secret),) if exchange_secret else ()
    draft = ActionDraft(action_name(goal), action_code(goal), ACTION_RUNTIME, (TRIGGER,), secrets=secrets)
    action = _remembered_action(client, remembered) or client.find_action(draft.name)
    # Auth0 never shows a secret, so what was sent last is what counts.
    has_secret = secret_digest(exchange_secret) == (remembered.secret_digest if remembered else "")
    is_current = action is not None and _runs(action, draft) and has_secret
    if action is None:
        action = client.create_action(draft)
    elif not is_current:
        action = client.update_action(action.id, draft)
    if not is_current:
        _build(client, action.id, wait)
        client.deploy_action(action.id)
        action = _look_until(client, action.id, lambda found: _runs(found, draft), wait)
    is_new_in_logins = _bind(client, action)
    has_changed = is_new_in_logins or not is_current
    return DeployedAction(action.id, action.name, has_changed, secret_digest(exchange_secret))


def remembered_deployment(session: Session, goal: Goal) -> Deployment | None:
    """Return what Websync deployed to the goal's tenant, or None: what another tenant runs says nothing here."""
    deployment = session.get(Deployment, goal.id)
    if deployment is None or deployment.auth0_domain != goal.connection.auth0_domain:
        return None
    return deployment


def remember(session: Session, row: Goal, goal: WebGoal, deployed: DeployedAction, *, by: str, now: datetime) -> None:
    """Store that ``goal``, the plain data of ``row`` at its revision, is what its tenant runs as ``deployed``."""
    session.merge(
        Deployment(
            goal_id=row.id,
            auth0_domain=row.connection.auth0_domain,
            action_id=deployed.action_id,
            action_name=deployed.name,
            revision=goal.revision,
            code_digest=code_digest(goal),
            code=action_code(goal),
            secret_digest=deployed.secret_digest,
            deployed_at=now,
            deployed_by=by,
        )
    )


def _remembered_action(client: ManagementClient, remembered: Deployment | None) -> Action | None:
    return client.get_action(remembered.action_id) if remembered else None


def _runs(action: Action, draft: ActionDraft) -> bool:
    """Say if logins run exactly ``draft``. A build that is not finished keeps the older version running."""
    version = action.deployed_version
    return (
        version is not None
        and (action.name, version.code, version.runtime) == (draft.name, draft.code, draft.runtime)
        and action.all_changes_deployed
    )


def _build(client: ManagementClient, action_id: str, wait: Callable[[float], object]) -> None:
    """Wait until Auth0 has built the draft: it refuses to deploy any earlier. Source: auth0-deploy-cli, actions.ts."""
    action = _look_until(client, action_id, lambda found: found.status in {"built", "failed"}, wait)
    if action.status == "failed":
        message = "Auth0 could not build the Action. Its page in Auth0 (Actions > Library) says why; then try again."
        raise Auth0AnswerError(message)


def _look_until(
    client: ManagementClient, action_id: str, is_done: Callable[[Action], bool], wait: Callable[[float], object]
) -> Action:
    for seconds in (0.0, *WAITS_SECONDS):
        if seconds:
            wait(seconds)
        action = client.get_action(action_id)
        if action is None:
            raise Auth0AnswerError("Somebody deleted the Action in Auth0 just now. Deploy again.")
        if is_done(action):
            return action
    raise Auth0UnavailableError("Auth0 is still building the Action. Deploy again in a minute: it goes on from here.")


def _bind(client: ManagementClient, action: Action) -> bool:
    """Append ``action`` to what a login runs, and say if that was needed. The others keep their places.

    Auth0 has no way to add one, and none to see a change by somebody else: hence read, write, and read again.
    """
    before = client.bindings()
    if any(binding.action.id == action.id for binding in before):
        return False
    client.bind(before, action)
    bound = [binding.action.id for binding in client.bindings()]
    if bound != [*(binding.action.id for binding in before), action.id]:
        message = "The Action is deployed, but somebody else changed the trigger's Actions meanwhile. Deploy again."
        raise Auth0AnswerError(message)
    return True
