"""The corpus, posted to the real endpoint: each token is refused for its own reason and writes nothing."""

import base64
from collections.abc import Callable

import jwt
import pytest
from sqlalchemy import func, select

from tests.tokens.conftest import Shop
from tests.tokens.corpus import CORPUS, ODD, Forge
from tests.tokens.issuer import signing_key
from webapp.profiles.models import Profile, ProfileIdentity
from webapp.tokens.models import TokenReceipt


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """One database is enough for what never reaches it."""
    return make_sqlite()


@pytest.mark.parametrize(("name", "slug", "check", "forge"), CORPUS, ids=[case[0] for case in CORPUS])
def test_a_hostile_token_is_refused_for_its_own_reason_and_writes_nothing(
    shop: Shop, name: str, slug: str, check: str, forge: Forge
) -> None:
    # given a token with one fault
    token = forge(shop)
    # when a page of the shop posts it, once and again
    for response in (shop.post(token, "browser-1"), shop.post(token, "browser-1")):
        # then the answer names the check that failed
        problem = response.get_json()
        assert (response.status_code, response.mimetype) == (401, "application/problem+json"), name
        assert (problem["type"].rpartition("/")[2], problem["check"]) == (slug, check)
        assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        # and nothing of what would have been right
        assert shop.issuer.tenant.base_url not in response.text
        assert "shop-client" not in response.text
    # and nobody has a profile, an identity or a receipt of it
    assert written(shop) == (0, 0, 0)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(CORPUS) >= 200
    assert len({name for name, *_ in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("size", [16 * 1024 + 1, 20_000])
def test_a_token_over_the_limit_is_refused_before_it_is_parsed(shop: Shop, size: int) -> None:
    # given a good token that is blown up
    token = shop.issuer.token({"name": "n" * 20_000})[:size]
    # when
    response = shop.post(token)
    # then
    assert (response.status_code, response.get_json()["check"]) == (413, "size")
    assert written(shop) == (0, 0, 0)


@pytest.mark.parametrize(("name", "forge"), ODD, ids=[name for name, _ in ODD])
def test_an_odd_token_without_a_fault_is_applied(shop: Shop, name: str, forge: Forge) -> None:
    # when
    response = shop.post(forge(shop))
    # then
    assert response.status_code == 200, (name, response.text)
    assert written(shop) == (1, 1, 1)


def test_pyjwt_takes_the_good_token_of_this_corpus(shop: Shop) -> None:
    """Else the corpus would show nothing: every token would be refused for being made wrongly."""
    key = signing_key("first").private.public_key()
    assert jwt.decode(shop.issuer.token(), key, algorithms=["RS256"], audience="shop-client")["sub"] == "auth0|ann"


def test_a_header_is_known_by_its_whole_text(shop: Shop) -> None:
    # given a header that passed
    token = shop.issuer.token()
    assert shop.post(token).status_code == 200
    # when another token begins with the same text and goes on
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"first","typ":"JWT","crit":["x"]}').decode().rstrip("=")
    response = shop.post(".".join([header, *token.split(".")[1:]]))
    # then it is looked at anew
    assert response.get_json()["check"] == "crit"


def written(shop: Shop) -> tuple[int, ...]:
    with shop.database.reading() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (Profile, ProfileIdentity, TokenReceipt)
        )
