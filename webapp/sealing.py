"""Secrets at rest, and names for people in logs: both made from the keys in ``WEBSYNC_SECRET_KEYS``."""

import hmac
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app


class SealBrokenError(Exception):
    """A stored secret was sealed with a key that is no longer in ``WEBSYNC_SECRET_KEYS``."""


class Sealer:
    """Seals secrets with the newest key and opens what any of the keys sealed. ``keys`` are Fernet keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._keys = tuple(keys)
        self._pseudonym_key = self.derived_keys("pseudonyms")[0].encode()
        self.pseudonym = lru_cache(maxsize=1024)(self._make_pseudonym)
        """Returns a short name for a person's id: the same for the same id, and of no use without the key."""

    def seal(self, secret: str) -> str:
        """Return ``secret`` encrypted, as text for a database column."""
        return self._fernet.encrypt(secret.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Return what `seal` was given. Raises SealBrokenError."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            message = "A stored secret cannot be opened: put the key that sealed it back into WEBSYNC_SECRET_KEYS."
            raise SealBrokenError(message) from error

    def is_current(self, sealed: str, secret: str) -> bool:
        """Say if ``sealed`` is ``secret``, sealed with the newest key: then nothing is to be gained by sealing anew."""
        try:
            return Fernet(self._keys[0]).decrypt(sealed.encode()).decode() == secret
        except InvalidToken:
            return False

    def derived_keys(self, purpose: str) -> list[str]:
        """Return one key for ``purpose`` for each secret key, newest first. Source: RFC 5869."""
        return [
            HKDF(SHA256(), length=32, salt=None, info=f"websync {purpose}".encode()).derive(key.encode()).hex()
            for key in self._keys
        ]

    def _make_pseudonym(self, identifier: str) -> str:
        return hmac.digest(self._pseudonym_key, identifier.encode(), "sha256").hex()[:12]


def sealer() -> Sealer:
    """Return the sealer of the running app."""
    found: Sealer = current_app.extensions["sealer"]
    return found
