"""What a tenant's key endpoint may answer on a bad day; each is an ``answer`` of tests/tokens/issuer.py."""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

from tests.tokens.issuer import reply

Answer = Callable[[BaseHTTPRequestHandler], None]


def fail(handler: BaseHTTPRequestHandler) -> None:
    """An error of the tenant."""
    reply(handler, 500, b'{"keys": []}')


def say(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a fault: always this answer."""
    return lambda handler: reply(handler, status, body, **(headers or {}))


def redirect_to(url: str) -> Answer:
    """Return a fault: the keys are said to be elsewhere."""
    return say(b"", 302, {"Location": url})


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """No answer at all."""
    handler.close_connection = True


def stop_halfway(handler: BaseHTTPRequestHandler) -> None:
    """An answer that is cut off."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"keys": [')


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body that goes on for as long as somebody reads it."""
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b" " * 65_536)


class Drip:
    """A fault: one byte at a time, of the body or even of the head, until `release`; then the rest at once.

    ``has_begun`` is set when the first byte is out. Each byte comes in time for any timeout that begins anew with it.
    """

    def __init__(self, keys: object, *, in_head: bool = False) -> None:
        body = json.dumps({"keys": keys}).encode()
        head = b"HTTP/1.0 200 OK\r\nX-Padding: " + b"x" * 2000 + b"\r\n\r\n"
        self._at_once, self._dripping = (b"", head + body) if in_head else (head, b" " * 2000 + body)
        self._released = threading.Event()
        self.has_begun = threading.Event()

    def release(self) -> None:
        """Send the rest."""
        self._released.set()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer."""
        with suppress(OSError):
            handler.wfile.write(self._at_once)
            for place in range(len(self._dripping)):
                handler.wfile.write(self._dripping[place : place + 1])
                self.has_begun.set()
                if self._released.wait(0.02):
                    handler.wfile.write(self._dripping[place + 1 :])
                    return
