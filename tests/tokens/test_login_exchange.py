"""The server exchange: an Action tells of a login, once or more often, before or after the browser's token."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from snippets.consent import ConsentRule
from snippets.goals import IdentifierLink, Mapping
from tests.factories import to_auth0
from tests.tokens.conftest import MAPPINGS, NAMESPACE, ORIGIN, Shop
from webapp.connections.exchange_secrets import new_secret
from webapp.connections.goals import lock_goal
from webapp.profiles.embedded import get_profile
from webapp.profiles.owners import lock_owners, move_profile
from webapp.sealing import Sealer

USER_ID = "auth0|ada"
CLAIMS = {
    "email": "ada@shop.example",
    "email_verified": True,
    "name": "Ada",
    f"{NAMESPACE}user_metadata.plan": "gold",
    f"{NAMESPACE}user_metadata.points": 5,
}
TO_AUTH0 = (to_auth0("user_metadata.newsletter", "newsletter"), to_auth0("user_metadata.known_plan", "plan"))


@pytest.fixture
def exchange_shop(make_shop: Callable[..., Shop]) -> Shop:
    """A shop whose Action calls Websync, with values that go back to Auth0."""
    return make_shop(server_exchange=True, mappings=MAPPINGS + TO_AUTH0)


def make_secret(shop: Shop) -> str:
    sealer: Sealer = shop.app.extensions["sealer"]
    with shop.database.transaction() as session:
        return new_secret(lock_goal(session, shop.goal.key), sealer)


def a_call(**changes: Any) -> dict[str, Any]:
    sent_at = int(datetime.now(UTC).timestamp() * 1000)
    return {
        "loginId": "login-0001",
        "sentAt": sent_at,
        "userId": USER_ID,
        "profileId": "p-1",
        "claims": CLAIMS,
    } | changes


def call(shop: Shop, secret: str | None, body: object | None = None, **options: Any) -> TestResponse:
    """Call as the Action does."""
    headers = {"Authorization": f"Bearer {secret}"} if secret is not None else {}
    options = {"json": a_call() if body is None else body} | options
    return shop.app.test_client().post(f"/sync/{shop.goal.key}/login", headers=headers, **options)


def test_a_call_updates_the_profile_and_is_answered_its_values(exchange_shop: Shop) -> None:
    # given a goal with a secret
    secret = make_secret(exchange_shop)
    # when its Action tells of a login
    response = call(exchange_shop, secret)
    # then the profile has what the mappings say, and what goes to Auth0 comes back
    assert response.status_code == 200
    assert response.get_json() == {
        "state": "CREATED",
        "profileId": "p-1",
        "updated": ["auth0_user_id", "email", "full_name", "plan", "points"],
        "values": {"plan": ["gold"]},
    }
    assert exchange_shop.properties("p-1")["points"] == ["5"]
    assert response.headers["Cache-Control"] == "no-store"


def test_a_repeated_call_counts_once_and_is_answered_as_before(exchange_shop: Shop) -> None:
    # given a login that was told of
    secret = make_secret(exchange_shop)
    body = a_call()
    first = call(exchange_shop, secret, body)
    # when the Action, which heard no answer, tells of it again
    again = call(exchange_shop, secret, body)
    # then nothing is summed twice
    assert again.get_json() == first.get_json()
    assert exchange_shop.properties("p-1")["points"] == ["5"]
    # and another login counts
    assert call(exchange_shop, secret, a_call(loginId="login-0002")).get_json()["state"] == "MODIFIED"
    assert exchange_shop.properties("p-1")["points"] == ["10"]


@pytest.mark.parametrize("first", ["call", "token"])
def test_a_token_of_the_same_login_does_not_count_a_second_time(exchange_shop: Shop, first: str) -> None:
    # given the token of a login that the Action told of, which names the login
    secret = make_secret(exchange_shop)
    token = exchange_shop.issuer.token({**CLAIMS, "sub": USER_ID, f"{NAMESPACE}.login": "login-0001"})
    arrivals = ["call", "token"] if first == "call" else ["token", "call"]
    # when both arrive, in any order
    answers = [
        (call(exchange_shop, secret) if arrival == "call" else exchange_shop.post(token, "p-1")).get_json()
        for arrival in arrivals
    ]
    # then the login counted once, and both hear what became of it
    assert exchange_shop.properties("p-1")["points"] == ["5"]
    assert {answer["state"] for answer in answers} == {"CREATED"}


def test_a_login_that_counted_does_not_count_again_once_the_exchange_is_off(
    make_shop: Callable[..., Shop],
) -> None:
    # given a login that the Action told of, and whose token came
    shop = make_shop(server_exchange=True)
    token = shop.issuer.token({**CLAIMS, "sub": USER_ID, f"{NAMESPACE}.login": "login-0001"})
    call(shop, make_secret(shop))
    shop.post(token, "p-1")
    # when somebody switches the exchange off, and the token comes once more
    with shop.database.transaction() as session:
        lock_goal(session, shop.goal.key).server_exchange = False
    answer = shop.post(token, "p-1").get_json()
    # then it is answered as before, and nothing is summed twice
    assert answer["state"] == "CREATED"
    assert shop.properties("p-1")["points"] == ["5"]


def test_a_repeated_call_gets_no_values_of_a_profile_that_is_somebody_else_s_by_now(exchange_shop: Shop) -> None:
    # given a login that counted, and an admin who then gives its profile to another user
    secret, issuer, body = make_secret(exchange_shop), exchange_shop.issuer.tenant.issuer, a_call()
    call(exchange_shop, secret, body)
    with exchange_shop.database.transaction() as session:
        lock_owners(session, "p-1", [(issuer, "auth0|bob"), (issuer, USER_ID)])
        move_profile(session, "p-1", (issuer, "auth0|bob"), now=datetime.now(UTC))
    # when the Action, which heard no answer, tells of the login again
    answer = call(exchange_shop, secret, body).get_json()
    # then the other user's values do not go into this one's metadata
    assert answer["values"] == {}


def test_a_token_cannot_name_somebody_else_s_login(exchange_shop: Shop) -> None:
    # given a login of Ada
    call(exchange_shop, make_secret(exchange_shop))
    # when a token of Bob names it
    bob = {"sub": "auth0|bob", "email": "bob@shop.example", f"{NAMESPACE}.login": "login-0001"}
    answer = exchange_shop.post(exchange_shop.issuer.token({**CLAIMS, **bob})).get_json()
    # then it is Bob's own
    assert answer["state"] == "CREATED"
    assert answer["profileId"] != "p-1"


@pytest.mark.parametrize("secret", [None, "", "wrong", "wrong é", "x" * 10_000])
def test_a_call_without_the_secret_is_refused_before_it_is_read(exchange_shop: Shop, secret: str | None) -> None:
    # given a goal with a secret
    make_secret(exchange_shop)
    # when somebody calls without it, with a body that is none
    response = call(exchange_shop, secret, json=None, data=b"x" * 5_000_000, content_type="text/plain")
    # then that alone is said, and nothing is written
    assert response.status_code == 401
    assert response.get_json(force=True)["type"].endswith("/problems/exchange-secret")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert exchange_shop.count() == (0, 0)


def test_a_goal_without_a_secret_takes_no_calls(exchange_shop: Shop) -> None:
    assert call(exchange_shop, "anything").status_code == 401


def test_a_new_secret_lets_the_one_before_live_until_the_next(exchange_shop: Shop) -> None:
    # given three secrets, made one after the other
    first, second, third = (make_secret(exchange_shop) for _ in range(3))
    # when each is used
    # then the newest two are good
    assert [call(exchange_shop, secret).status_code for secret in (first, second, third)] == [401, 200, 200]


def test_a_secret_whose_key_is_gone_is_nobody_s(exchange_shop: Shop) -> None:
    # given a secret that was sealed with a key that the settings lack now
    secret = make_secret(exchange_shop)
    exchange_shop.app.extensions["sealer"] = Sealer(["c29tZS1vdGhlci1rZXktMDEyMzQ1Njc4OTAxMjM0NTY="])
    # when the Action uses it, then it is refused and not a fault
    assert call(exchange_shop, secret).status_code == 401


@pytest.mark.parametrize(
    ("options", "status", "slug"),
    [
        ({"json": None, "data": b"{}", "content_type": "text/plain"}, 415, "not-json"),
        ({"json": {"claims": {"x": "x" * 5_000_000}}}, 413, "body-too-large"),
        ({"json": None, "data": b"{", "content_type": "application/json"}, 400, "malformed-request"),
        ({"json": None, "data": b"[" * 50_000, "content_type": "application/json"}, 400, "malformed-request"),
        ({"changes": {"loginId": "short"}}, 400, "malformed-request"),
        ({"changes": {"loginId": "with spaces"}}, 400, "malformed-request"),
        ({"changes": {"userId": 5}}, 400, "malformed-request"),
        ({"changes": {"claims": ["email"]}}, 400, "malformed-request"),
        ({"changes": {"profileId": "../x"}}, 400, "malformed-request"),
        ({"changes": {"more": 1}}, 400, "malformed-request"),
        ({"changes": {"userId": ""}}, 401, "token-subject"),
        ({"changes": {"userId": "robot@clients"}}, 401, "token-subject"),
        ({"changes": {"sentAt": 0}}, 400, "call-out-of-time"),
        ({"changes": {"sentAt": -(10**30)}}, 400, "call-out-of-time"),
        ({"changes": {"sentAt": 10**30}}, 400, "call-out-of-time"),
    ],
)
def test_a_call_that_cannot_be_says_why_and_writes_nothing(
    exchange_shop: Shop, options: dict[str, Any], status: int, slug: str
) -> None:
    # given a call with one fault
    if "changes" in options:  # made now: it is good for minutes only
        options = {"json": a_call(**options["changes"])}
    response = call(exchange_shop, make_secret(exchange_shop), **options)
    # then the answer names it
    assert response.status_code == status
    assert response.get_json(force=True)["type"].endswith(f"/problems/{slug}")
    assert exchange_shop.count() == (0, 0)


@pytest.mark.parametrize("changes", [{"server_exchange": False, "mappings": MAPPINGS}, {"is_on": False}])
def test_a_goal_that_is_off_takes_no_calls(make_shop: Callable[..., Shop], changes: dict[str, Any]) -> None:
    # given a goal whose exchange, or connection, is off
    shop = make_shop(**{"server_exchange": True} | changes)
    # when its Action goes on calling
    response = call(shop, make_secret(shop))
    # then it is told so
    assert response.status_code == 403
    assert response.get_json(force=True)["type"].endswith("/problems/goal-off")


def test_an_unknown_goal_is_not_found(exchange_shop: Shop) -> None:
    assert exchange_shop.app.test_client().post("/sync/nothing-here/login").status_code == 404


def test_browsers_are_not_let_in(exchange_shop: Shop) -> None:
    # given a page of an allowed origin
    client = exchange_shop.app.test_client()
    # when it asks whether it may call
    response = client.options(f"/sync/{exchange_shop.goal.key}/login", headers={"Origin": ORIGIN})
    # then nothing allows it
    assert response.status_code == 405
    assert "Access-Control-Allow-Origin" not in response.headers


def test_an_unproven_link_to_somebody_else_is_a_conflict(make_shop: Callable[..., Shop]) -> None:
    # given a goal that links by what visitors can write themselves
    link = IdentifierLink("user_metadata.card", "card")
    shop = make_shop(server_exchange=True, links=(link,), mappings=(Mapping("user_metadata.card", "card"),))
    secret = make_secret(shop)
    card = {f"{NAMESPACE}user_metadata.card": "1234"}
    assert call(shop, secret, a_call(claims=card)).status_code == 200
    # when another user names the same
    response = call(shop, secret, a_call(userId="auth0|bob", loginId="login-0002", profileId=None, claims=card))
    # then nothing is written
    assert response.status_code == 409


def test_values_that_a_user_s_metadata_could_not_hold_are_left_out(exchange_shop: Shop) -> None:
    # given a profile with a very long value
    secret = make_secret(exchange_shop)
    long = {**CLAIMS, f"{NAMESPACE}user_metadata.plan": "x" * 4001}
    # when the Action calls, then it does not get it
    assert call(exchange_shop, secret, a_call(claims=long)).get_json()["values"] == {}


def test_nobody_without_a_profile_gets_values(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(server_exchange=True, mappings=MAPPINGS + TO_AUTH0, allow_creation=False)
    answer = call(shop, make_secret(shop), a_call(profileId=None)).get_json()
    assert (answer["state"], answer["profileId"], answer["values"]) == ("NOTFOUND", None, {})


def test_a_browser_whose_profile_is_somebody_else_s_is_told_so_after_the_call(exchange_shop: Shop) -> None:
    # given a computer in which Ada's profile is, and Bob's login, of which the Action told without a profile
    secret = make_secret(exchange_shop)
    call(exchange_shop, secret)
    bob = {"email": "bob@shop.example", "email_verified": True}
    call(exchange_shop, secret, a_call(userId="auth0|bob", loginId="login-bob1", profileId=None, claims=bob))
    # when Bob's browser posts the token of that login with Ada's profile
    token = exchange_shop.issuer.token({**bob, "sub": "auth0|bob", f"{NAMESPACE}.login": "login-bob1"})
    answer = exchange_shop.post(token, "p-1").get_json()
    # then it is told to switch
    assert (answer["state"], answer["switchProfile"]) == ("CREATED", True)


def test_all_answered_values_together_fit_into_a_user(make_shop: Callable[..., Shop]) -> None:
    # given a profile with two values that fit one by one
    rows = (Mapping("user_metadata.a", "a"), Mapping("user_metadata.b", "b"))
    back = (to_auth0("user_metadata.known_a", "a"), to_auth0("user_metadata.known_b", "b"))
    shop = make_shop(server_exchange=True, mappings=rows + back)
    claims = {f"{NAMESPACE}user_metadata.a": "é" * 1500, f"{NAMESPACE}user_metadata.b": "é" * 1500}
    # when the Action calls, then only as much is answered as a user can hold, in bytes
    assert list(call(shop, make_secret(shop), a_call(claims=claims)).get_json()["values"]) == ["a"]


RULE = ConsentRule(("marketing",), opt_in=("GDPR",))
REFUSED = {"consented": [], "refused": ["marketing"], "legislation": "GDPR"}
CONSENTED = {"consented": ["marketing"], "refused": [], "legislation": "GDPR"}


def test_without_consent_a_call_writes_nothing_and_tells_auth0_nothing(make_shop: Callable[..., Shop]) -> None:
    # given a goal with objectives, and a login of Europe
    zone = Mapping("user_metadata.zone", "privacy_legislation")
    shop = make_shop(server_exchange=True, mappings=(*MAPPINGS, zone, *TO_AUTH0), consent=RULE)
    secret = make_secret(shop)
    body = a_call(claims=CLAIMS | {f"{NAMESPACE}user_metadata.zone": "GDPR"})
    # when the Action tells of it, twice
    answers = [call(shop, secret, body).get_json() for _ in range(2)]
    # then the login goes on without the profile, and nothing is stored
    expected: dict[str, Any] = {"state": "CONSENT_MISMATCH", "profileId": None, "updated": [], "values": {}}
    assert answers == [expected, expected]
    assert shop.count() == (0, 0)
    # and when the page brings the consent with the token of that login, it counts, and only once
    token = shop.issuer.token(
        {"sub": USER_ID, f"{NAMESPACE}.login": "login-0001", f"{NAMESPACE}user_metadata.points": 5}
    )
    posts = [
        shop.app.test_client().post(
            shop.path, json={"token": token, "profileId": "p-1", "consent": CONSENTED}, headers={"Origin": ORIGIN}
        )
        for _ in range(2)
    ]
    assert [each.get_json()["state"] for each in posts] == ["CREATED", "CREATED"]
    assert shop.properties("p-1")["points"] == ["5"]
    # and the Action's next call is judged by what is stored by then
    answered = call(shop, secret, a_call(loginId="login-0002", claims=body["claims"])).get_json()
    assert (answered["state"], answered["values"]) == ("MODIFIED", {"plan": ["gold"]})


def test_the_exchange_stops_at_the_login_after_a_refusal(make_shop: Callable[..., Shop]) -> None:
    # given a visitor who consented, and a login that the Action tells of after the visitor refused in the browser
    shop = make_shop(server_exchange=True, mappings=(*MAPPINGS, *TO_AUTH0), consent=RULE)
    secret = make_secret(shop)
    login = {"sub": USER_ID, f"{NAMESPACE}.login": "login-0001"}
    posted = [
        shop.app.test_client().post(shop.path, json=body, headers={"Origin": ORIGIN}).get_json()["state"]
        for body in [{"token": shop.issuer.token({"sub": USER_ID}), "profileId": "p-1", "consent": CONSENTED}]
    ]
    assert call(shop, secret, a_call()).get_json()["state"] == "MODIFIED"
    # when the page brings the refusal with the token of that login
    refusal = {"token": shop.issuer.token(login), "profileId": "p-1", "consent": REFUSED}
    posted += [shop.app.test_client().post(shop.path, json=refusal, headers={"Origin": ORIGIN}).get_json()["state"]]
    assert posted == ["CREATED", "CONSENT_MISMATCH"]
    before = shop.properties("p-1")
    assert (before["refused_objectives"], before["plan"]) == (["marketing"], ["gold"])
    # then the next login changes nothing and tells Auth0 nothing, and neither does that one if it is told of again
    claims = CLAIMS | {f"{NAMESPACE}user_metadata.plan": "silver"}
    answers = [
        call(shop, secret, a_call(loginId=each, claims=claims)).get_json() for each in ("login-0002", "login-0001")
    ]
    assert [each["state"] for each in answers] == ["CONSENT_MISMATCH", "MODIFIED"]
    assert [each["values"] for each in answers] == [{}, {}]
    assert shop.properties("p-1") == before


def test_a_repeated_call_tells_nothing_once_the_visitor_has_refused(make_shop: Callable[..., Shop]) -> None:
    # given a login that was told of while its visitor consented
    shop = make_shop(server_exchange=True, mappings=(*MAPPINGS, *TO_AUTH0), consent=RULE)
    secret = make_secret(shop)
    token = shop.issuer.token({"sub": USER_ID})
    post = {"token": token, "profileId": "p-1", "consent": CONSENTED}
    shop.app.test_client().post(shop.path, json=post, headers={"Origin": ORIGIN})
    body = a_call()
    assert call(shop, secret, body).get_json()["values"] == {"plan": ["gold"]}
    # when the profile loses the consent, and the Action tells of the same login again
    with shop.database.transaction() as session:
        profile = get_profile(session, "p-1")
        assert profile is not None
        kept = {name: stored for name, stored in profile.properties.items() if name != "consented_objectives"}
        profile.properties = kept
    # then no value is answered any more
    assert call(shop, secret, body).get_json()["values"] == {}
