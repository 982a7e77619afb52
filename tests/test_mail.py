import socket
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.conftest import TEST_KEY, free_port
from tests.receivers import mail_server, make_certificate
from webapp import mail as mail_module
from webapp.mail import Mail, MailError, ask_mail_server, send_mail
from webapp.settings import Mode, Settings
from webapp.smtp_url import MailServer, read_address, read_smtp_url

MAIL = Mail("ops@example.com", "Grüße", "Ein Text mit €.\n", "<p>Ein Text mit €.</p>", "msg_1")


def make_settings(url: str | None, **changes: str) -> Settings:
    keys = (SecretStr(TEST_KEY),)
    return Settings(
        mode=Mode.DEMO,
        secret_keys=keys,
        public_url="http://localhost:8000",
        smtp_url=None if url is None else SecretStr(url),
        mail_from=changes.get("mail_from", "websync@example.com"),
    )


def refused(settings: Settings, mail: Mail = MAIL) -> MailError:
    with pytest.raises(MailError) as caught:
        send_mail(settings, mail)
    return caught.value


def test_a_mail_arrives_in_both_forms_and_names_itself() -> None:
    # given a mail server
    with mail_server() as mailbox:
        # when a mail is sent
        send_mail(make_settings(mailbox.url), MAIL)
    # then it is there, as plain text and as HTML, with a key that is the same at each try
    ((recipients, message),) = mailbox.messages
    assert recipients == ["ops@example.com"]
    assert message["Subject"] == "Grüße"
    assert message["From"] == "Websync <websync@example.com>"
    assert message["Message-ID"] == "<msg_1@localhost>"
    assert message["Auto-Submitted"] == "auto-generated"
    parts = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
    assert parts["text/plain"].splitlines() == ["Ein Text mit €."]
    assert parts["text/html"].splitlines() == ["<p>Ein Text mit €.</p>"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\0"])
def test_a_subject_never_becomes_another_header(end: str) -> None:
    # given a connection whose name tries to add a recipient
    mail = Mail("ops@example.com", f"Shop{end}Bcc: eve@example.com", "text", "<p></p>", "msg_1")
    # when the mail is sent
    with mail_server() as mailbox:
        send_mail(make_settings(mailbox.url), mail)
    # then it is a subject and nothing else
    ((recipients, message),) = mailbox.messages
    assert recipients == ["ops@example.com"]
    assert message["Bcc"] is None
    assert "Bcc: eve@example.com" in message["Subject"]


def test_the_password_goes_through_tls_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a server that asks for a password and offers STARTTLS, with a certificate that this computer trusts
    file, tls = make_certificate(tmp_path, "127.0.0.1")
    with mail_server(user="websync", password="p@ss", tls=tls) as mailbox:
        url = f"smtp://websync:p%40ss@127.0.0.1:{mailbox.port}"
        # when the certificate is not trusted, nothing is sent
        assert "certificate" in str(refused(make_settings(url)))
        # when it is
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        send_mail(make_settings(url), MAIL)
        # then the mail has come through TLS
        assert mailbox.was_tls == [True]
        # and a wrong password is told without repeating it
        error = refused(make_settings(url.replace("p%40ss", "wrong")))
        assert "refuses user and password: 535" in str(error)
        assert "wrong" not in str(error)


def test_tls_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a server that speaks TLS from the start
    file, tls = make_certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    greeting = b"220 hello\r\n"
    replies = {b"ehlo": b"250 hello\r\n", b"mail": b"250 OK\r\n", b"rset": b"250 OK\r\n", b"quit": b"221 bye\r\n"}
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with tls.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.sendall(greeting)
                while line := wrapped.recv(1000):
                    wrapped.sendall(replies[line[:4].lower()])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        # when it is asked whether it takes mail, then it does
        ask_mail_server(make_settings(f"smtps://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join(5)


@pytest.mark.parametrize(
    ("who", "answer", "said", "is_final"),
    [
        ("ops@example.com", "550 5.1.1 No such user\x1b[31m here", "refuses the address: 550 5.1.1 No such user", True),
        ("ops@example.com", "450 4.2.1 Greylisted", "refuses the address: 450 4.2.1 Greylisted", False),
        ("", "550 5.7.1 Not you", "refuses the sender websync@example.com: 550 5.7.1 Not you", False),
        ("DATA", "554 5.7.1 Spam", "refuses the message: 554 5.7.1 Spam", True),
        ("DATA", "452 4.3.1 Disk full", "refuses the message: 452 4.3.1 Disk full", False),
    ],
)
def test_a_refusal_says_what_the_server_said(who: str, answer: str, said: str, is_final: bool) -> None:
    # given a server that refuses something
    with mail_server() as mailbox:
        mailbox.refusals[who] = answer
        # when a mail is sent
        error = refused(make_settings(mailbox.url))
    # then it is told, in printable words, and whether it would be the same the next time
    assert said in str(error)
    assert str(error).isprintable()
    assert error.is_final is is_final


def test_a_server_that_is_down_or_not_set_up() -> None:
    # given no server at all, and one that nobody runs
    # when a mail is sent, then it is told, and may work the next time
    assert "WEBSYNC_SMTP_URL" in str(refused(make_settings(None)))
    error = refused(make_settings(f"smtp://127.0.0.1:{free_port()}"))
    assert "does not answer (ConnectionRefusedError)" in str(error)
    assert not error.is_final


def test_a_server_that_drips_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a server that sends a byte now and then, and never a line
    monkeypatch.setattr(mail_module, "TOTAL_SECONDS", 0.3)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                while not done.wait(0.02):
                    try:
                        connection.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        # when a mail is sent
        error = refused(make_settings(f"smtp://127.0.0.1:{listener.getsockname()[1]}"))
        done.set()
        thread.join(5)
    # then it is left, though no single byte came too late
    assert "does not answer" in str(error)


def test_urls_of_mail_servers() -> None:
    # given URLs as operators write them
    # when they are read, then ports and passwords are what they mean
    assert read_smtp_url("smtp://mail.example.com") == MailServer("mail.example.com", 25, is_tls=False)
    assert read_smtp_url("smtps://mail.example.com/") == MailServer("mail.example.com", 465, is_tls=True)
    found = read_smtp_url("smtp://me%40example.com:p%3Aw@mail.example.com")
    assert found == MailServer("mail.example.com", 587, False, "me@example.com", "p:w")
    assert "p:w" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "ops@",
        "Ops <ops@example.com>",
        "a@example.com,b@example.com",
        "a@b\r\nBcc: c@d",
        "ä@example.com",
        "a\0@b",
    ],
)
def test_what_is_no_address(text: str) -> None:
    # given what people may type
    # when it is read as an address, then it is refused
    with pytest.raises(ValueError, match="no e-mail address"):
        read_address(text)
