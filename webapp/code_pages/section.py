"""The code part of a goal's page: what it shows, as plain data for templates/code_pages/section.html."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import render_template
from markupsafe import Markup

from snippets.goals import WebGoal
from snippets.rendering import Snippet, SnippetKind, render
from webapp.code_pages.deployment import DEPLOY_SCOPES, DeploymentState, action_name, compare, remembered_deployment
from webapp.code_pages.models import Deployment
from webapp.code_pages.tenant_access import has_credentials
from webapp.connections.goals import find_goal, to_web_goal
from webapp.connections.models import Connection, Goal
from webapp.database import reading
from webapp.settings import settings


@dataclass(frozen=True, slots=True)
class Section:
    """All that the section says. ``is_deployable`` is true while the connection has what deploying needs."""

    goal: WebGoal
    connection: Connection
    snippets: dict[str, Snippet]
    deployment: Deployment | None
    state: DeploymentState
    is_deployable: bool

    @property
    def action_name(self) -> str:
        """The name to give the Action."""
        return action_name(self.goal)

    @property
    def origin(self) -> str:
        """Websync's origin, for a Content-Security-Policy: with a path it would allow that one path only."""
        parts = urlsplit(self.goal.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def scopes(self) -> list[str]:
        """The scopes that deploying needs."""
        return sorted(DEPLOY_SCOPES)


def code_section(goal_row: Goal) -> Markup:
    """Return the code part of the goal's page, for the goal as it is saved."""
    with reading() as session:
        goal_row = find_goal(session, goal_row.key)
        connection = goal_row.connection
        deployment = remembered_deployment(session, goal_row)
        goal = to_web_goal(goal_row, public_url=settings().public_url)
    section = Section(
        goal=goal,
        connection=connection,
        snippets={kind.value: render(goal, kind) for kind in SnippetKind},
        deployment=deployment,
        state=compare(goal, deployment),
        is_deployable=has_credentials(connection),
    )
    return Markup(render_template("code_pages/section.html", section=section))  # noqa: S704, the template escapes
