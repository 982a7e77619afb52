"""The Management API's floor: who may call, how often, how errors and pages look.

Source: Auth0 docs, api/management/v2; troubleshoot/customer-support/operational-policies/rate-limit-policy.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Any, ParamSpec

import jwt
from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from webapp.demo.context import tenant
from webapp.demo.faults import Faults, faults_of, take
from webapp.demo.tokens import verified_claims

bp = Blueprint("management", __name__, url_prefix="/api/v2")

Data = dict[str, Any]
Parameters = ParamSpec("Parameters")
MAX_PER_PAGE = 100
STATUS_NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


class ManagementError(Exception):
    """A refusal in Auth0's shape: ``statusCode``, ``error``, ``message`` and mostly ``errorCode``."""

    def __init__(self, status: int, message: str, error_code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.error_code, self.headers = status, error_code, headers


@bp.errorhandler(ManagementError)
def answer_error(error: ManagementError) -> ResponseReturnValue:
    """Answer in Auth0's shape."""
    body: Data = {"statusCode": error.status, "error": STATUS_NAMES[error.status], "message": str(error)}
    if error.error_code is not None:
        body["errorCode"] = error.error_code
    return jsonify(body), error.status, error.headers


@bp.errorhandler(HTTPException)
def answer_http_error(error: HTTPException) -> ResponseReturnValue:
    """Answer Flask's own errors in the same shape."""
    return jsonify(statusCode=error.code, error=error.name, message=error.description), error.code or 500


class RateWindow:
    """Counts the requests of each client in the present second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = 0
        self._counts: Counter[str] = Counter()

    def count(self, client_id: str, now: int) -> int:
        """Add one request and return how many this second has seen of the client."""
        with self._lock:
            if now != self._second:
                self._second = now
                self._counts.clear()
            self._counts[client_id] += 1
            return self._counts[client_id]


def needs(
    *scopes: str,
) -> Callable[[Callable[Parameters, ResponseReturnValue]], Callable[Parameters, ResponseReturnValue]]:
    """Let a view run only for a Management API token with any of ``scopes``, and within the rate limit."""

    def decorate(view: Callable[Parameters, ResponseReturnValue]) -> Callable[Parameters, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> ResponseReturnValue:
            claims = _bearer_claims()
            limit_headers = _count_request(claims["azp"])
            if not set(claims["scope"].split()) & set(scopes):
                message = f"Insufficient scope, expected any of: {','.join(scopes)}"
                raise ManagementError(403, message, "insufficient_scope")
            response: Response = current_app.make_response(view(*args, **kwargs))
            response.headers.update(limit_headers)
            return response

        return guarded

    return decorate


def _bearer_claims() -> Data:
    authorization = request.authorization
    if authorization is None or authorization.type != "bearer" or not authorization.token:
        raise ManagementError(401, "Missing authentication")
    with tenant().state.read() as data:
        keys = list(data["signing_keys"])
    try:
        return verified_claims(
            keys,
            authorization.token,
            audience=tenant().management_audience,
            issuer=tenant().issuer,
            now=tenant().state.now(),
        )
    except jwt.ExpiredSignatureError as error:
        raise ManagementError(401, "Expired token received for JSON Web Token validation") from error
    except jwt.InvalidTokenError as error:
        raise ManagementError(401, "Invalid token") from error


def _count_request(client_id: str) -> dict[str, str]:
    """Return the rate limit headers. Raises ManagementError (429) over the limit, or where a fault wants an error."""
    now = tenant().state.now()
    with tenant().state.read() as data:
        limit: int = data["management_requests_per_second"]
        faults = faults_of(data)
    is_limited, is_failing = _wanted_errors(faults)
    window: RateWindow = current_app.extensions["demo_rate_window"]
    used = limit + 1 if is_limited else window.count(client_id, now)
    headers = {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(max(0, limit - used)),
        # By the clock that also sets the answer's date, whatever the tenant's own says.
        "x-ratelimit-reset": str(int(time.time()) + (faults.limit_seconds if is_limited else 1)),
    }
    if used > limit:
        raise ManagementError(429, "Global limit has been reached", "too_many_requests", **headers)
    if is_failing:
        raise ManagementError(500, "Internal error, which this demo tenant was told to have")
    return headers


def _wanted_errors(faults: Faults) -> tuple[bool, bool]:
    """Say if a fault wants this request to be answered with 429, or with 500."""
    if faults.limited_calls or faults.failing_calls:
        with tenant().state.change() as data:
            is_limited = take(data, "limited_calls")
            return is_limited, not is_limited and take(data, "failing_calls")
    number = next(current_app.extensions["demo_request_numbers"])
    return _is_turn(number, faults.limited_call_one_in), _is_turn(number, faults.failing_call_one_in)


def _is_turn(number: int, one_in: int) -> bool:
    return one_in > 0 and number % one_in == 0


def json_body(allowed: Collection[str]) -> Data:
    """Return the JSON object of the request. Auth0 refuses members that it doesn't know, and so does this."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ManagementError(400, "Payload validation error: 'Expected type object'", "invalid_body")
    refuse_unknown(body, allowed)
    return body


def refuse_unknown(members: Data, allowed: Collection[str]) -> None:
    """Raise ManagementError if ``members`` has any that isn't allowed."""
    unknown = sorted(set(members) - set(allowed))
    if unknown:
        message = f"Payload validation error: 'Additional properties not allowed: {', '.join(unknown)}'"
        raise ManagementError(400, message, "invalid_body")


def number_argument(name: str, default: int, *, most: int = 1_000_000) -> int:
    """Return a query parameter that is a whole number from 0 to ``most``."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and int(text) <= most):
        message = f"Query validation error: 'Invalid value {text[:40]}' on property {name}"
        raise ManagementError(400, message, "invalid_query_string")
    return int(text)


def page_of(
    items: Sequence[Data], name: str, *, checkpoint: bool = False, show: Callable[[Data], Data] = dict
) -> ResponseReturnValue:
    """Return a page of ``items`` in the way that the query asks for: checkpoint, offset with totals, or a bare list.

    ``show`` makes of an item what is answered.
    """
    if checkpoint and "take" in request.args:
        take = max(1, number_argument("take", 50, most=MAX_PER_PAGE))
        start = number_argument("from", 0)
        page: Data = {name: [show(item) for item in items[start : start + take]]}
        if start + take < len(items):
            page["next"] = str(start + take)
        return jsonify(page)
    per_page = number_argument("per_page", 50, most=MAX_PER_PAGE)
    start = number_argument("page", 0) * per_page
    shown = [show(item) for item in items[start : start + per_page]]
    if request.args.get("include_totals") == "true":
        counts = {"start": start, "limit": per_page, "total": len(items)}
        # Of the documented lists the users' alone says how long it is.
        return jsonify(counts | ({"length": len(shown)} if name == "users" else {}) | {name: shown})
    return jsonify(shown)
