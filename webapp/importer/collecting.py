"""When Python looks for cyclic garbage while chunks are applied: at their ends, and not in between."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

WHOLE_SEARCH_EVERY = 64
"""So often, counted in chunks, all that lives is looked through: runs that overlap leave no moment between them."""


class _Pause:
    """How many chunks are being applied at once by the threads of this process, and how many were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._applying = self._applied = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if not self._applying:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._applying += 1

    def end(self) -> None:
        with self._lock:
            self._applying -= 1
            self._applied += 1
            is_whole = self._applied % WHOLE_SEARCH_EVERY == 0
            if not self._applying and self._was_enabled:
                gc.enable()
        gc.collect(2 if is_whole else 0)


_pause = _Pause()


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Have no search for cyclic garbage in the block, whichever threads are in such blocks, and a short one after it.

    A chunk makes hundreds of thousands of objects that live until it is done and form no cycles. To look through them
    again and again takes longer than everything else.
    """
    _pause.begin()
    try:
        yield
    finally:
        _pause.end()
