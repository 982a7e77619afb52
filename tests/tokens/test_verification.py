"""Verification, check by check: what a hostile token may try."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from snippets.goals import TokenKind
from tests.factories import make_goal
from tests.tokens.issuer import Issuer, encoded, signed_text
from webapp.auth0.signing_keys import KeyCache, UnknownKeyError
from webapp.connections.goals import LiveGoal
from webapp.errors import WebsyncError
from webapp.tokens.refusals import TokenRefusedError, TokenTooLargeError
from webapp.tokens.verification import VerifiedClaims, verify_token

API = "https://websync.example/api"
NOW = int(time.time())
LEEWAY = 30
GOOD_HEADER = json.dumps({"alg": "RS256", "kid": "first"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.clock = lambda: NOW
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def keys() -> KeyCache:
    return KeyCache()


def verify(issuer: Issuer, keys: KeyCache, token: str, *, at: int = NOW, **changes: Any) -> VerifiedClaims:
    goal = LiveGoal(1, make_goal(**changes), True, issuer.tenant)
    return verify_token(token, goal, keys, now=datetime.fromtimestamp(at, UTC), leeway_seconds=LEEWAY)


def refusal(issuer: Issuer, keys: KeyCache, token: str, **changes: Any) -> str:
    with pytest.raises(WebsyncError) as raised:
        verify(issuer, keys, token, **changes)
    assert raised.value.status == 401
    return raised.value.slug


def test_a_good_token_is_believed(issuer: Issuer, keys: KeyCache) -> None:
    # given
    token = issuer.token({"email": "ann@example.org"}, iat=NOW, exp=NOW + 60)
    # when
    claims = verify(issuer, keys, token)
    # then
    assert (claims.issuer, claims.subject, claims.audience) == (issuer.tenant.issuer, "auth0|ann", ("shop-client",))
    assert claims.claims["email"] == "ann@example.org"
    assert claims.expires_at == datetime.fromtimestamp(NOW + 60, UTC)


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"exp": NOW - LEEWAY, "iat": NOW - 60}, "token-expired"),
        ({"iat": NOW + LEEWAY + 1}, "token-not-yet-valid"),
        ({"nbf": NOW + LEEWAY + 1}, "token-not-yet-valid"),
        ({"exp": None}, "token-malformed"),
        ({"iat": None}, "token-malformed"),
        ({"exp": True}, "token-malformed"),
        ({"exp": float(NOW + 60)}, "token-malformed"),
        ({"exp": str(NOW + 60)}, "token-malformed"),
        ({"exp": 10**15}, "token-malformed"),
        ({"exp": 10**400}, "token-malformed"),
        ({"iat": -1}, "token-malformed"),
        ({"nbf": "soon"}, "token-malformed"),
        ({"iss": None}, "token-issuer"),
        ({"iss": ["https://evil.example/"]}, "token-issuer"),
        ({"aud": None}, "token-malformed"),
        ({"aud": []}, "token-malformed"),
        ({"aud": [1]}, "token-malformed"),
        ({"aud": {"shop-client": 1}}, "token-malformed"),
        ({"aud": "shop-clien"}, "token-audience"),
        ({"aud": "Shop-Client"}, "token-audience"),
        ({"aud": ["shop-client", "other"]}, "token-audience"),
        ({"aud": ["shop-client", "other"], "azp": "other"}, "token-audience"),
        ({"azp": "other"}, "token-audience"),
        ({"azp": ["shop-client"]}, "token-malformed"),
        ({"sub": None}, "token-subject"),
        ({"sub": ""}, "token-subject"),
        ({"sub": 7}, "token-subject"),
        ({"sub": "a" * 256}, "token-subject"),
        ({"sub": "auth0|\0"}, "token-subject"),
        ({"sub": "auth0|\ud800"}, "token-subject"),
        ({"sub": "abc@clients"}, "token-subject"),
        ({"gty": "client-credentials"}, "token-subject"),
    ],
)
def test_a_claim_that_is_wrong_has_its_own_slug(
    issuer: Issuer, keys: KeyCache, changes: dict[str, Any], slug: str
) -> None:
    assert refusal(issuer, keys, issuer.token(changes)) == slug


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - LEEWAY + 1, "iat": NOW - 60},
        {"iat": NOW + LEEWAY},
        {"nbf": NOW + LEEWAY},
        {"aud": ["shop-client", "other"], "azp": "shop-client"},
        {"aud": ["shop-client"]},
        {"sub": "samlp|my-conn|jane@x.org"},
    ],
)
def test_what_is_just_inside_the_rules_passes(issuer: Issuer, keys: KeyCache, changes: dict[str, Any]) -> None:
    assert verify(issuer, keys, issuer.token(changes))


@pytest.mark.parametrize(
    ("headers", "slug"),
    [
        ({"crit": ["exp"], "exp": 1}, "token-extension"),
        ({"typ": "at+jwt"}, "token-kind"),
        ({"typ": "application/at+JWT"}, "token-kind"),
        ({"typ": "logout+jwt"}, "token-kind"),
        ({"kid": "second"}, "token-key-unknown"),
        ({"kid": "x" * 300}, "token-malformed"),
    ],
)
def test_a_header_that_asks_for_more_is_refused(
    issuer: Issuer, keys: KeyCache, headers: dict[str, Any], slug: str
) -> None:
    assert refusal(issuer, keys, issuer.token(headers=headers)) == slug


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS512", "PS256", "rs256", "", None, ["RS256"], 1])
def test_the_algorithm_is_pinned(issuer: Issuer, keys: KeyCache, algorithm: object) -> None:
    # given a token that names an algorithm of its own choice over a good signature
    token = signed_text(json.dumps({"alg": algorithm, "kid": "first"}), json.dumps(issuer.claims()))
    # then
    assert refusal(issuer, keys, token) == "token-algorithm"


def test_a_key_verifies_no_other_algorithm_than_its_own(issuer: Issuer) -> None:
    # given a tenant that keeps its key for another algorithm
    issuer.keys, kept = [issuer.keys[0] | {"alg": "PS256"}], issuer.keys
    # then an RS256 signature of the same key is refused
    assert refusal(issuer, KeyCache(), issuer.token()) == "token-algorithm"
    issuer.keys = kept


@pytest.mark.parametrize("key", ["first", "foreign"])
@pytest.mark.parametrize(
    "hostile",
    [{"jwk": {"kty": "RSA"}}, {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example/x"}, {"x5c": ["A"]}],
)
def test_a_token_that_brings_a_key_is_refused_whoever_signed_it(
    issuer: Issuer, keys: KeyCache, hostile: dict[str, Any], key: str
) -> None:
    token = issuer.token(key=key, headers={"kid": "first", **hostile})
    assert refusal(issuer, keys, token) == "token-embedded-key"


@pytest.mark.parametrize(
    "token",
    [
        signed_text('{"alg":"RS256","alg":"RS256","kid":"first"}', "{}"),
        signed_text(GOOD_HEADER, '{"sub":"a","sub":"b"}'),
        signed_text(GOOD_HEADER, '{"a":{"b":1,"b":2}}'),
        signed_text(GOOD_HEADER, '{"exp":NaN}'),
        signed_text(GOOD_HEADER, "[]"),
        signed_text(GOOD_HEADER, "x"),
        signed_text(GOOD_HEADER, b"\xff"),
        signed_text(GOOD_HEADER, '{"a":' + "[" * 5000),
        signed_text("[]", "{}"),
        signed_text('{"alg":"RS256","kid":7}', "{}"),
        signed_text('{"alg":"RS256","typ":7}', "{}"),
        "...".replace("...", ".."),
        "ä.b.c",
        "a b.c.d",
    ],
)
def test_text_that_is_no_jwt_is_malformed(issuer: Issuer, keys: KeyCache, token: str) -> None:
    assert refusal(issuer, keys, token) == "token-malformed"


@pytest.mark.parametrize("change", [lambda token: token + "=", lambda token: token + "\n", lambda token: " " + token])
def test_another_spelling_of_a_token_is_not_another_token(issuer: Issuer, keys: KeyCache, change: Any) -> None:
    # a token that could be written in two ways would have two digests, and would be applied twice
    assert refusal(issuer, keys, change(issuer.token())) == "token-malformed"


def test_spare_bits_of_the_signature_are_no_second_spelling(issuer: Issuer, keys: KeyCache) -> None:
    # given the last character of a 256-byte signature, of which two bits count
    token = issuer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = alphabet[alphabet.index(token[-1]) + 1]
    # then the same bytes in another spelling are refused
    assert refusal(issuer, keys, token[:-1] + other) == "token-malformed"


def test_a_token_over_the_limit_is_not_even_parsed(issuer: Issuer, keys: KeyCache) -> None:
    with pytest.raises(TokenTooLargeError):
        verify(issuer, keys, "a" * (16 * 1024 + 1))


@pytest.mark.parametrize(
    ("token", "slug"), [("abc", "token-opaque"), ("a.b", "token-opaque"), ("a..b.c.d", "token-encrypted")]
)
def test_other_forms_of_tokens_say_what_they_are(issuer: Issuer, keys: KeyCache, token: str, slug: str) -> None:
    assert refusal(issuer, keys, token) == slug


def access_goal(**changes: Any) -> dict[str, Any]:
    return {"token_kind": TokenKind.ACCESS_TOKEN, "audiences": (API,)} | changes


@pytest.mark.parametrize(
    ("claims", "headers", "goal"),
    [
        ({"aud": API, "azp": "shop-client"}, {}, {}),
        ({"aud": [API, "https://x/userinfo"], "azp": "shop-client"}, {}, {}),
        ({"aud": API, "client_id": "shop-client", "jti": "1"}, {"typ": "at+jwt"}, {}),
        ({"aud": API, "azp": "anybody"}, {}, {"client_ids": ()}),
    ],
)
def test_access_tokens_of_both_profiles_pass(
    issuer: Issuer, keys: KeyCache, claims: dict[str, Any], headers: dict[str, Any], goal: dict[str, Any]
) -> None:
    assert verify(issuer, keys, issuer.token(claims, headers=headers), **access_goal(**goal)).subject == "auth0|ann"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example/api", "azp": "shop-client"},
        {"aud": "shop-client", "azp": "shop-client"},
        {"aud": API},
        {"aud": API, "azp": "other"},
        {"aud": API, "azp": "shop-client", "client_id": "other"},
    ],
)
def test_access_tokens_for_others_are_refused(issuer: Issuer, keys: KeyCache, claims: dict[str, Any]) -> None:
    assert refusal(issuer, keys, issuer.token(claims), **access_goal()) == "token-audience"


def test_a_refusal_never_says_what_would_have_been_right(issuer: Issuer, keys: KeyCache) -> None:
    # given tokens with one wrong claim each
    tokens = [issuer.token({"iss": "https://evil.example/"}), issuer.token({"aud": "other"})]
    for token in tokens:
        # when they are refused
        with pytest.raises(TokenRefusedError) as raised:
            verify(issuer, keys, token)
        # then the reason is in general words
        said = f"{raised.value.detail} {raised.value.members}"
        assert issuer.tenant.base_url not in said
        assert "shop-client" not in said


def test_no_key_id_will_do_while_the_tenant_has_one_key(issuer: Issuer, keys: KeyCache) -> None:
    # given a token whose header has no kid
    token = signed_text('{"alg":"RS256"}', json.dumps(issuer.claims()))
    # then
    assert verify(issuer, keys, token)
    # and a tenant with two keys has to say which
    issuer.keys.append(issuer.keys[0] | {"kid": "second"})
    with pytest.raises(UnknownKeyError):
        verify(issuer, KeyCache(), token)
    issuer.keys.pop()


def test_the_header_may_be_anything_but_must_be_encoded(issuer: Issuer, keys: KeyCache) -> None:
    assert refusal(issuer, keys, f"{encoded('{}')}.{encoded('{}')}.{encoded('x')}") == "token-algorithm"
