"""Pages and files of the generated code: downloads, the hosted scripts, deploying to Auth0 and comparing with it."""

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from snippets.exchange import EXCHANGE_SECRET
from snippets.goals import WebGoal
from snippets.rendering import PIPELINE_KINDS, SnippetKind, render
from snippets.sdks import SCRIPT_SDKS, Sdk
from webapp.accounts.audit import record
from webapp.accounts.guard import public
from webapp.accounts.session import signed_in_admin
from webapp.code_pages.archives import zipped
from webapp.code_pages.comparison import compare_with_tenant, look_at_tenant, named_revisions
from webapp.code_pages.deployment import DeployedAction, action_code, deploy_action, remember
from webapp.code_pages.differences import code_changes, compare_code
from webapp.code_pages.highlighting import highlighted
from webapp.code_pages.models import Deployment
from webapp.code_pages.sdk_choice import choose_sdk
from webapp.code_pages.sdk_guides import GUIDE_GROUPS
from webapp.code_pages.section import code_section, read_section
from webapp.code_pages.tenant_access import (
    DEPLOY_ERRORS,
    CallableGoal,
    NotDeployableError,
    failure,
    read_callable_goal,
)
from webapp.connections.exchange_secrets import new_secret, usable_secret
from webapp.connections.goals import find_goal, find_live_goal, lock_goal, to_web_goal
from webapp.connections.history import find_revisions, look_at_revision
from webapp.connections.models import Goal
from webapp.database import reading, transaction
from webapp.errors import NotFoundError
from webapp.sealing import sealer
from webapp.settings import settings

bp = Blueprint("code_pages", __name__)
bp.add_app_template_global(code_section)
bp.add_app_template_global(code_changes)
bp.add_app_template_filter(highlighted)

SCRIPT_SECONDS = 60
"""How long browsers may keep a hosted script: so soon a saved goal reaches every page."""
JAVASCRIPT = "text/javascript; charset=utf-8"
PLAIN_TEXT = "text/plain; charset=utf-8"


@bp.get("/goals/<key>/code")
def choose(key: str) -> ResponseReturnValue:
    """Show the code for another SDK from now on (``?sdk=``)."""
    choose_sdk(_sdk())
    return _to_code(key)


@bp.get("/goals/<key>/guides/<option>/<sdk>")
def guide(key: str, option: str, sdk: str) -> ResponseReturnValue:
    """Show the guide of an option (``rule`` or ``token``) for an SDK, as a page of its own."""
    section = read_section(key, _known_sdk(sdk))
    is_enabled = {"rule": section.goal.enable_rule, "token": section.goal.enable_token}.get(option)
    if not is_enabled:
        raise NotFoundError("There is no such guide, or its option is switched off.")
    return render_template("code_pages/guide.html", section=section, option=option, guide_groups=GUIDE_GROUPS)


@bp.get("/goals/<key>/code/<kind>")
def download(key: str, kind: str) -> ResponseReturnValue:
    """Offer generated code as a file: the first of the SDK's (``?sdk=``), or the one named by ``?file=``."""
    files = render(_web_goal(key), _kind(kind), sdk=_sdk()).files
    named = request.args.get("file", files[0].name)
    file = next((each for each in files if each.name == named), None)
    if file is None:
        raise NotFoundError("There is no file of this name.")
    return _attachment(file.code, file.name, JAVASCRIPT if file.language == "javascript" else PLAIN_TEXT)


@bp.get("/goals/<key>/code/<kind>.zip")
def download_all(key: str, kind: str) -> ResponseReturnValue:
    """Offer the files with which a pipeline deploys the Action as one zip, each at its path."""
    pipeline = _kind(kind)
    if pipeline not in PIPELINE_KINDS:
        raise NotFoundError("There is no zip of this kind of code.")
    return _attachment(zipped(render(_web_goal(key), pipeline).files), f"websync-{pipeline}.zip", "application/zip")


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
    try:
        deployable = _read_deployable(key)
        with deployable.client() as client:
            deployed = deploy_action(
                client, deployable.goal, deployable.remembered, time.sleep, exchange_secret=deployable.exchange_secret
            )
    except DEPLOY_ERRORS as error:
        flash(failure(error, key), "danger")
        return _to_code(key)
    _keep(deployable, deployed, datetime.now(UTC))
    revision = deployable.goal.revision
    if deployed.has_changed:
        flash(f"Deployed revision {revision} and bound to post-login.", "success")
    else:
        flash(f"Revision {revision} was deployed and bound to post-login already: nothing to do.", "success")
    return _to_code(key)


@bp.post("/goals/<key>/exchange-secret")
def make_exchange_secret(key: str) -> ResponseReturnValue:
    """Make a new secret for the Action, and show it this once: for those who deploy by hand or by a pipeline."""
    with transaction() as session:
        row = lock_goal(session, key)
        if not row.server_exchange:
            raise NotDeployableError("Switch on Server exchange and save the goal first.")
        secret = _recorded_secret(session, row)
        page = {"goal": row, "connection": row.connection, "secret": secret, "secret_name": EXCHANGE_SECRET}
    return render_template("code_pages/exchange_secret.html", **page)


@bp.route("/goals/<key>/comparison", methods=["GET", "POST"])
def compare(key: str) -> ResponseReturnValue:
    """Compare what the goal's tenant runs with the goal. Only a press of the button makes the calls."""
    if request.method == "GET":
        return _to_code(key)
    try:
        found = read_callable_goal(key)
        with found.client() as client:
            tenant_action = look_at_tenant(client, found.goal, found.remembered)
    except DEPLOY_ERRORS as error:
        flash(failure(error, key), "danger")
        return _to_code(key)
    with reading() as session:
        row = find_goal(session, key)
        kept = _kept_codes(session, row, named_revisions(tenant_action.code), found.remembered)
        comparison = compare_with_tenant(found.goal, tenant_action, found.remembered, kept)
        return render_template(
            "code_pages/comparison.html",
            goal=row,
            compared=found,
            comparison=comparison,
            difference=compare_code(comparison.our_code, comparison.tenant_code),
        )


def _web_goal(key: str) -> WebGoal:
    with reading() as session:
        return to_web_goal(find_goal(session, key), public_url=settings().public_url)


def _attachment(content: str | bytes, name: str, content_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, content_type=content_type, headers=headers)


def _recorded_secret(session: Session, row: Goal) -> str:
    now, actor = datetime.now(UTC), signed_in_admin().email
    record(session, actor=actor, action="made a secret", object_type="goal", object_key=row.key, now=now)
    return new_secret(row, sealer())


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


def _read_deployable(key: str) -> CallableGoal:
    """Return what deploying needs. Raises NotFoundError, NotCallableError, NotDeployableError."""
    found = read_callable_goal(key)
    if not found.goal.enable_rule:
        raise NotDeployableError("Switch on Enable Rule and save the goal first.")
    if not found.goal.server_exchange:
        return found
    with transaction() as session:
        row = lock_goal(session, key)
        return replace(found, exchange_secret=usable_secret(row, sealer()) or _recorded_secret(session, row))


def _kept_codes(
    session: Session, row: Goal, revisions: Collection[int], remembered: Deployment | None
) -> dict[int, str]:
    """Return the Action's code of those ``revisions``, and of the remembered one, that are kept and can be read."""
    wanted = {*revisions, remembered.revision} if remembered else revisions
    seen = [
        look_at_revision(row, each, public_url=settings().public_url) for each in find_revisions(session, row, wanted)
    ]
    return {each.row.revision: action_code(each.web_goal) for each in seen if each.web_goal is not None}


def _to_code(key: str) -> ResponseReturnValue:
    return redirect(f"{url_for('connections.goal', key=key)}#code", HTTPStatus.SEE_OTHER)


def _keep(deployable: CallableGoal, deployed: DeployedAction, now: datetime) -> None:
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
