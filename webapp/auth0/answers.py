"""What Auth0's answers mean: which call may be sent again, which error an answer is, and how much of it is read."""

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import ClassVar, TypeVar

import httpx2
from authlib.common.errors import AuthlibBaseError
from pydantic import TypeAdapter, ValidationError

from webapp.errors import WebsyncError

LONGEST_WAIT_SECONDS = 10.0
LONGEST_RETRY_SECONDS = 3_600
"""However long a tenant asks us to stay away."""
LONGEST_ANSWER_SECONDS = 30.0
MAX_ANSWER_BYTES = 8_000_000
"""A page of 50 Actions, each with its draft and its deployed code (100 kB at most, mostly far less)."""
MAX_MESSAGE_LENGTH = 300

T = TypeVar("T")


class Auth0RefusedError(WebsyncError):
    """Auth0 does not accept the connection's client id and secret, or does not let them use the Management API.

    What to do: compare the client id and secret on the connection's page with the application's in Auth0, and
    authorize it for the Management API: APIs > Auth0 Management API > Machine to Machine Applications.
    """

    slug, title, status = "auth0-refused", "Auth0 refuses the client id and secret", HTTPStatus.BAD_GATEWAY


class MissingScopeError(WebsyncError):
    """The connection's application at Auth0 lacks a permission (scope) of the Management API.

    What to do: add the permission that the detail names in Auth0: APIs > Auth0 Management API > Machine to Machine
    Applications, where the application is authorized. Then try again.
    """

    slug, title, status = "missing-scope", "A permission is missing at Auth0", HTTPStatus.BAD_GATEWAY


class Auth0UnavailableError(WebsyncError):
    """Auth0 cannot be reached, or has no time for us now. Nothing is wrong with the request.

    What to do: try again later. If it goes on, see that Websync reaches the connection's domain.
    """

    slug, title, status = "auth0-unavailable", "Auth0 cannot be reached", HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar = {"Retry-After": "60"}


class Auth0AnswerError(WebsyncError):
    """Auth0 said no, or something that cannot be understood. ``auth0_status`` is the HTTP status of its answer.

    What to do: read Auth0's own words in the detail, and look at what they name in the Auth0 dashboard.
    """

    slug, title, status = "auth0-answer", "Auth0 did not do what was asked", HTTPStatus.BAD_GATEWAY


class ExportFailedError(WebsyncError):
    """Auth0 gave up the job that exports the users, for the reason in the detail.

    What to do: run the import again, which makes a new job. If that fails too, the reason is a matter for Auth0's
    support.
    """

    slug, title, status = "export-failed", "Auth0 could not export the users", HTTPStatus.BAD_GATEWAY


class ExportLateError(WebsyncError):
    """The job that exports the users did not end in time.

    What to do: look at the tenant's state in the Auth0 dashboard, then run the import again.
    """

    slug, title, status = "export-late", "Auth0's export does not end", HTTPStatus.GATEWAY_TIMEOUT


class ExportGoneError(WebsyncError):
    """Auth0 no longer has the job or its file, which it keeps for 24 hours.

    What to do: run the import again, which makes a new job.
    """

    slug, title, status = "export-gone", "Auth0's export is gone", HTTPStatus.BAD_GATEWAY


class ExportFileError(WebsyncError):
    """The exported file cannot be fetched: the link leads where it must not, or the download broke off each time.

    What to do: look at the network between Websync and Auth0's storage, and at a proxy that ends long downloads.
    Then run the import again. Websync fetches by https from a public name, and follows no redirects.
    """

    slug, title, status = "export-file", "The exported file cannot be fetched", HTTPStatus.BAD_GATEWAY


class ChangesUnknownError(WebsyncError):
    """Auth0's search cannot say who changed: a thousand users in one millisecond, or an answer in no order.

    What to do: nothing. An export of all users can, and an import makes one by itself.
    """

    slug, title, status = "changes-unknown", "Auth0's search cannot say who changed", HTTPStatus.BAD_GATEWAY


def surely_not_applied(error: Exception) -> bool | float:
    """Say if a call may be sent again (yes, or after that many seconds): only if Auth0 cannot have acted on it.

    Source: Auth0, "Rate limit use cases" (``x-ratelimit-reset`` is in Unix seconds).
    """
    if isinstance(error, httpx2.HTTPStatusError) and error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = seconds_to_wait(error.response.headers)
        if seconds is None:
            return True  # backoff with jitter
        return seconds if seconds <= LONGEST_WAIT_SECONDS else False
    return isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)


def may_be_read_again(error: Exception) -> bool | float:
    """Say if something may be read again (yes, or after that many seconds): also after an error of Auth0 itself."""
    if isinstance(error, httpx2.TransportError):
        return True
    is_theirs = isinstance(error, httpx2.HTTPStatusError) and error.response.is_server_error
    return is_theirs or surely_not_applied(error)


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return after how many seconds Auth0 takes calls again, or None if it does not say."""
    for name, start in (("retry-after", 0.0), ("x-ratelimit-reset", _their_time(headers))):
        if re.fullmatch(r"[0-9]{1,12}", text := headers.get(name, "")):
            return max(0.0, float(text) - start)
    return None


def _their_time(headers: Mapping[str, str]) -> float:
    """Return the time by the clock that set ``x-ratelimit-reset``: ours may be wrong."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return time.time()


def pause_before_next(headers: Mapping[str, str]) -> float:
    """Return how many seconds to wait before the next call, so that it does not come over the limit."""
    if headers.get("x-ratelimit-remaining") != "0":
        return 0.0
    # Dates are whole seconds, so that a part of one may be missing.
    return min(max(1.0, seconds_to_wait(headers) or 0.0), LONGEST_WAIT_SECONDS)


def raise_if_limited(response: httpx2.Response) -> httpx2.Response:
    """Raise httpx2.HTTPStatusError for a 429, return any other answer."""
    return response.raise_for_status() if response.status_code == HTTPStatus.TOO_MANY_REQUESTS else response


class _BoundedStream(httpx2.SyncByteStream):
    """An answer's bytes, up to a size and for a time: the tenant's address is what somebody typed."""

    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        size, end = 0, time.monotonic() + LONGEST_ANSWER_SECONDS
        for chunk in self._stream:
            size += len(chunk)
            if size > MAX_ANSWER_BYTES or time.monotonic() > end:
                raise Auth0AnswerError("The answer is too long. Is the connection's domain an Auth0 tenant?")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def bound_answer(response: httpx2.Response) -> None:
    """Have reading ``response`` end at `MAX_ANSWER_BYTES`. An event hook: it runs before the body is read."""
    # A compressed answer could be small here and huge in memory. None was asked for.
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Auth0AnswerError("The answer is compressed, which was not asked for.")
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _BoundedStream(response.stream)


def refusal(response: httpx2.Response) -> WebsyncError:
    """Return the error that an answer other than 2xx means."""
    if response.is_redirect:
        message = "The answer is a redirect, which Websync does not follow. Is the connection's domain right?"
        return Auth0AnswerError(message, auth0_status=response.status_code)
    message = _message(response)
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return Auth0RefusedError(f"Auth0 said: {message}")
    if response.status_code == HTTPStatus.FORBIDDEN and (match := re.search(r"expected any of: ?([\w:, ]+)", message)):
        return missing_scopes(sorted(scope.strip() for scope in match[1].split(",")))
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error:
        error = Auth0UnavailableError(f"Auth0 said: {message} (HTTP {response.status_code}). Try again in a minute.")
        seconds = seconds_to_wait(response.headers)
        error.retry_after_seconds = None if seconds is None else min(math.ceil(seconds), LONGEST_RETRY_SECONDS)
        return error
    return Auth0AnswerError(f"Auth0 said: {message}", auth0_status=response.status_code)


def missing_scopes(scopes: Sequence[str]) -> MissingScopeError:
    """Return the error that names ``scopes`` and where to grant them."""
    noun = "scope" if len(scopes) == 1 else "scopes"
    advice = "Grant what is missing in Auth0: Applications > APIs > Auth0 Management API, for this application."
    return MissingScopeError(f"The application lacks the {noun} {', '.join(scopes)}. {advice}", scopes=list(scopes))


def _message(response: httpx2.Response) -> str:
    try:
        found = response.json()
    except (ValueError, RecursionError):
        found = None
    text = found.get("message") if isinstance(found, dict) else None
    return tidy(text if isinstance(text, str) and text else response.reason_phrase or "nothing")


def tidy(text: str) -> str:
    """Return a stranger's text short and without line ends or controls. Pages escape it."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_MESSAGE_LENGTH])


def token_advice(error: AuthlibBaseError) -> str:
    """Say what to do about an error of the token endpoint. Source: RFC 6749, 5.2."""
    said = tidy(f"{error.error}: {error.description}" if error.description else str(error.error))
    if error.error in {"access_denied", "unauthorized_client"}:
        advice = "Let the application use the Auth0 Management API (Applications > APIs > Auth0 Management API)"
        return f"{advice}, and its grant type Client Credentials. Auth0 said: {said}"
    return f"Check the connection's domain, client id and client secret. Auth0 said: {said}"


def read(kind: type[T], found: object) -> T:
    """Return an answer as ``kind``. Raises Auth0AnswerError if it lacks what ``kind`` needs."""
    try:
        return TypeAdapter(kind).validate_python(found)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False)[:3])
        raise Auth0AnswerError(f"The answer lacks what Auth0 documents: {places or kind.__name__}.") from error
