"""The service as a Flask app: builds the floors, registers the rooms. No logic of its own."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Request, Response
from flask_bootstrap import Bootstrap5
from flask_compress import Compress
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter

import webapp.importer.tenant_import  # noqa: F401, a run can end with its problems, which have pages of their own
from webapp.accounts import api_key_views as api_keys
from webapp.accounts import views as accounts
from webapp.accounts.session import install_guard
from webapp.api import calls as api
from webapp.api import connection_views as _connection_calls  # noqa: F401, the calls register themselves
from webapp.api import docs_views as api_docs
from webapp.api import run_views as _run_calls  # noqa: F401
from webapp.assets import STATIC, TEMPLATES
from webapp.auth0.signing_keys import KeyCache
from webapp.code_pages import rule_move
from webapp.code_pages import views as code_pages
from webapp.conflicts import views as conflicts
from webapp.connections import history_views as history
from webapp.connections import views as connections
from webapp.connections.live_goals import LiveGoals
from webapp.database import Database
from webapp.errors import install_error_handlers
from webapp.group_commit import GroupCommit
from webapp.health import bp as health
from webapp.import_pages import views as imports
from webapp.live import views as live
from webapp.live.keeping import install_keeper
from webapp.live.streaming import LiveStreams
from webapp.logs import configure_logs
from webapp.metrics import install_metrics
from webapp.moments import install_filters
from webapp.notifications import views as notifications
from webapp.profile_pages import objective_views as objectives
from webapp.profile_pages import views as profile_pages
from webapp.rates import Rates
from webapp.run_pages import schedule_views as schedules
from webapp.run_pages import views as runs
from webapp.sealing import Sealer
from webapp.settings import Settings, load_settings
from webapp.slow_clients import SlowClients
from webapp.tokens import views as tokens
from webapp.tokens.entrance import Entrance, is_token_post
from webapp.tokens.recent import RecentTokens
from webapp.tokens.sync import apply_posts
from webapp.trying import token_checker_views as token_checker
from webapp.trying import views as trying

MAX_BODY_BYTES = 1_000_000
CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
HSTS = "max-age=31556926; includeSubDomains"
HEADERS_OF_PROGRAMS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class TokenService(Flask):
    """A Flask app that does without what it has no use for, and what would take a third of a post's time."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``func``: all of them are synchronous."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds a request's view. No URL of another host or scheme is made here."""
        if request is None:
            return None
        return self.url_map.bind("", path_info=request.path, default_method=request.method)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the service. Without ``settings`` they are read from the environment (raises SettingsError)."""
    settings = settings or load_settings()
    configure_logs(settings)
    app = Flask(__name__, template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    _build_floors(app, settings)
    _configure_browsers(app, settings)
    install_error_handlers(app)
    install_filters(app)
    install_metrics(app)
    install_keeper(app)
    install_guard(app)  # before the CSRF check: whoever is not signed in hears that, not that a token is missing
    csrf = CSRFProtect(app)
    csrf.exempt(api.bp)  # it knows no cookie that another site could make a browser send
    rooms = (
        accounts.bp,
        api_keys.bp,
        api.bp,
        api_docs.bp,
        connections.bp,
        history.bp,
        imports.bp,
        code_pages.bp,
        rule_move.bp,
        profile_pages.bp,
        conflicts.bp,
        objectives.bp,
        trying.bp,
        token_checker.bp,
        live.bp,
        notifications.bp,
        runs.bp,
        schedules.bp,
    )
    for blueprint in (health, *rooms):
        app.register_blueprint(blueprint)
    _take_in_token_service(app, settings)
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0)  # type: ignore[method-assign]
    # Around everything else, so that it sees who really connected.
    app.wsgi_app = SlowClients(  # type: ignore[method-assign]
        app.wsgi_app, threads=settings.threads, seconds=settings.body_seconds, max_bytes=MAX_BODY_BYTES
    )
    return app


def _take_in_token_service(app: Flask, settings: Settings) -> None:
    """Put the token service in front of the pages: an app of its own, over the same floors.

    Programs of other origins post there, with a token of their own. It has no secret key, so no session and no cookie
    to forge or to steal, and nothing of what pages need costs a post anything.
    """
    service = TokenService("webapp.tokens", static_folder=None)
    service.extensions = app.extensions
    install_error_handlers(service)
    service.register_blueprint(tokens.bp)
    headers = HEADERS_OF_PROGRAMS | ({"Strict-Transport-Security": HSTS} if settings.is_https else {})

    @service.after_request
    def protect(response: Response) -> Response:
        response.headers.extend(headers)
        return response

    pages = app.wsgi_app

    entrance = Entrance(service, headers)

    def by_path(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environment.get("PATH_INFO", "")
        if is_token_post(environment):
            return entrance(environment, start_response)
        is_post = path.startswith("/sync/") and path.endswith(("/token", "/login"))
        return (service if is_post else pages)(environment, start_response)

    app.wsgi_app = by_path  # type: ignore[method-assign, assignment]


def _build_floors(app: Flask, settings: Settings) -> None:
    sealer = Sealer(settings.keys)
    app.extensions["settings"] = settings
    app.extensions["database"] = database = Database(
        settings.database_url, sqlite_synchronous=settings.sqlite_synchronous
    )
    app.extensions["sealer"] = sealer
    app.extensions["signing_keys"] = KeyCache(
        database,
        https_only=not settings.allows_loopback_tenant,
        max_waiting=max(1, settings.threads // 2),  # so that the others answer those whose keys are known
    )
    app.extensions["live_goals"] = LiveGoals(database)
    app.extensions["recent_tokens"] = RecentTokens()
    app.extensions["post_commit"] = GroupCommit(database, apply_posts, surroundings=app.app_context)
    app.extensions["live_streams"] = LiveStreams(max(1, settings.threads // 4))
    app.extensions["rates"] = Rates(settings.limits_url)
    app.secret_key, *fallbacks = sealer.derived_keys("session")
    app.config["SECRET_KEY_FALLBACKS"] = fallbacks


def _configure_browsers(app: Flask, settings: Settings) -> None:
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SESSION_COOKIE_NAME="__Host-websync" if settings.is_https else "websync",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
        SESSION_REFRESH_EACH_REQUEST=False,  # else files and scripts for everybody would carry an admin's cookie
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form that was open for hours can still be saved
        BOOTSTRAP_SERVE_LOCAL=True,
        # Pages hold the CSRF token, so only files that are the same for everybody are compressed (BREACH).
        COMPRESS_MIMETYPES=["text/css", "text/javascript", "application/javascript"],
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    Bootstrap5(app)
    Compress(app)
    Talisman(
        app,
        force_https=False,  # the proxy in front does that, and health checks come without it
        strict_transport_security=settings.is_https,
        session_cookie_secure=settings.is_https,
        # As text: a mapping would be put together anew for each answer.
        content_security_policy="; ".join(f"{name} {sources}" for name, sources in CONTENT_SECURITY_POLICY.items()),
        referrer_policy="same-origin",
        frame_options="DENY",
    )
