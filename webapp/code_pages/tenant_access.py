"""Calling a goal's tenant: what that needs, and what a page says when it fails."""

from dataclasses import dataclass, field
from http import HTTPStatus

from flask import url_for
from markupsafe import Markup

from snippets.goals import WebGoal
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import Tenant
from webapp.code_pages.deployment import remembered_deployment
from webapp.code_pages.models import Deployment
from webapp.connections.goals import find_goal, to_web_goal
from webapp.connections.tenant_access import CALL_ERRORS, open_tenant
from webapp.database import reading
from webapp.errors import WebsyncError
from webapp.settings import settings


class NotDeployableError(WebsyncError):
    """The goal lacks something that deploying its Action needs.

    What to do: mend what the detail names, then deploy again.
    """

    slug, title, status = "not-deployable", "The Action cannot be deployed yet", HTTPStatus.CONFLICT


DEPLOY_ERRORS = (*CALL_ERRORS, NotDeployableError)
"""What a page explains when deploying fails, or cannot even be tried."""


@dataclass(frozen=True, slots=True)
class CallableGoal:
    """A goal with what calling its tenant needs, read before any call is made."""

    goal: WebGoal
    tenant: Tenant
    client_id: str
    client_secret: str
    remembered: Deployment | None
    exchange_secret: str | None = field(default=None, repr=False)

    def client(self) -> ManagementClient:
        """Return a client of the tenant; use it in ``with``."""
        return ManagementClient(self.tenant, self.client_id, self.client_secret)


def read_callable_goal(key: str) -> CallableGoal:
    """Return the goal with this key, and what calling its tenant needs. Raises NotFoundError, NotCallableError."""
    with reading() as session:
        row = find_goal(session, key)
        connection = row.connection
        goal = to_web_goal(row, public_url=settings().public_url)
        remembered = remembered_deployment(session, row)
    tenant, secret = open_tenant(connection)
    return CallableGoal(goal, tenant, connection.auth0_client_id, secret, remembered)


def failure(error: WebsyncError, key: str) -> Markup:
    """Return what went wrong, with a link to the page where it is mended."""
    with reading() as session:
        connection_key = find_goal(session, key).connection.key
    url = url_for("connections.show", key=connection_key)
    return Markup('<strong>{}.</strong> {} <a class="alert-link" href="{}">Open the connection</a>').format(
        error.title, error.detail, url
    )
