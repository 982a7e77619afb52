"""Who is told: a real SMTP server and a real HTTP server, which keep what they got and can have a bad day."""

import email
import email.policy
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import free_port


@dataclass
class Mailbox:
    """What a mail server took, and what it refuses: answers by recipient, or to the sender as ``""``."""

    port: int
    messages: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    was_tls: list[bool] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_MAIL(self, *given: Any) -> str:  # noqa: N802, the names are aiosmtpd's
        _server, _session, envelope, address, _options = given
        if "" in self.refusals:
            return self.refusals[""]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, *given: Any) -> str:  # noqa: N802
        _server, _session, envelope, address, _options = given
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.refusals:
            return self.refusals["DATA"]
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.was_tls.append(session.ssl is not None)
        self.messages.append((list(envelope.rcpt_tos), message))
        return "250 OK"


@contextmanager
def mail_server(*, user: str = "", password: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """Run an SMTP server, which asks for a password if it is given one and offers STARTTLS with ``tls``."""
    mailbox = Mailbox(free_port())

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (
            user.encode(),
            password.encode(),
        )
        return AuthResult(success=is_right, handled=False)

    options: dict[str, Any] = {"tls_context": tls} if tls else {}
    if user:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls is not None}
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@dataclass
class Answer:
    """What an HTTP receiver answers."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)


class Receiver:
    """An HTTP server that keeps what was posted to it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answer = Answer()
        self.may_answer = threading.Event()
        self.may_answer.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests.append((self.path, {name.lower(): text for name, text in self.headers.items()}, body))
                receiver.may_answer.wait(30)
                self.send_response(receiver.answer.status)
                for name, value in {"Content-Length": "0", **receiver.answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/hook"

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run an HTTP receiver."""
    receiver = Receiver(tls)
    thread = threading.Thread(target=receiver.serve, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stop()
        thread.join()


def make_certificate(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """Return the file of a certificate for ``host``, which signs itself, and what a server needs to use it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, key_file = folder / f"{host}.pem", folder / f"{host}.key"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, key_file)
    return file, context
