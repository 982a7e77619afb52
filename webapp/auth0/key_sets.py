"""What a tenant publishes of its signing keys: a JSON Web Key Set, read with distrust.

Source: RFC 7517; RFC 7518, 6; RFC 8725, 3.1; Auth0, "JSON Web Key Set Properties".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RSA_ALGORITHMS = frozenset({"RS256", "PS256"})
EC_ALGORITHMS = frozenset({"ES256"})
MAX_KEYS = 20
MIN_KEY_BITS = 2048
MAX_KEY_BITS = 8192

_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}

Json = Mapping[str, Any]


class InvalidKeySetError(ValueError):
    """The text is no key set, or has no key that can be used. The message repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of a tenant, and the algorithms (RFC 7518, 3.1) whose signatures it may verify, and no others."""

    public_key: RSAPublicKey | EllipticCurvePublicKey
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a tenant that can be used, by their ids. ``only`` is there if the tenant has just one."""

    by_id: Mapping[str | None, SigningKey]
    only: SigningKey | None
    jwks: tuple[Json, ...]

    def find(self, kid: str | None) -> SigningKey | None:
        """Return the key with this id, or without an id the only one."""
        return self.only if kid is None else self.by_id.get(kid)

    def as_json(self) -> str:
        """Return the set as a tenant would publish it, with nothing in it but what was used."""
        return json.dumps({"keys": self.jwks})


NO_KEYS = KeySet({}, None, ())


def read_key_set(text: str | bytes) -> KeySet:
    """Return the usable keys of a JWKS. Keys of other kinds are left out, one by one. Raises InvalidKeySetError."""
    try:
        listed = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidKeySetError("the answer is no key set") from error
    if not isinstance(listed, list):
        raise InvalidKeySetError("the answer is no key set")
    pairs = [(jwk, key) for jwk in listed[:MAX_KEYS] if isinstance(jwk, dict) and (key := _prepare(jwk)) is not None]
    if not pairs:
        raise InvalidKeySetError("the key set has no key that can be used")
    by_id: dict[str | None, SigningKey] = {}
    for jwk, key in pairs:
        by_id.setdefault(jwk.get("kid"), key)  # of two keys with one id the first is meant
    return KeySet(by_id, pairs[0][1] if len(pairs) == 1 else None, tuple(_published(jwk) for jwk, _ in pairs))


def _prepare(jwk: Json) -> SigningKey | None:
    possible = {"RSA": RSA_ALGORITHMS, "EC": EC_ALGORITHMS}.get(str(jwk.get("kty")), frozenset[str]())
    # A key that names an algorithm is for that one alone.
    algorithms = frozenset(name for name in possible if jwk.get("alg", name) == name)
    if not algorithms or jwk.get("use", "sig") != "sig" or not isinstance(jwk.get("kid"), str | None):
        return None
    public_key = _public_key(jwk)
    return None if public_key is None else SigningKey(public_key, algorithms)


def _public_key(jwk: Json) -> RSAPublicKey | EllipticCurvePublicKey | None:
    # Only the public numbers: certificates and private members have no say here.
    numbers = {name: jwk.get(name) for name in _PUBLIC_MEMBERS[jwk["kty"]]}
    if not all(isinstance(number, str) and len(number) <= MAX_KEY_BITS for number in numbers.values()):
        return None
    try:
        key = jwt.PyJWK(numbers | {"kty": jwk["kty"]}, "RS256" if jwk["kty"] == "RSA" else "ES256").key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key, RSAPublicKey):
        return key if MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS else None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def _published(jwk: Json) -> Json:
    names = ("kty", "kid", "use", "alg", *_PUBLIC_MEMBERS[jwk["kty"]])
    return {name: jwk[name] for name in names if name in jwk}
