"""The token checker: each check with its reason, the change that would follow, and no trace of the token."""

import json
import logging
import re
from collections.abc import Callable
from html import unescape

import pytest
import structlog
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from snippets.goals import IdentifierLink, TokenKind
from snippets.policy import TokenPolicy
from tests.tokens.conftest import Shop
from tests.tokens.corpus import CORPUS, Forge, with_claims, with_header_members
from webapp.connections.models import Goal

PERSON = {"email": "ann@example.org", "email_verified": True, "name": "Ann Lee"}


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """One database: the checker reads what Try it reads on both."""
    return make_sqlite()


@pytest.fixture
def check(shop: Shop, admin_client: FlaskClient) -> Callable[..., str]:
    """Return a function that pastes a token and returns the page that follows."""

    def paste(token: str, **fields: str) -> str:
        response = post(admin_client, shop, token, **fields)
        assert response.status_code == 200
        return response.text

    return paste


def post(client: FlaskClient, shop: Shop, token: str, **fields: str) -> TestResponse:
    return client.post(f"/goals/{shop.goal.key}/check-token", data={"token": token, **fields})


def checks(page: str) -> dict[str, str]:
    """Return each check's outcome and reason by its rule."""
    rows = re.findall(r'<tr class="token-check-.*?</tr>', page, re.DOTALL)
    cells = [[text_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]
    return {rule: outcome for rule, outcome, _found in cells}


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def outcome(page: str, words: str) -> str:
    return next(outcome for rule, outcome in checks(page).items() if words in rule)


def test_a_good_token_passes_every_check_and_its_change_is_shown(shop: Shop, check: Callable[..., str]) -> None:
    # given a token of a new visitor
    token = shop.issuer.token(PERSON)
    # when it is checked
    page = check(token)
    # then every check passed, and the profile is shown before and after
    assert "The token is accepted" in page
    assert set(checks(page).values()) == {"Passed"}
    assert len(checks(page)) >= 25
    row = re.search(r'<tr data-property="email".*?</tr>', page, re.DOTALL)
    assert row is not None
    assert "nothing ann@example.org" in text_of(row[0])
    # and its header and claims stand there for this admin
    assert "Ann Lee" in page
    assert "&#34;kid&#34;: &#34;first&#34;" in page
    # and nothing was written
    assert shop.count() == (0, 0)


def test_the_token_itself_is_not_in_the_answer_and_not_in_the_log(shop: Shop, admin_client: FlaskClient) -> None:
    # given a token
    token = shop.issuer.token(PERSON)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    # when it is checked, well and with a mistake in the other field
    with capture_logs() as lines:
        for response in (post(admin_client, shop, token), post(admin_client, shop, token, profile_id="../x")):
            # then no part of it that could be used comes back, and nothing keeps the page
            assert not any(part in response.text for part in token.split(".")[1:])
            assert response.headers["Cache-Control"] == "no-store"
    assert f"{token[:6]}…{token[-4:]}" in post(admin_client, shop, token).text
    assert not [line for line in lines if "ann@" in str(line) or token[:20] in str(line)]


def test_an_expired_token_fails_one_check_and_shows_what_it_would_have_changed(
    shop: Shop, check: Callable[..., str]
) -> None:
    # given a token that was good an hour ago
    then = int(shop.issuer.clock()) - 7200
    page = check(shop.issuer.token({**PERSON, "iat": then, "exp": then + 3600}))
    # then that check alone failed, with its reason and the time that it is
    assert "The token is refused" in page
    failed = {rule: said for rule, said in checks(page).items() if said != "Passed"}
    (said,) = failed.values()
    assert said.startswith("Failed The token is no longer in its time. What this means")
    assert "a moment after now, " in said
    # and the change is marked as one that does not happen
    assert "What it would change if it were accepted" in page
    assert "It is not accepted, so nothing of this happens." in page
    assert "ann@example.org" in page
    assert shop.count() == (0, 0)


def test_here_an_admin_learns_what_would_be_right(shop: Shop, check: Callable[..., str]) -> None:
    # given a token of another tenant for another application
    page = check(shop.issuer.token(iss="https://evil.example/", aud="another-client"))
    # then both are said, with what the goal asks for
    assert shop.issuer.tenant.issuer in outcome(page, "tenant issued it")
    assert "shop-client" in outcome(page, "application or API")
    assert outcome(page, "one of the goal's applications") == "Not reached"


def test_a_forged_token_shows_its_claims_as_unproven(shop: Shop, check: Callable[..., str]) -> None:
    # given a token that somebody else signed
    page = check(shop.issuer.token(PERSON, key="foreign", headers={"kid": "first"}))
    # then
    assert outcome(page, "signature is right").startswith("Failed")
    assert "nothing of it is proven" in page
    assert "It is not accepted" in page


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "a.b.c.d.e", "..", "ä" * 200, "<script>alert(1)</script>", "x" * 20_000]
)
def test_what_is_no_token_gets_as_far_as_it_gets(shop: Shop, check: Callable[..., str], token: str) -> None:
    page = check(token)
    assert "The token is refused" in page
    assert "its claims cannot be read" in page
    assert token not in page or token == "x"
    assert "<script>alert" not in page


def test_every_hostile_token_can_be_looked_at(shop: Shop, check: Callable[..., str]) -> None:
    """The checker refuses what the endpoint refuses, with the same first reason."""
    for name, _slug, _check, forge in CORPUS[::6]:
        page = check(forge(shop))
        assert "The token is refused" in page, name
        assert "Failed" in "".join(checks(page).values()), name
    assert shop.count() == (0, 0)


@pytest.mark.parametrize(
    "forge",
    [
        with_claims(email="</pre><script>alert(1)</script>", name="\ud800"),
        with_header_members(note="<img src=x onerror=alert(1)>"),
        with_claims(sub="<b>x</b>"),
    ],
)
def test_hostile_values_stay_text(shop: Shop, check: Callable[..., str], forge: Forge) -> None:
    page = check(forge(shop))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>x</b>" not in page


def test_a_token_that_was_applied_says_so(shop: Shop, check: Callable[..., str]) -> None:
    # given a token that a page posted
    token = shop.issuer.token({"https://shop.example/claims/user_metadata.points": 5})
    assert shop.post(token).status_code == 200
    # then posted again it would count nothing twice
    assert "It was applied already" in check(token)


def test_a_conflict_is_shown_instead_of_a_change(make_shop: Callable[..., Shop], admin_client: FlaskClient) -> None:
    # given a goal that links by what visitors say, and a profile of somebody else
    shop = make_shop(links=(IdentifierLink("email", "email", require_verified=False),))
    shop.log_in({"sub": "auth0|bob", "email": "ann@example.org"})
    # when another's token claims the same address
    page = post(admin_client, shop, shop.issuer.token({"sub": "auth0|ann", "email": "ann@example.org"})).text
    # then the token is accepted, and the page says why nothing would follow
    assert "The token is accepted" in page
    assert "The profile belongs to somebody else" in page


def test_a_policy_is_checked_as_well(make_shop: Callable[..., Shop], admin_client: FlaskClient) -> None:
    # given a goal for access tokens with a scope and a greatest age
    policy = TokenPolicy(required_scopes=("sync:profile",), max_age_seconds=600)
    shop = make_shop(token_kind=TokenKind.ACCESS_TOKEN, audiences=("https://api.example",), token_policy=policy)
    claims = {"aud": "https://api.example", "azp": "shop-client", "scope": "openid"}
    # when a token lacks the scope and is old
    page = post(admin_client, shop, shop.issuer.token(claims, iat=int(shop.issuer.clock()) - 3000)).text
    # then both are said
    assert "sync:profile" in outcome(page, "required scopes")
    assert "at most 600 seconds before now" in outcome(page, "not older")


def test_without_the_tenants_keys_the_other_checks_are_made(shop: Shop, check: Callable[..., str]) -> None:
    # given a tenant that cannot be reached
    shop.issuer.answer = lambda handler: handler.send_error(500)
    # then that is told, and the claims are looked at all the same
    page = check(shop.issuer.token(PERSON))
    assert "cannot be fetched" in outcome(page, "has the key")
    assert outcome(page, "signature is right") == "Not reached"
    assert outcome(page, "about a person") == "Passed"


def test_a_goal_that_is_off_can_be_asked(shop: Shop, check: Callable[..., str]) -> None:
    with shop.database.transaction() as session:
        session.query(Goal).one().is_on = False
    page = check(shop.issuer.token())
    assert "The goal takes no tokens now" in page
    assert "The token is accepted" in page


def test_spaces_around_what_is_pasted_do_not_matter(shop: Shop, check: Callable[..., str]) -> None:
    assert "The token is accepted" in check(f"\n  {shop.issuer.token()}\n")


def test_the_whole_body_of_a_post_can_be_pasted(shop: Shop, check: Callable[..., str]) -> None:
    # given what the browser's network tools show of a post
    body = json.dumps({"token": shop.issuer.token(PERSON), "profileId": "of-the-browser-1"})
    # when it is pasted as it is
    page = check(body)
    # then the token in it is checked, and the profile id counts
    assert "The token is accepted" in page
    assert 'value="of-the-browser-1"' in page
    # and what was typed into the other field comes first
    assert 'value="typed-1"' in check(body, profile_id="typed-1")


def test_the_scheme_of_a_header_is_no_part_of_the_token(shop: Shop, check: Callable[..., str]) -> None:
    assert "The token is accepted" in check(f"Bearer {shop.issuer.token(PERSON)}")


@pytest.mark.parametrize("body", ['{"token": 1}', '{"token": null}', "{}", "[1]", "[" * 20_000, '{"token": "a.b.c"}'])
def test_a_body_without_a_token_is_refused(check: Callable[..., str], body: str) -> None:
    assert "The token is refused" in check(body)


def test_nothing_pasted_is_a_mistake(shop: Shop, admin_client: FlaskClient) -> None:
    response = post(admin_client, shop, "  ")
    assert response.status_code == 422
    assert "Paste a token." in response.text


def test_only_admins_check_tokens(shop: Shop, client: FlaskClient) -> None:
    assert client.get(f"/goals/{shop.goal.key}/check-token").status_code in {302, 303}
    assert post(client, shop, shop.issuer.token()).status_code in {302, 303, 401}


def test_a_forged_form_is_refused(csrf_admin_client: FlaskClient) -> None:
    assert csrf_admin_client.post("/goals/any-goal/check-token", data={"token": "x"}).status_code == 400


def test_the_page_is_linked_from_the_goal_and_from_try_it(shop: Shop, admin_client: FlaskClient) -> None:
    path = f"/goals/{shop.goal.key}"
    for page in (path, f"{path}/try"):
        assert f'href="{path}/check-token"' in admin_client.get(page).text
