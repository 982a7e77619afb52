"""A connection's notifications between the database and a YAML file."""

from sqlalchemy.orm import Session

from snippets.goals import Place, Problem
from webapp.connections.configuration_file import InvalidConfigurationError, NotificationsConfiguration
from webapp.connections.models import Connection
from webapp.connections.notifications import (
    NotificationSettings,
    new_webhook_secret,
    save_notifications,
    set_webhook_secret,
    settings_of,
    stored_notifications,
)
from webapp.connections.saving import Change
from webapp.sealing import Sealer
from webapp.webhooks.signing import InvalidSecretError, read_secret


def plain_notifications(session: Session, connection: Connection, secret_variable: str) -> dict[str, object]:
    """Return whom a connection tells; nothing where nobody has said anything."""
    row = stored_notifications(session, connection)
    settings = settings_of(row)
    plain: dict[str, object] = {}
    if settings.emails:
        plain["email"] = {"to": list(settings.emails), "events": [str(each) for each in settings.email_events]}
    if settings.webhook_url:
        webhook: dict[str, object] = {"url": settings.webhook_url}
        webhook["events"] = [str(each) for each in settings.webhook_events]
        if row is not None and row.sealed_webhook_secrets:
            webhook["secret"] = {"env": secret_variable}
        plain["webhook"] = webhook
    return plain


def apply_notifications(
    session: Session,
    connection: Connection,
    wanted: NotificationsConfiguration,
    change: Change,
    *,
    secret: str | None,
    sealer: Sealer,
) -> str:
    """Make the connection tell those of the file, and say if that is "created", "updated" or "unchanged"."""
    is_new = settings_of(stored_notifications(session, connection)) == NotificationSettings()
    is_changed = bool(save_notifications(session, connection, wanted.settings, change))
    row = stored_notifications(session, connection)
    if wanted.settings.webhook_url and secret is not None:
        is_changed |= set_webhook_secret(session, connection, secret, change, sealer)
    elif wanted.settings.webhook_url and row is not None and not row.sealed_webhook_secrets:
        # Nobody has seen it: the receiver gets one that is made on the connection's page.
        new_webhook_secret(session, connection, change, sealer)
    return "unchanged" if not is_changed else "created" if is_new else "updated"


def check_webhook_secret(secret: str | None, place: Place) -> None:
    """Raise InvalidConfigurationError if the file names a secret by which nothing can be signed."""
    try:
        if secret is not None:
            read_secret(secret)
    except InvalidSecretError as error:
        raise InvalidConfigurationError([Problem(place, str(error))]) from error
