"""One vocabulary of errors for HTTP, logs and runs.

A `WebsyncError` has a slug. Programs get it as ``type`` of an RFC 9457 problem, people as a page, and docs/problems.md
has a section for each.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

import structlog
from flask import Flask, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from webapp.database import is_busy
from webapp.settings import settings

log = structlog.get_logger()

PROBLEM_TYPE = "application/problem+json"
PROGRAM_PATHS = ("/sync/", "/api/v1/", "/api/openapi.json", "/healthz", "/readyz", "/metrics")


class WebsyncError(Exception):
    """Something that a caller did, or that can happen to a caller.

    ``detail`` says what is wrong with this request; ``members`` are extension members of the problem (RFC 9457, 3.2).
    """

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_seconds: int | None = None
        self.members = members


class MalformedRequestError(WebsyncError):
    """The body, or a part of the URL, does not have the documented shape.

    What to do: send what the documentation says; the detail names the place.
    """

    slug, title, status = "malformed-request", "The request is malformed", HTTPStatus.BAD_REQUEST


class NotFoundError(WebsyncError):
    """There is no such thing.

    What to do: look at the address. What was deleted is gone; what was renamed keeps its address.
    """

    slug, title, status = "not-found", "Not found", HTTPStatus.NOT_FOUND


class DatabaseBusyError(WebsyncError):
    """The database did not let the change happen in time, or could not be reached. Nothing was written.

    What to do: try again with the same token or call, which counts once. If it goes on, look at the database.
    """

    slug, title, status = "database-busy", "The database is busy", HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class Problem(NamedTuple):
    """What somebody is told of an error. Source: RFC 9457.

    ``slug`` is None for what only the status says; ``members`` are extension members.
    """

    title: str
    status: int
    detail: str
    slug: str | None = None
    members: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}

    def as_json(self) -> str:
        """Return the body for a program."""
        # What only the status says has no type of its own. Source: RFC 9457, 4.2.1.
        kind = f"{settings().public_url}/problems/{self.slug}" if self.slug else "about:blank"
        return json.dumps(
            {"type": kind, "title": self.title, "status": self.status, "detail": self.detail, **self.members}
        )


def problem_types() -> Iterator[type[WebsyncError]]:
    """Yield every kind of error that is loaded."""
    pending = [WebsyncError]
    while pending:
        found = pending.pop()
        pending += found.__subclasses__()
        if found is not WebsyncError:
            yield found


def install_error_handlers(app: Flask) -> None:
    """Answer every error in one way: a page for people, problem+json for programs."""
    app.register_error_handler(Exception, _answer_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.before_request(_refuse_nul)
    app.add_url_rule("/problems/<slug>", view_func=explain_problem)


def _refuse_nul() -> None:
    """Find nothing at an address with a NUL character, which PostgreSQL would not even look for."""
    if "\0" in request.path:
        raise NotFoundError("There is nothing at this address.")


def explain_problem(slug: str) -> ResponseReturnValue:
    """Show what a problem's ``type`` means: the page that its URL names."""
    for kind in problem_types():
        if kind.slug == slug:
            happened, _, advice = (inspect.getdoc(kind) or "").partition("What to do:")
            return render_template("problem.html", kind=kind, happened=happened.strip(), advice=advice.strip())
    raise NotFoundError("There is no problem of this name.")


def problem_slug() -> str | None:
    """Return the slug of the problem that answers this request, or None."""
    found: str | None = g.get("problem_slug")
    return found


def _for_people() -> bool:
    if request.path.startswith(PROGRAM_PATHS):
        return False
    return request.accept_mimetypes.best_match(["text/html", PROBLEM_TYPE]) == "text/html"


def problem_of(error: Exception, place: str | None) -> Problem:
    """Return what whoever met ``error`` is told. ``place`` is the route, for the log: a bug is logged."""
    if isinstance(error, ValidationError):
        error = MalformedRequestError(_reasons_of(error))
    elif isinstance(error, SQLAlchemyError) and is_busy(error):
        log.warning("database_busy", path=place, reason=type(error).__name__)
        error = DatabaseBusyError("Try again in a moment.")
    if not isinstance(error, WebsyncError):
        log.error("unexpected_error", path=place, exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return Problem(status.phrase, status, "Something went wrong. It is not your fault, and it has been logged.")
    headers = error.headers
    if error.retry_after_seconds is not None:
        headers = headers | {"Retry-After": str(error.retry_after_seconds)}
    return Problem(error.title, error.status, error.detail, error.slug, error.members, headers)


def _reasons_of(error: ValidationError) -> str:
    # Pydantic's own text repeats the input, which may hold a token: only places and reasons go out.
    found = [
        f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors(include_input=False)
    ]
    return "; ".join(found)


def _answer(problem: Problem) -> Response:
    if _for_people():
        title, status, detail = problem[:3]
        response = Response(render_template("error.html", title=title, status=status, detail=detail), status)
    else:
        response = Response(problem.as_json(), problem.status, mimetype=PROBLEM_TYPE)
    response.headers.update(problem.headers)
    return response


def _answer_error(error: Exception) -> ResponseReturnValue:
    problem = problem_of(error, request.url_rule.rule if request.url_rule else None)
    g.problem_slug = problem.slug
    return _answer(problem)


def _answer_http_exception(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error
    status = HTTPStatus(error.code)
    slug = NotFoundError.slug if status is NotFoundError.status else None
    response = _answer(Problem(status.phrase, status, error.description or "", slug))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response
