"""The demo tenant: a small Auth0 on a loopback address, for newcomers and for the tests."""

import itertools
import json

from flask import Flask, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from webapp.assets import STATIC, TEMPLATES
from webapp.demo import (
    authorization,
    controls,
    mailbox,
    management,
    management_actions,
    management_bindings,
    management_jobs,
    management_rules,
    management_users,
    oauth,
)
from webapp.demo.addresses import loopback_base
from webapp.demo.context import Tenant, tenant
from webapp.demo.network import answerer
from webapp.demo.state import TenantState

MAX_BODY_BYTES = 1_000_000

# Nested, so that the Management API's error handlers hold in all of its parts.
PARTS = (management_users, management_actions, management_bindings, management_rules, management_jobs)
for part in PARTS:
    management.bp.register_blueprint(part.bp)


def create_tenant(
    base_url: str, state: TenantState, *, websync_url: str | None = None, mails: mailbox.Mailbox | None = None
) -> Flask:
    """Return the tenant as an application that is to be served at ``base_url``; its issuer is that plus a slash.

    All its ids and secrets are public knowledge, so whoever serves it binds to loopback only. Raises ValueError for a
    ``base_url`` on any other host. Its Actions may call Websync at ``websync_url``, and nobody else. What
    comes to ``mails`` can be read at ``/mailbox``.
    """
    app = Flask(__name__, template_folder=str(TEMPLATES), static_folder=str(STATIC), static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["demo_tenant"] = Tenant(
        loopback_base(base_url), state, answerer(loopback_base(websync_url)) if websync_url else None
    )
    app.extensions["demo_rate_window"] = management.RateWindow()
    app.extensions["demo_request_numbers"] = itertools.count(1)
    app.register_blueprint(authorization.bp)
    app.register_blueprint(oauth.bp)
    app.register_blueprint(management.bp)
    app.register_blueprint(management_jobs.files)
    app.extensions["demo_form_key"] = controls.new_form_key()
    app.register_blueprint(controls.bp)
    app.extensions["demo_mailbox"] = mails
    app.register_blueprint(mailbox.bp)
    app.add_url_rule("/", view_func=show_tenant)
    app.add_url_rule("/favicon.ico", view_func=show_icon)
    app.add_template_filter(shown_json)
    app.register_error_handler(HTTPException, answer_lost)
    app.after_request(protect)
    return app


def answer_lost(error: HTTPException) -> ResponseReturnValue:
    """Answer for addresses and methods that no part has: below the Management API in its shape, else as Flask does."""
    if request.path.startswith(f"{management.bp.url_prefix}/"):
        return management.answer_http_error(error)
    return error


def shown_json(value: object) -> str:
    """Return ``value`` as JSON for people; the template escapes it like any other text."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def show_tenant() -> ResponseReturnValue:
    """Show what this is: users, deployed Actions, what they last did; and forms for many users and for faults."""
    with tenant().state.read() as data:
        bound = [data["actions"][binding["action_id"]] for binding in data["bindings"]]
        unbound = [action for action in data["actions"].values() if action not in bound]
        return render_template(
            "demo/tenant.html",
            tenant=tenant(),
            users=list(data["users"].values()),
            bound=bound,
            unbound=unbound,
            rules=data.get("rules", []),
            logs=data["logs"][:20],
            controls=controls.controls_of(data),
            has_mailbox=current_app.extensions["demo_mailbox"] is not None,
        )


def show_icon() -> ResponseReturnValue:
    """Send browsers to the icon."""
    return redirect(url_for("static", filename="demo/icon.svg"))


def protect(response: Response) -> Response:
    """Set the security headers. Only the silent answer may be framed; a form may lead back to the application."""
    form_target, frame_ancestor = g.get("form_target", ""), g.get("frame_ancestor", "'none'")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"form-action 'self' {form_target}; frame-ancestors {frame_ancestor}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
