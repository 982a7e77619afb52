"""The files with which a team's pipeline deploys a goal's Action: by Auth0's Deploy CLI, or by Terraform.

Both have the Action's own code, byte for byte, and name its secrets without their values.
"""

from dataclasses import dataclass

from snippets.actions import ACTION_RUNTIME, ACTION_TRIGGER_VERSION, action_name, action_template
from snippets.exchange import action_secrets
from snippets.goals import WebGoal
from snippets.literals import HclCode, YamlCode
from snippets.sdks import FileSpec


@dataclass(frozen=True, slots=True)
class ActionSecret:
    """A secret that the Action reads, by its name in Auth0 (``WEBSYNC_SECRET``)."""

    name: str

    @property
    def marker(self) -> YamlCode:
        """What the Deploy CLI replaces by the value. Source: auth0-deploy-cli, "Keyword replacement"."""
        return YamlCode(f'"##{self.name}##"')

    @property
    def variable(self) -> HclCode:
        """Terraform's variable for the value. The names are our own and no person's text."""
        return HclCode(self.name.lower())


@dataclass(frozen=True, slots=True)
class ActionToDeploy:
    """What a pipeline tells Auth0 of the Action. ``code_path`` is where the Deploy CLI looks for its code."""

    name: str
    code_path: str
    secrets: tuple[ActionSecret, ...]
    runtime: str = ACTION_RUNTIME
    trigger_version: str = ACTION_TRIGGER_VERSION


def action_to_deploy(goal: WebGoal) -> ActionToDeploy:
    """Return what a pipeline tells Auth0 of the goal's Action."""
    name = action_name(goal)
    return ActionToDeploy(name, f"actions/{name}/code.js", tuple(map(ActionSecret, action_secrets(goal))))


def deploy_cli_files(goal: WebGoal) -> tuple[FileSpec, ...]:
    """Return the files of the folder that the Deploy CLI loads.

    The binding stands apart, as text to copy: a list of bindings is imported as the whole list.
    """
    return (
        FileSpec("pipelines/tenant.yaml.jinja", "tenant.yaml", "yaml"),
        FileSpec("pipelines/post-login-binding.yaml.jinja", "post-login-binding.yaml", "yaml"),
        FileSpec(action_template(goal), action_to_deploy(goal).code_path),
    )


def terraform_files(goal: WebGoal) -> tuple[FileSpec, ...]:
    """Return the files of a Terraform module, or a part of one."""
    return (
        FileSpec("pipelines/websync.tf.jinja", "websync.tf", "terraform"),
        FileSpec(action_template(goal), "websync-action.js"),
    )
