import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import Webhook

from tests.connections.pages import add_connection, audit_entries, message_at, read_form
from tests.notifications.conftest import BOTH, OPS, Shop
from tests.receivers import Answer, Mailbox, Receiver
from webapp.connections.models import ConnectionNotifications
from webapp.connections.notifications import OLD_SECRET_LASTS, signing_secrets
from webapp.notifications.models import Channel
from webapp.notifications.sending import send_next
from webapp.rates import MEMORY_URL, Rates
from webapp.runs.models import RunState

EVENTS = {"email_events": "failure", "webhook_events": "finish"}


@pytest.fixture
def address(admin_client: FlaskClient) -> str:
    return f"{add_connection(admin_client)}/notifications"


def secret_of(text: str) -> str:
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", text)
    assert found
    return found[0]


def test_addresses_and_a_webhook_are_saved_and_its_secret_shown_once(
    app: Flask, admin_client: FlaskClient, address: str
) -> None:
    # given a connection
    form = read_form(admin_client.get(address))
    # when addresses and a URL are saved
    typed = (
        form | EVENTS | {"emails": f" {OPS} \n\n{OPS}\nData@example.com", "webhook_url": "https://hooks.example.com/a"}
    )
    saved = admin_client.post(address, data=typed)
    # then the secret is on the answer, and nowhere ever after
    secret = secret_of(saved.text)
    assert "shown this once" in saved.text
    again = admin_client.get(address)
    assert "whsec_" not in again.text
    assert read_form(again)["emails"] == f"{OPS}\nData@example.com"
    assert "https://hooks.example.com/a" in admin_client.get(address.removesuffix("/notifications")).text
    # and it is sealed, and the audit log names fields only
    with app.extensions["database"].reading() as session:
        (row,) = session.query(ConnectionNotifications)
    assert secret not in str(row.sealed_webhook_secrets)
    details = [str(entry.detail) for entry in audit_entries(app, "connection")]
    assert any("notifications.emails" in each for each in details)
    assert not any(OPS in each or "hooks.example.com" in each or secret in each for each in details)


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"emails": "ops"}, "emails", "'ops' is no e-mail address"),
        ({"emails": "\n".join(f"a{number}@example.com" for number in range(11))}, "emails", "At most 10 addresses"),
        ({"webhook_url": "http://hooks.example.com/"}, "webhook_url", "Write an https:// URL"),
    ],
)
def test_a_mistake_is_said_at_its_field(
    admin_client: FlaskClient, address: str, typed: dict[str, str], field: str, said: str
) -> None:
    # given the page
    form = read_form(admin_client.get(address)) | EVENTS
    # when a mistake is saved
    answer = admin_client.post(address, data=form | typed)
    # then it is said there, and nothing is saved
    assert answer.status_code == 422
    assert said in message_at(answer, field)
    assert read_form(admin_client.get(address))["emails"] == ""


def test_somebody_to_tell_needs_an_event(admin_client: FlaskClient, address: str) -> None:
    # given an address without any event
    form = read_form(admin_client.get(address)) | {"emails": OPS}
    del form["email_events"]
    # when it is saved, then that is said
    answer = admin_client.post(address, data=form)
    assert "Choose at least one event." in answer.text


def test_two_admins_do_not_overwrite_each_other(admin_client: FlaskClient, address: str) -> None:
    # given a page that was open while somebody saved
    form = read_form(admin_client.get(address)) | EVENTS
    admin_client.post(address, data=form | {"emails": "first@example.com"})
    # when it is saved, then it says so first
    answer = admin_client.post(address, data=form | {"emails": "second@example.com"})
    assert answer.status_code == 409
    assert "Somebody else saved" in answer.text
    # and saving again replaces the other's
    assert admin_client.post(address, data=read_form(answer) | EVENTS).status_code == 303
    assert read_form(admin_client.get(address))["emails"] == "second@example.com"


def test_a_new_secret_signs_at_once_and_the_old_one_for_a_day(
    app: Flask, admin_client: FlaskClient, address: str, receiver: Receiver
) -> None:
    # given a webhook with its secret
    form = read_form(admin_client.get(address)) | EVENTS
    old = secret_of(admin_client.post(address, data=form | {"webhook_url": receiver.url}).text)
    # when a new one is made, and the webhook is tested
    new = secret_of(admin_client.post(f"{address}/secret").text)
    tested = admin_client.post(f"{address}/test-webhook", follow_redirects=True)
    # then either of the two verifies what came
    assert "The receiver has taken the test." in tested.text
    ((_, headers, body),) = receiver.requests
    assert new != old
    assert Webhook(new).verify(body, headers) == Webhook(old).verify(body, headers)
    # and a day later the new one alone signs
    with app.extensions["database"].reading() as session:
        (row,) = session.query(ConnectionNotifications)
    later = datetime.now(UTC) + OLD_SECRET_LASTS
    assert signing_secrets(row, app.extensions["sealer"], later) == [new]
    # when the webhook goes to another place, then the secrets stay behind
    form = read_form(admin_client.get(address)) | EVENTS
    moved = admin_client.post(address, data=form | {"webhook_url": "https://other.example.com/"})
    assert secret_of(moved.text) not in {new, old}


def test_tests_say_what_came_of_them(
    admin_client: FlaskClient, address: str, mailbox: Mailbox, receiver: Receiver
) -> None:
    # given two addresses, of which one is refused, and a receiver that redirects
    form = read_form(admin_client.get(address)) | EVENTS
    typed = {"emails": f"gone@example.com\n{OPS}", "webhook_url": receiver.url}
    admin_client.post(address, data=form | typed)
    mailbox.refusals["gone@example.com"] = "550 5.1.1 No such user"
    receiver.answer = Answer(302, {"Location": "http://localhost:1/"})
    # when both ways are tested
    mailed = admin_client.post(f"{address}/test-mail", follow_redirects=True).text
    called = admin_client.post(f"{address}/test-webhook", follow_redirects=True).text
    # then the page says what came of each
    assert "gone@example.com: The mail server refuses the address: 550 5.1.1 No such user" in mailed
    assert f"The mail server has taken a test for {OPS}." in mailed
    assert "The test was not taken. The receiver answers 302, a redirect" in called
    ((_, message),) = mailbox.messages
    assert message["Subject"] == "[Websync] Shop: a test"


def test_there_is_nothing_to_test_or_to_sign_without_a_target(admin_client: FlaskClient, address: str) -> None:
    # given a connection that tells nobody
    # when it is tested, or a secret is asked for, then there is no such thing
    for action in ("test-mail", "test-webhook", "secret"):
        assert admin_client.post(f"{address}/{action}").status_code == 404


def test_tests_are_few_in_a_minute(app: Flask, admin_client: FlaskClient, address: str) -> None:
    # given somebody who presses the button without an end, all in one moment
    app.extensions["rates"] = Rates(MEMORY_URL, clock=lambda: 1000.0)
    form = read_form(admin_client.get(address)) | EVENTS
    admin_client.post(address, data=form | {"emails": OPS})
    # when it is one too many, then nothing is sent
    codes = [admin_client.post(f"{address}/test-mail").status_code for _ in range(11)]
    assert codes == [303] * 10 + [429]


def test_what_was_sent_is_shown_and_what_was_given_up_is_sent_again(
    app: Flask, admin_client: FlaskClient, shop: Shop, now: datetime, mailbox: Mailbox
) -> None:
    # given a run that was to be told to an address that is refused
    shop.tell(emails=(OPS,), email_events=BOTH)
    shop.end_run(RunState.FINISHED, now)
    mailbox.refusals[OPS] = "550 <b>5.1.1</b>"
    with app.app_context():
        send_next(Channel.EMAIL, now=now)
    # then the run's page says so
    shown = admin_client.get(f"/runs/{shop.runs()[0].key}").text
    assert "Given up" in shown
    assert "refuses the address: 550 &lt;b&gt;5.1.1" in shown
    # and the connection's
    page = admin_client.get("/connections/shop/notifications").text
    assert f"/runs/{shop.runs()[0].key}" in page
    assert "Some of the last could not be sent" in admin_client.get("/connections/shop").text
    # when it is asked for again, then it waits to be sent
    key = shop.told()[0].key
    assert admin_client.post(f"/notifications/{key}/again").status_code == 303
    mailbox.refusals.clear()
    with app.app_context():
        assert send_next(Channel.EMAIL, now=datetime.now(UTC) + timedelta(seconds=1))
    assert "Sent" in admin_client.get("/connections/shop/notifications").text
    assert admin_client.post(f"/notifications/{key}/again").status_code == 404
