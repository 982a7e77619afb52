"""Signing and reading the demo tenant's tokens, and its key set."""

import base64
import hashlib
import json
import secrets
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import RSAAlgorithm

Data = dict[str, Any]


def private_key(signing_key: Data) -> RSAPrivateKey:
    """Return the key of a stored ``{kid, private_pem}``."""
    key = load_pem_private_key(signing_key["private_pem"].encode("ascii"), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the tenant signs with RSA keys")
    return key


def key_set(signing_keys: list[Data]) -> Data:
    """Return the public keys as a JWKS."""
    return {"keys": [_public_jwk(signing_key) for signing_key in signing_keys]}


def _public_jwk(signing_key: Data) -> Data:
    jwk: Data = json.loads(RSAAlgorithm.to_jwk(private_key(signing_key).public_key()))
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": signing_key["kid"], "n": jwk["n"], "e": jwk["e"]}


def sign(signing_key: Data, claims: Data) -> str:
    """Return a compact RS256 JWS with ``typ`` JWT, as Auth0's default token profile has it."""
    headers = {"kid": signing_key["kid"], "typ": "JWT"}
    return jwt.encode(claims, private_key(signing_key), algorithm="RS256", headers=headers)


def verified_claims(signing_keys: list[Data], token: str, *, audience: str, issuer: str, now: int) -> Data:
    """Return the claims of a token that this tenant signed. Raises jwt.InvalidTokenError.

    ``now`` is the time by the clock that also set the token's, in epoch seconds.
    """
    kid = jwt.get_unverified_header(token).get("kid")
    key = next((key for key in signing_keys if key["kid"] == kid), None)
    if key is None:
        raise jwt.InvalidTokenError("unknown key")
    claims: Data = jwt.decode(
        token,
        private_key(key).public_key(),
        algorithms=["RS256"],
        audience=audience,
        issuer=issuer,
        options={"verify_exp": False, "verify_iat": False},
    )
    if claims["exp"] <= now:
        raise jwt.ExpiredSignatureError
    return claims


def token_digest(token: str) -> str:
    """Return the name under which an issued token is remembered; the token itself isn't kept."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def at_hash(access_token: str) -> str:
    """Return what ties an ID token to the access token beside it. Source: OpenID Connect Core 1.0, 3.2.2.9."""
    digest = hashlib.sha256(access_token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode("ascii")


def opaque_token() -> str:
    """Return a token, code or session id that nobody guesses."""
    return secrets.token_urlsafe(32)
