"""Forms of the tenant's page: how many users are generated, what happens to them, and what goes wrong."""

import hmac
import secrets
from typing import Any

from flask import Blueprint, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.demo.context import tenant
from webapp.demo.faults import Faults, JobOutcome, faults_of, set_faults
from webapp.demo.population import MAX_USERS, change_users, delete_users, populate, populations

bp = Blueprint("controls", __name__)

Data = dict[str, Any]
NUMBERS = {
    "job_seconds": "Seconds that an export job takes",
    "broken_line_one_in": "A broken line after every … users of a file",
    "cut_downloads": "Downloads that break off (the next …)",
    "expired_downloads": "Links that have expired (the next …)",
    "failing_call_one_in": "An error 500 in every … calls of the Management API",
    "limited_call_one_in": "A 429 in every … calls of the Management API",
}
"""The faults that the page has, by name; 0 is none. `Faults` has more, for tests."""
LARGEST_FAULT = 100_000


def new_form_key() -> str:
    """Return what forms of this tenant's page carry, so that no other site's page can send them."""
    return secrets.token_urlsafe(16)


def controls_of(data: Data) -> Data:
    """Return what the page shows of it all."""
    faults = faults_of(data)
    numbers = {each.connection: each.number for each in populations(data)}
    databases = [each["name"] for each in data["connections"] if each["strategy"] == "auth0"]
    return {
        "form_key": current_app.extensions["demo_form_key"],
        "databases": [{"name": name, "number": numbers.get(name, 0)} for name in databases],
        "numbers": [
            {"name": name, "label": label, "value": f"{getattr(faults, name):g}"} for name, label in NUMBERS.items()
        ],
        "outcomes": list(JobOutcome),
        "outcome": faults.job_outcome,
        "limit": data["management_requests_per_second"],
        "max_users": MAX_USERS,
        "largest_fault": LARGEST_FAULT,
    }


@bp.before_request
def refuse_strangers() -> None:
    """Refuse a form that does not come from the tenant's page."""
    given = request.form.get("form_key", "")
    if not hmac.compare_digest(given.encode(), current_app.extensions["demo_form_key"].encode()):
        abort(403)


@bp.post("/users")
def change_population() -> ResponseReturnValue:
    """Generate users of a database, or let something happen to some of them."""
    name, deed = request.form.get("database", ""), request.form.get("deed", "")
    with tenant().state.change() as data:
        if name not in {each["name"] for each in data["connections"] if each["strategy"] == "auth0"}:
            abort(400)
        if deed == "generate":
            populate(data, name, _number("number", MAX_USERS))
        elif name in data["populations"]:
            _let_happen(data, name, deed, max(1, _number("one_in", LARGEST_FAULT)))
    return redirect(url_for("show_tenant", _anchor="many-users"), 303)


def _let_happen(data: Data, name: str, deed: str, one_in: int) -> None:
    now_ms = tenant().state.now_ms()
    if deed == "delete":
        delete_users(data, name, one_in, now_ms)
    elif deed in {"change", "login"}:
        change_users(data, name, one_in, now_ms, is_login=deed == "login")
    else:
        abort(400)


@bp.post("/faults")
def change_faults() -> ResponseReturnValue:
    """Set what goes wrong, and how many calls a second the Management API takes."""
    if request.form.get("deed") == "mend":
        wanted: Data = {name: getattr(Faults(), name) for name in NUMBERS} | {"job_outcome": JobOutcome.COMPLETES}
        limit = 1_000
    else:
        wanted = {name: _number(name, LARGEST_FAULT) for name in NUMBERS}
        if request.form.get("job_outcome") not in set(JobOutcome):
            abort(400)
        wanted["job_outcome"] = request.form["job_outcome"]
        limit = max(1, _number("limit", LARGEST_FAULT))
    with tenant().state.change() as data:
        set_faults(data, **wanted)
        data["management_requests_per_second"] = limit
    return redirect(url_for("show_tenant", _anchor="faults"), 303)


def _number(name: str, most: int) -> int:
    text = request.form.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) <= most):
        abort(400)
    return int(text)
