"""Pages and files of the generated code: downloads, the hosted scripts, and "Deploy to Auth0"."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from snippets.goals import WebGoal
from snippets.rendering import SnippetKind, render
from snippets.sdks import SCRIPT_SDKS, Sdk
from webapp.accounts.audit import record
from webapp.accounts.guard import public
from webapp.accounts.session import signed_in_admin
from webapp.auth0.answers import Auth0AnswerError, Auth0RefusedError, Auth0UnavailableError, MissingScopeError
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import InvalidDomainError, Tenant, parse_domain
from webapp.code_pages.deployment import DeployedAction, deploy_action, remember, remembered_deployment
from webapp.code_pages.highlighting import highlighted
from webapp.code_pages.models import Deployment
from webapp.code_pages.sdk_guides import GUIDES
from webapp.code_pages.section import choose_sdk, code_section, has_credentials, read_section
from webapp.connections.goals import find_goal, find_live_goal, to_web_goal
from webapp.connections.models import Connection
from webapp.database import reading, transaction
from webapp.errors import NotFoundError, WebsyncError
from webapp.sealing import SealBrokenError, sealer
from webapp.settings import settings

bp = Blueprint("code_pages", __name__)
bp.add_app_template_global(code_section)
bp.add_app_template_filter(highlighted)

SCRIPT_SECONDS = 60
"""How long browsers may keep a hosted script: so soon a saved goal reaches every page."""
JAVASCRIPT = "text/javascript; charset=utf-8"


class NotDeployableError(WebsyncError):
    """The goal or its connection lacks something that deploying needs."""

    slug, title, status = "not-deployable", "The Action cannot be deployed yet", HTTPStatus.CONFLICT


@dataclass(frozen=True, slots=True)
class Deployable:
    """What deploying needs, read before any call is made."""

    goal: WebGoal
    tenant: Tenant
    client_id: str
    client_secret: str
    remembered: Deployment | None


@bp.get("/goals/<key>/code")
def choose(key: str) -> ResponseReturnValue:
    """Show the code for another SDK from now on (``?sdk=``)."""
    choose_sdk(_sdk())
    return redirect(f"{url_for('connections.goal', key=key)}#code", HTTPStatus.SEE_OTHER)


@bp.get("/goals/<key>/guides/<option>/<sdk>")
def guide(key: str, option: str, sdk: str) -> ResponseReturnValue:
    """Show the guide of an option (``rule`` or ``token``) for an SDK, as a page of its own."""
    section = read_section(key, _known_sdk(sdk))
    is_enabled = {"rule": section.goal.enable_rule, "token": section.goal.enable_token}.get(option)
    if not is_enabled:
        raise NotFoundError("There is no such guide, or its option is switched off.")
    return render_template("code_pages/guide.html", section=section, option=option, guides=GUIDES)


@bp.get("/goals/<key>/code/<kind>")
def download(key: str, kind: str) -> ResponseReturnValue:
    """Offer generated code as a file: the first of the SDK's (``?sdk=``), or the one named by ``?file=``."""
    with reading() as session:
        goal = to_web_goal(find_goal(session, key), public_url=settings().public_url)
    files = render(goal, _kind(kind), sdk=_sdk()).files
    named = request.args.get("file", files[0].name)
    file = next((each for each in files if each.name == named), None)
    if file is None:
        raise NotFoundError("There is no file of this name.")
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Cache-Control": "no-store"}
    return Response(file.code, content_type=JAVASCRIPT, headers=headers)


@bp.get("/sync/<key>/<kind>.js")
@public
def script(key: str, kind: str) -> ResponseReturnValue:
    """Serve a snippet to the pages of a site, as long as the goal and that option of it are switched on."""
    with reading() as session:
        live = find_live_goal(session, key)
    goal = live.web_goal
    sdk = _sdk()
    is_enabled = {SnippetKind.APPLICATION: goal.enable_rule, SnippetKind.TOKEN: goal.enable_token}
    if not live.is_open or not is_enabled.get(_kind(kind)) or sdk not in SCRIPT_SDKS:
        raise NotFoundError("There is no such script, or it is switched off.")
    response = Response(render(goal, _kind(kind), sdk=sdk).code, content_type=JAVASCRIPT)
    response.cache_control.public = True
    response.cache_control.max_age = SCRIPT_SECONDS
    # Sites of any origin may run it: it holds nothing that their visitors may not see.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.add_etag()
    return response.make_conditional(request)


@bp.post("/goals/<key>/deploy")
def deploy(key: str) -> ResponseReturnValue:
    """Deploy the goal's Action to its tenant and tell what came of it. No transaction is open meanwhile."""
    answer = redirect(f"{url_for('connections.goal', key=key)}#code", HTTPStatus.SEE_OTHER)
    try:
        deployable = _read_deployable(key)
        with ManagementClient(deployable.tenant, deployable.client_id, deployable.client_secret) as client:
            code = render(deployable.goal, SnippetKind.ACTION).code
            deployed = deploy_action(client, deployable.goal, code, deployable.remembered, time.sleep)
    except (
        Auth0AnswerError,
        Auth0RefusedError,
        Auth0UnavailableError,
        MissingScopeError,
        NotDeployableError,
    ) as error:
        flash(_failure(error, key), "danger")
        return answer
    _keep(deployable, deployed, datetime.now(UTC))
    revision = deployable.goal.revision
    if deployed.has_changed:
        flash(f"Deployed revision {revision} and bound to post-login.", "success")
    else:
        flash(f"Revision {revision} was deployed and bound to post-login already: nothing to do.", "success")
    return answer


def _kind(text: str) -> SnippetKind:
    if text not in set(SnippetKind):
        raise NotFoundError("There is no code of this kind.")
    return SnippetKind(text)


def _sdk() -> Sdk:
    """Return the SDK of the query, or the first one if it names none."""
    return _known_sdk(request.args.get("sdk", Sdk.SPA_JS))


def _known_sdk(text: str) -> Sdk:
    if text not in set(Sdk):
        raise NotFoundError("There is no code for this SDK.")
    return Sdk(text)


def _read_deployable(key: str) -> Deployable:
    """Return what deploying needs. Raises NotFoundError, NotDeployableError."""
    with reading() as session:
        row = find_goal(session, key)
        connection = row.connection
        goal = to_web_goal(row, public_url=settings().public_url)
        remembered = remembered_deployment(session, row)
    if not goal.enable_rule:
        raise NotDeployableError("Switch on Enable Rule and save the goal first.")
    if not has_credentials(connection):
        raise NotDeployableError("Give the connection a domain, a client id and a client secret.")
    tenant, secret = _open(connection)
    return Deployable(goal, tenant, connection.auth0_client_id, secret, remembered)


def _open(connection: Connection) -> tuple[Tenant, str]:
    try:
        tenant = parse_domain(connection.auth0_domain, allow_loopback=settings().allows_loopback_tenant)
        return tenant, sealer().unseal(connection.sealed_client_secret or "")
    except (InvalidDomainError, SealBrokenError) as error:
        raise NotDeployableError(str(error)) from error


def _failure(error: WebsyncError, key: str) -> Markup:
    """Return what went wrong, with a link to the page where it is mended."""
    with reading() as session:
        connection_key = find_goal(session, key).connection.key
    url = url_for("connections.show", key=connection_key)
    return Markup('<strong>{}.</strong> {} <a class="alert-link" href="{}">Open the connection</a>').format(
        error.title, error.detail, url
    )


def _keep(deployable: Deployable, deployed: DeployedAction, now: datetime) -> None:
    actor = signed_in_admin().email
    with transaction() as session:
        row = find_goal(session, deployable.goal.key)
        if row.connection.auth0_domain == deployable.tenant.domain:  # else it was just moved to another tenant
            remember(session, row, deployable.goal, deployed, by=actor, now=now)
        record(
            session,
            actor=actor,
            action="deployed",
            object_type="goal",
            object_key=deployable.goal.key,
            now=now,
            revision=deployable.goal.revision,
            action_id=deployed.action_id,
            has_changed=deployed.has_changed,
        )
