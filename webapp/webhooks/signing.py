"""Secrets and signatures of webhooks. Source: Standard Webhooks 1.0.0, "Signature scheme"."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
MIN_BYTES, MAX_BYTES = 24, 64


class InvalidSecretError(ValueError):
    """That is no secret by which a webhook can be signed. The message says what one looks like."""


def make_secret() -> str:
    """Return a new secret, as receivers are given it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_secret(text: str) -> bytes:
    """Return the bytes of a secret. Raises InvalidSecretError, whose message holds nothing of it."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else b""
    except binascii.Error:
        key = b""
    if not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise InvalidSecretError(f"It must be {PREFIX} and {MIN_BYTES} to {MAX_BYTES} random bytes as Base64.")
    return key


def signed_headers(key: str, body: bytes, known_secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the headers of a webhook. ``key`` is the same at each try; each of the secrets signs, so that either
    of two is enough for a receiver while one takes the other's place.
    """
    seconds = str(int(now.timestamp()))
    signed = b".".join((key.encode(), seconds.encode(), body))
    signatures = (hmac.digest(read_secret(each), signed, "sha256") for each in known_secrets)
    return {
        "webhook-id": key,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }
