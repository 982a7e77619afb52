"""The form of a connection's notifications."""

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types

from webapp.connections.forms import CheckBoxesField
from webapp.connections.notifications import (
    InvalidNotificationsError,
    NotificationSettings,
    RunEvent,
    read_notification_settings,
)

EVENTS = (
    SelectChoice(RunEvent.FINISH, "a run finishes or is stopped"),
    SelectChoice(RunEvent.FAILURE, "a run fails or has errors"),
)


class NotificationsForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Whom to tell, and of what. ``version`` is the one that the page began with."""

    version = HiddenField()
    emails = TextAreaField("E-mail addresses")
    email_events = CheckBoxesField("Send an e-mail when", choices=EVENTS)
    webhook_url = StringField("Webhook URL")
    webhook_events = CheckBoxesField("Call the webhook when", choices=EVENTS)

    def read(self, *, allow_loopback: bool) -> NotificationSettings | None:
        """Return what the form says, None with the mistake beside its field."""
        try:
            return read_notification_settings(
                [line.strip() for line in (self.emails.data or "").splitlines() if line.strip()],
                self.email_events.data or [],
                (self.webhook_url.data or "").strip(),
                self.webhook_events.data or [],
                allow_loopback=allow_loopback,
            )
        except InvalidNotificationsError as error:
            self[error.field].errors = [str(error)]
            return None


def notifications_form(stored: NotificationSettings, version: int) -> NotificationsForm:
    """Return the form of what is stored."""
    return NotificationsForm(
        formdata=None,
        data={
            "version": str(version),
            "emails": "\n".join(stored.emails),
            "email_events": list(stored.email_events or [RunEvent.FAILURE]),
            "webhook_url": stored.webhook_url,
            "webhook_events": list(stored.webhook_events or [RunEvent.FINISH, RunEvent.FAILURE]),
        },
    )
