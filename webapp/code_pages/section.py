"""The code part of a goal's page: what it shows, as plain data for templates/code_pages/section.html."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import render_template
from markupsafe import Markup

from snippets.actions import action_name
from snippets.exchange import EXCHANGE_SECRET, exchange_url
from snippets.goals import WebGoal
from snippets.rendering import Snippet, SnippetKind, render
from snippets.sdks import NATIVE_SDKS, SCRIPT_SDKS, Sdk
from webapp.code_pages.deployment import DEPLOY_SCOPES, DeploymentState, compare, remembered_deployment
from webapp.code_pages.models import Deployment
from webapp.code_pages.sdk_choice import chosen_sdk
from webapp.code_pages.sdk_guides import GUIDE_GROUPS, GUIDES, SdkGuide
from webapp.connections.exchange_secrets import usable_secret
from webapp.connections.goals import find_goal, to_web_goal
from webapp.connections.models import Connection, Goal
from webapp.connections.tenant_access import has_credentials
from webapp.database import reading
from webapp.sealing import sealer
from webapp.settings import settings


@dataclass(frozen=True, slots=True)
class Section:
    """All that the section says. ``is_deployable`` is true while the connection has what deploying needs."""

    goal: WebGoal
    connection: Connection
    sdk: Sdk
    snippets: dict[str, Snippet]
    deployment: Deployment | None
    state: DeploymentState
    is_deployable: bool

    @property
    def guide(self) -> SdkGuide:
        """What the guides say of the chosen SDK."""
        return GUIDES[self.sdk]

    @property
    def is_script(self) -> bool:
        """Say if pages may load the code of the chosen SDK from Websync."""
        return self.sdk in SCRIPT_SDKS

    @property
    def is_native(self) -> bool:
        """Say if the chosen SDK is for an app: no browser's rules hold there."""
        return self.sdk in NATIVE_SDKS

    @property
    def place(self) -> str:
        """What visitors log in to."""
        return "app" if self.is_native else "site"

    @property
    def script_query(self) -> str:
        """What follows the address of a script that pages load from Websync."""
        return "" if self.sdk is Sdk.SPA_JS else f"?sdk={self.sdk}"

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
    def exchange_url(self) -> str:
        """Where the Action calls Websync."""
        return exchange_url(self.goal)

    @property
    def secret_name(self) -> str:
        """The name of the secret that the Action needs for that."""
        return EXCHANGE_SECRET

    @property
    def scopes(self) -> list[str]:
        """The scopes that deploying needs."""
        return sorted(DEPLOY_SCOPES)


def code_section(goal_row: Goal) -> Markup:
    """Return the code part of the goal's page, for the goal as it is saved and the SDK that was chosen last."""
    section = read_section(goal_row.key, chosen_sdk())
    page = render_template("code_pages/section.html", section=section, guide_groups=GUIDE_GROUPS)
    return Markup(page)  # noqa: S704, the template escapes


def read_section(key: str, sdk: Sdk) -> Section:
    """Return what the code part of a goal's page says. Raises NotFoundError."""
    with reading() as session:
        goal_row = find_goal(session, key)
        connection = goal_row.connection
        deployment = remembered_deployment(session, goal_row)
        goal = to_web_goal(goal_row, public_url=settings().public_url)
    return Section(
        goal=goal,
        connection=connection,
        sdk=sdk,
        snippets={kind.value: render(goal, kind, sdk=sdk) for kind in SnippetKind},
        deployment=deployment,
        state=compare(goal, deployment, usable_secret(goal_row, sealer()) if goal.server_exchange else None),
        is_deployable=has_credentials(connection),
    )
