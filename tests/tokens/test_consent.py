"""A goal whose connection has objectives: only visitors who consented to one of them are processed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from snippets.consent import ConsentRule
from snippets.goals import IdentifierLink, Mapping, MergeStrategy
from tests.tokens.conftest import MAPPINGS, ORIGIN, Shop
from webapp.conflicts.models import IdentityConflict
from webapp.profiles.consent import CONSENT_PROPERTIES
from webapp.profiles.embedded import get_profile
from webapp.profiles.models import ProfileIdentity

RULE = ConsentRule(("marketing", "statistics"), opt_in=("GDPR", "UK_GDPR"), opt_out=("CCPA",))
MISMATCH: dict[str, Any] = {"state": "CONSENT_MISMATCH", "profileId": None, "updated": []}
EU_YES = {"consented": ["marketing"], "refused": [], "legislation": "GDPR"}
EU_NO = {"consented": [], "refused": ["marketing"], "legislation": "GDPR"}
EU_NOTHING: dict[str, Any] = {"consented": [], "refused": [], "legislation": "GDPR"}


@pytest.fixture
def asking_shop(make_shop: Callable[..., Shop]) -> Shop:
    """A shop that asks for consent to two objectives in Europe, and lets people refuse in California."""
    return make_shop(consent=RULE)


def post(shop: Shop, token: str, consent: object = None, profile_id: str | None = None) -> TestResponse:
    body = {"token": token, "profileId": profile_id} | ({} if consent is None else {"consent": consent})
    return shop.app.test_client().post(shop.path, json=body, headers={"Origin": ORIGIN})


def answer(shop: Shop, token: str, consent: object = None, profile_id: str | None = None) -> dict[str, Any]:
    response = post(shop, token, consent, profile_id)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def test_a_visitor_who_consented_is_processed_and_the_word_is_kept(asking_shop: Shop) -> None:
    # when a visitor who consented to one of the objectives logs in
    got = answer(
        asking_shop,
        asking_shop.issuer.token(),
        {"consented": ["marketing"], "refused": ["statistics"], "legislation": "GDPR"},
    )
    # then the profile is made, and it knows what the visitor said
    assert got["state"] == "CREATED"
    assert {"consented_objectives", "refused_objectives", "privacy_legislation", "auth0_user_id"} <= set(got["updated"])
    stored = asking_shop.properties(got["profileId"])
    assert (stored["consented_objectives"], stored["refused_objectives"]) == (["marketing"], ["statistics"])
    assert stored["privacy_legislation"] == ["GDPR"]


@pytest.mark.parametrize(
    "consent",
    [
        EU_NO,
        EU_NOTHING,
        EU_NOTHING | {"consented": ["something-else"]},
        EU_YES | {"refused": ["marketing"]},
        {"consented": ["marketing"], "refused": ["statistics"], "legislation": "CCPA"},
    ],
)
def test_without_consent_nothing_is_written(asking_shop: Shop, consent: dict[str, Any]) -> None:
    # when a visitor without consent is posted all the same
    got = answer(asking_shop, asking_shop.issuer.token(), consent)
    # then nothing is stored: no profile, no link, not even a receipt
    assert got == MISMATCH
    assert asking_shop.count() == (0, 0)


@pytest.mark.parametrize("consent", [None, {"legislation": "PIPEDA"}, {"legislation": "CCPA"}, {"legislation": None}])
def test_where_no_consent_is_needed_everybody_is_processed(asking_shop: Shop, consent: object) -> None:
    # the rest of the world needs none here, and in California nobody has refused
    assert answer(asking_shop, asking_shop.issuer.token(), consent)["state"] == "CREATED"


def test_a_token_from_before_the_consent_counts_after_it(asking_shop: Shop) -> None:
    # given a token that was posted before its visitor consented, twice
    token = asking_shop.issuer.token({"https://shop.example/claims/user_metadata.points": 5})
    assert [answer(asking_shop, token, EU_NOTHING) for _ in range(2)] == [MISMATCH, MISMATCH]
    # when it comes again with consent, twice
    states = [answer(asking_shop, token, EU_YES) for _ in range(2)]
    # then it is applied, once
    assert states[0]["state"] == "CREATED"
    assert states[1] == states[0]
    assert asking_shop.properties(states[0]["profileId"])["points"] == ["5"]
    assert asking_shop.count() == (1, 1)


def test_the_stored_consent_counts_where_the_post_says_nothing(asking_shop: Shop) -> None:
    # given a visitor whose profile knows the consent
    first = answer(asking_shop, asking_shop.issuer.token(), EU_YES)
    # when a blocked script says nothing at the next login
    claims = {"email": "new@example.org", "email_verified": True}
    got = answer(asking_shop, asking_shop.issuer.token(claims))
    # then the profile is updated
    assert (got["state"], got["profileId"]) == ("MODIFIED", first["profileId"])


def lists(shop: Shop, profile_id: str) -> tuple[list[str], list[str]]:
    stored = shop.properties(profile_id)
    return stored.get("consented_objectives", []), stored.get("refused_objectives", [])


def without_consent(properties: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: values for name, values in properties.items() if name not in CONSENT_PROPERTIES}


def identities(shop: Shop) -> list[tuple[str, str]]:
    with shop.database.reading() as session:
        return [(each.subject, each.profile_id) for each in session.scalars(select(ProfileIdentity))]


def test_of_a_visitor_who_refuses_later_only_the_refusal_is_stored(asking_shop: Shop) -> None:
    # given a visitor who consented
    first = answer(asking_shop, asking_shop.issuer.token(), EU_YES)
    before = asking_shop.properties(first["profileId"])
    # when the visitor logs in after refusing, twice with the same token
    token = asking_shop.issuer.token({"email": "new@example.org", "email_verified": True})
    answers = [answer(asking_shop, token, EU_NO) for _ in range(2)]
    # then nothing of that login is stored but the answer, and no receipt of it
    assert answers == [MISMATCH, MISMATCH]
    after = asking_shop.properties(first["profileId"])
    assert without_consent(after) == without_consent(before)
    assert lists(asking_shop, first["profileId"]) == ([], ["marketing"])
    assert asking_shop.count() == (1, 1)
    # and once the visitor consents again, the token counts
    assert answer(asking_shop, token, EU_YES)["state"] == "MODIFIED"
    assert asking_shop.properties(first["profileId"])["email"] == ["new@example.org"]


def test_a_token_that_was_applied_brings_each_other_answer(asking_shop: Shop) -> None:
    # given a token that was applied, and is remembered
    token = asking_shop.issuer.token({"https://shop.example/claims/user_metadata.points": 5})
    first = answer(asking_shop, token, EU_YES)
    # when it comes again with a refusal, then that is kept
    assert answer(asking_shop, token, EU_NO) == MISMATCH
    assert lists(asking_shop, first["profileId"]) == ([], ["marketing"])
    # and when it comes with a consent again, so is that, and it is answered as the first time
    assert answer(asking_shop, token, EU_YES) == first
    assert lists(asking_shop, first["profileId"]) == (["marketing"], [])
    assert asking_shop.properties(first["profileId"])["points"] == ["5"]
    assert asking_shop.count() == (1, 1)


def test_an_answer_never_brings_a_deleted_profile_back(asking_shop: Shop) -> None:
    # given a token whose profile was deleted after it was applied
    token = asking_shop.issuer.token()
    first = answer(asking_shop, token, EU_YES)
    with asking_shop.database.transaction() as session:
        session.delete(get_profile(session, first["profileId"]))
    # when it comes again, with a refusal and a consent
    answers = [answer(asking_shop, token, each) for each in (EU_NO, EU_YES)]
    # then there is no profile
    assert answers == [MISMATCH, first]
    assert asking_shop.count() == (0, 1)


def test_an_answer_that_comes_again_does_not_reach_who_took_the_address_over(make_shop: Callable[..., Shop]) -> None:
    # given a goal that takes addresses without proof, and a token whose profile was deleted after it was applied
    shop = make_shop(consent=RULE, links=(IdentifierLink("email", "email", require_verified=False),))
    token = shop.issuer.token({"sub": "auth0|one", "email": "ann@example.org"})
    first = answer(shop, token, EU_YES)
    with shop.database.transaction() as session:
        session.delete(get_profile(session, first["profileId"]))
    # when it comes again after another user took the address
    other = answer(shop, shop.issuer.token({"sub": "auth0|two", "email": "ann@example.org"}), EU_YES)
    answers = [answer(shop, token, each) for each in (EU_NO, EU_YES)]
    # then that user's profile stays as it is
    assert [each["state"] for each in answers] == ["CONSENT_MISMATCH", "CREATED"]
    assert lists(shop, other["profileId"]) == (["marketing"], [])


@pytest.mark.parametrize("late", [EU_YES, EU_NO])
def test_a_late_token_does_not_overwrite_a_newer_answer(asking_shop: Shop, late: dict[str, Any]) -> None:
    # given a visitor whose newest login, of this minute, brought another answer than one of the minute before
    newer = EU_NO if late is EU_YES else EU_YES
    issued = asking_shop.issuer.claims()["iat"]
    profile_id = answer(asking_shop, asking_shop.issuer.token({"iat": issued - 120}), EU_YES)["profileId"]
    answer(asking_shop, asking_shop.issuer.token({"iat": issued}), newer)
    before = lists(asking_shop, profile_id)
    # when the older one arrives at last
    got = answer(asking_shop, asking_shop.issuer.token({"iat": issued - 60, "name": "Late"}), late)
    # then the newer answer stands, and nothing is processed that either of them refuses
    assert got == MISMATCH
    assert lists(asking_shop, profile_id) == before == (newer["consented"], newer["refused"])


def test_an_answer_that_changes_nothing_is_newer_all_the_same(asking_shop: Shop) -> None:
    # given a refusal that was repeated at a later login
    issued = asking_shop.issuer.claims()["iat"]
    profile_id = answer(asking_shop, asking_shop.issuer.token({"iat": issued - 120}), EU_YES)["profileId"]
    for seconds in (90, 0):
        answer(asking_shop, asking_shop.issuer.token({"iat": issued - seconds}), EU_NO)
    # when a consent from between the two arrives
    got = answer(asking_shop, asking_shop.issuer.token({"iat": issued - 60}), EU_YES)
    # then the refusal stands
    assert got == MISMATCH
    assert lists(asking_shop, profile_id) == ([], ["marketing"])


@pytest.mark.parametrize("said", [EU_NOTHING, EU_NOTHING | {"refused": ["something-else"]}])
def test_who_answers_nothing_that_was_asked_changes_nothing(asking_shop: Shop, said: dict[str, Any]) -> None:
    # given a visitor of California, who has refused
    refusal = {"consented": [], "refused": ["marketing"], "legislation": "CCPA"}
    profile_id = answer(asking_shop, asking_shop.issuer.token(), EU_YES)["profileId"]
    answer(asking_shop, asking_shop.issuer.token(), refusal)
    before = asking_shop.properties(profile_id)
    # when a browser in Europe says nothing of what is asked
    got = answer(asking_shop, asking_shop.issuer.token(), said)
    # then nothing is written
    assert got == MISMATCH
    assert asking_shop.properties(profile_id) == before


def test_a_refusal_finds_the_profile_by_a_proven_link_and_links_nobody(asking_shop: Shop) -> None:
    # given a profile of one user with a verified address
    address = {"email": "ann@example.org", "email_verified": True}
    profile_id = answer(asking_shop, asking_shop.issuer.token(address | {"sub": "auth0|one"}), EU_YES)["profileId"]
    # when another user of the same verified address refuses, from a browser with a profile of its own
    got = answer(asking_shop, asking_shop.issuer.token(address | {"sub": "auth0|two"}), EU_NO, "p-2")
    # then the answer is in the profile, which is not linked to that user, and the browser's is not made
    assert (got["state"], got["profileId"]) == ("CONSENT_MISMATCH", None)
    assert lists(asking_shop, profile_id) == ([], ["marketing"])
    assert identities(asking_shop) == [("auth0|one", profile_id)]
    assert asking_shop.count() == (1, 1)


def test_a_refusal_does_not_reach_the_profile_of_somebody_else(asking_shop: Shop) -> None:
    # given a profile of a user
    profile_id = answer(asking_shop, asking_shop.issuer.token({"sub": "auth0|one"}), EU_YES)["profileId"]
    # when another refuses, who names that profile and its address without proof
    stranger = {"sub": "auth0|two", "email": "ann@example.org", "email_verified": False}
    got = answer(asking_shop, asking_shop.issuer.token(stranger), EU_NO, profile_id)
    # then it stays as it is
    assert got == MISMATCH | {"switchProfile": True}
    assert lists(asking_shop, profile_id) == (["marketing"], [])


def test_one_objective_can_be_refused_and_the_other_kept(asking_shop: Shop) -> None:
    # given a visitor who consented to both
    both = EU_YES | {"consented": ["marketing", "statistics"]}
    first = answer(asking_shop, asking_shop.issuer.token(), both)
    # when one is refused later, on a device that knows of nothing else
    answer(
        asking_shop,
        asking_shop.issuer.token(),
        {"consented": ["statistics"], "refused": ["marketing"], "legislation": "GDPR"},
    )
    # then the lists have nothing in common
    stored = asking_shop.properties(first["profileId"])
    assert (stored["consented_objectives"], stored["refused_objectives"]) == (["statistics"], ["marketing"])


def test_a_mapped_consent_is_judged_in_the_same_post(make_shop: Callable[..., Shop]) -> None:
    # given a goal that maps fields to consent on purpose
    mapped = (
        Mapping("user_metadata.consents", "consented_objectives", strategy=MergeStrategy.ADD),
        Mapping("user_metadata.zone", "privacy_legislation"),
    )
    shop = make_shop(consent=RULE, mappings=(*MAPPINGS, *mapped))
    namespace = "https://shop.example/claims/user_metadata"
    # when users log in whose metadata consents, and does not
    refusing = {"sub": "auth0|no", "email": "no@example.org", f"{namespace}.zone": "GDPR"}
    consenting = {f"{namespace}.consents": ["marketing"], f"{namespace}.zone": "GDPR"}
    # then a new profile is judged on what the same login brings
    assert answer(shop, shop.issuer.token(refusing))["state"] == "CONSENT_MISMATCH"
    assert answer(shop, shop.issuer.token(consenting))["state"] == "CREATED"


def test_a_goal_without_objectives_keeps_no_consent(shop: Shop) -> None:
    # when a post speaks of objectives that nobody asked for
    got = answer(shop, shop.issuer.token(), EU_NO)
    # then it is processed, and they are not stored
    assert got["state"] == "CREATED"
    assert "refused_objectives" not in shop.properties(got["profileId"])


def test_a_conflict_of_somebody_without_consent_is_not_kept(make_shop: Callable[..., Shop]) -> None:
    # given a goal that takes addresses without proof, and the profile of a visitor who consented
    link = IdentifierLink("email", "email", require_verified=False)
    shop = make_shop(consent=RULE, links=(link,))
    claimed = {"email": "ann@example.org"}
    answer(shop, shop.issuer.token(claimed), EU_YES)
    # when others claim the address, without consent and with
    refused = post(shop, shop.issuer.token(claimed | {"sub": "auth0|no"}), EU_NO)
    conflict = post(shop, shop.issuer.token(claimed | {"sub": "auth0|yes"}), EU_YES)
    # then only of the second an admin hears
    assert refused.get_json() == MISMATCH
    [(_, profile_id)] = identities(shop)
    assert lists(shop, profile_id) == (["marketing"], [])
    assert conflict.status_code == 409
    with shop.database.reading() as session:
        assert [each.subject for each in session.scalars(select(IdentityConflict))] == ["auth0|yes"]


def test_posts_at_the_same_moment_are_judged_each(asking_shop: Shop) -> None:
    # given a service that has the keys already, and ten visitors, of whom half consented
    answer(asking_shop, asking_shop.issuer.token({"sub": "auth0|first"}), EU_NO)
    tokens = [asking_shop.issuer.token({"sub": f"auth0|{n}", "email": f"v{n}@example.org"}) for n in range(10)]
    consents = [EU_YES if n % 2 else EU_NO for n in range(10)]
    # when all are posted at once
    with ThreadPoolExecutor(10) as pool:
        states = list(pool.map(lambda each: answer(asking_shop, *each)["state"], zip(tokens, consents, strict=True)))
    # then each has its own answer
    assert states == ["CONSENT_MISMATCH", "CREATED"] * 5
    assert asking_shop.count() == (5, 5)


@pytest.mark.parametrize(
    "consent",
    [
        "yes",
        [],
        {"consented": "marketing"},
        {"consented": [5]},
        {"consented": ["a b"]},
        {"consented": ["x" * 101]},
        {"consented": ["marketing\n"]},
        {"refused": [f"o{n}" for n in range(101)]},
        {"legislation": ""},
        {"legislation": "x" * 61},
        {"legislation": 5},
        {"consented": [], "level": 2},
    ],
)
def test_a_malformed_consent_is_refused(asking_shop: Shop, consent: object) -> None:
    response = post(asking_shop, asking_shop.issuer.token(), consent)
    assert response.status_code == 400
    assert response.get_json()["type"].endswith("/malformed-request")
    assert asking_shop.count() == (0, 0)
