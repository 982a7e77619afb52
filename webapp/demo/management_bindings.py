"""Bindings of the Management API: which Actions run at a login, and in which order.

Source: Auth0 Management API v2 (actions, triggers/{triggerId}/bindings).
"""

import uuid
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from webapp.demo.context import tenant
from webapp.demo.management import ManagementError, json_body, needs, refuse_unknown
from webapp.demo.management_actions import POST_LOGIN, counted_page, shown_action

bp = Blueprint("bindings", __name__, url_prefix="/actions/triggers/<trigger_id>/bindings")

Data = dict[str, Any]


@bp.get("")
@needs("read:actions")
def list_bindings(trigger_id: str) -> ResponseReturnValue:
    """List the trigger's bindings in the order of execution."""
    _check_trigger(trigger_id)
    with tenant().state.read() as data:
        shown = [_shown_binding(data, binding) for binding in data["bindings"]]
    return jsonify(counted_page(shown, "bindings"))


@bp.patch("")
@needs("update:actions")
def replace_bindings(trigger_id: str) -> ResponseReturnValue:
    """Replace the whole list: what isn't named is unbound."""
    _check_trigger(trigger_id)
    wanted = json_body({"bindings"}).get("bindings")
    if not isinstance(wanted, list) or not all(isinstance(entry, dict) for entry in wanted):
        raise ManagementError(400, "Payload validation error: 'Invalid type' on property bindings", "invalid_body")
    with tenant().state.change() as data:
        data["bindings"] = [_binding(data, entry) for entry in wanted]
        return jsonify(bindings=[_shown_binding(data, binding) for binding in data["bindings"]])


def _check_trigger(trigger_id: str) -> None:
    if trigger_id != POST_LOGIN:
        raise ManagementError(404, "That trigger does not exist.", "inexistent_trigger")


def _binding(data: Data, wanted: Data) -> Data:
    """Return the binding that one entry of a request means: an existing one, or a new one for an Action."""
    refuse_unknown(wanted, {"ref", "display_name", "secrets"})
    reference = wanted.get("ref")
    if not isinstance(reference, dict):
        raise ManagementError(400, "Payload validation error: 'Missing required property: ref'", "invalid_body")
    refuse_unknown(reference, {"type", "value"})
    kind, value = reference.get("type"), reference.get("value")
    stamp = tenant().state.stamp()
    if kind == "binding_id":
        binding = next((binding for binding in data["bindings"] if binding["id"] == value), None)
        if binding is None:
            raise ManagementError(400, "A referenced binding does not exist.", "inexistent_binding")
        return {**binding, "display_name": wanted.get("display_name", binding["display_name"]), "updated_at": stamp}
    member = {"action_id": "id", "action_name": "name"}.get(str(kind))
    action = next((action for action in data["actions"].values() if member and action[member] == value), None)
    if action is None:
        raise ManagementError(400, "A referenced action does not exist.", "inexistent_action")
    if action["deployed_id"] is None:
        raise ManagementError(400, "An action must be deployed before it can be bound.", "invalid_state")
    return {
        "id": str(uuid.uuid4()),
        "action_id": action["id"],
        "display_name": wanted.get("display_name", action["name"]),
        "created_at": stamp,
        "updated_at": stamp,
    }


def _shown_binding(data: Data, binding: Data) -> Data:
    shown = {name: binding[name] for name in ("id", "display_name", "created_at", "updated_at")}
    action = shown_action(data["actions"][binding["action_id"]], is_look=False)
    return shown | {"trigger_id": POST_LOGIN, "action": action}
