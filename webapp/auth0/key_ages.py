"""How long a tenant's signing keys are believed, and when they are fetched again (signing_keys.py fetches them).

Source: Auth0, "JSON Web Key Sets" (keep them for 5 to 10 minutes; limit what unknown key ids fetch) and "Rotate signing
keys" (the next key is published before it signs, the previous one until it is revoked).
"""

import math
from dataclasses import dataclass
from enum import Enum, auto

from webapp.auth0.key_sets import NO_KEYS, KeySet

REFRESH_SECONDS = 300
"""Older keys are still good, but fetched again in the background."""
FRESH_SECONDS = 600
"""Older keys are believed only while the tenant cannot be reached: so long does a revoked key live on here."""
LAST_GOOD_SECONDS = 86_400
"""Older keys are believed by nobody: so long does a key live on that is revoked while the tenant cannot be reached."""
OUTAGE_SECONDS = 60
"""How long after a failed fetch a tenant counts as one that cannot be reached."""
RETRY_SECONDS = 5
"""How long after a failed fetch there is no other."""
UNKNOWN_KEY_SECONDS = 60
"""Tokens with unknown key ids fetch the keys at most once in this time, however many they are."""
CLOCK_SECONDS = 60
"""So much may clocks of several machines differ, or be set back, before what was noted counts for nothing."""


@dataclass(frozen=True, slots=True)
class TenantKeys:
    """What is known of one tenant's keys. Moments are in epoch seconds.

    ``failed_at`` is when a fetch failed since the last good one, ``hunted_at`` when an unknown key id had one made.
    """

    keys: KeySet = NO_KEYS
    fetched_at: float | None = None
    failed_at: float | None = None
    hunted_at: float | None = None

    def fetched(self, keys: KeySet, at: float, *, is_hunt: bool = False) -> "TenantKeys":
        """Return what is known when these keys have come."""
        return TenantKeys(keys, at, None, at if is_hunt else self.hunted_at)

    def failed(self, at: float, *, is_hunt: bool = False) -> "TenantKeys":
        """Return what is known when no keys came: those of before, and that the tenant cannot be reached."""
        return TenantKeys(self.keys, self.fetched_at, at, at if is_hunt else self.hunted_at)

    def age(self, now: float) -> float:
        """Return the seconds since the keys were fetched."""
        return age(self.fetched_at, now)

    def is_out(self, now: float) -> bool:
        """Say if the tenant was tried just now and could not be reached."""
        return age(self.failed_at, now) < OUTAGE_SECONDS

    def is_believed(self, now: float) -> bool:
        """Say if tokens may be verified by these keys."""
        return self.age(now) < (LAST_GOOD_SECONDS if self.is_out(now) else FRESH_SECONDS)


class Need(Enum):
    """What a token needs before its key can be chosen."""

    NOTHING = auto()
    REFRESH = auto()
    """New keys soon; those of now will do meanwhile."""
    FETCH = auto()
    """New keys first: those of now cannot be believed."""
    HUNT = auto()
    """New keys first: those of now are good, but its own is not among them."""


def age(moment: float | None, now: float) -> float:
    """Return the seconds since ``moment``. If that never was, or is yet to come, it is an eternity."""
    if moment is None or moment - now > CLOCK_SECONDS:
        return math.inf
    return max(0.0, now - moment)


def need_of(known: TenantKeys, kid: str | None, now: float) -> Need:
    """Return what a token of the key ``kid`` needs."""
    may_try = age(known.failed_at, now) >= RETRY_SECONDS
    if not known.is_believed(now):
        return Need.FETCH if may_try else Need.NOTHING
    may_hunt = known.age(now) < FRESH_SECONDS and age(known.hunted_at, now) >= UNKNOWN_KEY_SECONDS
    if may_try and may_hunt and known.keys.find(kid) is None:
        return Need.HUNT
    return Need.REFRESH if may_try and known.age(now) >= REFRESH_SECONDS else Need.NOTHING
