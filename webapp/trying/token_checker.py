"""The token checker: a pasted token, each check and its reason, and the change that it would make, as texts to be read.

Here, to a signed-in admin, it says what would have been right; the token service never does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from snippets.goals import TokenKind
from webapp.connections.goals import LiveGoal
from webapp.errors import WebsyncError
from webapp.json_text import compact, pretty
from webapp.profiles.linking import IdentityConflictError
from webapp.tokens.checklist import LATEST_SECONDS, issuers_of
from webapp.tokens.examination import CheckState, Examination, MadeCheck
from webapp.tokens.preview import is_applied, preview_token
from webapp.trying.result import Refusal, ShownSync, show_sync
from webapp.trying.trial import known_types

MAX_SHOWN = 300
"""Characters of a value in the list of checks; all of it stands among the claims."""
_HEADER_MEMBERS = {"alg": ("alg",), "enc": ("enc",), "crit": ("crit", "b64"), "jwk": ("jwk", "jku", "x5c", "x5u")} | {
    name: (name,) for name in ("typ", "cty", "kid")
}
_CLAIMS = {name: (name,) for name in ("iss", "aud", "exp", "iat", "nbf", "sub", "scope")} | {
    "azp": ("azp", "client_id"),
    "age": ("iat",),
    "lifetime": ("iat", "exp"),
}
_MOMENTS = frozenset({"exp", "iat", "nbf"})


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check. ``found`` is what the token says, ``expected`` what would be right; each may be empty."""

    rule: str
    source: str
    state: CheckState
    reason: str
    slug: str | None
    found: tuple[str, ...]
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """All that the page shows of a token. ``masked`` is how it is recognised; ``sync`` is what it would change.

    ``obstacle`` says why nothing would follow even if it were accepted.
    """

    masked: str
    is_accepted: bool
    is_applied: bool
    refusal: Refusal | None
    checks: tuple[ShownCheck, ...]
    header: str | None
    claims: str | None
    sync: ShownSync | None
    obstacle: Refusal | None


def show_token(
    session: Session, token: str, goal: LiveGoal, examined: Examination, *, profile_hint: str | None, now: datetime
) -> CheckedToken:
    """Return what there is to see of an examined token, its change of the profile included. ``session`` only reads."""
    sync, obstacle, was_applied = None, None, False
    if examined.claims is not None and examined.has_passed("sub"):
        was_applied = is_applied(session, goal, token, examined.claims, now=now)
        try:
            plan = preview_token(session, goal, examined.claims, profile_hint=profile_hint, now=now)
            types = known_types(session, goal.web_goal)
            sync = show_sync(goal.web_goal, plan, types, examined.claims, hint=profile_hint)
        except IdentityConflictError as error:
            obstacle = _refusal(error)
    return CheckedToken(
        masked=mask(token),
        is_accepted=examined.is_accepted,
        is_applied=was_applied,
        refusal=_refusal(examined.refusal) if examined.refusal else None,
        checks=tuple(_shown(made, goal, examined, now) for made in examined.checks),
        header=pretty(examined.header) if examined.header is not None else None,
        claims=pretty(examined.claims) if examined.claims is not None else None,
        sync=sync,
        obstacle=obstacle,
    )


def mask(token: str) -> str:
    """Return by what somebody recognises a token, and nobody can use it."""
    ends = f"{token[:6]}…{token[-4:]}, " if len(token) >= 100 and token.isascii() and token.isprintable() else ""
    return f"{ends}{len(token):,} characters"


def _refusal(error: WebsyncError) -> Refusal:
    return Refusal(error.title, error.detail, error.slug)


def _shown(made: MadeCheck, goal: LiveGoal, examined: Examination, now: datetime) -> ShownCheck:
    name, error = made.check.name, made.error
    expected = _EXPECTED.get(name)
    return ShownCheck(
        rule=made.check.rule,
        source=made.check.source,
        state=made.state,
        reason=error.detail if error else "",
        slug=error.slug if error else None,
        found=tuple(_found(name, examined)),
        expected=tuple(expected(goal, now)) if expected and made.state is CheckState.FAILED else (),
    )


def _found(name: str, examined: Examination) -> list[str]:
    members, source = (_CLAIMS[name], examined.claims) if name in _CLAIMS else (_HEADER_MEMBERS.get(name, ()), None)
    if name in _HEADER_MEMBERS:
        source = examined.header
    if source is None:
        return []
    return [_member(each, source) for each in members if each in source]


def _member(name: str, source: Mapping[str, Any]) -> str:
    text = compact(source[name])
    shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return f"{name}: {shown}{_as_moment(source[name]) if name in _MOMENTS else ''}"


def _as_moment(value: object) -> str:
    if type(value) is not int or not 0 <= value <= LATEST_SECONDS:
        return ""
    return f" ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC)"


def _audiences(goal: LiveGoal) -> tuple[str, ...]:
    is_api = goal.web_goal.token_kind is TokenKind.ACCESS_TOKEN
    return goal.web_goal.audiences if is_api else goal.web_goal.client_ids


def _now_text(now: datetime) -> str:
    return f"now, {int(now.timestamp())}{_as_moment(int(now.timestamp()))}"


_EXPECTED: dict[str, Callable[[LiveGoal, datetime], list[str]]] = {
    "alg": lambda goal, _now: [f"alg: {compact(str(each))}" for each in goal.web_goal.token_policy.algorithms],
    "typ": lambda goal, _now: ['typ: "JWT"', *(['typ: "at+jwt"'] if "access" in goal.web_goal.token_kind else [])],
    "key": lambda goal, _now: [f"a key of {goal.tenant.jwks_url}"],
    "iss": lambda goal, _now: [f"iss: {compact(each)}" for each in issuers_of(goal)],
    "aud": lambda goal, _now: [f"aud: {compact(each)}" for each in _audiences(goal)],
    "azp": lambda goal, _now: [f"azp: {compact(each)}" for each in goal.web_goal.client_ids],
    "scope": lambda goal, _now: [f"scope: {compact(' '.join(goal.web_goal.token_policy.required_scopes))}"],
    "exp": lambda _goal, now: [f"a moment after {_now_text(now)}"],
    "iat": lambda _goal, now: [f"no moment after {_now_text(now)}"],
    "nbf": lambda _goal, now: [f"no moment after {_now_text(now)}"],
    "age": lambda goal, now: [f"at most {goal.web_goal.token_policy.max_age_seconds} seconds before {_now_text(now)}"],
}
