"""The legacy Rules of the Management API: to be read only, as at Auth0 since 2024-11-18. Here no login runs them.

Source: Auth0 Management API v2 (rules).
"""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from webapp.demo.context import tenant
from webapp.demo.management import ManagementError, needs, page_of

bp = Blueprint("rules", __name__, url_prefix="/rules")

Data = dict[str, Any]
FIELDS = frozenset({"id", "name", "script", "order", "enabled", "stage"})


@bp.get("")
@needs("read:rules")
def list_rules() -> ResponseReturnValue:
    """List the Rules in the order in which they would run."""
    fields = _asked_fields()
    with tenant().state.read() as data:
        # A tenant's data that an older demo kept has none.
        rules = sorted(data.get("rules", []), key=lambda rule: rule["order"])
    return page_of([{name: rule[name] for name in rule if name in fields} for rule in rules], "rules")


def _asked_fields() -> frozenset[str]:
    asked = frozenset(filter(None, request.args.get("fields", "").split(",")))
    if not asked <= FIELDS:
        raise ManagementError(400, "Query validation error: 'String does not match pattern' on property fields")
    if request.args.get("include_fields", "true") == "false":
        return FIELDS - asked
    return asked or FIELDS
