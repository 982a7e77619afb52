"""Slow clients do not hold the service up: bodies have to come in time, and answers leave at once.

The server (granian) reads headers by itself, but a body only while a thread waits for it, and nothing can make that
thread give up. So there are more threads than work on requests at once, and a body that is late is cut off: its socket
is shut for reading, which the waiting thread sees as the body's end.
"""

import io
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from webapp.errors import MalformedRequestError, WebsyncError

WAITING_THREADS = 128
"""So many bodies may be waited for, beside the requests that are worked on."""
LOOK_EVERY_SECONDS = 1.0
STREAMS = "websync.streams"
"""A view sets this in the environment if its answer has no end that may be waited for."""
_LAST_SENT, _LAST_RECEIVED, _PARTS_SENT = 44, 52, 156
"""Where ``struct tcp_info`` has them, the first two in milliseconds ago. Source: include/uapi/linux/tcp.h."""

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]
Client = tuple[str, str]
"""An address, and the port of ours that it is connected to."""


class BodyLateError(WebsyncError):
    """The body did not come in time: WEBSYNC_BODY_SECONDS after its headers it was not complete.

    Nothing of it was used.

    What to do: try again with a better connection. If a proxy stands in front, let it wait for the whole body.
    """

    slug, title, status = "body-late", "The body did not come in time", HTTPStatus.REQUEST_TIMEOUT


class _Source(Protocol):
    def read(self, size: int) -> bytes: ...


class _Since(NamedTuple):
    """A request of a client, and since when."""

    client: Client
    since: float


def _now(environ: Environ) -> _Since:
    return _Since((environ.get("REMOTE_ADDR", ""), environ.get("SERVER_PORT", "")), time.monotonic())


class SlowClients:
    """WSGI middleware, the outermost: it has to see who really connected.

    ``threads`` requests are worked on at once. A body of at most ``max_bytes`` has ``seconds`` to come.
    """

    def __init__(self, app: App, *, threads: int, seconds: float, max_bytes: int) -> None:
        self._app = app
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._places = SimpleQueue[None]()  # a semaphore without Python code of its own
        for _ in range(threads):
            self._places.put(None)
        self._readings: dict[int, _Since] = {}
        self._worked_on: dict[int, _Since] = {}
        self._watch: threading.Thread | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        length = environ.get("CONTENT_LENGTH")
        if length not in {None, "", "0"} or "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = _Body(environ, self)
        me = threading.get_ident()
        self._places.get()
        self._worked_on[me] = _now(environ)
        try:
            answer = self._app(environ, start_response)
            return answer if isinstance(answer, list) or environ.get(STREAMS) else _whole(answer)
        finally:
            del self._worked_on[me]
            self._places.put(None)

    def read(self, environ: Environ, source: _Source) -> bytes:
        """Return the body. Somebody else is worked on meanwhile.

        Raises:
            BodyLateError: it did not come in time.
            MalformedRequestError: it ended before its length.
        """
        length = environ.get("CONTENT_LENGTH") or ""
        wanted = min(int(length), self._max_bytes + 1) if length.isdecimal() else self._max_bytes + 1
        began = time.monotonic()
        with self._waiting_for(environ):
            body = source.read(wanted)
        waited_seconds, is_short = time.monotonic() - began, length.isdecimal() and len(body) < wanted
        # One that was cut off a little early, together with others of its client, is short by that.
        if waited_seconds >= self._seconds or (is_short and waited_seconds > LOOK_EVERY_SECONDS):
            raise BodyLateError(f"The whole body has to come within {self._seconds:g} seconds.")
        if is_short:
            raise MalformedRequestError("The body ended before its Content-Length.")
        return body

    @contextmanager
    def _waiting_for(self, environ: Environ) -> Iterator[None]:
        me = threading.get_ident()
        del self._worked_on[me]
        self._readings[me] = _now(environ)
        self._places.put(None)
        try:
            if self._watch is None:  # asked when the reading can be seen: see _has_ended
                self._start_watch()
            yield
        finally:
            del self._readings[me]
            self._places.get()
            self._worked_on[me] = _now(environ)

    def _start_watch(self) -> None:
        with self._lock:
            if self._watch is None:
                watch = threading.Thread(target=self._look_for_late, name="late bodies", daemon=True)
                watch.start()
                self._watch = watch

    def _look_for_late(self) -> None:
        pending: dict[int, float] = {}
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            if self._has_ended():
                return
            now = time.monotonic()
            waited_for = list(self._readings.values())
            if not any(now - reading.since > LOOK_EVERY_SECONDS / 2 for reading in waited_for):
                pending.clear()
                continue
            late = {reading.client for reading in waited_for if now - reading.since >= self._seconds}
            # Whose request only takes long is left alone, and so is everybody at that address.
            late -= {each.client for each in list(self._worked_on.values()) if now - each.since >= self._seconds}
            pending = _cut_off(pending, late, now, self._seconds)
            # Who is late all the same has hidden it: behind an earlier request, sent together with this one.
            hidden = {each.client for each in waited_for if now - each.since >= 2 * self._seconds} & late
            if hidden:
                _cut_off({}, hidden, now, self._seconds, even_idle=True)

    def _has_ended(self) -> bool:
        """Say if there is nothing to watch: a watch that went on would keep its app, and all that it has, for good.

        A reading that begins meanwhile either is seen here, or sees that there is no watch and starts another.
        """
        with self._lock:
            self._watch = None
            if self._readings:
                self._watch = threading.current_thread()
            return self._watch is None


class _Body(io.RawIOBase):
    """The body of a request, waited for when somebody wants to read it: refusals before that cost no waiting."""

    def __init__(self, environ: Environ, clients: SlowClients) -> None:
        super().__init__()
        self._environ, self._clients = environ, clients
        self._source: _Source = environ["wsgi.input"]
        self._whole: io.BytesIO | None = None

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``. All other ways to read come here, but one."""
        return self._fetched().readinto(buffer)

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        return self._fetched().read(size)

    def _fetched(self) -> io.BytesIO:
        if self._whole is None:
            self._whole = io.BytesIO(self._clients.read(self._environ, self._source))
        return self._whole


def _whole(answer: Iterable[bytes]) -> list[bytes]:
    """Return the answer as one piece: the server keeps it for slow readers, and no thread waits for them."""
    try:
        return [b"".join(answer)]
    finally:
        if close := getattr(answer, "close", None):
            close()


def _cut_off(
    pending: dict[int, float], late: set[Client], now: float, seconds: float, *, even_idle: bool = False
) -> dict[int, float]:
    """Shut the connections of ``late`` clients on which an answer has been owed for that long.

    ``pending`` has since when each socket (by its inode) was seen owing; returned is what it has now. With
    ``even_idle`` those go too on which nothing was sent for that long: HTTP lets a server close them at any time.
    """
    found: dict[int, float] = {}
    for connection in _connections():
        with connection, suppress(OSError):  # one that ends meanwhile
            owes, silent_seconds = _look_at(connection)
            if not owes and not even_idle:
                continue
            inode = os.fstat(connection.fileno()).st_ino
            found[inode] = since = pending.get(inode, now)
            owed_seconds = silent_seconds if even_idle else now - since + 2 * LOOK_EVERY_SECONDS
            if owed_seconds >= seconds and _client_of(connection) in late:
                connection.shutdown(socket.SHUT_RD)
    return found


def _connections() -> Iterator[socket.socket]:
    """Yield copies of this process's connections: what is done to them happens to the server's own."""
    if sys.platform != "linux":  # there the proxy in front has to do it
        return
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208, numbers and not paths
        with suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115
                continue
            connection = socket.socket(fileno=os.dup(int(name)))
            if connection.family in {socket.AF_INET, socket.AF_INET6} and connection.type == socket.SOCK_STREAM:
                yield connection
            connection.close()


def _client_of(connection: socket.socket) -> Client:
    return str(connection.getpeername()[0]).removeprefix("::ffff:"), str(connection.getsockname()[1])


def _look_at(connection: socket.socket) -> tuple[bool, float]:
    """Say if the client has sent something since it was last answered, and for how many seconds nothing was sent."""
    try:
        connection.getpeername()
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        sent_ms_ago, received_ms_ago, parts_sent = (
            struct.unpack_from("=I", info, at)[0] for at in (_LAST_SENT, _LAST_RECEIVED, _PARTS_SENT)
        )
    except (OSError, struct.error):  # a socket that listens, or one that has ended; an old Linux
        return False, 0.0
    owes = received_ms_ago < sent_ms_ago or parts_sent == 0
    return owes, sent_ms_ago / 1000
