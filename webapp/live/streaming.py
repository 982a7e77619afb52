"""The stream of a goal's new items: server-sent events. Source: HTML standard, 9.2.

Each stream has a thread of the server to itself. So only some are open at a time, each for less than half a minute;
the browser connects again by itself and goes on after the last item it got. Whoever finds no place gets what is new at
once and is told to come back later, which is polling. So does everybody while the process stops.
"""

import threading
import time
from collections.abc import Callable, Generator, Sequence

import orjson
import structlog
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from webapp.live.listing import ShownItem

STREAM_SECONDS = 25.0
LOOK_EVERY_SECONDS = 1.0
COME_BACK_MS = 1_000
COME_BACK_LATER_MS = 5_000
HEARTBEAT = ":\n\n"
"""A comment, so that proxies keep the connection and it is noticed when the browser has gone."""

Look = Callable[[int], Sequence[ShownItem]]

log = structlog.get_logger()


class LiveStreams:
    """So many streams may be open in this process."""

    def __init__(self, limit: int) -> None:
        self._places = threading.BoundedSemaphore(limit)
        self._is_ending = threading.Event()

    def end(self) -> None:
        """End all streams, those that are open now and those that are asked for later: the process stops."""
        self._is_ending.set()

    def events(self, look: Look, is_signed_in: Callable[[], bool], *, after: int) -> Generator[str, None, None]:
        """Yield what ``look`` finds after the item ``after``, and what comes, until the session or the time ends."""
        has_place = self._places.acquire(blocking=False)
        try:
            yield f"retry: {COME_BACK_MS if has_place else COME_BACK_LATER_MS}\n\n"
            ends_at = time.monotonic() + (STREAM_SECONDS if has_place else 0)
            while is_signed_in():
                found = look(after)
                after = found[-1].id if found else after
                yield "".join(map(_event, found)) or HEARTBEAT
                if time.monotonic() + LOOK_EVERY_SECONDS > ends_at:
                    break
                if self._is_ending.wait(LOOK_EVERY_SECONDS):
                    break
        except SQLAlchemyError as error:  # the browser comes back, perhaps to a database that is there again
            log.warning("live_stream_ended", reason=type(error).__name__)
        finally:
            if has_place:
                self._places.release()


def live_streams() -> LiveStreams:
    """Return the streams of the running app."""
    found: LiveStreams = current_app.extensions["live_streams"]
    return found


def _event(item: ShownItem) -> str:
    return f"id: {item.id}\ndata: {orjson.dumps(item.as_json()).decode()}\n\n"
