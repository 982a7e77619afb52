"""A web goal to the code that a site and an Auth0 tenant need: the same goal and options give the same bytes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from snippets.actions import action_template
from snippets.exchange import EXCHANGE_SECRET, exchange_url, login_claim, sent_claims
from snippets.goals import TokenKind, WebGoal
from snippets.literals import ENVIRONMENTS, JsCode
from snippets.logins import MERGE_FUNCTIONS, plan_login
from snippets.parameters import PROFILE_ID_PARAMETER, parameter_name
from snippets.pipelines import action_to_deploy, deploy_cli_files, terraform_files
from snippets.sdks import APPLICATION_FILES, NATIVE_SDKS, TOKEN_FILES, TOKEN_SOURCES, FileSpec, Sdk


class SnippetKind(StrEnum):
    """What the code is, and so where it goes: the site (application, token), Auth0 (action, rule), or a pipeline."""

    APPLICATION = "application"
    ACTION = "action"
    RULE = "rule"
    TOKEN = "token"  # noqa: S105, a kind of snippet and no secret
    DEPLOY_CLI = "deploy-cli"
    TERRAFORM = "terraform"


SITE_KINDS = frozenset({SnippetKind.APPLICATION, SnippetKind.TOKEN})
"""The kinds that differ from SDK to SDK."""

PIPELINE_KINDS = frozenset({SnippetKind.DEPLOY_CLI, SnippetKind.TERRAFORM})
"""The kinds with which a pipeline deploys the Action: the Action's code is one of their files."""


RULE_ID = re.compile(r"rul_[A-Za-z0-9]{16}")
"""The id of an old Rule. Source: Auth0, "Migrate a Rule to an Action"."""


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One generated file. ``path`` is where it belongs in a project, ``language`` what Pygments calls it."""

    path: str
    code: str
    language: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Snippet:
    """Generated code with what a page or a terminal says about it. Each file ends with a line end."""

    kind: SnippetKind
    caption: str
    files: tuple[CodeFile, ...]

    @property
    def code(self) -> str:
        """The code of the first file: for most kinds and SDKs the only one."""
        return self.files[0].code

    @property
    def file_name(self) -> str:
        """The name of the first file."""
        return self.files[0].name


def render(goal: WebGoal, kind: SnippetKind, *, sdk: Sdk = Sdk.SPA_JS, old_rule_id: str | None = None) -> Snippet:
    """Return the code of one kind for ``goal``. ``sdk`` matters to `SITE_KINDS` only.

    With ``old_rule_id`` the Action does nothing in a login in which that Rule ran, so that both can be live during a
    move. Raises ValueError if that is no Rule's id (`RULE_ID`).
    """
    if old_rule_id is not None and not RULE_ID.fullmatch(old_rule_id):
        raise ValueError(f"{old_rule_id!r} is not the id of a Rule")
    context = {"goal": goal, "old_rule_id": old_rule_id, **_CONTEXTS[kind](goal, sdk)}
    files = tuple(_render_file(spec, context) for spec in _file_specs(goal, kind, sdk))
    caption = _CAPTIONS[kind].format(sdk=sdk, place="app" if sdk in NATIVE_SDKS else "site")
    return Snippet(kind, caption, files)


def _file_specs(goal: WebGoal, kind: SnippetKind, sdk: Sdk) -> tuple[FileSpec, ...]:
    match kind:
        case SnippetKind.APPLICATION:
            return APPLICATION_FILES[sdk]
        case SnippetKind.TOKEN:
            return TOKEN_FILES[sdk]
        case SnippetKind.ACTION:
            return (FileSpec(action_template(goal), "websync-action.js"),)
        case SnippetKind.DEPLOY_CLI:
            return deploy_cli_files(goal)
        case SnippetKind.TERRAFORM:
            return terraform_files(goal)
    return (FileSpec(f"{kind}.js.jinja", f"websync-{kind}.js"),)


def _render_file(spec: FileSpec, context: Mapping[str, object]) -> CodeFile:
    typed = JsCode if spec.language == "typescript" else _untyped
    template = ENVIRONMENTS[spec.language].get_template(spec.template)
    code = template.render(file=spec, typed=typed, **context)
    return CodeFile(spec.path, code, spec.language)


def _untyped(_annotation: str) -> JsCode:
    """Leave a type annotation out: JavaScript has none."""
    return JsCode("")


def _application(goal: WebGoal, _sdk: Sdk) -> Mapping[str, object]:
    properties = tuple((name, parameter_name(name)) for name in goal.browser_properties)
    return {
        "profile_id_parameter": PROFILE_ID_PARAMETER,
        "properties": properties,
        "parameters": (PROFILE_ID_PARAMETER, *(parameter for _, parameter in properties)),
    }


def _login(goal: WebGoal, _sdk: Sdk) -> Mapping[str, object]:
    return {
        "login": plan_login(goal),
        "profile_id_parameter": PROFILE_ID_PARAMETER,
        "is_access_token": goal.token_kind is TokenKind.ACCESS_TOKEN,
        "token": _token_name(goal),
        "is_exchange": False,
    }


def _action(goal: WebGoal, sdk: Sdk) -> Mapping[str, object]:
    return {
        **_login(goal, sdk),
        "login": plan_login(goal, is_exchange=goal.server_exchange),
        "is_exchange": goal.server_exchange,
        "exchange_url": exchange_url(goal),
        "exchange_secret": EXCHANGE_SECRET,
        "login_claim": login_claim(goal),
        "sent_claims": sent_claims(goal),
        "merge_functions": MERGE_FUNCTIONS,
    }


def _pipeline(goal: WebGoal, sdk: Sdk) -> Mapping[str, object]:
    return {**_action(goal, sdk), "action": action_to_deploy(goal)}


def _token(goal: WebGoal, sdk: Sdk) -> Mapping[str, object]:
    source = TOKEN_SOURCES.get(sdk, "client")
    return {
        "is_access_token": goal.token_kind is TokenKind.ACCESS_TOKEN,
        "token": _token_name(goal),
        "source": source,
        "argument": JsCode(_ARGUMENTS[source]),
    }


_ARGUMENTS = {"client": "auth0Client", "result": "authResult", "route": "path", "given": "token"}
"""What the browser's code is called with, by where it finds the token: it calls itself when consent comes later."""


def _token_name(goal: WebGoal) -> JsCode:
    return JsCode("accessToken" if goal.token_kind is TokenKind.ACCESS_TOKEN else "idToken")


_CONTEXTS: Mapping[SnippetKind, Callable[[WebGoal, Sdk], Mapping[str, object]]] = {
    SnippetKind.APPLICATION: _application,
    SnippetKind.ACTION: _action,
    SnippetKind.RULE: _login,
    SnippetKind.TOKEN: _token,
    SnippetKind.DEPLOY_CLI: _pipeline,
    SnippetKind.TERRAFORM: _pipeline,
}

_CAPTIONS = {
    SnippetKind.APPLICATION: "The login call of your {place} ({sdk})",
    SnippetKind.ACTION: "Post-login Action for Auth0",
    SnippetKind.RULE: "Rule for Auth0 (legacy: what the Action replaces)",
    SnippetKind.TOKEN: "The token post after login ({sdk})",
    SnippetKind.DEPLOY_CLI: "Files for Auth0's Deploy CLI",
    SnippetKind.TERRAFORM: "Files for Terraform",
}
