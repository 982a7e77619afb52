"""Ids of new profiles."""

import os
import time
from collections.abc import Iterator

_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""What becomes of the random digit after the version's part: of its four bits the first two are 10."""
_RANDOM_DIGITS = 20
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
    last_ms, beginning = 0, ""
    while True:
        drawn = os.urandom(_RANDOM_DIGITS // 2 * drawn_at_once).hex()
        for start in range(0, len(drawn), _RANDOM_DIGITS):
            if (now_ms := time.time_ns() // 1_000_000) != last_ms:
                last_ms, moment = now_ms, f"{now_ms:012x}"
                beginning = f"{moment[:8]}-{moment[8:]}-7"
            digits = drawn[start : start + _RANDOM_DIGITS]
            yield f"{beginning}{digits[:3]}-{_VARIANTS[digits[3]]}{digits[4:7]}-{digits[8:]}"
