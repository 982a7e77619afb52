"""One login, run by the generated Action (in Node and in QuickJS) or by the Rule: the outcomes can be compared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from snippets.goals import WebGoal
from snippets.rendering import SnippetKind, render
from tests.javascript import NodeProcess
from webapp.auth0.action_engine import run_action, run_rule


@dataclass(frozen=True)
class Visit:
    """What Auth0 knows when somebody logs in."""

    user: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    client_id: str = "shop-client"
    audience: str | None = None
    executed_rules: tuple[str, ...] = ()

    @property
    def full_user(self) -> dict[str, Any]:
        return {"user_id": "auth0|1", **self.user}

    @property
    def request(self) -> dict[str, Any]:
        parts = {"query": self.query, "body": self.body}
        return {name: value for name, value in parts.items() if value is not None}

    def as_event(self) -> dict[str, Any]:
        event = {
            "client": {"client_id": self.client_id},
            "user": {"user_metadata": {}, "app_metadata": {}, **self.full_user},
            "stats": {"logins_count": 5},
        }
        if self.request:
            event["request"] = {**self.request, "geoip": {"countryCode": "NL"}}
        if self.audience:
            event["resource_server"] = {"identifier": self.audience}
        return event

    def as_context(self) -> dict[str, Any]:
        context: dict[str, Any] = {"clientID": self.client_id, "stats": {"loginsCount": 5}}
        if self.request:
            context["request"] = {**self.request, "geoip": {"country_code": "NL"}}
        if self.audience:
            request = context.setdefault("request", {})
            request["query"] = {**request.get("query", {}), "audience": self.audience}
        return context


@dataclass(frozen=True)
class Login:
    """What came of a login. ``written`` says if Auth0 was asked to change the user."""

    id_token_claims: dict[str, Any]
    access_token_claims: dict[str, Any]
    user_metadata: dict[str, Any]
    written: bool
    console: list[str]


Engine = Callable[[WebGoal, Visit], Login]

RUN_ACTION = """
const { code, event, executedRules } = given;
const seen = { id: {}, access: {}, metadata: {}, calls: 0, console: [] };
const put = (target) => (name, value) => { if (value !== undefined) target[name] = value; };
const api = {
  idToken: { setCustomClaim: put(seen.id) },
  accessToken: { setCustomClaim: put(seen.access) },
  user: { setUserMetadata: (key, value) => { seen.calls += 1; seen.metadata[key] = value; } },
  rules: { wasExecuted: (ruleId) => executedRules.includes(ruleId) },
};
const module = { exports: {} };
const log = (...parts) => seen.console.push(parts.join(" "));
new Function("exports", "module", "console", code)(module.exports, module, { log });
await module.exports.onExecutePostLogin(event, api);
if (seen.calls !== Object.keys(seen.metadata).length) throw new Error("a root key was written twice");
return seen;
"""


def action_in_node(node: NodeProcess, *, old_rule_id: str | None = None) -> Engine:
    """Return an engine that runs the Action in Node, as made for the move of an old Rule if there is one."""

    def log_in(goal: WebGoal, visit: Visit) -> Login:
        event = visit.as_event()
        code = render(goal, SnippetKind.ACTION, old_rule_id=old_rule_id).code
        seen = node.run(RUN_ACTION, {"code": code, "event": event, "executedRules": visit.executed_rules})
        metadata = event["user"]["user_metadata"] | seen["metadata"]
        return Login(seen["id"], seen["access"], metadata, bool(seen["metadata"]), seen["console"])

    return log_in


def action_in_quickjs(goal: WebGoal, visit: Visit, *, old_rule_id: str | None = None) -> Login:
    """Run the Action as the demo tenant does, as made for the move of an old Rule if there is one."""
    event = visit.as_event()
    code = render(goal, SnippetKind.ACTION, old_rule_id=old_rule_id).code
    effects = run_action(code, event, executed_rules=visit.executed_rules)
    assert effects.error is None
    assert effects.denied is None
    assert effects.app_metadata == {}
    metadata = event["user"]["user_metadata"] | effects.user_metadata
    claims = effects.id_token_claims, effects.access_token_claims
    return Login(*claims, metadata, bool(effects.user_metadata), effects.console)


def rule_in_quickjs(goal: WebGoal, visit: Visit) -> Login:
    """Run the Rule; it has to call back exactly once, without an error."""
    effects = run_rule(render(goal, SnippetKind.RULE).code, visit.full_user, visit.as_context())
    assert effects.error is None
    assert effects.called_back == 1
    assert effects.user is not None
    metadata = effects.user.get("user_metadata", {})
    assert effects.user_metadata in (None, metadata)
    claims = effects.id_token_claims, effects.access_token_claims
    return Login(*claims, metadata, effects.user_metadata is not None, effects.console)
