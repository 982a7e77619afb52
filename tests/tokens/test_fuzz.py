"""Fuzzing the endpoint, in bounds: whatever is posted, it answers, and no answer is a fault of ours (5xx)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snippets.exchange import login_claim
from snippets.goals import PROFILE_ID, IdentifierLink
from tests.tokens.conftest import LINKS, MAPPINGS, NAMESPACE, Shop
from tests.tokens.issuer import signed_text

BOUNDED = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(max_size=20) | st.text(st.sampled_from("aA1 \0\n\ud800\udfff\u202e\u00e9\U0001f600"), max_size=20)
"""Any characters, and those often that a database, a page or an encoder may stumble over."""
LONG_TEXTS = st.text(st.sampled_from("aA1\0\ud800"), min_size=8, max_size=64)
JSON = (
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
        max_leaves=12,
    )
    | LONG_TEXTS
)
STANDARD = ("iss", "sub", "aud", "azp", "client_id", "exp", "iat", "nbf", "gty", "scope", "email", "email_verified")


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """One database: the values that reach it are those of tests/profiles, on both."""
    return make_sqlite()


@pytest.fixture
def fuzzed(make_shop: Callable[..., Shop]) -> Shop:
    """A shop that reads as much of a token as a goal can."""
    links = (*LINKS, IdentifierLink("user_metadata.bc", PROFILE_ID, require_verified=False))
    return make_shop(mappings=MAPPINGS, links=links, server_exchange=True)


def mapped_claims(shop: Shop) -> list[str]:
    names = [f"{NAMESPACE}user_metadata.{name}" for name in ("plan", "roles", "points", "bc")]
    return [*names, login_claim(shop.goal), "name", "email"]


@BOUNDED
@given(data=st.data())
def test_a_good_token_with_other_characters_is_never_taken(fuzzed: Shop, data: st.DataObject) -> None:
    # given a good token in which a piece is replaced
    token = fuzzed.issuer.token()
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(len(token), start + 40)))
    piece = data.draw(st.text(st.sampled_from("AZaz09-_.=+/ \0é"), max_size=8) | TEXTS)
    changed = token[:start] + piece + token[end:]
    # when it is posted
    status = post(fuzzed, json.dumps({"token": changed})).status_code
    # then only the token itself is good
    assert status == 200 if changed == token else 400 <= status < 500


@BOUNDED
@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "cty", "enc", "crit", "jwk", "x"]), JSON, max_size=3)
)
def test_no_header_is_too_odd(fuzzed: Shop, header: dict[str, Any]) -> None:
    # given a good token with these members in its header
    token = fuzzed.issuer.token(headers=header)
    # then
    assert post(fuzzed, json.dumps({"token": token})).status_code < 500


@BOUNDED
@given(data=st.data())
def test_no_claims_are_too_odd(fuzzed: Shop, data: st.DataObject) -> None:
    # given a well signed token with some claims of any kind
    names = st.sampled_from([*STANDARD, *mapped_claims(fuzzed)]) | TEXTS
    claims = fuzzed.issuer.claims() | data.draw(st.dictionaries(names, JSON | st.lists(TEXTS, max_size=3), max_size=5))
    # then it is applied or refused
    assert post(fuzzed, json.dumps({"token": fuzzed.issuer.encode(claims)})).status_code < 500


@BOUNDED
@given(values=st.dictionaries(st.integers(0, 6), JSON, min_size=1, max_size=7))
def test_no_mapped_value_is_too_odd(fuzzed: Shop, values: dict[int, Any]) -> None:
    # given a good token whose mapped claims are of any kind
    names = mapped_claims(fuzzed)
    token = fuzzed.issuer.token({names[index % len(names)]: value for index, value in values.items()})
    # then it is applied, or its links point at somebody else's profile
    assert post(fuzzed, json.dumps({"token": token})).status_code in {200, 409}


@BOUNDED
@given(payload=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_payload_is_too_odd(fuzzed: Shop, payload: bytes) -> None:
    # given a good signature over anything
    token = signed_text('{"alg":"RS256","kid":"first"}', payload)
    # then
    assert post(fuzzed, json.dumps({"token": token})).status_code == 401


@BOUNDED
@given(
    body=st.binary(max_size=400)
    | JSON.map(json.dumps)
    | st.dictionaries(st.sampled_from(["token", "profileId"]), JSON).map(json.dumps)
)
def test_no_body_is_too_odd(fuzzed: Shop, body: bytes | str) -> None:
    assert 400 <= post(fuzzed, body).status_code < 500


def post(shop: Shop, body: str | bytes) -> Any:
    return shop.app.test_client().post(shop.path, data=body, content_type="application/json")
