"""The page of a connection's notifications: whom to tell, what was told, and tests of both ways."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.accounts.session import signed_in_admin
from webapp.connections.forms import as_number
from webapp.connections.goals import StaleRevisionError, find_connection
from webapp.connections.models import Connection, ConnectionNotifications
from webapp.connections.notifications import (
    NotificationSettings,
    new_webhook_secret,
    save_notifications,
    settings_of,
    stored_notifications,
)
from webapp.connections.saving import Change
from webapp.database import reading, transaction
from webapp.errors import NotFoundError
from webapp.mail import MailError, send_mail
from webapp.notifications.forms import NotificationsForm, notifications_form
from webapp.notifications.messages import trial_mail, trial_webhook
from webapp.notifications.models import Notification
from webapp.notifications.outbox import newest_notifications, notifications_of_run, send_again
from webapp.notifications.sending import post_signed
from webapp.rates import Rate, client_address, rates
from webapp.sealing import sealer
from webapp.settings import settings
from webapp.webhooks.sending import WebhookError

bp = Blueprint("notifications", __name__)

SHOWN = 20
TRIALS = Rate("notification-trials", limit=10, seconds=60)


@bp.route("/connections/<key>/notifications", methods=["GET", "POST"])
def show(key: str) -> ResponseReturnValue:
    """Show whom a connection tells of its runs, or save it."""
    if request.method == "GET":
        return _page(key, None)
    form = NotificationsForm()
    wanted = form.read(allow_loopback=settings().allows_loopback_tenant) if form.validate() else None
    if wanted is None:
        return _page(key, form)
    try:
        return _save(key, wanted, expected_version=as_number(form.version.data))
    except StaleRevisionError as error:
        return _page(key, form, stale=error)


@bp.post("/connections/<key>/notifications/secret")
def make_secret(key: str) -> ResponseReturnValue:
    """Make a new secret of the webhook, and show it this once."""
    with transaction() as session:
        connection = find_connection(session, key)
        stored = _webhook_of(stored_notifications(session, connection))
        is_first = not stored.sealed_webhook_secrets
        secret = new_webhook_secret(session, connection, _change(), sealer())
    return _secret_page(connection, secret, is_first=is_first)


@bp.post("/connections/<key>/notifications/test-mail")
def test_mail(key: str) -> ResponseReturnValue:
    """Send a test to each stored address, and say what came of it."""
    rates().check(TRIALS, client_address())
    connection, stored = _for_trial(key, "tested mail")
    for address in stored.emails:
        mail = trial_mail(_named(connection), address, _trial_key(), public_url=settings().public_url)
        try:
            send_mail(settings(), mail)
        except MailError as error:
            flash(f"{address}: {error}", "danger")
        else:
            flash(f"The mail server has taken a test for {address}.", "success")
    return _see_other(url_for(".show", key=key))


@bp.post("/connections/<key>/notifications/test-webhook")
def test_webhook(key: str) -> ResponseReturnValue:
    """Call the stored webhook with a test, and say what came of it."""
    rates().check(TRIALS, client_address())
    connection, stored = _for_trial(key, "tested webhook")
    now = datetime.now(UTC)
    try:
        body = trial_webhook(_named(connection), now=now)
        post_signed(connection.id, stored.webhook_url, _trial_key(), body, now=now)
    except WebhookError as error:
        flash(f"The test was not taken. {error}", "danger")
    else:
        flash("The receiver has taken the test.", "success")
    return _see_other(url_for(".show", key=key))


@bp.post("/notifications/<key>/again")
def again(key: str) -> ResponseReturnValue:
    """Have a notification sent that was given up."""
    now = datetime.now(UTC)
    with transaction() as session:
        found = send_again(session, key, now=now)
        connection = session.get_one(Connection, found.connection_id)
        _record(session, connection, "sent notification again", now)
    flash("It is sent again as soon as a worker finds it.", "success")
    return _see_other(url_for(".show", key=connection.key))


@bp.app_template_global()
def notifications_told(run_id: int) -> Sequence[Notification]:
    """Return the notifications about a run, for its page."""
    with reading() as session:
        return notifications_of_run(session, run_id)


@bp.app_template_global()
def notification_summary(connection: Connection) -> Mapping[str, object]:
    """Return whom a connection tells, and what was given up among the last, for its page."""
    with reading() as session:
        stored = settings_of(stored_notifications(session, connection))
        newest = newest_notifications(session, connection.id, SHOWN)
    return {"settings": stored, "failed": sum(each.state == "failed" for each in newest)}


def _save(key: str, wanted: NotificationSettings, *, expected_version: int) -> ResponseReturnValue:
    with transaction() as session:
        connection = find_connection(session, key)
        changed = save_notifications(session, connection, wanted, _change(), expected_version=expected_version)
        row = stored_notifications(session, connection)
        needs_secret = bool(wanted.webhook_url) and row is not None and not row.sealed_webhook_secrets
        secret = new_webhook_secret(session, connection, _change(), sealer()) if needs_secret else None
    flash("The notifications are saved." if changed else "Nothing had changed.", "success" if changed else "info")
    if secret is not None:
        return _secret_page(connection, secret, is_first=True)
    return _see_other(url_for(".show", key=key))


def _page(key: str, form: NotificationsForm | None, *, stale: StaleRevisionError | None = None) -> ResponseReturnValue:
    with reading() as session:
        connection = find_connection(session, key)
        row = stored_notifications(session, connection)
        newest = newest_notifications(session, connection.id, SHOWN)
    stored, version = settings_of(row), row.version if row else 0
    if form is None:
        form = notifications_form(stored, version)
    elif stale:
        form.version.data = str(version)  # saving again replaces the other's, as the page says
    page = render_template(
        "notifications/show.html",
        connection=connection,
        form=form,
        stored=stored,
        row=row,
        newest=newest,
        stale=stale,
        has_mail_server=settings().mail_server is not None,
    )
    status = HTTPStatus.CONFLICT if stale else HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return page, status


def _secret_page(connection: Connection, secret: str, *, is_first: bool) -> ResponseReturnValue:
    return render_template("notifications/secret.html", connection=connection, secret=secret, is_first=is_first)


def _for_trial(key: str, action: str) -> tuple[Connection, NotificationSettings]:
    with transaction() as session:
        connection = find_connection(session, key)
        stored = settings_of(stored_notifications(session, connection))
        if not (stored.emails if action == "tested mail" else stored.webhook_url):
            raise NotFoundError("There is nothing to test: save an address or a URL first.")
        _record(session, connection, action, datetime.now(UTC))
    return connection, stored


def _webhook_of(row: ConnectionNotifications | None) -> ConnectionNotifications:
    if row is None or not row.webhook_url:
        raise NotFoundError("This connection has no webhook: save its URL first.")
    return row


def _record(session: Session, connection: Connection, action: str, now: datetime) -> None:
    actor = signed_in_admin().email
    record(session, actor=actor, action=action, object_type="connection", object_key=connection.key, now=now)


def _named(connection: Connection) -> dict[str, str]:
    return {"key": connection.key, "name": connection.name}


def _trial_key() -> str:
    return f"msg_{secrets.token_urlsafe(18)}"


def _change() -> Change:
    return Change(signed_in_admin().email, datetime.now(UTC))


def _see_other(url: str) -> ResponseReturnValue:
    return redirect(url, HTTPStatus.SEE_OTHER)
