"""A web goal to the code that a site and an Auth0 tenant need: the same goal and options give the same bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from snippets.goals import Direction, TokenKind, WebGoal
from snippets.literals import JsCode, environment
from snippets.logins import plan_login
from snippets.parameters import PROFILE_ID_PARAMETER, parameter_name


class SnippetKind(StrEnum):
    """What the code is, and so where it runs: the site (application, token) or Auth0 (action, rule)."""

    APPLICATION = "application"
    ACTION = "action"
    RULE = "rule"
    TOKEN = "token"  # noqa: S105, a kind of snippet and no secret


class Sdk(StrEnum):
    """The library with which the site logs visitors in."""

    SPA_JS = "auth0-spa-js"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Generated code with what a page or a terminal says about it. ``code`` ends with a line end."""

    kind: SnippetKind
    caption: str
    file_name: str
    code: str
    language: str = "javascript"


def render(goal: WebGoal, kind: SnippetKind, *, sdk: Sdk = Sdk.SPA_JS) -> Snippet:
    """Return the code of one kind for ``goal``. ``sdk`` matters to the kinds that run on the site."""
    context = _CONTEXTS[kind](goal)
    code = environment.get_template(f"{kind}.js.jinja").render(goal=goal, **context)
    return Snippet(kind, _CAPTIONS[kind].format(sdk=sdk), f"websync-{kind}.js", code)


def _application(goal: WebGoal) -> Mapping[str, object]:
    properties = dict.fromkeys(mapping.profile_property for mapping in goal.mappings_to(Direction.TO_AUTH0))
    return {
        "profile_id_parameter": PROFILE_ID_PARAMETER,
        "properties": tuple((name, parameter_name(name)) for name in properties),
    }


def _login(goal: WebGoal) -> Mapping[str, object]:
    return {
        "login": plan_login(goal),
        "profile_id_parameter": PROFILE_ID_PARAMETER,
        "is_access_token": goal.token_kind is TokenKind.ACCESS_TOKEN,
        "token": JsCode("accessToken" if goal.token_kind is TokenKind.ACCESS_TOKEN else "idToken"),
    }


def _token(goal: WebGoal) -> Mapping[str, object]:
    return {"is_access_token": goal.token_kind is TokenKind.ACCESS_TOKEN}


_CONTEXTS: Mapping[SnippetKind, Callable[[WebGoal], Mapping[str, object]]] = {
    SnippetKind.APPLICATION: _application,
    SnippetKind.ACTION: _login,
    SnippetKind.RULE: _login,
    SnippetKind.TOKEN: _token,
}

_CAPTIONS = {
    SnippetKind.APPLICATION: "The login call of your site ({sdk})",
    SnippetKind.ACTION: "Post-login Action for Auth0",
    SnippetKind.RULE: "Rule for Auth0 (legacy: what the Action replaces)",
    SnippetKind.TOKEN: "The token post after login ({sdk})",
}
