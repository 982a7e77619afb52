from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.notifications.conftest import BOTH, OPS, Shop
from tests.receivers import Answer, Mailbox, Receiver
from webapp.connections.models import ImportGoalRow
from webapp.connections.notifications import RunEvent
from webapp.errors import NotFoundError
from webapp.notifications import sending
from webapp.notifications.models import Channel, Notification, NotificationState
from webapp.notifications.outbox import (
    JITTER,
    PAUSES,
    TAKEN_FOR,
    next_try,
    note_failure,
    note_sent,
    send_again,
    take_due,
)
from webapp.notifications.sending import send_next
from webapp.runs.models import RunState, RunTrigger
from webapp.runs.requesting import request_run, stop_run


@pytest.mark.parametrize(
    ("state", "of_finish", "of_failure"),
    [
        (RunState.FINISHED, True, False),
        (RunState.FINISHED_WITH_ERRORS, True, True),
        (RunState.FAILED, False, True),
        (RunState.STOPPED, True, False),
    ],
)
def test_each_hears_of_what_they_chose(
    shop: Shop, now: datetime, state: RunState, of_finish: bool, of_failure: bool
) -> None:
    # given somebody who wants to hear of ends, and a webhook for failures
    shop.tell(
        emails=(OPS,),
        email_events=(RunEvent.FINISH,),
        webhook_url="https://hooks.example.com/",
        webhook_events=(RunEvent.FAILURE,),
    )
    # when a run ends
    shop.end_run(state, now)
    # then those are told that it concerns
    assert [each.channel for each in shop.told()] == ["email"] * of_finish + ["webhook"] * of_failure


def test_who_stops_a_run_that_waits_is_heard_of_too(app: Flask, shop: Shop, now: datetime, mailbox: Mailbox) -> None:
    # given a run that waits
    shop.tell(emails=("ada@example.org",), email_events=(RunEvent.FINISH,))
    with shop.database.transaction() as session:
        goal = session.get_one(ImportGoalRow, shop.goal.id)
        run = request_run(session, goal, RunTrigger.MANUAL, requested_by="ada", now=now)
        # when somebody stops it before it has begun
        stop_run(session, run.key, now=now)
    # then a mail tells of it
    with app.app_context():
        assert send_next(Channel.EMAIL)
    ((_, mail),) = mailbox.messages
    assert "was stopped" in mail["Subject"]


def test_a_mail_and_a_webhook_tell_of_a_run(
    app: Flask, shop: Shop, now: datetime, mailbox: Mailbox, receiver: Receiver
) -> None:
    # given an address and a webhook
    shop.tell(emails=(OPS,), email_events=BOTH, webhook_url=receiver.url, webhook_events=BOTH)
    # when a run has failed, and what is due is sent
    key = shop.end_run(RunState.FAILED, now, problem="auth0-refused", detail="Auth0 said <no>.")
    with app.app_context():
        assert send_next(Channel.EMAIL, now=now)
        assert send_next(Channel.WEBHOOK, now=now)
        assert not send_next(Channel.EMAIL, now=now)
    # then the mail has the counts, what failed, and the way to the run
    ((recipients, message),) = mailbox.messages
    assert recipients == [OPS]
    assert message["Subject"] == "[Websync] shop: shop 0 has failed"
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
    html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert f"http://localhost:8000/runs/{key}" in text
    assert "Read" + " " * 43 + "1,200" in text
    assert "Auth0 said <no>." in text
    assert "Auth0 said &lt;no&gt;." in html
    assert f'href="http://localhost:8000/runs/{key}"' in html
    # and the webhook says the same
    ((_, headers, body),) = receiver.requests
    told = shop.told()
    assert headers["webhook-id"] == told[1].key
    assert message["Message-ID"] == f"<{told[0].key}@localhost>"
    assert b'"type":"run.failed"' in body
    assert f'"run":"{key}"'.encode() in body
    assert b'"problem":{"slug":"auth0-refused","detail":"Auth0 said <no>."}' in body
    assert b"ada" not in body
    assert [each.state for each in told] == ["sent", "sent"]


def test_failing_to_notify_is_tried_again_and_given_up(
    app: Flask, shop: Shop, now: datetime, receiver: Receiver
) -> None:
    # given a receiver that is down
    shop.tell(webhook_url=receiver.url, webhook_events=BOTH)
    receiver.answer = Answer(500)
    shop.end_run(RunState.FINISHED, now)
    # when all tries are made
    with app.app_context():
        tries = 0
        moment = now
        while send_next(Channel.WEBHOOK, now=moment):
            tries += 1
            moment = shop.told()[0].next_try_at
            assert not send_next(Channel.WEBHOOK, now=moment - timedelta(seconds=1))
    # then it is given up with the reason, by one key, and the run is what it was
    (told,) = shop.told()
    assert (told.state, told.tries, told.problem) == (NotificationState.FAILED, tries, "The receiver answers 500.")
    assert tries == len(PAUSES) + 1 == len(receiver.requests)
    assert {headers["webhook-id"] for _, headers, _ in receiver.requests} == {told.key}
    assert [run.state for run in shop.runs()] == [RunState.FINISHED]
    # when somebody asks for it again and the receiver is back, then it is sent
    receiver.answer = Answer()
    with app.app_context():
        with shop.database.transaction() as session:
            send_again(session, told.key, now=moment)
        send_next(Channel.WEBHOOK, now=moment)
    assert shop.told()[0].state == NotificationState.SENT
    with shop.database.transaction() as session, pytest.raises(NotFoundError):
        send_again(session, told.key, now=moment)


def test_a_refused_address_holds_up_nobody_else(app: Flask, shop: Shop, now: datetime, mailbox: Mailbox) -> None:
    # given two addresses, of which the server refuses one
    shop.tell(emails=("gone@example.com", OPS), email_events=BOTH)
    mailbox.refusals["gone@example.com"] = "550 5.1.1 No such user"
    shop.end_run(RunState.FINISHED, now)
    # when what is due is sent
    with app.app_context():
        while send_next(Channel.EMAIL, now=now):
            pass
    # then the other has the mail, and the refusal is final
    assert [recipients for recipients, _ in mailbox.messages] == [[OPS]]
    assert [(each.state, each.tries) for each in shop.told()] == [("failed", 1), ("sent", 1)]


def test_what_nobody_wants_any_more_is_dropped(
    app: Flask, shop: Shop, now: datetime, mailbox: Mailbox, receiver: Receiver
) -> None:
    # given notifications that wait
    shop.tell(emails=(OPS,), email_events=BOTH, webhook_url=receiver.url, webhook_events=BOTH)
    shop.end_run(RunState.FINISHED, now)
    # when their targets are taken off the connection
    shop.tell()
    with app.app_context():
        send_next(Channel.EMAIL, now=now)
        send_next(Channel.WEBHOOK, now=now)
    # then nothing is sent
    assert (mailbox.messages, receiver.requests) == ([], [])
    assert [each.state for each in shop.told()] == ["dropped", "dropped"]


def test_a_bug_is_noted_and_does_not_send_without_an_end(
    app: Flask, shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a sender with a bug
    shop.tell(emails=(OPS,), email_events=BOTH)
    shop.end_run(RunState.FINISHED, now)
    monkeypatch.setattr(sending, "send_mail", lambda *_: dict[str, str]()["bug"])
    # when it sends
    with app.app_context():
        send_next(Channel.EMAIL, now=now)
    # then that counts as a try
    (told,) = shop.told()
    assert told.problem == "KeyError: the log of the worker has it all."
    assert told.next_try_at > now


class TestTaking:
    """On both databases: who has it."""

    @pytest.fixture(params=["sqlite", "postgresql"])
    def database_url(self, request: pytest.FixtureRequest) -> str:
        url: str = request.getfixturevalue(f"make_{request.param}")()
        return url

    @staticmethod
    def take(shop: Shop, now: datetime) -> Notification | None:
        with shop.database.transaction() as session:
            return take_due(session, Channel.EMAIL, now=now)

    def test_of_senders_at_once_one_has_it_until_its_time_is_over(self, shop: Shop, now: datetime) -> None:
        # given one notification and eight senders
        shop.tell(emails=(OPS,), email_events=BOTH)
        shop.end_run(RunState.FINISHED, now)
        # when they take it at once
        with ThreadPoolExecutor(8) as pool:
            taken = [each for each in pool.map(lambda _: self.take(shop, now), range(8)) if each]
        # then one has it
        (first,) = taken
        assert (first.tries, first.target) == (1, OPS)
        # and if that one is killed, another has the same when its time is over
        assert self.take(shop, now + TAKEN_FOR - timedelta(seconds=1)) is None
        second = self.take(shop, now + TAKEN_FOR)
        assert second is not None
        assert (second.key, second.tries) == (first.key, 2)
        # and a late word of the first changes nothing
        with shop.database.transaction() as session:
            note_failure(session, first, "late", None)
        assert shop.told()[0].problem == ""
        with shop.database.transaction() as session:
            note_sent(session, second, now=now)
        assert self.take(shop, now + timedelta(days=9)) is None
        assert shop.told()[0].state == NotificationState.SENT


def test_the_pauses(now: datetime) -> None:
    # given tries that failed
    # when the next one is planned, then the pauses grow, a receiver's wish counts, and they end
    found = [next_try(tries, now, asked_seconds=0, chance=0) for tries in range(1, len(PAUSES) + 2)]
    assert found == [*(now + pause for pause in PAUSES), None]
    assert next_try(1, now, asked_seconds=3600, chance=0) == now + timedelta(hours=1)
    assert next_try(1, now, asked_seconds=0, chance=1) == now + PAUSES[0] * (1 + JITTER)
