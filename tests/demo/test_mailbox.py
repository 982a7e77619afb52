import smtplib

import httpx2

from tests.conftest import make_settings
from tests.demo.conftest import serve
from tests.demo.test_pages import HOSTILE
from webapp.demo.mailbox import KEPT, Mailbox, mail_server
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant
from webapp.mail import Mail, send_mail
from webapp.settings import Settings

RUN_URL = "http://localhost:8000/runs/FL8CAI20bnW7"


def test_what_websync_sends_can_be_read_and_is_only_text() -> None:
    # given the demo's mail server, and hostile names
    mailbox = Mailbox()
    with mail_server(mailbox) as url:
        values = make_settings("sqlite:///x.db").model_dump() | {"smtp_url": url}
        # when Websync sends a mail
        mail = Mail("ops@example.com", HOSTILE, f"{HOSTILE}\n{RUN_URL}\n", f"<b>{HOSTILE}</b>", "msg_1")
        send_mail(Settings(**values), mail)
        # and somebody else sends many without a body
        with smtplib.SMTP(url.removeprefix("smtp://")) as smtp:
            for number in range(KEPT):
                smtp.sendmail("a@example.com", ["b@example.com"], f"Subject: Number {number}\r\n\r\n")
                if number == 0:
                    first = mailbox.mails()[1]
    # then the page shows it as text, and the server keeps the last ones only
    assert (first.recipients, first.subject, first.text.splitlines()[:2]) == (
        ("ops@example.com",),
        HOSTILE,
        [HOSTILE, RUN_URL],
    )
    mails = mailbox.mails()
    assert (len(mails), mails[0].subject) == (KEPT, f"Number {KEPT - 1}")
    shown = Mailbox()
    shown._mails.append(first)
    for base_url in serve(lambda base_url: create_tenant(base_url, TenantState(), mails=shown)):
        page = httpx2.get(f"{base_url}/mailbox").text
        assert "/mailbox" in httpx2.get(base_url).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    # and its addresses can be followed
    assert f'<a href="{RUN_URL}"' in page


def test_a_tenant_without_a_mail_server_has_no_mailbox() -> None:
    # given a tenant of its own
    for base_url in serve(lambda base_url: create_tenant(base_url, TenantState())):
        # when its mailbox is asked for, then there is none
        assert httpx2.get(f"{base_url}/mailbox").status_code == 404
        assert "/mailbox" not in httpx2.get(base_url).text
