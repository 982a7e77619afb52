"""Ids of new profiles."""

import os
import time

_VARIANT = "89ab"
"""The first digits of the part after the version: of its four bits the first two are 10."""


def new_id() -> str:
    """Return a profile id that nobody guesses, and that is greater than those of earlier moments.

    So new profiles, and what points at them, are neighbours in every index: with ids all over the place, each would
    change pages of its own, and writing those takes longer than all else about a profile. Source: RFC 9562, 5.7
    (UUID version 7: milliseconds since 1970, then 74 random bits) and 6.13.
    """
    milliseconds = f"{time.time_ns() // 1_000_000:012x}"
    random = os.urandom(10)
    digits = random.hex()
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7{digits[:3]}-{_VARIANT[random[1] & 3]}{digits[4:7]}-{digits[8:]}"
