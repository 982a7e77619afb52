"""Who is signed in, and the guard that closes every page to everybody else."""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts.models import Admin
from webapp.database import Database, database
from webapp.errors import WebsyncError
from webapp.settings import settings

OPEN_ENDPOINTS = frozenset(
    {"static", "bootstrap.static", "health.healthz", "health.readyz", "metrics.show", "explain_problem"}
)
"""Open to everybody beside the views marked with `guard.public`: files, and floors that know no accounts."""


class SignInNeededError(WebsyncError):
    """Only a signed-in admin may do this.

    What to do: sign in on the page /sign-in, then send the form again.
    """

    slug, title, status = "sign-in-needed", "Please sign in", HTTPStatus.UNAUTHORIZED


def start_session(admin: Admin) -> None:
    """Sign ``admin`` in, in this browser. Nothing of an earlier session is left (session fixation)."""
    session.clear()
    session.permanent = True
    session["admin_id"] = admin.id
    session["session_version"] = admin.session_version
    session["signed_in_at"] = int(time.time())
    g.admin = admin


def end_session() -> None:
    """Sign out, in this browser."""
    session.clear()
    g.admin = None


def current_admin() -> Admin | None:
    """Return the admin whose session this request carries, or None. Looked up once a request."""
    if "admin" not in g:
        g.admin = _find_admin()
    found: Admin | None = g.admin
    return found


def signed_in_admin() -> Admin:
    """Return the admin of a view that is not public. Raises SignInNeededError."""
    admin = current_admin()
    if admin is None:
        raise SignInNeededError("Your session has ended.")
    return admin


def install_guard(app: Flask) -> None:
    """Close all views to anonymous requests but the public ones, and give templates the signed-in ``admin``."""
    app.before_request(_require_admin)
    app.after_request(_keep_out_of_caches)
    # Only what the guard found: an error page must not ask a database that is gone.
    app.context_processor(lambda: {"admin": g.get("admin")})


def is_local_path(target: str) -> bool:
    r"""Say if ``target`` stays on this site: browsers read ``//host`` and ``/\host`` as another one."""
    if not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return False
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc


def _require_admin() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "is_public", False) or request.endpoint in OPEN_ENDPOINTS:
        return None
    if current_admin() is not None or request.endpoint is None:  # without an endpoint: 404 and 405 tell nothing
        return None
    if request.method not in {"GET", "HEAD"}:
        raise SignInNeededError("You are not signed in, or your session has ended. Nothing was changed.")
    asked_for = request.full_path if request.query_string else request.path
    here = None if asked_for == "/" else asked_for
    return redirect(url_for("accounts.sign_in", next=here), HTTPStatus.SEE_OTHER)


def _keep_out_of_caches(response: Response) -> Response:
    """Keep pages with personal data off shared computers' disks: the back button must not show them to the next."""
    if g.get("admin") is not None and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


def session_watch() -> Callable[[], bool]:
    """Return what says if the session of this request still holds: for answers that go on after their request."""
    held, lifetime_seconds, floor = dict(session), settings().session_hours * 3600, database()
    return lambda: _admin_of(held, floor, lifetime_seconds) is not None


def _find_admin() -> Admin | None:
    return _admin_of(session, database(), settings().session_hours * 3600)


def _admin_of(held: Mapping[str, object], floor: Database, lifetime_seconds: int) -> Admin | None:
    admin_id, signed_in_at = held.get("admin_id"), held.get("signed_in_at")
    if not isinstance(admin_id, int) or not isinstance(signed_in_at, int):
        return None
    # The cookie's own age does not count: whatever is put into it begins it anew.
    if time.time() - signed_in_at > lifetime_seconds:
        return None
    with floor.reading() as database_session:
        admin = database_session.get(Admin, admin_id)
    if admin is None or admin.session_version != held.get("session_version"):
        return None
    return admin
