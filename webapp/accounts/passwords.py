"""Passwords of admins: what is long enough, and how it is kept (Argon2id, RFC 9106)."""

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1000

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the hash to keep, with its salt and costs in it."""
    return _hasher.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Say if ``password`` is the one that was hashed.

    Without a hash (no such admin) the answer is no, after the same work: the time must not tell which addresses exist.
    """
    try:
        return _hasher.verify(password_hash or _hash_of_nobody(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def needs_new_hash(password_hash: str) -> bool:
    """Say if the hash was made with lower costs than today's."""
    return _hasher.check_needs_rehash(password_hash)


def weakness(password: str, email: str) -> str | None:
    """Return what is wrong with a new password, or None. Length is what counts (NIST SP 800-63B, 3.1.1.2)."""
    if len(password) < MIN_CHARACTERS:
        return f"Use at least {MIN_CHARACTERS} characters: a few words make a good password."
    if len(password) > MAX_CHARACTERS:
        return f"Use at most {MAX_CHARACTERS} characters."
    if password.strip().casefold() == email.strip().casefold():
        return "Use something else than your e-mail address."
    if len(set(password)) < 4:
        return "Use more than a few different characters."
    return None


@lru_cache(maxsize=1)
def _hash_of_nobody() -> str:
    return _hasher.hash("nobody has this password")
