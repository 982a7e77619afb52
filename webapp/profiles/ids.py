"""Ids of new profiles."""

import os
import time
from collections.abc import Iterator

_VARIANT = "89ab"
"""The first digits of the part after the version: of its four bits the first two are 10."""
_RANDOM_BYTES = 10
_DRAWN_AT_ONCE = 100


def new_id() -> str:
    """Return a profile id that nobody guesses, and that is greater than those of earlier moments.

    So new profiles, and what points at them, are neighbours in every index: with ids all over the place, each would
    change pages of its own, and writing those takes longer than all else about a profile. Source: RFC 9562, 5.7
    (UUID version 7: milliseconds since 1970, then 74 random bits) and 6.13.
    """
    return next(new_ids(1))


def new_ids(drawn_at_once: int = _DRAWN_AT_ONCE) -> Iterator[str]:
    """Yield what `new_id` returns, for one thread. To ask the system for random bytes one by one takes longer."""
    while True:
        drawn = os.urandom(_RANDOM_BYTES * drawn_at_once)
        for start in range(0, len(drawn), _RANDOM_BYTES):
            random = drawn[start : start + _RANDOM_BYTES]
            digits, milliseconds = random.hex(), f"{time.time_ns() // 1_000_000:012x}"
            variant = _VARIANT[random[1] & 3]
            yield f"{milliseconds[:8]}-{milliseconds[8:]}-7{digits[:3]}-{variant}{digits[4:7]}-{digits[8:]}"
