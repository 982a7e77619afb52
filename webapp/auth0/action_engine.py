"""Runs post-login Actions and legacy Rules here, in an embedded JavaScript engine, as Auth0 would run them.

The engine (QuickJS) has no network, no files, no timers and no modules: code sees the language and what it is given.
Memory, stack and time are limited. Code that calls ``fetch`` or ``setTimeout`` gets a ReferenceError, unless the caller
answers what an Action fetches.

Source: Auth0 docs, actions/reference/post-login (event and api object), customize/rules.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import quickjs

MEMORY_LIMIT_BYTES = 32 * 1024 * 1024
STACK_LIMIT_BYTES = 512 * 1024
TIME_LIMIT_SECONDS = 2.0

_HARNESS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


MAX_FETCHES = 5
"""An Action that fetches more never finishes here: it sits in a login."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an Action fetches."""

    url: str
    method: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class FetchAnswer:
    """What comes back: a status and a body, or the name of the error with which ``fetch`` fails."""

    status: int = 0
    text: str = ""
    error_name: str | None = None


Answerer = Callable[[Fetched], FetchAnswer]


@dataclass(frozen=True, slots=True)
class ActionEffects:
    """What an Action asked for. Metadata are changes by root key; ``None`` there removes the key.

    ``error`` is "Name: message" of what the Action threw, or why it couldn't be run to its end. Auth0 fails such a
    login, so then the claims and metadata are empty. ``denied`` is the reason given to ``api.access.deny``.
    """

    id_token_claims: dict[str, Any] = field(default_factory=dict)
    access_token_claims: dict[str, Any] = field(default_factory=dict)
    user_metadata: dict[str, Any] = field(default_factory=dict)
    app_metadata: dict[str, Any] = field(default_factory=dict)
    console: list[str] = field(default_factory=list)
    denied: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RuleEffects:
    """What a Rule did. ``user_metadata`` is the whole object last sent to ``updateUserMetadata``, or ``None``.

    ``called_back`` counts the calls of ``callback``: anything but 1 is a bug of the Rule (0 stalls the login). ``user``
    and the claims are those given to the last successful ``callback``.
    """

    id_token_claims: dict[str, Any] = field(default_factory=dict)
    access_token_claims: dict[str, Any] = field(default_factory=dict)
    user_metadata: dict[str, Any] | None = None
    user: dict[str, Any] | None = None
    called_back: int = 0
    console: list[str] = field(default_factory=list)
    error: str | None = None


def run_action(
    code: str,
    event: Mapping[str, Any],
    *,
    secrets: Mapping[str, str] | None = None,
    answer: Answerer | None = None,
    executed_rules: Collection[str] = (),
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> ActionEffects:
    """Run a post-login Action (``exports.onExecutePostLogin``) on a frozen copy of ``event``; return its effects.

    ``event`` is plain JSON data; ``secrets`` becomes ``event.secrets``; ``executed_rules`` are the ids of the Rules
    that ran before it in the login (``api.rules.wasExecuted``). ``answer`` answers what the code fetches; its time does
    not count. Never raises for what the code does.
    """
    read_only_event = {**event, "secrets": dict(secrets or {})}
    values = {"kind": "action", "code": code, "event": read_only_event, "executed_rules": list(executed_rules)}
    outcome = _run(values, time_limit_seconds, answer)
    error = outcome["error"]
    if error is None and not outcome["finished"]:
        error = "Error: the Action never finished"
    if error is not None:
        return ActionEffects(console=outcome["console"], error=error)
    return ActionEffects(
        id_token_claims=outcome["id_token_claims"],
        access_token_claims=outcome["access_token_claims"],
        user_metadata=outcome["user_metadata"],
        app_metadata=outcome["app_metadata"],
        console=outcome["console"],
        denied=outcome["denied"],
    )


def run_rule(
    code: str,
    user: Mapping[str, Any],
    context: Mapping[str, Any],
    *,
    configuration: Mapping[str, str] | None = None,
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> RuleEffects:
    """Run a legacy Rule (``function (user, context, callback)``, also async) and return what it did.

    ``user`` and ``context`` are given as they are: leave ``user_metadata`` or ``request`` out to have them undefined,
    as Auth0 may. Never raises for what the code does.
    """
    values = {"user": dict(user), "context": dict(context), "configuration": dict(configuration or {})}
    outcome = _run({"kind": "rule", "code": code, "user_id": user.get("user_id"), **values}, time_limit_seconds)
    return RuleEffects(
        id_token_claims=outcome["id_token_claims"],
        access_token_claims=outcome["access_token_claims"],
        user_metadata=outcome["user_metadata"],
        user=outcome["user"],
        called_back=outcome["called_back"],
        console=outcome["console"],
        error=outcome["error"],
    )


def merged_metadata(stored: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata after a change: merged at the first level only, ``None`` removes a key, as Auth0 does it."""
    return {name: value for name, value in {**stored, **change}.items() if value is not None}


def _run(values: Mapping[str, Any], time_limit_seconds: float, answer: Answerer | None = None) -> dict[str, Any]:
    """Run the harness on ``values`` in a context of its own, made here: one belongs to the thread that made it."""
    context = quickjs.Context()
    context.set_memory_limit(MEMORY_LIMIT_BYTES)
    context.set_max_stack_size(STACK_LIMIT_BYTES)
    context.set_time_limit(time_limit_seconds)
    try:
        # ASCII JSON also carries lone surrogates, which UTF-8 could not.
        given = {**values, "has_network": answer is not None}
        talk = context.eval(_HARNESS)(json.dumps(given, ensure_ascii=True, allow_nan=False))
        _drain(context, time_limit_seconds)
        fetches = 0
        while answer and fetches < MAX_FETCHES and (fetched := json.loads(talk("take"))):
            talk("settle", json.dumps(asdict(answer(Fetched(**fetched)))))
            _drain(context, time_limit_seconds)
            fetches += 1
        outcome: dict[str, Any] = json.loads(talk("outcome"))
    except quickjs.JSException as error:
        return _failed(str(error).partition("\n")[0])
    except TimeoutError as error:
        return _failed(f"TimeoutError: {error}")
    return outcome


def _drain(context: quickjs.Context, time_limit_seconds: float) -> None:
    """Run promise jobs until none is left. The engine's own limit starts anew with each job, hence this one for all."""
    deadline = time.monotonic() + time_limit_seconds
    while context.execute_pending_job():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no end after {time_limit_seconds:g} seconds")


def _failed(error: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"id_token_claims": {}, "access_token_claims": {}, "app_metadata": {}}
    return nothing | {
        "user_metadata": None,
        "user": None,
        "called_back": 0,
        "console": [],
        "denied": None,
        "error": error,
        "finished": False,
    }
