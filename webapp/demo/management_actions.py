"""Actions of the Management API: drafts, builds, deployed versions.

A draft is ``pending`` until its status was looked at once: a caller that doesn't wait for ``built`` fails here as it
would at Auth0. Source: Auth0 Management API v2 (actions); auth0-deploy-cli, handlers/actions.ts.
"""

import uuid
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from webapp.demo.context import tenant
from webapp.demo.management import ManagementError, json_body, needs, number_argument, refuse_unknown

bp = Blueprint("actions", __name__, url_prefix="/actions")

Data = dict[str, Any]
POST_LOGIN = "post-login"
VERSIONED = ("code", "dependencies", "runtime", "secrets", "supported_triggers")
DRAFT_MEMBERS = {"name", "supported_triggers", "code", "dependencies", "runtime", "secrets", "modules"}
MAX_CODE_BYTES = 100_000
TRIGGER = {
    "id": POST_LOGIN,
    "version": "v3",
    "status": "CURRENT",
    "runtimes": ["node18", "node22"],
    "default_runtime": "node22",
    "binding_policy": "trigger-bound",
}


@bp.get("/triggers")
@needs("read:actions")
def list_triggers() -> ResponseReturnValue:
    """List the triggers: the demo has the one of logins."""
    return jsonify(triggers=[TRIGGER])


@bp.get("/actions")
@needs("read:actions")
def list_actions() -> ResponseReturnValue:
    """List Actions, by trigger and name if asked."""
    trigger, name = request.args.get("triggerId", POST_LOGIN), request.args.get("actionName")
    with tenant().state.change() as data:
        found = [
            action
            for action in data["actions"].values()
            if name in {None, action["name"]} and trigger in {entry["id"] for entry in action["supported_triggers"]}
        ]
        return jsonify(counted_page([shown_action(action) for action in found], "actions"))


@bp.post("/actions")
@needs("create:actions")
def create_action() -> ResponseReturnValue:
    """Make a draft; ``deploy`` has it deployed once it is built."""
    body = json_body(DRAFT_MEMBERS | {"deploy"})
    if not body.get("name") or not body.get("supported_triggers"):
        raise ManagementError(400, "Payload validation error: 'Missing required property: name'", "invalid_body")
    stamp = tenant().state.stamp()
    action: Data = {
        "id": str(uuid.uuid4()),
        "code": "module.exports = () => {}",
        "dependencies": [],
        "runtime": "node22",
        "secrets": [],
        "versions": [],
        "deployed_id": None,
        "created_at": stamp,
        "deploy_when_built": bool(body.pop("deploy", False)),
    }
    with tenant().state.change() as data:
        _change_draft(data, action, body)
        data["actions"][action["id"]] = action
        return jsonify(shown_action(action, is_look=False)), 201


@bp.get("/actions/<action_id>")
@needs("read:actions")
def show_action(action_id: str) -> ResponseReturnValue:
    """Return one Action."""
    with tenant().state.change() as data:
        return jsonify(shown_action(known_action(data, action_id)))


@bp.patch("/actions/<action_id>")
@needs("update:actions")
def update_action(action_id: str) -> ResponseReturnValue:
    """Change the draft; what is deployed stays until the next deployment."""
    body = json_body(DRAFT_MEMBERS)
    with tenant().state.change() as data:
        action = known_action(data, action_id)
        _change_draft(data, action, body)
        return jsonify(shown_action(action, is_look=False))


@bp.delete("/actions/<action_id>")
@needs("delete:actions")
def delete_action(action_id: str) -> ResponseReturnValue:
    """Remove an Action; a bound one only with ``force``."""
    with tenant().state.change() as data:
        known_action(data, action_id)
        others = [binding for binding in data["bindings"] if binding["action_id"] != action_id]
        if len(others) < len(data["bindings"]) and request.args.get("force") != "true":
            raise ManagementError(409, "The action is bound to a trigger.", "action_bound")
        data["bindings"] = others
        del data["actions"][action_id]
    return "", 204


@bp.post("/actions/<action_id>/deploy")
@needs("create:actions")
def deploy_action(action_id: str) -> ResponseReturnValue:
    """Make the draft the running version."""
    with tenant().state.change() as data:
        action = known_action(data, action_id)
        is_built = action["status"] == "built"
        _look(action)
        version = _deploy(action) if is_built else None
    # Outside of the change, which an error would take back: the next try shall find the draft built.
    if version is None:
        raise ManagementError(400, "A draft must be in the 'built' state before it can be deployed.", "invalid_state")
    return jsonify(version), 202


@bp.get("/actions/<action_id>/versions")
@needs("read:actions")
def list_versions(action_id: str) -> ResponseReturnValue:
    """List an Action's versions, the newest first."""
    with tenant().state.read() as data:
        action = known_action(data, action_id)
        versions = [_shown_version(action, version) for version in reversed(action["versions"])]
    return jsonify(counted_page(versions, "versions"))


@bp.get("/actions/<action_id>/versions/<version_id>")
@needs("read:actions")
def show_version(action_id: str, version_id: str) -> ResponseReturnValue:
    """Return one version."""
    with tenant().state.read() as data:
        action = known_action(data, action_id)
        for version in action["versions"]:
            if version["id"] == version_id:
                return jsonify(_shown_version(action, version))
    raise ManagementError(404, "That action version does not exist.", "inexistent_action_version")


def counted_page(items: list[Data], name: str) -> Data:
    """Return a page in the shape of the Actions' lists: counted from 0, with the total."""
    per_page = number_argument("per_page", 20, most=100)
    page = number_argument("page", 0)
    return {"total": len(items), "page": page, "per_page": per_page, name: items[page * per_page :][:per_page]}


def known_action(data: Data, action_id: str) -> Data:
    """Return the stored Action. Raises ManagementError (404)."""
    action: Data | None = data["actions"].get(action_id)
    if action is None:
        raise ManagementError(404, "That action does not exist.", "inexistent_action")
    return action


def shown_action(action: Data, *, is_look: bool = True) -> Data:
    """Return what the API says of an Action. A look at a pending one is what lets its build end."""
    shown = {
        name: action[name]
        for name in (
            "id",
            "name",
            "code",
            "dependencies",
            "runtime",
            "supported_triggers",
            "status",
            "created_at",
            "updated_at",
        )
    }
    if is_look:
        _look(action)
    deployed = next((version for version in action["versions"] if version["id"] == action["deployed_id"]), None)
    shown["secrets"] = _shown_secrets(action["secrets"])
    shown["all_changes_deployed"] = deployed is not None and all(deployed[name] == action[name] for name in VERSIONED)
    if deployed is not None:
        shown["deployed_version"] = _shown_version(action, deployed)
    return shown


def _look(action: Data) -> None:
    if action["status"] == "pending":
        action["status"] = "built"
        if action.pop("deploy_when_built", False):
            _deploy(action)


def _deploy(action: Data) -> Data:
    stamp = tenant().state.stamp()
    version = {name: action[name] for name in VERSIONED}
    version |= {
        "id": str(uuid.uuid4()),
        "number": len(action["versions"]) + 1,
        "status": "built",
        "created_at": stamp,
        "updated_at": stamp,
        "built_at": stamp,
    }
    action["versions"].append(version)
    action["deployed_id"] = version["id"]
    return _shown_version(action, version)


def _shown_version(action: Data, version: Data) -> Data:
    return version | {
        "action_id": action["id"],
        "deployed": version["id"] == action["deployed_id"],
        "secrets": _shown_secrets(version["secrets"]),
        "errors": [],
    }


def _shown_secrets(secrets: list[Data]) -> list[Data]:
    return [{"name": secret["name"], "updated_at": secret["updated_at"]} for secret in secrets]


def _change_draft(data: Data, action: Data, body: Data) -> None:
    """Check and apply what a request changes of the draft, which then has to be built anew."""
    _check_draft(body)
    if any(other["name"] == body.get("name") and other["id"] != action["id"] for other in data["actions"].values()):
        raise ManagementError(409, "An action with that name already exists.", "action_name_conflict")
    stamp = tenant().state.stamp()
    if "secrets" in body:
        body = body | {"secrets": [{**secret, "updated_at": stamp} for secret in body["secrets"]]}
    action |= {name: value for name, value in body.items() if name != "modules"}
    action |= {"status": "pending", "updated_at": stamp}


def _check_draft(body: Data) -> None:
    for name in ("name", "code", "runtime"):
        if not isinstance(body.get(name, ""), str):
            raise ManagementError(400, f"Payload validation error: 'Invalid type' on property {name}", "invalid_body")
    if len(body.get("code", "").encode("utf-8", "replace")) > MAX_CODE_BYTES:
        raise ManagementError(400, "The code of an action may have 100 kB at most.", "invalid_body")
    if body.get("runtime", "node22") not in TRIGGER["runtimes"]:
        raise ManagementError(400, "The runtime is not supported by the trigger.", "invalid_body")
    for name, allowed in {
        "secrets": {"name", "value"},
        "dependencies": {"name", "version", "registry_url"},
        "supported_triggers": {"id", "version", "status", "runtimes", "default_runtime"},
    }.items():
        members = body.get(name, [])
        if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
            raise ManagementError(400, f"Payload validation error: 'Invalid type' on property {name}", "invalid_body")
        for member in members:
            refuse_unknown(member, allowed)
    if any(trigger.get("id") != POST_LOGIN for trigger in body.get("supported_triggers", [])):
        raise ManagementError(400, "The demo tenant has the trigger post-login only.", "invalid_body")
    if any(not {"name", "value"} <= set(secret) for secret in body.get("secrets", [])):
        raise ManagementError(400, "Payload validation error: 'Missing required property: value'", "invalid_body")
