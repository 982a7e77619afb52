"""A login that is tried, as an Action and as a Rule are given it.

Source: Auth0, "Post-login event object" and "Context object properties in Rules".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snippets.fields import LOGIN_FIELDS
from snippets.parameters import PROFILE_ID_PARAMETER, encode_values, parameter_name
from webapp.trying.sample import value_at

Json = dict[str, Any]

_OBJECTS_AROUND = (("client",), ("transaction",), ("request",), ("request", "query"), ("request", "body"))


class LoginKind(StrEnum):
    """How the login comes to Auth0, and where it carries the values of the visitor's browser."""

    REDIRECT = "redirect"
    REFRESH_WITH_VALUES = "refresh_with_values"
    WITHOUT_VALUES = "without_values"


@dataclass(frozen=True, slots=True)
class TriedLogin:
    """One login to be tried. ``user`` and ``around`` (the client, the connection …) are as an Action's event has them.

    ``values`` are the texts of each property that the browser brings.
    """

    kind: LoginKind
    user: Json
    around: Json
    values: Mapping[str, Sequence[str]]
    profile_id: str | None

    @property
    def client_id(self) -> str:
        """The application that the visitor logs in to."""
        return _text(value_at(self.around, ("client", "client_id")))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the application asks for."""
        found = value_at(self.around, ("transaction", "requested_scopes"))
        return tuple(scope for scope in found if isinstance(scope, str)) if isinstance(found, list) else ()

    @property
    def audience(self) -> str:
        """The API that the application asks for, or nothing."""
        return _text(value_at(self.around, ("resource_server", "identifier")))

    def parameters(self) -> dict[str, str]:
        """Return the ``ext-…`` parameters, exactly as the site's login call makes them."""
        if self.kind is LoginKind.WITHOUT_VALUES:
            return {}
        encoded = {parameter_name(name): encode_values(texts) for name, texts in self.values.items()}
        encoded[PROFILE_ID_PARAMETER] = self.profile_id
        return {name: value for name, value in encoded.items() if value}

    def as_event(self) -> Json:
        """Return an Action's ``event``. What was typed has the last word."""
        typed, sent = self.around.get("request") or {}, self._sent()
        request = {"ip": "203.0.113.7", "method": "GET", "geoip": {}, **typed}
        return {
            "tenant": {"id": "sample"},
            "authentication": {"methods": [{"name": "pwd", "timestamp": "2026-03-02T18:45:00.000Z"}]},
            **self.around,
            "user": {"user_metadata": {}, "app_metadata": {}, **self.user},
            "request": request | {part: sent[part] | (typed.get(part) or {}) for part in ("query", "body")},
            "transaction": {**self._asked, **(self.around.get("transaction") or {})},
        }

    def as_context(self) -> Json:
        """Return a Rule's ``context``."""
        event = self.as_event()
        request = {part: event["request"][part] for part in ("query", "body", "ip")}
        context: Json = {"tenant": "sample", "protocol": self._protocol, "request": request}
        for source in LOGIN_FIELDS.values():
            value = value_at(event, source.action)
            if value is not None:
                _put(context, source.rule[1:], value)
        return context

    @property
    def _asked(self) -> Json:
        """How the tokens are asked for. By this an Action knows a login from a renewal."""
        prompt = {"prompt": ["none"]} if self.kind is LoginKind.WITHOUT_VALUES else {}
        return {"protocol": self._protocol, **prompt}

    @property
    def _protocol(self) -> str:
        return "oauth2-refresh-token" if self.kind is LoginKind.REFRESH_WITH_VALUES else "oidc-basic-profile"

    def _sent(self) -> dict[str, Json]:
        scope = " ".join(self.scopes)
        usual = {"client_id": self.client_id, "scope": scope} | ({"audience": self.audience} if self.audience else {})
        if self.kind is LoginKind.REFRESH_WITH_VALUES:
            return {"query": {}, "body": {**usual, "grant_type": "refresh_token", **self.parameters()}}
        prompt = {"prompt": "none"} if self.kind is LoginKind.WITHOUT_VALUES else {}
        return {"query": {**usual, "response_type": "code", **prompt, **self.parameters()}, "body": {}}


def user_problem(user: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the JSON of a user, or return None."""
    if not isinstance(user.get("user_id"), str) or not user["user_id"]:
        return "user_id has to be a text, such as auth0|507f1f77bcf86cd799439020."
    return _no_object(user, (("user_metadata",), ("app_metadata",)))


def around_problem(around: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the JSON of what stands around the user, or return None."""
    if (problem := _no_object(around, _OBJECTS_AROUND)) is not None:
        return problem
    if not isinstance(value_at(around, ("client", "client_id")), str):
        return "client.client_id has to be a text: the application that the visitor logs in to."
    return None


def _no_object(start: Mapping[str, Any], paths: Sequence[tuple[str, ...]]) -> str | None:
    for path in paths:
        value = value_at(start, path)
        if value is not None and not isinstance(value, dict):
            return f"{'.'.join(path)} has to be an object."
    return None


def _put(target: Json, path: Sequence[str], value: object) -> None:
    for name in path[:-1]:
        target = target.setdefault(name, {})
    target[path[-1]] = value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
