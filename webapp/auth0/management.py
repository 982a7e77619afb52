"""The tenant's Management API: the few calls that deploying an Action, trying a goal and finding an old Rule need.

Source: Auth0 Management API v2 (actions, triggers/{triggerId}/bindings, users, rules); Authentication API, "Client
Credentials Flow".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, field
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2
import stamina
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from pydantic.dataclasses import dataclass

from webapp.auth0.answers import (
    Auth0AnswerError,
    Auth0RefusedError,
    Auth0UnavailableError,
    bound_answer,
    raise_if_limited,
    read,
    refusal,
    surely_not_applied,
    token_advice,
)
from webapp.auth0.tenant import Tenant

POST_LOGIN = "post-login"
TIMEOUT_SECONDS = 10.0
ATTEMPTS = 4
PAGE_SIZE = 50
MAX_RULES = 1000
"""More are not read: no tenant has as many, and a list without an end would be read forever."""
RENEWAL_SECONDS = 120
"""How long before its end a token is replaced. Above Authlib's own minute, whose renewal would forget the audience."""

_NO_PART_OF_A_PATH = frozenset({"", ".", ".."})
"""Texts that lead to another path, quoted or not. Source: RFC 3986, 5.2.4."""

T = TypeVar("T")
Json = Mapping[str, Any]


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


class ManagementClient:
    """The Management API of one tenant, called as the connection's application. Close it, or use it in ``with``.

    Every method raises Auth0RefusedError, MissingScopeError, Auth0UnavailableError or Auth0AnswerError.
    """

    def __init__(self, tenant: Tenant, client_id: str, client_secret: str) -> None:
        self._tenant = tenant
        self._http = OAuth2Client(
            client_id,
            client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106, the name of a method
            base_url=tenant.management_url,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,  # a token sent on to wherever an answer points would be given away
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            event_hooks={"response": [bound_answer]},
        )
        # Authlib makes an OAuthError of every JSON error; with this a 429 keeps its headers and can be waited for.
        self._http.register_compliance_hook("access_token_response", raise_if_limited)

    def __enter__(self) -> Self:
        """Return the client; it is closed at the end of the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def granted_scopes(self) -> frozenset[str]:
        """Return the scopes that Auth0 granted to the application. Source: RFC 6749, 5.1."""
        self._repeatedly(self._authorize)
        return frozenset(str(self._http.token.get("scope", "")).split())

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
        return read(Action, self._call("POST", "actions/actions", body=asdict(draft)))

    def update_action(self, action_id: str, draft: ActionDraft) -> Action:
        """Replace an Action's draft: logins go on running what is deployed."""
        return read(Action, self._call("PATCH", f"actions/actions/{quote(action_id, safe='')}", body=asdict(draft)))

    def deploy_action(self, action_id: str) -> None:
        """Have the draft, which must be built, deployed. Auth0 may still be at it when this returns."""
        self._call("POST", f"actions/actions/{quote(action_id, safe='')}/deploy")

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
        self._call("PATCH", f"actions/triggers/{POST_LOGIN}/bindings", body={"bindings": [*kept, added]})

    def rules(self) -> tuple[Rule, ...]:
        """Return the tenant's Rules in the order in which they run. Needs ``read:rules``.

        Auth0 ended Rules on 2026-11-18 and does not say what it answers since: an empty list, 403, 404 or 410 would do.
        """
        found: list[Rule] = []
        for number in range(MAX_RULES // PAGE_SIZE):
            params = {"fields": "id,name,enabled,order", "page": str(number), "per_page": str(PAGE_SIZE)}
            answer = self._call("GET", "rules", params=params | {"include_totals": "true"})
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
        return read(list[dict[str, Any]], self._call("GET", "users-by-email", params={"email": email}))

    def _find(self, path: str) -> Any:
        try:
            return self._call("GET", path)
        except Auth0AnswerError as error:
            if error.members.get("auth0_status") == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _pages(self, path: str, **query: str) -> Iterator[_Page]:
        seen, number = 0, 0
        while True:
            params = {**query, "page": str(number), "per_page": str(PAGE_SIZE)}
            page = read(_Page, self._call("GET", path, params=params))
            yield page
            found = len(page.actions) + len(page.bindings)
            seen, number = seen + found, number + 1
            if not found or seen >= page.total:
                return

    def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Any:
        def send() -> httpx2.Response:
            self._authorize()
            response: httpx2.Response = self._http.request(method, path, params=params, json=body)
            return response.raise_for_status()

        response = self._repeatedly(send)
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            raise Auth0AnswerError("The answer is no JSON. Is the connection's domain an Auth0 tenant?") from error

    def _authorize(self) -> None:
        """Get a token unless there is one that lasts a while. The audience always is the tenant's own domain."""
        if self._http.token and not self._http.token.is_expired(leeway=RENEWAL_SECONDS):
            return
        try:
            token = self._http.fetch_token(
                self._tenant.token_url, grant_type="client_credentials", audience=self._tenant.management_url
            )
        except (ValueError, RecursionError) as error:
            message = "The token endpoint's answer is no JSON. Is the connection's domain an Auth0 tenant?"
            raise Auth0AnswerError(message) from error
        if not token.get("access_token"):
            self._http.token = None
            raise Auth0AnswerError("The token endpoint answered without a token.")

    def _repeatedly(self, send: Callable[[], T]) -> T:
        try:
            # A context and no decorator: stamina would log a decorated function's arguments.
            for attempt in stamina.retry_context(on=surely_not_applied, attempts=ATTEMPTS, timeout=TIMEOUT_SECONDS * 3):
                with attempt:
                    result = send()
        except httpx2.HTTPStatusError as error:
            raise refusal(error.response) from error
        except httpx2.HTTPError as error:
            message = f"{self._tenant.base_url} does not answer. Check the connection's domain, then try again."
            raise Auth0UnavailableError(message) from error
        except AuthlibBaseError as error:
            raise Auth0RefusedError(token_advice(error)) from error
        return result
