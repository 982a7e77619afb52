"""Mail: one message to one address, over SMTP, within a bounded time.

Source: RFC 5321 (SMTP); RFC 3207 (STARTTLS); RFC 8314 (TLS for submission); RFC 3834, 5 (Auto-Submitted).
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any
from urllib.parse import urlsplit

from webapp.settings import Settings, is_loopback
from webapp.smtp_url import MailServer

STEP_SECONDS = 10.0
"""For the connection, and for each answer of the server."""
TOTAL_SECONDS = 30.0
"""For all of it, however slowly the answers drip in."""
MAX_SUBJECT_LENGTH = 200
_MAX_SAID = 200
_SENDER_NAME = "Websync"


class MailError(Exception):
    """The mail was not sent. The message says why; with ``is_final`` it would be the same the next time."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to one address, in plain text and in HTML. ``key`` is in its Message-ID, the same at each try."""

    to: str
    subject: str
    text: str
    html: str
    key: str


def send_mail(settings: Settings, mail: Mail) -> None:
    """Hand a mail to the server of the settings. Raises MailError."""
    message = _message(settings, mail)
    with _errors_told(settings), _session(settings) as smtp:
        smtp.send_message(message, settings.mail_sender, [mail.to])


def ask_mail_server(settings: Settings) -> None:
    """Find out if the server takes mail from Websync: TLS, user and password, and the sender. Raises MailError."""
    with _errors_told(settings), _session(settings) as smtp:
        code, said = smtp.mail(settings.mail_sender)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, said, settings.mail_sender)
        smtp.rset()


def _message(settings: Settings, mail: Mail) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    # A line end in a header would begin another one; the policy refuses it too, but then no mail would be sent at all.
    message["Subject"] = " ".join(mail.subject.split())[:MAX_SUBJECT_LENGTH]
    message["From"] = Address(_SENDER_NAME, addr_spec=settings.mail_sender)
    message["To"] = Address(addr_spec=mail.to)
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{mail.key}@{urlsplit(settings.public_url).hostname}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message


class _BoundedSmtp(smtplib.SMTP):
    """Loses its connection when the time is over. The timeout of a socket begins anew with every byte."""

    _timer: threading.Timer | None = None
    _is_late = False

    def connect(self, *arguments: Any, **more: Any) -> tuple[int, bytes]:
        self._timer = threading.Timer(TOTAL_SECONDS, self._cut)
        self._timer.daemon = True
        self._timer.start()
        try:
            return super().connect(*arguments, **more)
        except BaseException:
            self._timer.cancel()
            raise

    def getreply(self) -> tuple[int, bytes]:
        reply = super().getreply()
        if self._is_late:  # what there is of a reply that was cut off is none
            raise smtplib.SMTPServerDisconnected("too late")
        return reply

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().close()

    def _cut(self) -> None:
        self._is_late = True
        if self.sock is not None:
            # Of the plain socket, also below TLS: it wakes whoever waits for it, as closing it would not.
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class _BoundedTlsSmtp(_BoundedSmtp, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""


@contextmanager
def _session(settings: Settings) -> Iterator[smtplib.SMTP]:
    """Open a session that may send. What goes wrong at its end is no concern: what was taken is taken."""
    server = settings.mail_server
    if server is None:
        raise MailError("No mail server is set up (WEBSYNC_SMTP_URL).")
    smtp = _connected(server)
    try:
        smtp.ehlo()
        if not server.is_tls and smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        elif not server.is_tls and server.user and not is_loopback(server.host):
            raise MailError("The mail server offers no TLS, and the password is not sent without.")
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        _leave(smtp)
    finally:
        smtp.close()


def _connected(server: MailServer) -> smtplib.SMTP:
    if server.is_tls:
        return _BoundedTlsSmtp(server.host, server.port, timeout=STEP_SECONDS, context=ssl.create_default_context())
    return _BoundedSmtp(server.host, server.port, timeout=STEP_SECONDS)


def _leave(smtp: smtplib.SMTP) -> None:
    try:
        smtp.quit()
    except (smtplib.SMTPException, OSError):
        return


@contextmanager
def _errors_told(settings: Settings) -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        (code, said), *_ = error.recipients.values()
        raise MailError(f"The mail server refuses the address: {_said(code, said)}", is_final=code >= 500) from error
    except smtplib.SMTPSenderRefused as error:
        raise MailError(f"The mail server refuses the sender {settings.mail_sender}: {_answer(error)}") from error
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(f"The mail server refuses user and password: {_answer(error)}") from error
    except smtplib.SMTPDataError as error:
        message = f"The mail server refuses the message: {_answer(error)}"
        raise MailError(message, is_final=error.smtp_code >= 500) from error
    except smtplib.SMTPResponseException as error:
        raise MailError(f"The mail server answers {_answer(error)}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(f"The mail server cannot do what is needed: {error}") from error
    except ssl.SSLCertVerificationError as error:
        raise MailError(f"The mail server's certificate is not good: {error.verify_message}.") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(f"The mail server does not answer ({type(error).__name__}).") from error


def _answer(error: smtplib.SMTPResponseException) -> str:
    return _said(error.smtp_code, error.smtp_error)


def _said(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    printable = "".join(each if each.isprintable() else " " for each in text)
    return f"{code} {' '.join(printable.split())[:_MAX_SAID]}"
