"""The tenant's Management API: the few calls that deploying an Action, trying a goal and finding an old Rule need.

Source: Auth0 Management API v2 (actions, triggers/{triggerId}/bindings, users, rules).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic.dataclasses import dataclass

from webapp.auth0.answers import Auth0AnswerError, read
from webapp.auth0.management_calls import ManagementCalls

POST_LOGIN = "post-login"
PAGE_SIZE = 50
MAX_RULES = 1000
"""More are not read: no tenant has as many, and a list without an end would be read forever."""

_NO_PART_OF_A_PATH = frozenset({"", ".", ".."})
"""Texts that lead to another path, quoted or not. Source: RFC 3986, 5.2.4."""


@dataclass(frozen=True, slots=True)
class ActionTrigger:
    """What an Action reacts to, and the version of its interface."""

    id: str
    version: str


@dataclass(frozen=True, slots=True)
class ActionSecret:
    """A secret of an Action. Auth0 never gives the value back."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ActionDraft:
    """An Action as it is sent. Lists are sent whole: ``secrets`` and ``dependencies`` replace what is there."""

    name: str
    code: str
    runtime: str
    supported_triggers: tuple[ActionTrigger, ...]
    dependencies: tuple[()] = ()
    secrets: tuple[ActionSecret, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionVersion:
    """The version of an Action that logins run."""

    code: str = ""
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """An Action as Auth0 shows it: the draft, how far its build is, and what is deployed of it."""

    id: str
    name: str
    status: str = ""
    code: str = ""
    runtime: str = ""
    all_changes_deployed: bool = False
    deployed_version: ActionVersion | None = None


@dataclass(frozen=True, slots=True)
class BoundAction:
    """The Action of a binding."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """One place in the list of Actions that a login runs."""

    id: str
    action: BoundAction
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A legacy Rule, without its code. Those with a lower ``order`` run first."""

    id: str
    name: str = ""
    enabled: bool = True
    order: float = 0


@dataclass(frozen=True, slots=True)
class _RulesPage:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    total: int
    actions: tuple[Action, ...] = field(default=())
    bindings: tuple[Binding, ...] = field(default=())


class ManagementClient(ManagementCalls):
    """What Websync asks of a tenant's Actions, Rules and users.

    Every method raises Auth0RefusedError, MissingScopeError, Auth0UnavailableError or Auth0AnswerError.
    """

    def get_action(self, action_id: str) -> Action | None:
        """Return the Action, or None if there is none with this id."""
        found = self._find(f"actions/actions/{quote(action_id, safe='')}")
        return None if found is None else read(Action, found)

    def find_action(self, name: str) -> Action | None:
        """Return the post-login Action with exactly this name, or None."""
        pages = self._pages("actions/actions", triggerId=POST_LOGIN, actionName=name)
        return next((action for page in pages for action in page.actions if action.name == name), None)

    def create_action(self, draft: ActionDraft) -> Action:
        """Store a new Action as a draft: no login runs it yet."""
        return read(Action, self.call("POST", "actions/actions", body=asdict(draft)))

    def update_action(self, action_id: str, draft: ActionDraft) -> Action:
        """Replace an Action's draft: logins go on running what is deployed."""
        return read(Action, self.call("PATCH", f"actions/actions/{quote(action_id, safe='')}", body=asdict(draft)))

    def deploy_action(self, action_id: str) -> None:
        """Have the draft, which must be built, deployed. Auth0 may still be at it when this returns."""
        self.call("POST", f"actions/actions/{quote(action_id, safe='')}/deploy")

    def bindings(self) -> tuple[Binding, ...]:
        """Return what a login runs, in order."""
        pages = self._pages(f"actions/triggers/{POST_LOGIN}/bindings")
        return tuple(binding for page in pages for binding in page.bindings)

    def bind(self, bindings: Sequence[Binding], action: Action) -> None:
        """Have a login run ``bindings``, all that there are now, and then ``action``: Auth0 replaces the whole list."""
        kept = [
            {"ref": {"type": "binding_id", "value": binding.id}, "display_name": binding.display_name}
            for binding in bindings
        ]
        added = {"ref": {"type": "action_id", "value": action.id}, "display_name": action.name}
        self.call("PATCH", f"actions/triggers/{POST_LOGIN}/bindings", body={"bindings": [*kept, added]})

    def rules(self) -> tuple[Rule, ...]:
        """Return the tenant's Rules in the order in which they run. Needs ``read:rules``.

        Auth0 ended Rules on 2026-11-18 and does not say what it answers since: an empty list, 403, 404 or 410 would do.
        """
        found: list[Rule] = []
        for number in range(MAX_RULES // PAGE_SIZE):
            params = {"fields": "id,name,enabled,order", "page": str(number), "per_page": str(PAGE_SIZE)}
            answer = self.call("GET", "rules", params=params | {"include_totals": "true"})
            page = read(_RulesPage, answer if isinstance(answer, dict) else {"rules": answer}).rules
            found += page
            if len(page) < PAGE_SIZE:
                break
        return tuple(sorted(found, key=lambda rule: rule.order))

    def get_user(self, user_id: str) -> dict[str, Any] | None:
        """Return the user as Auth0 stores them, or None if there is none with this id. Needs ``read:users``."""
        if user_id in _NO_PART_OF_A_PATH:
            return None
        found = self._find(f"users/{quote(user_id, safe='')}")
        return None if found is None else read(dict[str, Any], found)

    def users_by_email(self, email: str) -> list[dict[str, Any]]:
        """Return the users with exactly this address: several may share it. Needs ``read:users``."""
        return read(list[dict[str, Any]], self.call("GET", "users-by-email", params={"email": email}))

    def _find(self, path: str) -> Any:
        try:
            return self.call("GET", path)
        except Auth0AnswerError as error:
            if error.members.get("auth0_status") == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _pages(self, path: str, **query: str) -> Iterator[_Page]:
        seen, number = 0, 0
        while True:
            params = {**query, "page": str(number), "per_page": str(PAGE_SIZE)}
            page = read(_Page, self.call("GET", path, params=params))
            yield page
            found = len(page.actions) + len(page.bindings)
            seen, number = seen + found, number + 1
            if not found or seen >= page.total:
                return
