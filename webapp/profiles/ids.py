"""Ids of new profiles."""

import os
import time


def new_id() -> str:
    """Return a profile id that nobody guesses, and that is greater than those of earlier moments.

    So new profiles, and what points at them, are neighbours in every index: with ids all over the place, each would
    change pages of its own, and writing those takes longer than all else about a profile. Source: RFC 9562, 5.7
    (UUID version 7: milliseconds since 1970, then 74 random bits) and 6.13.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    number = milliseconds << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
