"""Slow and broken clients at the real server: they get their answer, and nobody waits for them."""

import gc
import io
import json
import socket
import statistics
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import httpx2
import pytest
from flask import Flask

from tests.conftest import wait_until
from tests.runs.conftest import served
from tests.tokens.conftest import ORIGIN, Shop
from webapp.slow_clients import LOOK_EVERY_SECONDS, SlowClients

BODY_SECONDS = 5


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


@pytest.fixture
def url(shop: Shop, database_url: str) -> Iterator[str]:
    """The service with few threads."""
    with served(database_url, WEBSYNC_THREADS="2", WEBSYNC_BODY_SECONDS=str(BODY_SECONDS)) as (url, _process):
        yield url


def connect(url: str) -> socket.socket:
    port = int(url.rpartition(":")[2])
    client = socket.create_connection(("127.0.0.1", port))
    client.settimeout(30)
    return client


def head(path: str, *headers: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Origin: {ORIGIN}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def answer(client: socket.socket) -> tuple[int, str]:
    """Return the status and the text of the next answer."""
    text = b""
    while b"\r\n\r\n" not in text:
        more = client.recv(65536)
        if not more:
            return 0, text.decode()
        text += more
    headers, _, body = text.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in headers.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += client.recv(65536)
    return int(headers.split()[1]), (headers + b"\n" + body).decode()


def test_slow_bodies_are_cut_off_and_nobody_waits_for_them(shop: Shop, url: str) -> None:
    # given 64 clients that send a part of their body: half of them nothing more, half a byte now and then
    clients = [connect(url) for _ in range(64)]
    for client in clients:
        client.sendall(head(shop.path, "Content-Length: 500") + b'{"token": "')
    # when visitors post meanwhile, all the time until the slow ones are answered
    waits = []
    began = time.monotonic()
    while time.monotonic() - began < BODY_SECONDS:
        for client in clients[:32]:
            client.sendall(b"a")
        before = time.monotonic()
        token = shop.issuer.token()
        response = httpx2.post(f"{url}{shop.path}", json={"token": token}, headers={"Origin": ORIGIN}, timeout=30)
        waits.append(time.monotonic() - before)
        assert response.status_code == 200
    # then they do not wait for the slow ones
    assert statistics.median(waits) < BODY_SECONDS / 2, waits
    # and each of those hears why, in a way that its page may read
    for client in clients:
        status, text = answer(client)
        assert status == 408, text
        assert "/problems/body-late" in text
        assert f"access-control-allow-origin: {ORIGIN}" in text.lower()
        client.close()
    assert time.monotonic() - began < BODY_SECONDS * 4


def test_a_connection_that_waits_for_its_next_post_is_left_alone(shop: Shop, url: str) -> None:
    # given a connection that has been answered, and is kept open, while somebody of the same address is slow
    patient, slow = connect(url), connect(url)
    body = json.dumps({"token": "x"}).encode()
    patient.sendall(head(shop.path, f"Content-Length: {len(body)}") + body)
    assert answer(patient)[0] == 401
    slow.sendall(head(shop.path, "Content-Length: 500") + b"{")
    # when the slow one was cut off
    assert answer(slow)[0] == 408
    # then the other one goes on
    patient.sendall(head(shop.path, f"Content-Length: {len(body)}") + body)
    assert answer(patient)[0] == 401


def test_a_refusal_does_not_wait_for_the_body(shop: Shop, url: str) -> None:
    # given posts to what is not there, or too large, whose bodies do not come
    for path, length, status in (("/sync/made-up/token", 10, 404), (shop.path, 30_000, 413), (shop.path, 10**15, 413)):
        client = connect(url)
        client.sendall(head(path, f"Content-Length: {length}"))
        # then they are answered at once
        before = time.monotonic()
        assert answer(client)[0] == status
        assert time.monotonic() - before < BODY_SECONDS
        client.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        # chunked, without a length; too much of that; the end before its length; both lengths; none
        (head("{path}", "Transfer-Encoding: chunked") + b'e\r\n{"token": "x"}\r\n0\r\n\r\n', 401),
        (
            head("{path}", "Transfer-Encoding: chunked")
            + b"6000\r\n"
            + b"a" * 0x6000
            + b"\r\n"
            + b"1\r\na\r\n0\r\n\r\n",
            413,
        ),
        (head("{path}", "Content-Length: -1"), 400),
        (head("{path}", "Content-Length: 1", "Content-Length: 2") + b"ab", 400),
        (head("{path}"), 400),
        (head("{path}", "X: " + "a" * 100_000), 431),
        (head("{path}", *[f"X{number}: a" for number in range(200)]), 431),
        (b"NONSENSE\r\n\r\n", 400),
    ],
)
def test_odd_requests_have_a_plain_answer(shop: Shop, url: str, sent: bytes, status: int) -> None:
    client = connect(url)
    client.sendall(sent.replace(b"{path}", shop.path.encode()))
    assert answer(client)[0] == status
    client.close()


def test_whoever_goes_away_leaves_nothing_behind(shop: Shop, url: str) -> None:
    # given clients that send half a body and go, and one that stops sending
    for _ in range(40):
        client = connect(url)
        client.sendall(head(shop.path, "Content-Length: 500") + b"{")
        client.close()
    half = connect(url)
    half.sendall(head(shop.path, "Content-Length: 500") + b"{")
    half.shutdown(socket.SHUT_WR)
    # then the one that still listens hears it
    assert answer(half)[0] == 400
    # and the others' threads are free again
    wait_until(lambda: httpx2.get(f"{url}/readyz", timeout=5).is_success)
    assert shop.count() == (0, 0)


def test_a_slow_reader_holds_no_thread(url: str) -> None:
    # given more clients than threads that ask for a file and do not read it
    clients = [connect(url) for _ in range(8)]
    for client in clients:
        client.sendall(b"GET /bootstrap/static/css/bootstrap.min.css HTTP/1.1\r\nHost: x\r\n\r\n")
    # then others are answered
    before = time.monotonic()
    assert httpx2.get(f"{url}/readyz", timeout=10).is_success
    assert time.monotonic() - before < BODY_SECONDS


def test_requests_one_after_the_other_are_each_answered(shop: Shop, url: str) -> None:
    # given a client that does not wait for answers
    client = connect(url)
    body = json.dumps({"token": "x"}).encode()
    client.sendall((head(shop.path, f"Content-Length: {len(body)}") + body) * 3)
    # then it gets three
    text = b""
    while text.count(b"token-opaque") < 3:
        text += client.recv(65536)
    client.close()


def test_a_form_that_ends_early_is_not_taken(app: Flask) -> None:
    # given a form of which a part is missing
    environ = {
        "CONTENT_LENGTH": "100",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "wsgi.input_terminated": True,
    }
    # when it is sent
    response = app.test_client().post("/sign-in", data=b"email=a", environ_overrides=environ)
    # then it is refused
    assert response.status_code == 400
    assert "Content-Length" in response.text


def test_a_slow_body_behind_a_whole_request_is_cut_off_too(shop: Shop, url: str) -> None:
    # given a client that sends a request, and in the same breath a part of the next
    client = connect(url)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + head(shop.path, "Content-Length: 500") + b"{")
    assert answer(client)[0] == 200
    # then the second has its time too
    assert answer(client)[0] == 408


class HeldBack(io.BytesIO):
    """A body that comes when ``may_come``."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.may_come = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.may_come.wait(30)
        return super().read(size)


def watches() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "late bodies" and thread.is_alive()}


def test_an_app_is_watched_only_while_it_waits_for_bodies() -> None:
    # given an app that waits for a body
    clients = SlowClients(lambda environ, _start: [environ["wsgi.input"].read()], threads=1, seconds=600, max_bytes=100)
    others = watches()
    for _ in range(2):
        body = HeldBack(b"body")
        request = threading.Thread(target=clients, args=({"CONTENT_LENGTH": "4", "wsgi.input": body}, None))
        request.start()
        # when several looks have been taken at it, then it is watched, by one thread
        wait_until(lambda: bool(watches() - others))
        (watch,) = watches() - others
        watch.join(2.5 * LOOK_EVERY_SECONDS)
        assert watches() - others == {watch}
        # and when the body has come, then no longer, until the next one
        body.may_come.set()
        request.join()
        wait_until(lambda: not watches() - others)
    # and nothing keeps the app once it is dropped
    app = weakref.ref(clients)
    del clients, request
    gc.collect()
    assert app() is None
