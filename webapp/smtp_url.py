"""Where mail goes out, and in whose name: read from the settings, and addresses as a header may have them."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from email_validator import EmailNotValidError, validate_email

TLS_PORT, LOGIN_PORT, PLAIN_PORT = 465, 587, 25
"""Of smtps://, of smtp:// with a user, and without. Source: RFC 8314, 3.3; RFC 6409, 3.1."""
_EXAMPLE = "must be an SMTP server such as smtp://user:password@mail.example.com:587 (smtps://… for TLS from the start)"


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server. With ``is_tls`` it speaks TLS from the first byte, else STARTTLS if it can."""

    host: str
    port: int
    is_tls: bool
    user: str = ""
    password: str = field(default="", repr=False)


def read_smtp_url(url: str) -> MailServer:
    """Return the server that ``url`` names. Raises ValueError, whose message holds nothing of the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
        user, password = (unquote(each or "", errors="strict") for each in (parts.username, parts.password))
    except ValueError:
        raise ValueError(_EXAMPLE) from None
    is_server = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and port != 0
    if not is_server or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(_EXAMPLE)
    if bool(user) != bool(password):
        raise ValueError("must have both a user and a password, or none of the two")
    if not all(each.isascii() and each.isprintable() for each in (user, password, parts.hostname or "")):
        raise ValueError("must be printable ASCII: SMTP servers take no other user or password")
    is_tls = parts.scheme == "smtps"
    usual_port = TLS_PORT if is_tls else LOGIN_PORT if user else PLAIN_PORT
    return MailServer(parts.hostname or "", port or usual_port, is_tls, user, password)


def read_address(text: str) -> str:
    """Return an e-mail address as every mail server takes it: ASCII, one line, without a name. Raises ValueError."""
    try:
        # Mail may well stay in the house: an address need not be one that the whole world can reach.
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False)
    except EmailNotValidError:
        found = None
    if found is None or not found.ascii_email:
        raise ValueError("is no e-mail address such as ops@example.com")
    return found.ascii_email
