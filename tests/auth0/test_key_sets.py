"""Reading what a tenant publishes: which keys are taken, and for what."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.tokens.issuer import ec_jwk, signing_key
from webapp.auth0.key_sets import InvalidKeySetError, KeySet, read_key_set


def read(*jwks: object) -> KeySet:
    return read_key_set(json.dumps({"keys": jwks}))


@pytest.mark.parametrize(
    "unfit",
    [
        {"kty": "EC"},
        {"kty": ["RSA"]},
        {"kty": None},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"use": "enc"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"alg": "ES256"},
        {"alg": 256},
        {"n": "!"},
        {"n": None},
        {"e": None},
        {"e": 3},
        {"kid": 7},
        {"kid": ["unfit"]},
        {"n": "AQAB"},
        {"n": "_" * 4000},
        {"e": "A" * 9000},
        {"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"},
        ec_jwk("unfit", ec.SECP384R1()),
        ec_jwk("unfit", ec.SECP256K1()),
        ec_jwk("unfit", ec.SECP256R1()) | {"alg": "RS256"},
    ],
)
def test_keys_of_other_kinds_are_left_out_one_by_one(unfit: dict[str, Any]) -> None:
    # given a key set with one key that is unfit, junk, and a key that is fine
    keys = read(signing_key("unfit").as_jwk(**unfit), "no key", None, [], signing_key("first").as_jwk(use=None))
    # then only that one is a key
    assert list(keys.by_id) == ["first"]
    assert keys.only is keys.find("first")


@pytest.mark.parametrize("bits", [1024, 2040])
def test_a_short_key_signs_nothing(bits: int) -> None:
    with pytest.raises(InvalidKeySetError):
        read(signing_key("short", bits).as_jwk())


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (signing_key("first").as_jwk(alg=None), {"RS256", "PS256"}),
        (signing_key("first").as_jwk(alg="RS256"), {"RS256"}),
        (signing_key("first").as_jwk(alg="PS256"), {"PS256"}),
        (ec_jwk("first", ec.SECP256R1()), {"ES256"}),
        (ec_jwk("first", ec.SECP256R1()) | {"alg": "ES256"}, {"ES256"}),
    ],
)
def test_a_key_is_for_the_algorithms_of_its_kind_or_for_the_one_that_it_names(
    jwk: dict[str, Any], algorithms: set[str]
) -> None:
    key = read(jwk).find("first")
    assert key is not None
    assert key.algorithms == algorithms


def test_of_two_keys_with_one_id_the_first_is_meant() -> None:
    # given a tenant that gave one id to two keys
    keys = read(signing_key("first").as_jwk(), signing_key("second").as_jwk(kid="first"))
    # then the id means the first
    found = keys.find("first")
    assert found is not None
    assert found.public_key.public_numbers() == signing_key("first").private.public_key().public_numbers()
    # and a token without an id fits neither
    assert keys.find(None) is None


def test_keys_without_an_id_are_for_tokens_without_one_if_there_is_just_one() -> None:
    # given a key without an id
    assert read(signing_key("first").as_jwk(kid=None)).find(None) is not None
    # then it is nobody's that names one
    assert read(signing_key("first").as_jwk(kid=None)).find("first") is None
    # and of two, no token says which
    assert read(signing_key("first").as_jwk(kid=None), signing_key("second").as_jwk(kid=None)).find(None) is None


@pytest.mark.parametrize(
    "text", [b"", b"<html>", b"[]", b"null", b'{"keys": 1}', b'{"keys": []}', b'{"key": []}', b"\xff", b"[" * 100_000]
)
def test_text_that_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidKeySetError):
        read_key_set(text)


def test_a_set_with_very_many_keys_is_read_to_a_bound() -> None:
    assert len(read(*[signing_key("first").as_jwk(kid=f"key-{number}") for number in range(1000)]).jwks) == 20


def test_what_is_kept_of_a_set_is_what_was_used_of_it() -> None:
    # given keys with certificates, a private member, and a key that is not taken
    secretive = signing_key("first").as_jwk(x5c=["MIIB"], d="secret", alg=None)
    keys = read(secretive, ec_jwk("curve", ec.SECP256R1()), {"kty": "oct", "k": "secret"})
    # when the set is kept and read again
    text = keys.as_json()
    again = read_key_set(text)
    # then it is the same, without what has no say
    assert "secret" not in text
    assert "MIIB" not in text
    assert {kid: key.algorithms for kid, key in again.by_id.items()} == {
        "first": {"RS256", "PS256"},
        "curve": {"ES256"},
    }
