"""What a tenant's logins run, compared with the goal byte for byte: decided here, without a call."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from snippets.actions import action_name
from snippets.goals import WebGoal
from webapp.auth0.management import Action, Binding, ManagementClient
from webapp.code_pages.deployment import action_code
from webapp.code_pages.models import Deployment

MAX_NAMED_REVISIONS = 20


class TenantState(StrEnum):
    """How the code that a tenant runs compares with the goal's."""

    IN_SYNC = "in_sync"
    OLDER_REVISION = "older_revision"
    EDITED_BY_HAND = "edited_by_hand"
    NOT_DEPLOYED = "not_deployed"
    NOT_BOUND = "not_bound"


@dataclass(frozen=True, slots=True)
class TenantAction:
    """What a tenant has of a goal: the Action, None if there is none, and all that its logins run."""

    action: Action | None
    bindings: tuple[Binding, ...] = ()

    @property
    def code(self) -> str:
        """The deployed code, empty if there is none: a stranger's text."""
        version = self.action.deployed_version if self.action else None
        return version.code if version else ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing.

    ``revision`` is the one whose code the tenant has byte for byte, None if none is. Then ``our_code`` of
    ``our_revision`` is what ``tenant_code`` is to be held against. A draft in Auth0 is run by no login.
    """

    state: TenantState
    revision: int | None = None
    our_revision: int | None = None
    our_code: str = ""
    tenant_code: str = ""
    has_other_draft: bool = False


def look_at_tenant(client: ManagementClient, goal: WebGoal, remembered: Deployment | None) -> TenantAction:
    """Return what the tenant has of the goal, found by the remembered id, else by the name of the goal's Action.

    Raises:
        Auth0RefusedError, MissingScopeError, Auth0UnavailableError, Auth0AnswerError: what came of a call.
    """
    action = client.get_action(remembered.action_id) if remembered else None
    action = action or client.find_action(action_name(goal))
    return TenantAction(action, client.bindings() if action else ())


def named_revisions(code: str) -> set[int]:
    """Return the numbers in the first line of an Action: the header's revision is one of them, if the code is ours."""
    first_line = code.partition("\n")[0][:1000]
    return {int(number) for number in re.findall(r"[0-9]+", first_line)[-MAX_NAMED_REVISIONS:] if len(number) < 10}


def compare_with_tenant(
    goal: WebGoal, found: TenantAction, remembered: Deployment | None, kept: Mapping[int, str]
) -> Comparison:
    """Say how what the tenant runs compares with ``goal``.

    ``kept`` has the Action's code by revision, for those kept revisions that may be the tenant's (`named_revisions`),
    and for the deployed one. What was deployed counts as its revision's code, even if this Websync makes other code.
    """
    action = found.action
    if action is None or action.deployed_version is None:
        return Comparison(TenantState.NOT_DEPLOYED)
    codes = {**kept, goal.revision: action_code(goal)}
    deployed = {remembered.revision: remembered.code} if remembered and remembered.code else {}
    revision = _revision_with(found.code, codes) or _revision_with(found.code, deployed)
    our_revision = remembered.revision if remembered and remembered.revision in codes | deployed else goal.revision
    return Comparison(
        state=_state(goal, found, revision, is_bound=_is_bound(action, found.bindings)),
        revision=revision,
        our_revision=our_revision,
        our_code=(codes | deployed)[our_revision],
        tenant_code=found.code,
        has_other_draft=not action.all_changes_deployed,
    )


def _revision_with(code: str, codes: Mapping[int, str]) -> int | None:
    return max((revision for revision, each in codes.items() if each == code), default=None)


def _state(goal: WebGoal, found: TenantAction, revision: int | None, *, is_bound: bool) -> TenantState:
    if not is_bound:
        return TenantState.NOT_BOUND
    if revision is None:
        return TenantState.EDITED_BY_HAND
    # Later revisions may have changed other things only: then the Action needs no new deployment.
    if found.code == action_code(replace(goal, revision=revision)):
        return TenantState.IN_SYNC
    return TenantState.OLDER_REVISION


def _is_bound(action: Action, bindings: Sequence[Binding]) -> bool:
    return any(binding.action.id == action.id for binding in bindings)
