"""From a login to the profile: merge strategies, links, hints, and once for each token."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from snippets.goals import PROFILE_ID, IdentifierLink, Mapping, MergeStrategy
from tests.tokens.conftest import NAMESPACE, Shop
from webapp.profiles.embedded import get_profile, set_indexed
from webapp.profiles.linking import NOT_VERIFIED
from webapp.profiles.models import ProfileIdentity, PropertyDefinition

PLAN, ROLES, POINTS = (f"{NAMESPACE}user_metadata.{name}" for name in ("plan", "roles", "points"))
USER_LINK, EMAIL_LINK = IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email")
VERIFIED = {"email": "Ann@Example.org", "email_verified": True}


def test_every_strategy_does_what_blueconic_says(shop: Shop) -> None:
    # given a visitor's first login
    first = shop.log_in(VERIFIED | {"name": "Ann", PLAN: "gold", ROLES: ["a", "b"], POINTS: 2})
    assert first["state"] == "CREATED"
    assert first["updated"] == ["auth0_user_id", "email", "full_name", "plan", "points", "roles"]
    # when the same visitor logs in again with other values
    renamed = VERIFIED | {"email": "ann@new.example.org", "name": "Anna"}
    second = shop.log_in(renamed | {PLAN: None, ROLES: ["c", "a"], POINTS: 3})
    # then
    assert second == {"state": "MODIFIED", "profileId": first["profileId"], "updated": ["email", "points", "roles"]}
    assert shop.properties(first["profileId"]) == {
        "auth0_user_id": ["auth0|ann"],
        "email": ["ann@new.example.org"],
        "full_name": ["Ann"],
        "plan": ["gold"],
        "roles": ["a", "b", "c"],
        "points": ["5"],
    }


@pytest.mark.parametrize(("claim", "left"), [("null", None), ("", None), ([], None), ("absent", ["gold"])])
def test_only_an_explicitly_empty_claim_clears(shop: Shop, claim: object, left: list[str] | None) -> None:
    # given a profile with a plan
    profile_id = shop.log_in({PLAN: "gold"})["profileId"]
    # when the next token has the claim empty, or not at all
    claims = shop.issuer.claims()
    if claim != "absent":
        claims[PLAN] = None if claim == "null" else claim
    token = shop.issuer.encode(claims)
    assert shop.post(token).status_code == 200
    # then
    assert shop.properties(profile_id).get("plan") == left


def test_the_same_token_twice_is_applied_once(shop: Shop) -> None:
    # given a token that adds points
    token = shop.issuer.token({POINTS: 5})
    # when it comes twice
    first, second = shop.post(token), shop.post(token)
    # then both answers are the same and the points were added once
    assert first.get_json() == second.get_json()
    assert shop.properties(first.get_json()["profileId"])["points"] == ["5"]


@pytest.mark.parametrize("second", [{PLAN: "gold"}, {PLAN: "silver"}, {PLAN: []}], ids=["same", "other", "cleared"])
def test_an_older_token_that_comes_late_does_not_overwrite(shop: Shop, second: dict[str, Any]) -> None:
    # given a token of a while ago, which was not posted then, and a first and a newer one that were
    issued = shop.issuer.claims()["iat"]
    late = shop.issuer.token({PLAN: "bronze", ROLES: ["late"], POINTS: 1, "name": "Late", "iat": issued - 60})
    shop.log_in({PLAN: "gold", "iat": issued - 120})
    profile_id = shop.log_in(second | {"iat": issued})["profileId"]
    before = shop.properties(profile_id).get("plan")
    # when it comes at last
    answer = shop.post(late).get_json()
    # then what is newer stays, even if the newer token only confirmed or cleared it
    assert shop.properties(profile_id).get("plan") == before
    assert answer["problems"] == {"plan": ["a newer login has set it already"]}
    # and what depends on no order counts
    assert answer["updated"] == ["full_name", "points", "roles"]


def test_tokens_of_the_same_second_are_applied_as_they_come(shop: Shop) -> None:
    issued = shop.issuer.claims()["iat"]
    shop.log_in({PLAN: "gold", "iat": issued, "jti": "1"})
    profile_id = shop.log_in({PLAN: "silver", "iat": issued, "jti": "2"})["profileId"]
    assert shop.properties(profile_id)["plan"] == ["silver"]


def test_a_confirmation_leaves_the_moment_of_the_last_change_alone(shop: Shop) -> None:
    # given
    issued = shop.issuer.claims()["iat"]
    profile_id = shop.log_in({PLAN: "gold", "iat": issued - 60})["profileId"]
    with shop.database.reading() as session:
        before = get_profile(session, profile_id)
    # when a newer token says the same
    assert shop.log_in({PLAN: "gold", "iat": issued})["state"] == "UNCHANGED"
    # then
    with shop.database.reading() as session:
        after = get_profile(session, profile_id)
    assert before is not None
    assert after is not None
    assert (after.modified_at, after.properties) == (before.modified_at, before.properties)
    assert (before.told_at["plan"], after.told_at["plan"]) == (issued - 60, issued)


def test_a_login_that_changes_nothing_leaves_the_profile_alone(shop: Shop) -> None:
    # given
    shop.log_in({"name": "Ann"})
    # when a second token says the same
    answer = shop.log_in({"name": "Ann"})
    # then
    assert (answer["state"], answer["updated"]) == ("UNCHANGED", [])


def test_values_that_do_not_fit_are_told_and_the_others_applied(shop: Shop) -> None:
    # when a login brings a broken address and points that are no number
    answer = shop.log_in({"email": "no address", "email_verified": True, POINTS: "many", "name": "Ann"})
    # then
    assert answer["problems"] == {"email": ["not an e-mail address"], "points": ["not a number"]}
    assert answer["updated"] == ["auth0_user_id", "full_name"]


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
def test_what_no_database_can_store_is_a_problem_and_no_crash(shop: Shop, value: str) -> None:
    # when a claim has such a text
    answer = shop.log_in({PLAN: value, "name": "Ann"})
    # then
    assert answer["problems"] == {"plan": ["holds a character that cannot be stored"]}
    assert "full_name" in answer["updated"]


def test_a_verified_address_finds_the_profile_of_another_login(shop: Shop) -> None:
    # given a visitor with a password
    first = shop.log_in(VERIFIED)
    # when the same person comes by Google, with the same verified address
    second = shop.log_in({**VERIFIED, "sub": "google-oauth2|ann"})
    # then it is one profile
    assert second["profileId"] == first["profileId"]
    # and by the Auth0 user alone it is found as well
    assert shop.log_in({"sub": "google-oauth2|ann"})["profileId"] == first["profileId"]


def test_an_unverified_address_is_not_stored_where_it_would_be_found(shop: Shop) -> None:
    # given somebody who signed up with Ann's address, which Auth0 could not verify
    mallory = shop.log_in({"email": "ann@example.org", "email_verified": False, "sub": "auth0|mallory", "name": "M"})
    assert mallory["problems"] == {"email": ["Auth0 has not verified it, and this property tells people apart"]}
    # when Ann logs in, with her verified address
    ann = shop.log_in(VERIFIED)
    # then she is not led to the other one's profile
    assert ann["state"] == "CREATED"
    assert ann["profileId"] != mallory["profileId"]
    assert "email" not in shop.properties(mallory["profileId"])


@pytest.mark.parametrize(
    ("links", "mapping", "claim"),
    [
        ((USER_LINK,), Mapping("email", "email"), "email"),
        ((USER_LINK, EMAIL_LINK), Mapping("user_metadata.contact", "email"), f"{NAMESPACE}user_metadata.contact"),
        ((USER_LINK, EMAIL_LINK), Mapping("nickname", "email"), "nickname"),
    ],
)
def test_no_mapping_brings_the_visitors_word_to_where_others_are_found(
    make_shop: Callable[..., Shop], links: tuple[IdentifierLink, ...], mapping: Mapping, claim: str
) -> None:
    # given a goal that maps something unproven to the address by which people are found (here or by another goal)
    shop = make_shop(links=links, mappings=(mapping,))
    with shop.database.transaction() as session:
        set_indexed(session, session.get_one(PropertyDefinition, "email"), is_indexed=True)
    # when somebody claims Ann's address
    answer = shop.log_in({claim: "ann@example.org", "sub": "auth0|mallory"})
    # then it is not stored there, and the answer says why
    assert answer["problems"] == {"email": [NOT_VERIFIED]}
    assert "email" not in shop.properties(answer["profileId"])


@pytest.mark.parametrize("field", ["email", "user_metadata.customer"])
def test_a_link_that_does_without_verification_stores_what_it_compares(
    make_shop: Callable[..., Shop], field: str
) -> None:
    # given a goal whose admin chose to link by the visitor's word
    link = IdentifierLink(field, "customer", require_verified=False)
    shop = make_shop(links=(USER_LINK, link), mappings=(Mapping(field, "customer"),))
    # when a visitor logs in
    claim = field if field == "email" else f"{NAMESPACE}{field}"
    answer = shop.log_in({claim: "ann@example.org"})
    # then it is stored, so that the link finds it
    assert shop.properties(answer["profileId"])["customer"] == ["ann@example.org"]


def test_an_unproven_link_to_a_user_of_another_tenant_is_a_conflict(make_shop: Callable[..., Shop]) -> None:
    # given a profile that a user of another tenant is linked to
    link = IdentifierLink("user_metadata.customer", "customer", require_verified=False)
    shop = make_shop(links=(link,), mappings=(Mapping("user_metadata.customer", "customer"),))
    claim = f"{NAMESPACE}user_metadata.customer"
    profile_id = shop.log_in({claim: "C-1"})["profileId"]
    with shop.database.transaction() as session:
        session.scalars(select(ProfileIdentity)).one().issuer = "https://other.eu.auth0.com/"
    # when a visitor says to be that customer
    response = shop.post(shop.issuer.token({claim: "C-1"}, sub="auth0|mallory"))
    # then nothing is written there
    assert response.status_code == 409
    assert shop.properties(profile_id) == {"customer": ["C-1"]}


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_auth0_did_not_verify_links_nobody(shop: Shop, verified: object) -> None:
    # given the profile of a visitor
    victim = shop.log_in(VERIFIED)
    # when somebody signs up with that address and never proves it
    answer = shop.log_in({"email": "ann@example.org", "email_verified": verified, "sub": "auth0|mallory"})
    # then it is another profile
    assert answer["state"] == "CREATED"
    assert answer["profileId"] != victim["profileId"]


def test_an_unverified_link_to_somebody_elses_profile_is_a_conflict(make_shop: Callable[..., Shop]) -> None:
    # given a goal that takes addresses without proof, and the profile of a visitor
    shop = make_shop(links=(IdentifierLink("email", "email", require_verified=False),))
    victim = shop.log_in(VERIFIED)
    # when somebody else claims the address
    token = shop.issuer.token({"email": "ann@example.org", "name": "Mallory"}, sub="auth0|mallory")
    response = shop.post(token)
    # then nothing was written, not even a receipt
    assert response.status_code == 409
    assert response.get_json()["type"].endswith("/problems/identity-conflict")
    assert shop.count() == (1, 1)
    assert "full_name" not in shop.properties(victim["profileId"])
    # while the visitor still gets in
    assert shop.log_in(VERIFIED)["profileId"] == victim["profileId"]


def test_the_most_recently_modified_of_several_profiles_wins(make_shop: Callable[..., Shop]) -> None:
    # given two people with one customer number
    customer = f"{NAMESPACE}app_metadata.customer"
    shop = make_shop(
        links=(IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("app_metadata.customer", "customer")),
        mappings=(Mapping("app_metadata.customer", "customer"), Mapping("name", "full_name")),
    )
    shop.log_in({"sub": "auth0|1"})
    newer = shop.log_in({"sub": "auth0|2"})["profileId"]
    shop.log_in({"sub": "auth0|1", customer: "9"})
    shop.log_in({"sub": "auth0|2", customer: "9"})
    # when somebody new has that number
    answer = shop.log_in({"sub": "auth0|3", customer: "9"})
    # then it is the profile that changed last
    assert answer["profileId"] == newer


def test_a_new_profile_gets_the_browsers_id(shop: Shop) -> None:
    # when a visitor's browser names a profile that is not here yet
    answer = shop.log_in(profile_id="browser-1")
    # then
    assert (answer["state"], answer["profileId"]) == ("CREATED", "browser-1")


def test_a_profile_that_nobody_owns_becomes_the_visitors(shop: Shop, now: datetime) -> None:
    # given an anonymous profile
    shop.add_profile("browser-1", now)
    # when
    answer = shop.log_in({"name": "Ann"}, profile_id="browser-1")
    # then
    assert (answer["state"], answer["profileId"]) == ("MODIFIED", "browser-1")
    assert shop.log_in({"name": "Ann"})["profileId"] == "browser-1"


def test_somebody_elses_profile_is_left_alone_and_the_browser_switches(shop: Shop) -> None:
    # given the browser that Ann used
    shop.log_in({"name": "Ann"}, profile_id="browser-1")
    # when Bob logs in there
    bob = shop.log_in({"sub": "auth0|bob", "name": "Bob"}, profile_id="browser-1")
    # then he has a profile of his own, and Ann's is as it was
    assert bob["state"] == "CREATED"
    assert bob["switchProfile"] is True
    assert bob["profileId"] != "browser-1"
    assert shop.properties("browser-1")["full_name"] == ["Ann"]
    # and Ann need not switch
    assert "switchProfile" not in shop.log_in({"name": "Ann"}, profile_id="browser-1")


def test_the_profile_of_another_tenants_user_is_somebody_elses_too(shop: Shop, now: datetime) -> None:
    # given a profile whose owner has the same user id in another tenant
    shop.add_profile("browser-1", now, owner=("https://other.example/", "auth0|ann"))
    # when
    answer = shop.log_in({"name": "Ann"}, profile_id="browser-1")
    # then
    assert answer["profileId"] != "browser-1"
    assert answer["switchProfile"] is True


def test_a_returning_visitor_keeps_the_profile_in_a_new_browser(shop: Shop) -> None:
    # given
    shop.log_in(profile_id="browser-1")
    # when the same person logs in elsewhere
    answer = shop.log_in(profile_id="browser-2")
    # then
    assert (answer["state"], answer["profileId"]) == ("UNCHANGED", "browser-1")
    assert shop.count()[0] == 1


def test_a_profile_id_in_the_metadata_is_a_hint_too(make_shop: Callable[..., Shop]) -> None:
    # given a goal that links by the profile id that the Action keeps in user_metadata
    kept = f"{NAMESPACE}user_metadata.bc_profile_id"
    shop = make_shop(links=(IdentifierLink("user_metadata.bc_profile_id", PROFILE_ID),))
    # when Ann logs in, then Bob in the same browser
    ann = shop.log_in({kept: "browser-1", "name": "Ann"})
    bob = shop.log_in({kept: "browser-1", "sub": "auth0|bob", "name": "Bob"}, profile_id="browser-1")
    # then Bob does not get into Ann's profile
    assert ann["profileId"] == "browser-1"
    assert bob["profileId"] != "browser-1"
    assert bob["switchProfile"] is True
    assert PROFILE_ID not in shop.properties("browser-1")


def test_without_allow_creation_strangers_get_no_profile(make_shop: Callable[..., Shop], now: datetime) -> None:
    # given a goal that only updates
    shop = make_shop(allow_creation=False)
    # when a stranger comes
    answer = shop.log_in({"name": "Ann"}, profile_id="browser-1")
    # then
    assert answer == {"state": "NOTFOUND", "profileId": None, "updated": []}
    assert shop.count()[0] == 0
    # but a profile that is there is used
    shop.add_profile("browser-2", now)
    assert shop.log_in({"name": "Ann"}, profile_id="browser-2")["state"] == "MODIFIED"


def test_the_profile_says_where_a_value_comes_from_and_since_when(shop: Shop) -> None:
    # when
    shop.log_in({"name": "Ann"}, profile_id="browser-1")
    # then
    with shop.database.reading() as session:
        profile = get_profile(session, "browser-1")
    assert profile is not None
    stored = profile.properties["full_name"]
    assert stored["source"] == "Web goal Shop visitors"
    assert stored["changed"] == int(profile.modified_at.timestamp() * 1000)


def at_once(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at the same moment and return what they returned."""
    barrier, results = threading.Barrier(len(work)), [None] * len(work)

    def run(index: int) -> None:
        barrier.wait(timeout=30)
        results[index] = work[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_one_token_posted_by_many_at_once_is_applied_once(shop: Shop) -> None:
    # given a token that adds points
    token = shop.issuer.token({POINTS: 5})
    # when eight tabs post it together
    responses = at_once([lambda: shop.post(token)] * 8)
    # then all get the same answer, and the points were added once
    assert {response.status_code for response in responses} == {200}
    assert len({response.text for response in responses}) == 1
    assert shop.properties(responses[0].get_json()["profileId"])["points"] == ["5"]
    assert shop.count() == (1, 1)


@pytest.mark.parametrize("links", [("user_id", "auth0_user_id"), ("email", "email")])
def test_two_tokens_of_one_new_person_at_once_make_one_profile(
    make_shop: Callable[..., Shop], links: tuple[str, str]
) -> None:
    # given several logins of a person who is new
    shop = make_shop(links=(IdentifierLink(*links),))
    tokens = [shop.issuer.token({**VERIFIED, POINTS: 1, ROLES: [str(number)]}) for number in range(6)]
    # when their browsers post together, each with a profile of its own
    posts = [partial(shop.post, token, f"browser-{number}") for number, token in enumerate(tokens)]
    responses = at_once(posts)
    # then it is one profile, and nothing got lost
    assert {response.status_code for response in responses} == {200}
    profile_ids = {response.get_json()["profileId"] for response in responses}
    assert len(profile_ids) == 1
    properties = shop.properties(profile_ids.pop())
    assert properties["points"] == ["6"]
    assert sorted(properties["roles"]) == ["0", "1", "2", "3", "4", "5"]
    assert shop.count() == (1, 6)


def test_two_people_at_once_in_one_browser_do_not_share_a_profile(shop: Shop, now: datetime) -> None:
    # given an anonymous profile that two people name
    shop.add_profile("browser-1", now)
    tokens = [shop.issuer.token(sub=f"auth0|{number}") for number in range(4)]
    # when they log in together
    responses = at_once([partial(shop.post, token, "browser-1") for token in tokens])
    # then one of them has it, the others have their own
    answers = [response.get_json() for response in responses]
    assert len({answer["profileId"] for answer in answers}) == 4
    assert sum("switchProfile" in answer for answer in answers) == 3


def test_a_sum_needs_a_numeric_property(make_shop: Callable[..., Shop]) -> None:
    # given a goal that sums into what another row made a text
    shop = make_shop(mappings=(Mapping("name", "full_name"),))
    other = make_shop(
        key="second-goal", mappings=(Mapping("user_metadata.points", "full_name", strategy=MergeStrategy.SUM),)
    )
    profile_id = shop.log_in({"name": "Ann"})["profileId"]
    # when
    answer = other.log_in({POINTS: 1})
    # then
    assert answer["problems"] == {"full_name": ["a property of the type text cannot be summed"]}
    assert shop.properties(profile_id)["full_name"] == ["Ann"]
