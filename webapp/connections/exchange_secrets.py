"""The secrets by which a goal's Action calls Websync: made here, sealed in the database, kept by Auth0 as well."""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress

from webapp.connections.models import Goal
from webapp.sealing import SealBrokenError, Sealer

KEPT = 2
"""A new secret does not end the one before: until the Action is deployed again, logins go on with that."""


def new_secret(goal: Goal, sealer: Sealer) -> str:
    """Return a new secret of ``goal``, a row that the caller has locked. The one before stays good, older ones end."""
    secret = secrets.token_urlsafe(32)
    goal.sealed_exchange_secrets = [sealer.seal(secret), *goal.sealed_exchange_secrets][:KEPT]
    return secret


def usable_secret(goal: Goal, sealer: Sealer) -> str | None:
    """Return the secret that the Action should have; None if there is none, or none that can still be opened."""
    return next(_opened(goal.sealed_exchange_secrets[:1], sealer), None)


def is_secret(given: str, sealed: Sequence[str], sealer: Sealer) -> bool:
    """Say if ``given`` is one of the ``sealed`` secrets, in a time that tells nothing of them.

    One that cannot be opened any more, since its key is gone from the settings, is nobody's.
    """
    matches = [hmac.compare_digest(given.encode(), known.encode()) for known in _opened(sealed, sealer)]
    return any(matches)


def _opened(sealed: Sequence[str], sealer: Sealer) -> Iterator[str]:
    for each in sealed:
        with suppress(SealBrokenError):
            yield sealer.unseal(each)


def secret_digest(secret: str | None) -> str:
    """Return by what a deployed secret is recognised: SHA-256 as hex, or nothing for none."""
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""
