"""The calls of the API: who may make each, what it takes and answers. Routes and their description are one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import TypeVar

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnsupportedMediaType

from webapp.accounts.api_keys import (
    ApiKeyNeededError,
    ApiKeyRefusedError,
    Scope,
    check_scope,
    find_api_key,
    is_use_to_be_noted,
    note_use,
)
from webapp.accounts.guard import public
from webapp.accounts.models import ApiKey
from webapp.api.shapes import Answer, Request
from webapp.connections.saving import Change
from webapp.database import reading, transaction
from webapp.rates import Rate, client_address, rates

bp = Blueprint("api", __name__, url_prefix="/api/v1")

CALLS_PER_MINUTE = Rate("api-calls", limit=600, seconds=60)
"""Of one key."""
REFUSALS_PER_MINUTE = Rate("api-refusals", limit=60, seconds=60)
"""Of one address, for calls without a key that works."""
MAX_KEY_LENGTH = 200

Body = TypeVar("Body", bound=Request)


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A parameter of the query."""

    name: str
    description: str
    kind: str = "string"


@dataclass(frozen=True, slots=True)
class Call:
    """A call. ``also`` are further content types of the answer, which the ``Accept`` header may ask for."""

    method: str
    path: str
    name: str
    summary: str
    scope: Scope
    answer: type[Answer]
    body: type[Request] | None
    query: tuple[QueryParameter, ...]
    also: tuple[str, ...]

    @property
    def status(self) -> HTTPStatus:
        """What it answers when all is well: a POST only asks for something, which a worker does."""
        return HTTPStatus.ACCEPTED if self.method == "POST" else HTTPStatus.OK


CALLS: list[Call] = []

View = Callable[..., Answer | ResponseReturnValue]


def call(
    rule: str,
    scope: Scope,
    answer: type[Answer],
    *,
    body: type[Request] | None = None,
    query: tuple[QueryParameter, ...] = (),
    also: tuple[str, ...] = (),
) -> Callable[[View], View]:
    """Make a view a call of the API: ``rule`` is its method and path, the first line of its docstring its summary."""
    method, path = rule.split()

    def decorate(view: View) -> View:
        summary = (view.__doc__ or "").partition("\n")[0]
        described = Call(method, path, view.__name__, summary, scope, answer, body, query, also)
        CALLS.append(described)

        @public
        @wraps(view)
        def guarded(**parts: str) -> ResponseReturnValue:
            g.api_key = _authorized(scope)
            found = view(**parts)
            if not isinstance(found, Answer):
                return found
            response = Response(found.model_dump_json(), described.status, mimetype="application/json")
            response.headers["Cache-Control"] = "no-store"
            if also:
                response.headers["Vary"] = "Accept"
            return response

        bp.add_url_rule(path, endpoint=view.__name__, view_func=guarded, methods=[method])
        return view

    return decorate


def read_body(kind: type[Body]) -> Body:
    """Return the body of the request; none stands for an empty one. Raises ValidationError, or 415."""
    if not (text := request.get_data()):
        return kind.model_validate_json("{}")
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, with the content type application/json.")
    return kind.model_validate_json(text)


def change() -> Change:
    """Return who changes something: the key of this request."""
    key: ApiKey = g.api_key
    return Change(f"API key {key.name}", datetime.now(UTC))


def _authorized(scope: Scope) -> ApiKey:
    """Return the key of the request, which may do what ``scope`` says. No cookie counts here."""
    now = datetime.now(UTC)
    try:
        text = _bearer(request.headers.get("Authorization", ""))
        with reading() as session:
            key = find_api_key(session, text, now=now)
    except (ApiKeyNeededError, ApiKeyRefusedError):
        rates().check(REFUSALS_PER_MINUTE, client_address())
        raise
    rates().check(CALLS_PER_MINUTE, key.public_id)
    if is_use_to_be_noted(key, now):
        with transaction() as session:
            note_use(session, key, now=now)
    check_scope(key, scope)
    return key


def _bearer(header: str) -> str:
    kind, _, text = header.partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise ApiKeyNeededError("Send it as: Authorization: Bearer wsk_…")
    if len(text) > MAX_KEY_LENGTH:
        raise ApiKeyRefusedError("It is not known.")
    return text.strip()
