"""The demo's mail server: it delivers nothing, and keeps the last mails in memory for whoever wants to read them."""

import email
import email.policy
import itertools
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Blueprint, abort, current_app, render_template
from flask.typing import ResponseReturnValue

bp = Blueprint("mailbox", __name__)

LOOPBACK = "127.0.0.1"
KEPT = 50
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail as somebody reads it."""

    number: int
    recipients: tuple[str, ...]
    subject: str
    date: str
    text: str


class Mailbox:
    """What came, the newest first. The mail server's thread fills it while others read."""

    def __init__(self) -> None:
        self._mails: deque[KeptMail] = deque(maxlen=KEPT)
        self._numbers = itertools.count(1)

    def mails(self) -> list[KeptMail]:
        """Return what is there now."""
        return list(self._mails)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802, aiosmtpd's
        """Keep a mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        self._mails.appendleft(_read(message, next(self._numbers), tuple(envelope.rcpt_tos)))
        return "250 OK"


@contextmanager
def mail_server(mailbox: Mailbox) -> Iterator[str]:
    """Take mail on a port of this computer that nobody uses; yields the URL for the settings."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
    controller = Controller(mailbox, hostname=LOOPBACK, port=port, data_size_limit=MAX_BYTES)
    controller.start()
    try:
        yield f"smtp://{LOOPBACK}:{port}"
    finally:
        controller.stop()


@bp.get("/mailbox")
def show() -> ResponseReturnValue:
    """Show the mails that Websync has sent."""
    mailbox: Mailbox | None = current_app.extensions["demo_mailbox"]
    if mailbox is None:
        abort(404)
    return render_template("demo/mailbox.html", mails=mailbox.mails(), kept=KEPT)


def _read(message: EmailMessage, number: int, recipients: tuple[str, ...]) -> KeptMail:
    body = message.get_body(("plain",))
    text = str(body.get_content()) if body is not None else ""
    return KeptMail(number, recipients, str(message["Subject"] or ""), str(message["Date"] or ""), text)
