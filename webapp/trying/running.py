"""Running: a goal's own Action or Rule in the embedded engine, and what Auth0 would make of its effects."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from snippets.exchange import action_secrets
from snippets.goals import TokenKind, WebGoal
from snippets.rendering import SnippetKind, render
from webapp.auth0.action_engine import merged_metadata, run_action, run_rule
from webapp.auth0.claims import (
    ClaimsTooLargeError,
    Issue,
    access_token_claims,
    id_token_claims,
    permitted_claims,
)
from webapp.tokens.refusals import TokenOpaqueError, TokenTooLargeError
from webapp.tokens.verification import MAX_TOKEN_BYTES
from webapp.trying.exchanging import SAMPLE_SECRET, Exchange, answering
from webapp.trying.logins import TriedLogin

LIFETIME_SECONDS = 36_000

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What the code did. ``failure`` says why the login fails, if it does: then there is no token.

    The metadata are those of the user after the login.
    """

    kind: SnippetKind
    id_token_claims: Json = field(default_factory=dict)
    access_token_claims: Json = field(default_factory=dict)
    user_metadata: Json = field(default_factory=dict)
    app_metadata: Json = field(default_factory=dict)
    console: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    failure: str | None = None


class NoTokenError(ValueError):
    """The login ends without a token that the site could post."""


def run(goal: WebGoal, kind: SnippetKind, login: TriedLogin) -> Run:
    """Run the Action or the Rule that the goal's page shows. Never raises for what the code does."""
    done = _run_rule(goal, login) if kind is SnippetKind.RULE else _run_action(goal, login)
    try:
        permitted_claims(done.id_token_claims, login.scopes)
        permitted_claims(done.access_token_claims, login.scopes)
    except ClaimsTooLargeError as error:
        return replace(done, failure=f"Auth0 fails such a login: {error}.")
    return done


def token_claims(goal: WebGoal, login: TriedLogin, done: Run, *, issuer: str, now: datetime) -> Json:
    """Return the claims of the token that the site posts then: what Auth0 puts into it, and what the code set.

    Raises:
        NoTokenError: the login fails, or does not ask for the scope openid.
        TokenTooLargeError: Websync takes no token as large as this one.
        TokenOpaqueError: the login names no API, so its access token carries nothing readable.
    """
    if done.failure is not None:
        raise NoTokenError("The login fails, so nothing reaches the profile.")
    issue = Issue(issuer, login.client_id, login.scopes, int(now.timestamp()), LIFETIME_SECONDS)
    if goal.token_kind is TokenKind.ACCESS_TOKEN:
        if not login.audience:
            raise TokenOpaqueError("The login names no API (resource_server.identifier): its access token is opaque.")
        custom = permitted_claims(done.access_token_claims, login.scopes)
        return _posted(access_token_claims(login.user["user_id"], custom, issue, audience=login.audience))
    if "openid" not in login.scopes:
        raise NoTokenError("The login does not ask for the scope openid, so there is no ID token.")
    return _posted(id_token_claims(login.user, permitted_claims(done.id_token_claims, login.scopes), issue))


def _posted(claims: Json) -> Json:
    """Return ``claims`` unless a token of them is too large to be posted. A signature makes it longer still."""
    payload = json.dumps(claims, separators=(",", ":")).encode()
    if len(b64encode(payload)) > MAX_TOKEN_BYTES:
        raise TokenTooLargeError(f"A token with these claims has more than {MAX_TOKEN_BYTES} bytes.")
    return claims


def _run_action(goal: WebGoal, login: TriedLogin) -> Run:
    exchanges: list[Exchange] = []
    effects = run_action(
        render(goal, SnippetKind.ACTION).code,
        login.as_event(),
        secrets=dict.fromkeys(action_secrets(goal), SAMPLE_SECRET),
        answer=answering(goal, exchanges, lambda: datetime.now(UTC)) if goal.server_exchange else None,
    )
    done = Run(
        SnippetKind.ACTION,
        effects.id_token_claims,
        effects.access_token_claims,
        # A denied login writes what was set before.
        user_metadata=_merged(login.user.get("user_metadata"), effects.user_metadata),
        app_metadata=_merged(login.user.get("app_metadata"), effects.app_metadata),
        console=tuple(effects.console),
        exchanges=tuple(exchanges),
    )
    if effects.error is not None:
        return replace(done, failure=f"The Action threw: {effects.error}")
    if effects.denied is not None:
        return replace(done, failure=f"The Action denied the login: {effects.denied}")
    return done


def _run_rule(goal: WebGoal, login: TriedLogin) -> Run:
    effects = run_rule(render(goal, SnippetKind.RULE).code, login.user, login.as_context())
    done = Run(
        SnippetKind.RULE,
        effects.id_token_claims,
        effects.access_token_claims,
        user_metadata=_merged(login.user.get("user_metadata"), effects.user_metadata or {}),
        app_metadata=_merged(login.user.get("app_metadata"), {}),
        console=tuple(effects.console),
    )
    if effects.error is not None:
        return replace(done, failure=f"The Rule threw: {effects.error}")
    if effects.called_back != 1:
        return replace(done, failure=f"The Rule called back {effects.called_back} times, not once: the login stalls.")
    return done


def _merged(stored: Mapping[str, Any] | None, change: Mapping[str, Any]) -> Json:
    return merged_metadata(stored or {}, change) if change else dict(stored or {})
