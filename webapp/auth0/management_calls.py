"""How the tenant's Management API is called: with which token, how often again, and within which limits.

Source: Auth0 Management API v2; Authentication API, "Client Credentials Flow"; "Rate limit use cases".
"""

import math
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Self, TypeVar

import httpx2
import stamina
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client

from webapp.auth0.answers import (
    LONGEST_RETRY_SECONDS,
    LONGEST_WAIT_SECONDS,
    Auth0AnswerError,
    Auth0RefusedError,
    Auth0UnavailableError,
    bound_answer,
    may_be_read_again,
    pause_before_next,
    raise_if_limited,
    refusal,
    seconds_to_wait,
    surely_not_applied,
    token_advice,
)
from webapp.auth0.shared_pauses import SharedPause
from webapp.auth0.tenant import Tenant

TIMEOUT_SECONDS = 10.0
ATTEMPTS = 4
RENEWAL_SECONDS = 120
"""How long before its end a token is replaced. Above Authlib's own minute, whose renewal would forget the audience."""

T = TypeVar("T")
Json = Mapping[str, Any]


class ManagementCalls:
    """The Management API of one tenant, called as the connection's application. Close it, or use it in ``with``.

    Every method raises Auth0RefusedError, MissingScopeError, Auth0UnavailableError or Auth0AnswerError. ``wait`` waits
    so many seconds for Auth0's limit on calls. With ``shared``, what any process learns of that limit holds this one
    back too.
    """

    def __init__(
        self,
        tenant: Tenant,
        client_id: str,
        client_secret: str,
        *,
        wait: Callable[[float], None] = time.sleep,
        shared: SharedPause | None = None,
    ) -> None:
        self.tenant = tenant
        self._wait = wait
        self._shared = shared
        self._pause_seconds = 0.0
        self._http = OAuth2Client(
            client_id,
            client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106, the name of a method
            base_url=tenant.management_url,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,  # a token sent on to wherever an answer points would be given away
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            event_hooks={"response": [bound_answer, self._tell_others]},
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

    def call(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Json | None = None) -> Any:
        """Return the JSON of an answer. The call is sent again only if Auth0 cannot have acted on it."""
        return self._ask(surely_not_applied, method, path, params=params, json=body)

    def read_patiently(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the JSON of a ``GET`` for which nobody waits: Auth0's own errors are tried again, its limit is kept.

        After the last call that Auth0 takes for now, the next one waits.
        """
        if self._pause_seconds:
            self._wait(self._pause_seconds)
        return self._ask(may_be_read_again, "GET", path, params=params)

    def _ask(self, may_be_sent_again: Callable[[Exception], bool | float], method: str, path: str, **more: Any) -> Any:
        def send() -> httpx2.Response:
            self._keep_off()
            self._authorize()
            response: httpx2.Response = self._http.request(method, path, **more)
            self._pause_seconds = pause_before_next(response.headers)
            return response.raise_for_status()

        response = self._repeatedly(send, may_be_sent_again)
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            raise Auth0AnswerError("The answer is no JSON. Is the connection's domain an Auth0 tenant?") from error

    def _keep_off(self) -> None:
        """Wait until the tenant takes calls again, as far as any process knows. Minutes are for the caller to wait."""
        seconds = self._shared.seconds() if self._shared is not None else 0.0
        if seconds > LONGEST_WAIT_SECONDS:
            error = Auth0UnavailableError("The tenant's limit on calls was reached, and others wait for it too.")
            error.retry_after_seconds = math.ceil(seconds)
            raise error
        if seconds:
            self._wait(seconds)

    def _tell_others(self, response: httpx2.Response) -> None:
        """Note when the tenant takes calls again, if this was the last one for now, or one too many."""
        seconds = pause_before_next(response.headers)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            asked = seconds_to_wait(response.headers)
            seconds = 1.0 if asked is None else min(asked, LONGEST_RETRY_SECONDS)
        if seconds and self._shared is not None:
            self._shared.note(seconds)

    def _authorize(self) -> None:
        """Get a token unless there is one that lasts a while. The audience always is the tenant's own domain."""
        if self._http.token and not self._http.token.is_expired(leeway=RENEWAL_SECONDS):
            return
        try:
            token = self._http.fetch_token(
                self.tenant.token_url, grant_type="client_credentials", audience=self.tenant.management_url
            )
        except (ValueError, RecursionError) as error:
            message = "The token endpoint's answer is no JSON. Is the connection's domain an Auth0 tenant?"
            raise Auth0AnswerError(message) from error
        if not token.get("access_token"):
            self._http.token = None
            raise Auth0AnswerError("The token endpoint answered without a token.")

    def _repeatedly(
        self, send: Callable[[], T], may_be_sent_again: Callable[[Exception], bool | float] = surely_not_applied
    ) -> T:
        try:
            # A context and no decorator: stamina would log a decorated function's arguments.
            for attempt in stamina.retry_context(on=may_be_sent_again, attempts=ATTEMPTS, timeout=TIMEOUT_SECONDS * 3):
                with attempt:
                    result = send()
        except httpx2.HTTPStatusError as error:
            raise refusal(error.response) from error
        except httpx2.HTTPError as error:
            message = f"{self.tenant.base_url} does not answer. Check the connection's domain, then try again."
            raise Auth0UnavailableError(message) from error
        except AuthlibBaseError as error:
            raise Auth0RefusedError(token_advice(error)) from error
        return result
