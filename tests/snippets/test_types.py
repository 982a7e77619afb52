"""Generated code under TypeScript's eyes: the real declarations of the SDKs, and our own of what has none."""

from pathlib import Path

import pytest

from snippets.goals import TokenKind
from snippets.rendering import SITE_KINDS, SnippetKind, render
from snippets.sdks import Sdk
from tests.factories import CONSENT, make_full_goal, make_goal, to_auth0
from tests.javascript import NodeProcess

HOME = Path(__file__).parent
NODE_MODULES = HOME.parent / "node_modules"

GOALS = {
    "full": make_full_goal(),
    "plain": make_goal(),
    "exchange": make_full_goal(
        server_exchange=True, mappings=(*make_full_goal().mappings, to_auth0("app_metadata.tier", "tier"))
    ),
    "access-token": make_full_goal(token_kind=TokenKind.ACCESS_TOKEN, audiences=("https://api.shop.example",)),
    "consent": make_full_goal(consent=CONSENT),
}

CHECK = """
const ts = require(given.typescript);
const options = {
  ...given.options, allowJs: true, checkJs: true, noEmit: true, skipLibCheck: true,
  strict: true, noImplicitAny: false, useUnknownInCatchVariables: false,
  target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: given.moduleDetection, experimentalDecorators: true, types: [],
};
const program = ts.createProgram(given.files, options);
return ts.getPreEmitDiagnostics(program).map((each) => {
  const line = each.file?.getLineAndCharacterOfPosition(each.start).line + 1;
  return `${each.file?.fileName}:${line} ` + ts.flattenDiagnosticMessageText(each.messageText, " ");
});
"""


def mistakes(node: NodeProcess, files: list[Path], *, lib: list[str]) -> list[str]:
    """Return what the type checker says of ``files``. Each is a world of its own: no name of one reaches another."""
    given = {
        "typescript": str(NODE_MODULES / "typescript"),
        "files": [str(file) for file in files],
        "moduleDetection": 3,  # force: every file is a module
        "options": {"lib": [f"lib.{name}.d.ts" for name in lib]},
    }
    found: list[str] = node.run(CHECK, given)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in which the SDKs are installed."""
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    return tmp_path


@pytest.mark.parametrize("name", GOALS)
def test_the_code_for_sites_uses_each_sdk_as_it_is_declared(node: NodeProcess, project: Path, name: str) -> None:
    # given the code of both kinds for every SDK, in a project with these SDKs
    files = [HOME / "types" / "site" / "globals.d.ts"]
    for kind in SITE_KINDS:
        for sdk in Sdk:
            for file in render(GOALS[name], kind, sdk=sdk).files:
                if file.language not in {"javascript", "typescript"}:
                    continue
                path = project / sdk / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(file.code, encoding="utf-8")
                files.append(path)
    # when it is checked, then nothing is wrong
    assert mistakes(node, files, lib=["es2022", "dom", "dom.iterable"]) == []


@pytest.mark.parametrize("name", GOALS)
def test_the_action_and_the_rule_use_what_auth0_gives_them(node: NodeProcess, project: Path, name: str) -> None:
    # given both, and the Action with the guard for a move, where there is no browser
    action, guarded, rule = project / "action.js", project / "guarded-action.js", project / "rule.js"
    action.write_text(render(GOALS[name], SnippetKind.ACTION).code, encoding="utf-8")
    with_guard = render(GOALS[name], SnippetKind.ACTION, old_rule_id="rul_0123456789abcDEF").code
    guarded.write_text(with_guard, encoding="utf-8")
    rule.write_text(f"checkRule(\n{render(GOALS[name], SnippetKind.RULE).code});\n", encoding="utf-8")
    files = [HOME / "types" / "action" / "globals.d.ts", action, guarded, rule]
    # when they are checked, then nothing is wrong
    assert mistakes(node, files, lib=["es2022"]) == []


def test_the_checker_sees_a_call_that_does_not_exist(node: NodeProcess, project: Path) -> None:
    # given an Action that calls what Auth0 does not have
    action = project / "action.js"
    code = render(GOALS["full"], SnippetKind.ACTION).code
    action.write_text(code.replace("api.user.setUserMetadata", "api.user.setMetadata"), encoding="utf-8")
    # when it is checked, then the mistake is found
    [found] = mistakes(node, [HOME / "types" / "action" / "globals.d.ts", action], lib=["es2022"])
    assert "Property 'setMetadata' does not exist" in found
