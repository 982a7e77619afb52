"""What a goal asks of tokens beyond the usual: each option lets the right tokens in, and no others."""

import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from jwt.algorithms import ECAlgorithm
from sqlalchemy import update

from snippets.goals import TokenKind
from snippets.policy import SigningAlgorithm, TokenPolicy
from tests.tokens.conftest import Shop
from tests.tokens.issuer import encoded, signing_key
from webapp.connections.goals import LiveGoal
from webapp.connections.models import Goal
from webapp.profiles.store import ProfileState
from webapp.tokens.planning import Outcome
from webapp.tokens.recent import RecentTokens
from webapp.tokens.verification import check_claims

API = "https://websync.example/api"
SECRET = "a client secret of the shop's application in Auth0"
PS256, ES256, HS256 = (SigningAlgorithm[name] for name in ("PS256", "ES256", "HS256"))
Sign = Callable[[bytes], bytes]


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """One database: policies are decided before it is asked."""
    return make_sqlite()


def now() -> int:
    return int(time.time())


def token(shop: Shop, algorithm: str, sign: Sign, kid: str | None = "first", **claims: Any) -> str:
    header = {"alg": algorithm, "typ": "JWT"} | ({"kid": kid} if kid else {})
    text = f"{encoded(json.dumps(header))}.{encoded(json.dumps(shop.issuer.claims(**claims)))}"
    return f"{text}.{encoded(sign(text.encode()))}"


def by_pss(text: bytes, salt: int = 32) -> bytes:
    return signing_key("first").private.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())


def by_secret(secret: str = SECRET) -> Sign:
    return lambda text: hmac.new(secret.encode(), text, "sha256").digest()


def outcome(shop: Shop, posted: str) -> tuple[int, str]:
    """Return the status, and the check that failed or the state."""
    response = shop.post(posted)
    answer = response.get_json()
    return response.status_code, answer.get("check") or answer.get("state") or answer["type"].rpartition("/")[2]


def policy_shop(make_shop: Callable[..., Shop], secret: str = "", **policy: Any) -> Shop:
    return make_shop(token_policy=TokenPolicy(**policy), signing_secret=secret)


def test_ps256_by_a_key_that_names_no_algorithm(make_shop: Callable[..., Shop]) -> None:
    # given a tenant that signs with PS256, and whose key leaves its algorithm open
    shop = policy_shop(make_shop, algorithms=(PS256,))
    shop.issuer.keys[0] = signing_key("first").as_jwk(alg=None)
    # then its tokens are taken, and neither RS256's nor those with a salt of another length
    assert outcome(shop, token(shop, "PS256", by_pss)) == (200, "CREATED")
    assert outcome(shop, shop.issuer.token()) == (401, "alg")
    assert outcome(shop, token(shop, "PS256", lambda text: by_pss(text, salt=0))) == (401, "signature")


def test_a_key_that_names_its_algorithm_verifies_no_other(make_shop: Callable[..., Shop]) -> None:
    # given a goal that takes both, and a key for RS256 alone
    shop = policy_shop(make_shop, algorithms=(SigningAlgorithm.RS256, PS256))
    # then only RS256 is verified by it
    assert outcome(shop, token(shop, "PS256", by_pss)) == (401, "key_algorithm")
    assert outcome(shop, shop.issuer.token()) == (200, "CREATED")


def test_es256(make_shop: Callable[..., Shop]) -> None:
    # given a tenant with a key on the curve P-256
    shop = policy_shop(make_shop, algorithms=(ES256,))
    private = ec.generate_private_key(ec.SECP256R1())
    algorithm = ECAlgorithm(ECAlgorithm.SHA256)
    jwk = json.loads(ECAlgorithm.to_jwk(private.public_key())) | {"kid": "curve", "use": "sig", "alg": "ES256"}
    shop.issuer.keys.append(jwk)
    # then its tokens are taken; zeros, DER and a key of RSA are not
    good = token(shop, "ES256", lambda text: algorithm.sign(text, private), "curve")
    assert outcome(shop, good) == (200, "CREATED")
    assert outcome(shop, token(shop, "ES256", lambda _text: bytes(64), "curve")) == (401, "signature")
    der = token(shop, "ES256", lambda text: private.sign(text, ec.ECDSA(hashes.SHA256())), "curve")
    assert outcome(shop, der) == (401, "signature")
    assert outcome(shop, token(shop, "ES256", lambda text: algorithm.sign(text, private))) == (401, "key_algorithm")
    assert outcome(shop, token(shop, "RS256", by_pss, "curve")) == (401, "alg")


def test_hs256_by_the_secret_alone(make_shop: Callable[..., Shop]) -> None:
    # given a goal whose tokens are signed by the application's secret
    shop = policy_shop(make_shop, SECRET, algorithms=(HS256,))
    # then they are taken, with or without a key id, and the tenant's keys are never asked for
    assert outcome(shop, token(shop, "HS256", by_secret(), kid=None)) == (200, "CREATED")
    assert outcome(shop, token(shop, "HS256", by_secret(), kid="any")) == (200, "UNCHANGED")
    assert shop.issuer.fetches == 0
    # and no others: neither another secret's nor any of the public key
    public = signing_key("first").private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    for secret in ("", SECRET + " ", SECRET[:-1], pem):
        assert outcome(shop, token(shop, "HS256", by_secret(secret))) == (401, "signature")
    assert outcome(shop, shop.issuer.token()) == (401, "alg")
    assert outcome(shop, token(shop, "HS512", by_secret())) == (401, "alg")


@pytest.mark.parametrize("sealed", [None, "sealed with a key that is gone"])
def test_without_its_secret_a_goal_for_hs256_takes_nothing(make_shop: Callable[..., Shop], sealed: str | None) -> None:
    # given a goal whose secret was never typed, or cannot be opened
    shop = policy_shop(make_shop, algorithms=(HS256,))
    with shop.database.transaction() as session:
        session.execute(update(Goal).values(sealed_signing_secret=sealed))
    # when a token comes
    response = shop.post(token(shop, "HS256", by_secret("")))
    # then the operator is named, not the token
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/no-signing-secret")
    assert shop.count() == (0, 0)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"scope": "openid sync:profile sync:write"}, (200, "CREATED")),
        ({"scope": "sync:write sync:profile"}, (200, "CREATED")),
        ({"scope": "sync:profile"}, (403, "scope")),
        ({"scope": "sync:profile sync:writer"}, (403, "scope")),
        ({"scope": "SYNC:PROFILE SYNC:WRITE"}, (403, "scope")),
        ({"scope": ["sync:profile", "sync:write"]}, (403, "scope")),
        ({"scope": ""}, (403, "scope")),
        ({"permissions": ["sync:profile", "sync:write"]}, (403, "scope")),
        ({}, (403, "scope")),
    ],
)
def test_required_scopes(make_shop: Callable[..., Shop], claims: dict[str, Any], expected: tuple[int, str]) -> None:
    # given a goal for access tokens with two scopes
    policy = TokenPolicy(required_scopes=("sync:profile", "sync:write"))
    shop = make_shop(token_kind=TokenKind.ACCESS_TOKEN, audiences=(API,), token_policy=policy)
    # then
    assert outcome(shop, shop.issuer.token({"aud": API, "azp": "shop-client", **claims})) == expected


def test_a_missing_scope_is_told_as_the_standard_says(make_shop: Callable[..., Shop]) -> None:
    policy = TokenPolicy(required_scopes=("sync:profile",))
    shop = make_shop(token_kind=TokenKind.ACCESS_TOKEN, audiences=(API,), token_policy=policy)
    # when
    response = shop.post(shop.issuer.token({"aud": API, "azp": "shop-client"}))
    # then
    assert response.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert "sync:profile" not in response.text
    assert shop.count() == (0, 0)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("https://login.example.com/", (200, "CREATED")),
        ("https://login.example.com", (401, "iss")),
        ("http://login.example.com/", (401, "iss")),
        ("https://LOGIN.example.com/", (401, "iss")),
        ("https://login.example.com/x/", (401, "iss")),
        ("https://login.example.com.evil.example/", (401, "iss")),
        ("login.example.com", (401, "iss")),
    ],
)
def test_custom_domains(make_shop: Callable[..., Shop], named: str, expected: tuple[int, str]) -> None:
    shop = policy_shop(make_shop, custom_domains=("login.example.com",))
    assert outcome(shop, shop.issuer.token(iss=named)) == expected


def test_a_visitor_is_the_same_on_every_domain_of_the_tenant(make_shop: Callable[..., Shop]) -> None:
    # given a visitor who logged in at the tenant's own domain
    shop = policy_shop(make_shop, custom_domains=("login.example.com",))
    first = shop.log_in({})
    # when the next login comes from the custom domain
    second = shop.log_in({"iss": "https://login.example.com/"})
    # then it is the same person
    assert (second["profileId"], second["state"]) == (first["profileId"], "UNCHANGED")
    # and a token of another tenant, though it names that domain, is of an unknown key
    assert outcome(shop, shop.issuer.token(key="foreign", iss="https://login.example.com/")) == (401, "kid")


@pytest.mark.parametrize(
    ("policy", "claims", "expected"),
    [
        ({"max_age_seconds": 600}, {"iat": -500}, (200, "CREATED")),
        ({"max_age_seconds": 600}, {"iat": -620}, (200, "CREATED")),
        ({"max_age_seconds": 600}, {"iat": -700}, (401, "age")),
        ({"leeway_seconds": 0}, {"iat": -600, "exp": -5}, (401, "exp")),
        ({"leeway_seconds": 0}, {"iat": 20}, (401, "iat")),
        ({"leeway_seconds": 120}, {"iat": -600, "exp": -60}, (200, "CREATED")),
        ({"leeway_seconds": 120}, {"iat": -600, "exp": -150}, (401, "exp")),
        ({"leeway_seconds": 120}, {"iat": 60}, (200, "CREATED")),
    ],
)
def test_age_and_leeway(
    make_shop: Callable[..., Shop], policy: dict[str, Any], claims: dict[str, int], expected: tuple[int, str]
) -> None:
    shop = policy_shop(make_shop, **policy)
    moments = {name: now() + seconds for name, seconds in claims.items()}
    assert outcome(shop, shop.issuer.token(moments)) == expected


def test_an_answer_is_repeated_only_while_the_token_is_young_enough(make_shop: Callable[..., Shop]) -> None:
    # given a token that was applied in its first minute
    shop = policy_shop(make_shop, max_age_seconds=60)
    moment = datetime.now(UTC)
    goal = LiveGoal(1, shop.goal, True, shop.issuer.tenant)
    claims = check_claims(shop.issuer.claims(), goal, now=moment, leeway_seconds=0)
    recent = RecentTokens()
    recent.keep(goal, b"digest", claims, Outcome(ProfileState.CREATED, "p"), now=moment)
    # then its answer is at hand for that minute, and not after it
    assert recent.find(goal, b"digest", None, moment + timedelta(seconds=30)) is not None
    assert recent.find(goal, b"digest", None, moment + timedelta(seconds=61)) is None
