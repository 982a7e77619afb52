"""Export jobs of the Management API, and the address where their files are.

A job's progress is a matter of the clock and of the faults: nothing runs. Source: Auth0 Management API v2 (jobs).
"""

import hashlib
import hmac
import re
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from webapp.demo.context import tenant
from webapp.demo.export_files import compressed, cut, exported_users, in_pieces, written_lines
from webapp.demo.faults import JobOutcome, faults_of, take
from webapp.demo.management import ManagementError, json_body, needs
from webapp.demo.population import populations

bp = Blueprint("jobs", __name__)
files = Blueprint("export_files", __name__)
"""At addresses of their own: Auth0's files are on another host, and want no access token."""

Data = dict[str, Any]
JOB_SECONDS = 24 * 60 * 60
"""How long a job and its file are kept."""
MAX_CSV_FIELDS = 30
DEFAULT_FIELDS = ("user_id", "email", "email_verified", "name", "nickname", "created_at", "updated_at")
"""If a job names no fields. Auth0 does not document which it takes."""
FAILURE = "The export was stopped by an internal error, which this demo tenant was told to have."


@bp.post("/jobs/users-exports")
@needs("read:users")
def create_job() -> ResponseReturnValue:
    """Begin an export of the users of one connection, or of all."""
    body = json_body({"connection_id", "format", "limit", "fields"})
    _check(body)
    job_id = f"job_{secrets.token_hex(8)}"
    state = tenant().state
    with state.change() as data:
        names = {each["id"]: each["name"] for each in data["connections"]}
        if "connection_id" in body and body["connection_id"] not in names:
            raise ManagementError(400, "The connection does not exist.", "inexistent_connection")
        _prune(data, state.now())
        connection = names.get(body.get("connection_id"))
        shown = {"type": "users_export", "id": job_id, "format": "json", **body, "connection": connection}
        data["jobs"][job_id] = shown | {
            "created_at": state.stamp(),
            "begun": state.clock().timestamp(),
            "fields": body.get("fields") or [{"name": name} for name in DEFAULT_FIELDS],
            # The file has the generated users as they are now, whatever happens to them while the job runs.
            "populations": [each.as_json() for each in populations(data) if connection in {None, each.connection}],
        }
    return jsonify(shown | {"status": "pending", "created_at": state.stamp()})


@bp.get("/jobs/<job_id>")
@needs("create:users", "read:users")
def show_job(job_id: str) -> ResponseReturnValue:
    """Show how far a job is; when it has completed, with a link that is good for a minute."""
    with tenant().state.read() as data:
        return jsonify(_shown(data, _known_job(data, job_id)))


@bp.get("/jobs/<job_id>/errors")
@needs("create:users", "read:users")
def show_errors(job_id: str) -> ResponseReturnValue:
    """Say why a job failed; nothing if it did not."""
    with tenant().state.read() as data:
        shown = _shown(data, _known_job(data, job_id))
    return jsonify(shown) if shown["status"] == "failed" else ("", 204)


@files.get("/exports/<job_id>.gz")
def download(job_id: str) -> ResponseReturnValue:
    """Send the file to whoever has the link, in its time and without an access token: as a storage service does."""
    state = tenant().state
    with state.change() as data:
        job, faults = data["jobs"].get(job_id), faults_of(data)
        kept = list(data["users"].values())
        is_expired, is_cut = take(data, "expired_downloads"), take(data, "cut_downloads")
    if request.authorization is not None:
        return _storage_error(400, "InvalidArgument", "Only one auth mechanism allowed")
    expires = request.args.get("Expires", "")
    is_signed = hmac.compare_digest(_signature(job_id, expires), request.args.get("Signature", ""))
    if job is None or not is_signed or int(expires) < state.now() or is_expired:
        return _storage_error(403, "AccessDenied", "Request has expired")
    lines = written_lines(exported_users(job, kept), job, faults)
    pieces = compressed(lines) if faults.is_compressed else in_pieces(lines)
    if is_cut:
        pieces = cut(pieces, faults.cut_after_bytes, looks_whole=faults.cut_looks_whole)
    return Response(pieces, mimetype="application/gzip" if faults.is_compressed else "application/x-ndjson")


def _check(body: Data) -> None:
    connection_id, limit, fields = (
        body.get("connection_id", "con_" + "0" * 16),
        body.get("limit", 1),
        body.get("fields"),
    )
    if not (isinstance(connection_id, str) and re.fullmatch(r"con_[A-Za-z0-9]{16}", connection_id)):
        raise _invalid("connection_id")
    if body.get("format", "json") not in ("json", "csv"):
        raise _invalid("format")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise _invalid("limit")
    if fields is not None:
        _check_fields(fields, is_csv=body.get("format") == "csv")


def _check_fields(fields: Any, *, is_csv: bool) -> None:
    if not isinstance(fields, list) or (is_csv and len(fields) > MAX_CSV_FIELDS):
        raise _invalid("fields")
    for field in fields:
        if not isinstance(field, dict) or not {"name"} <= set(field) <= {"name", "export_as"}:
            raise _invalid("fields")
        if not all(isinstance(text, str) and 1 <= len(text) <= 100 for text in field.values()):
            raise _invalid("fields")
        if is_csv and field["name"] in {"user_metadata", "app_metadata"}:
            raise _invalid("fields")


def _invalid(name: str) -> ManagementError:
    return ManagementError(400, f"Payload validation error: 'Invalid value' on property {name}", "invalid_body")


def _known_job(data: Data, job_id: str) -> Data:
    job: Data | None = data["jobs"].get(job_id)
    if job is None or job["begun"] + JOB_SECONDS <= tenant().state.now():
        raise ManagementError(404, "The job does not exist.", "inexistent_job")
    return job


def _prune(data: Data, now: int) -> None:
    for job_id in [job_id for job_id, job in data["jobs"].items() if job["begun"] + JOB_SECONDS <= now]:
        del data["jobs"][job_id]


def _shown(data: Data, job: Data) -> Data:
    """Return the job as it is at this moment: pending for the first tenth of its time, then processing, then over."""
    faults = faults_of(data)
    shown = {name: job[name] for name in job if name not in {"begun", "populations"}}
    passed = tenant().state.clock().timestamp() - job["begun"]
    if faults.job_outcome is JobOutcome.NEVER_ENDS or passed < faults.job_seconds:
        share = min(0.99, passed / max(1.0, faults.job_seconds))
        left = max(1, round(faults.job_seconds - passed))
        status = "pending" if share < 0.1 else "processing"
        return shown | {"status": status, "percentage_done": int(share * 100), "time_left_seconds": left}
    if faults.job_outcome is JobOutcome.FAILS:
        return shown | {"status": "failed", "status_details": FAILURE}
    location = _location(job, tenant().state.now() + faults.link_seconds)
    return shown | {"status": "completed", "location": location, "percentage_done": 100, "time_left_seconds": 0}


def _location(job: Data, expires: int) -> str:
    # On another host, as Auth0's: this computer's other name.
    port = urlsplit(tenant().base_url).port
    query = urlencode({"Expires": expires, "Signature": _signature(job["id"], str(expires))})
    return f"http://127.0.0.1:{port}/exports/{job['id']}.gz?{query}"


def _signature(job_id: str, expires: str) -> str:
    with tenant().state.read() as data:
        key = data["signing_keys"][0]["private_pem"].encode()
    return hmac.new(hashlib.sha256(key).digest(), f"{job_id} {expires}".encode(), hashlib.sha256).hexdigest()


def _storage_error(status: int, code: str, message: str) -> ResponseReturnValue:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(text, status, mimetype="application/xml")
