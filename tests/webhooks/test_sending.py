import ipaddress
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.conftest import free_port
from tests.receivers import Answer, make_certificate, receiving
from webapp.webhooks import sending
from webapp.webhooks.destinations import Address, Destinations
from webapp.webhooks.sending import WebhookError, post_webhook
from webapp.webhooks.signing import InvalidSecretError, make_secret, read_secret, signed_headers

HERE = Destinations(allow_loopback=True)
BODY = b'{"type":"test"}'


def refused(url: str, allowed: Destinations = HERE, *, seconds: float = 5.0) -> WebhookError:
    with pytest.raises(WebhookError) as caught:
        post_webhook(url, BODY, {}, allowed, seconds=seconds)
    return caught.value


def test_a_receiver_verifies_the_signature_by_the_specification() -> None:
    # given a receiver that knows one of two secrets, as while a new one takes the place of an old one
    old, new, other = make_secret(), make_secret(), make_secret()
    with receiving() as receiver:
        # when a webhook is sent that both have signed
        post_webhook(receiver.url, BODY, signed_headers("msg_1", BODY, [new, old], datetime.now(UTC)), HERE)
    ((path, headers, body),) = receiver.requests
    # then the library of Standard Webhooks takes it by either, and by no other
    assert (path, headers["webhook-id"], headers["content-type"]) == ("/hook", "msg_1", "application/json")
    assert headers["host"] == f"localhost:{receiver.port}"
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body + b" ", headers)


@pytest.mark.parametrize("text", ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "whsec_" + "A" * 92])
def test_what_is_no_secret(text: str) -> None:
    # given a text of the wrong form or length
    # when it is read, then it is refused without being repeated
    with pytest.raises(InvalidSecretError) as caught:
        read_secret(text)
    assert not text.removeprefix("whsec_") or text not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said", "is_final", "wait_seconds"),
    [
        (Answer(400), "answers 400", False, 0),
        (Answer(404), "answers 404", False, 0),
        (Answer(410), "answers 410", True, 0),
        (Answer(429, {"Retry-After": "120"}), "answers 429", False, 120),
        (Answer(503, {"Retry-After": "99999999"}), "answers 503", False, 86_400),
        (Answer(503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "answers 503", False, 0),
        (Answer(302, {"Location": "http://localhost:1/"}), "a redirect, which is not followed", False, 0),
        (Answer(304), "a redirect", False, 0),
    ],
)
def test_what_is_not_taken(answer: Answer, said: str, is_final: bool, wait_seconds: float) -> None:
    # given a receiver that does not take it
    with receiving() as receiver:
        receiver.answer = answer
        # when a webhook is sent
        error = refused(receiver.url)
        # then its status is told, and it was asked once
        assert len(receiver.requests) == 1
    assert said in str(error)
    assert (error.is_final, error.wait_seconds) == (is_final, wait_seconds)


def test_a_receiver_that_is_down_or_says_nothing() -> None:
    # given a receiver that nobody runs, and one that does not answer
    # when a webhook is sent, then it is left in time
    assert "does not answer (ConnectError)" in str(refused(f"http://localhost:{free_port()}/"))
    with receiving() as receiver:
        receiver.may_answer.clear()
        begun = time.monotonic()
        assert "longer than 0.2 seconds" in str(refused(receiver.url, seconds=0.2))
        assert time.monotonic() - begun < 5


def test_an_answer_without_an_end_is_not_read() -> None:
    # given a receiver that announces a huge body
    with receiving() as receiver:
        receiver.answer = Answer(200, {"Content-Length": "100000000000"})
        # when a webhook is sent, then its status is enough
        post_webhook(receiver.url, BODY, {}, HERE, seconds=5.0)


def test_nothing_inside_is_called_unless_the_operator_allows_it() -> None:
    # given a service inside, whose address or name an admin has typed
    with receiving() as receiver:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            # when a webhook is to go there in production
            error = refused(f"https://{host}:{receiver.port}/", Destinations())
            # then it is refused, and nothing has connected
            assert "private network" in str(error)
        assert receiver.requests == []


def test_the_connection_goes_to_the_address_that_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a name that leads to an allowed address when it is looked up, and elsewhere ever after
    file, tls = make_certificate(tmp_path, "hooks.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    sending._trusted_authorities.cache_clear()
    allowed = Destinations(networks=(ipaddress.ip_network("127.0.0.1/32"),))
    looked_up = []

    async def resolve(host: str, port: int) -> Sequence[Address]:
        looked_up.append(host)
        return [ipaddress.ip_address("127.0.0.1" if len(looked_up) == 1 else "169.254.169.254")]

    with receiving(tls) as receiver:
        url = f"https://hooks.example.com:{receiver.port}/hook?a=b"
        # when a webhook is sent
        post_webhook(url, BODY, {}, allowed, resolve=resolve)
        # then it was looked up once, and its certificate is the name's
        assert looked_up == ["hooks.example.com"]
        assert [(path, headers["host"]) for path, headers, _ in receiver.requests] == [
            ("/hook?a=b", f"hooks.example.com:{receiver.port}")
        ]
        # when it leads elsewhere, or the certificate is another's, then nothing is sent
        with pytest.raises(WebhookError, match="private network"):
            post_webhook(url, BODY, {}, allowed, resolve=resolve)
        looked_up.clear()
        with pytest.raises(WebhookError, match=r"does not answer|certificate"):
            post_webhook(url.replace("hooks", "other"), BODY, {}, allowed, resolve=resolve)
        assert len(receiver.requests) == 1
    sending._trusted_authorities.cache_clear()


def test_a_name_with_one_bad_address_is_refused_as_a_whole() -> None:
    # given a name that leads to the world and inside
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return [ipaddress.ip_address("93.184.216.34"), ipaddress.ip_address("10.0.0.1")]

    # when a webhook is to go there, then nothing is called
    with pytest.raises(WebhookError, match="private network"):
        post_webhook("https://hooks.example.com/", BODY, {}, Destinations(), resolve=resolve)
