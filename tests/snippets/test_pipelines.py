"""Files for pipelines: read as the tools read them, by Auth0's own Deploy CLI and by parsers of YAML and HCL."""

import os
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from hypothesis import given

from snippets.actions import action_name
from snippets.exchange import EXCHANGE_SECRET
from snippets.goals import WebGoal
from snippets.rendering import PIPELINE_KINDS, SnippetKind, render
from tests.factories import make_full_goal
from tests.javascript import JavaScriptError, run_node
from tests.snippets.test_hostile_text import FEW, HOSTILE, hostile_goals
from tests.snippets.test_types import NODE_MODULES

GOLDEN = Path(__file__).parent / "golden" / "pipelines"
GOALS = {"claims": make_full_goal(), "server-exchange": make_full_goal(server_exchange=True)}
SECRET = "s3cret-$&_x"

# The command itself, up to the point where it would call Auth0.
IMPORT = """
const cli = given.modules + "/auth0-deploy-cli/lib/";
require(cli + "logger").default.silent = true;  // it writes where answers go
Object.assign(process.env, given.environment);
let assets = null;
require(cli + "tools").deploy = async (loaded) => { assets = loaded; };
await require(cli + "commands/import").default({ input_file: given.input, config_file: given.config, env: true });
return assets;
"""
# It asks Auth0 for a token unless it has one.
ENVIRONMENT = {"AUTH0_DOMAIN": "shop.example", "AUTH0_ACCESS_TOKEN": "token"}


def files_of(goal: WebGoal, kind: SnippetKind) -> dict[str, str]:
    return {file.path: file.code for file in render(goal, kind).files}


def write(folder: Path, goal: WebGoal) -> dict[str, str]:
    """Write the goal's folder for the Deploy CLI, with the config.json that its first file shows."""
    files = files_of(goal, SnippetKind.DEPLOY_CLI)
    [config] = [line for line in files["tenant.yaml"].splitlines() if line.startswith('#      {"')]
    for path, code in {**files, "config.json": config.removeprefix("#")}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code, encoding="utf-8")
    return files


def imported(folder: Path, name: str = "tenant.yaml", **environment: str) -> dict[str, Any]:
    given = {
        "modules": str(NODE_MODULES),
        "input": str(folder / name),
        "config": str(folder / "config.json"),
        "environment": ENVIRONMENT | environment,
    }
    assets: dict[str, Any] = run_node(IMPORT, given)  # a Node of its own: the tool keeps its settings
    return assets


def resources(parsed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the blocks "resource" by their type. Each is called websync."""
    found = [each for block in parsed["resource"] for each in block.items()]
    return {kind.strip('"'): named['"websync"'] for kind, named in found}


def text_in(hcl: str) -> str:
    """Return the text of an HCL literal as the parser gives it. YAML has the same escapes."""
    assert "${" not in hcl
    return str(yaml.safe_load(hcl))


@pytest.mark.parametrize("kind", sorted(PIPELINE_KINDS))
@pytest.mark.parametrize("name", GOALS)
def test_the_files_are_what_was_reviewed(name: str, kind: SnippetKind) -> None:
    # given the files that people looked at
    for file in render(GOALS[name], kind).files:
        if file.language == "javascript":  # the Action, which is compared below
            continue
        golden = GOLDEN / f"{name}-{file.name}"
        # when they are made today
        if os.environ.get("WEBSYNC_RENEW_GOLDEN"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(file.code, encoding="utf-8")
        # then not a byte differs
        assert file.code == golden.read_text(encoding="utf-8")
        assert max(map(len, file.code.splitlines())) <= 125


@pytest.mark.parametrize("kind", sorted(PIPELINE_KINDS))
@pytest.mark.parametrize("name", GOALS)
def test_the_action_is_the_one_that_the_button_deploys(name: str, kind: SnippetKind) -> None:
    [code] = [file.code for file in render(GOALS[name], kind).files if file.language == "javascript"]
    assert code == render(GOALS[name], SnippetKind.ACTION).code


@FEW
@given(goal=hostile_goals())
def test_every_file_says_what_made_it_and_is_the_same_twice(goal: WebGoal) -> None:
    for kind in PIPELINE_KINDS:
        snippet = render(goal, kind)
        assert snippet == render(goal, kind)
        for file in snippet.files:
            # then each begins with product, goal, revision and page, and is plain text
            first, second = file.code.splitlines()[:2]
            assert first[1:].lstrip("/").startswith(' Websync goal "')
            assert f'"{goal.page_url}"' in second
            assert file.code.isascii()
            assert file.code.endswith("\n")
            assert all(line.rstrip() == line for line in file.code.splitlines())


@FEW
@given(goal=hostile_goals())
def test_yaml_has_the_names_and_nothing_else(goal: WebGoal) -> None:
    # given a goal in which everything is hostile
    files = files_of(goal, SnippetKind.DEPLOY_CLI)
    # when another reader of YAML reads it
    tenant = yaml.safe_load(files["tenant.yaml"])
    name = action_name(goal)
    # then there is the Action alone, and no list of bindings
    assert tenant == {
        "actions": [
            {
                "name": name,
                "code": f"./actions/{name}/code.js",
                "runtime": "node22",
                "deployed": True,
                "dependencies": [],
                "secrets": [],
                "supported_triggers": [{"id": "post-login", "version": "v3"}],
            }
        ]
    }
    assert yaml.safe_load(files["post-login-binding.yaml"]) == [{"action_name": name, "display_name": name}]


@FEW
@given(goal=hostile_goals())
def test_terraform_has_the_names_and_nothing_else(goal: WebGoal) -> None:
    # given a goal in which everything is hostile
    hcl = files_of(goal, SnippetKind.TERRAFORM)["websync.tf"]
    # when a reader of HCL reads it
    found = hcl2.loads(hcl)
    # then there are our blocks alone, with the Action's name as a plain text
    assert set(found) - {"__comments__"} == {"terraform", "resource"}
    assert set(resources(found)) == {"auth0_action", "auth0_trigger_action"}
    action = resources(found)["auth0_action"]
    assert text_in(action["name"]) == action_name(goal)
    assert action["code"] == '${file("${path.module}/websync-action.js")}'
    assert "secrets" not in action


def test_terraform_knows_secrets_by_sensitive_variables_only() -> None:
    # given a goal whose Action needs a secret
    hcl = files_of(GOALS["server-exchange"], SnippetKind.TERRAFORM)["websync.tf"]
    # when a reader of HCL reads it
    found = hcl2.loads(hcl)
    action, binding = resources(found)["auth0_action"], resources(found)["auth0_trigger_action"]
    # then its value is a variable that Terraform does not show, and the binding leaves other Actions alone
    [variable] = found["variable"]
    assert variable['"websync_secret"']["sensitive"] is True
    assert [(each["name"], each["value"]) for each in action["secrets"]] == [
        (f'"{EXCHANGE_SECRET}"', "${var.websync_secret}")
    ]
    assert (action["runtime"], action["deploy"]) == ('"node22"', True)
    assert (binding["trigger"], binding["action_id"]) == ('"post-login"', "${auth0_action.websync.id}")


@pytest.mark.parametrize("name", ["Shop visitors", "".join(HOSTILE)[:200]], ids=["plain", "hostile"])
def test_the_deploy_cli_loads_the_folder(tmp_path: Path, name: str) -> None:
    # given the folder of a goal of any name, whose Action needs a secret
    goal = make_full_goal(name=name, server_exchange=True)
    write(tmp_path, goal)
    # when the real command imports it, with the secret's value in the environment
    assets = imported(tmp_path, WEBSYNC_SECRET=SECRET, WEBSYNC_KEY="replaced")
    # then it has the Action, to the byte, with the value
    assert [assets["actions"], assets["triggers"]] == [
        [
            {
                "name": action_name(goal),
                "code": render(goal, SnippetKind.ACTION).code,
                "runtime": "node22",
                "deployed": True,
                "dependencies": [],
                "secrets": [{"name": EXCHANGE_SECRET, "value": SECRET}],
                "supported_triggers": [{"id": "post-login", "version": "v3"}],
            }
        ],
        None,
    ]


def test_importing_the_binding_by_mistake_unbinds_nothing(tmp_path: Path) -> None:
    # given the file with the binding, which is there to be copied from
    write(tmp_path, GOALS["claims"])
    # when it is imported nevertheless
    assets = imported(tmp_path, "post-login-binding.yaml")
    # then nothing is to be deployed
    assert {name: each for name, each in assets.items() if each and name not in {"include", "exclude"}} == {}


def test_the_deploy_cli_takes_the_binding_where_a_team_adds_it(tmp_path: Path) -> None:
    # given a team's own list with another Action, to whose end the entry was added
    files = write(tmp_path, GOALS["claims"])
    lines = [line for line in files["post-login-binding.yaml"].splitlines() if not line.startswith("#")]
    bindings = "".join(f"    {line}\n" for line in ["- action_name: Other", "  display_name: Other", *lines])
    (tmp_path / "tenant.yaml").write_text(f"{files['tenant.yaml']}triggers:\n  post-login:\n{bindings}")
    (tmp_path / "config.json").write_text('{"AUTH0_INCLUDED_ONLY": ["actions", "triggers"]}')
    # when it is imported
    assets = imported(tmp_path)
    # then both are bound, in this order
    names = [binding["action_name"] for binding in assets["triggers"]["post-login"]]
    assert names == ["Other", action_name(GOALS["claims"])]


def test_the_deploy_cli_refuses_a_folder_without_the_code(tmp_path: Path) -> None:
    # given a folder from which a file was lost
    write(tmp_path, GOALS["claims"])
    (tmp_path / "actions" / action_name(GOALS["claims"]) / "code.js").unlink()
    # when it is imported, then the loader fails: what the tests above say is no accident
    with pytest.raises(JavaScriptError, match="Problem deploying actions"):
        imported(tmp_path)
