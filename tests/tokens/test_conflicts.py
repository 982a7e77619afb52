"""What the visitor's word that points at somebody else's profile leads to: a record, and what an admin decides."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from snippets.goals import IdentifierLink, Mapping, MergeStrategy
from tests.tokens.conftest import NAMESPACE, Shop
from webapp.conflicts.choosing import Choice, decide
from webapp.conflicts.listing import find_conflict, read_sides
from webapp.conflicts.models import IdentityConflict
from webapp.profiles.linking import NOT_VERIFIED
from webapp.profiles.models import Profile, ProfileIdentity

POINTS = f"{NAMESPACE}user_metadata.points"
LINKS = (IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email", require_verified=False))
MAPPINGS = (
    Mapping("user_id", "auth0_user_id"),
    Mapping("email", "email"),
    Mapping("name", "full_name"),
    Mapping("user_metadata.points", "points", strategy=MergeStrategy.SUM),
)
OWNER: dict[str, Any] = {"sub": "auth0|ann", "email": "ann@example.org", "name": "Ann", POINTS: 1}
VISITOR: dict[str, Any] = {"sub": "twitter|ann", "email": "ann@example.org", "name": "Also Ann", POINTS: 10}


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """A goal that takes an address without proof."""
    return make_shop(links=LINKS, mappings=MAPPINGS)


def refused(shop: Shop, claims: dict[str, Any] = VISITOR, **options: Any) -> TestResponse:
    response = shop.post(shop.issuer.token(claims), **options)
    assert response.status_code == 409, response.text
    return response


def conflicts(shop: Shop) -> list[IdentityConflict]:
    with shop.database.reading() as session:
        return list(session.scalars(select(IdentityConflict).order_by(IdentityConflict.id)))


def choose(shop: Shop, choice: Choice) -> None:
    with shop.database.reading() as session:
        conflict = find_conflict(session, conflicts(shop)[0].key)
        seen = read_sides(session, conflict).mark(conflict)
    with shop.database.transaction() as session:
        decide(session, conflict.key, choice, seen=seen, actor="admin@example.org", now=conflict.last_at)


def test_a_refused_post_is_kept_and_the_answer_tells_nothing_of_it(shop: Shop) -> None:
    # given a visitor's profile
    owner = shop.log_in(OWNER)
    # when somebody else claims the address, twice
    response = refused(shop)
    refused(shop)
    # then one conflict waits, with both sides
    (found,) = conflicts(shop)
    issuer = shop.issuer.tenant.issuer
    assert (found.visitor, found.profile_id) == ((issuer, "twitter|ann"), owner["profileId"])
    assert (found.owners, found.auth0_field, found.post_count) == ([[issuer, "auth0|ann"]], "email", 2)
    # and the visitor learns neither whose profile it is nor which
    assert owner["profileId"] not in response.text
    assert "auth0|ann" not in response.text


def test_kept_means_still_refused(shop: Shop) -> None:
    # given a conflict that shall stay as it is
    owner = shop.log_in(OWNER)
    refused(shop)
    choose(shop, Choice.KEEP)
    # when the visitor comes again, then nothing has changed for anybody
    refused(shop)
    assert shop.log_in(OWNER)["profileId"] == owner["profileId"]
    assert shop.properties(owner["profileId"])["points"] == ["2"]


def test_split_leads_the_visitor_to_a_profile_of_their_own_and_the_owner_to_theirs(shop: Shop) -> None:
    # given a conflict that was split
    owner = shop.log_in(OWNER)
    refused(shop)
    choose(shop, Choice.SPLIT)
    # when both log in again and again
    visitor = shop.log_in(VISITOR)
    for _ in range(2):
        assert shop.log_in(OWNER)["profileId"] == owner["profileId"]
        assert shop.log_in(VISITOR)["profileId"] == visitor["profileId"]
    # then each has a profile, and the address by which the owner is found is not in the other's
    assert visitor["problems"] == {"email": [NOT_VERIFIED]}
    assert shop.properties(owner["profileId"])["points"] == ["3"]
    assert shop.properties(visitor["profileId"]) == {
        "auth0_user_id": ["twitter|ann"],
        "full_name": ["Also Ann"],
        "points": ["30"],
    }


def test_move_leads_the_visitor_to_the_profile_and_the_owner_to_a_new_one(shop: Shop) -> None:
    # given a conflict whose profile was moved
    owner = shop.log_in(OWNER)
    refused(shop)
    choose(shop, Choice.MOVE)
    # when the owner logs in before the visitor does, and both again
    for _ in range(2):
        former = shop.log_in(OWNER)
        visitor = shop.log_in(VISITOR)
    # then the profile with all that it held is the visitor's
    assert visitor["profileId"] == owner["profileId"]
    assert shop.properties(owner["profileId"]) == {
        "auth0_user_id": ["twitter|ann"],
        "email": ["ann@example.org"],
        "full_name": ["Also Ann"],
        "points": ["21"],
    }
    # and its owner before has a new one
    assert former["profileId"] != owner["profileId"]
    assert shop.properties(former["profileId"]) == {
        "auth0_user_id": ["auth0|ann"],
        "full_name": ["Ann"],
        "points": ["2"],
    }


@pytest.mark.parametrize("choice", [Choice.MOVE, Choice.SPLIT])
def test_posts_that_come_while_an_admin_decides_lose_nothing(shop: Shop, choice: Choice) -> None:
    # given a conflict, and tokens of both sides
    shop.log_in(OWNER)
    refused(shop)
    tokens = [shop.issuer.token(claims | {POINTS: 1}) for claims in (OWNER, VISITOR) for _ in range(4)]
    # when all are posted while the admin decides
    with ThreadPoolExecutor() as pool:
        posting = [pool.submit(shop.post, token) for token in tokens]
        pool.submit(choose, shop, choice).result(timeout=60)
        statuses = [each.result(timeout=60).status_code for each in posting]
    # then the owner's are applied, the visitor's are applied or refused, and each that was applied counts once
    assert statuses[:4] == [200] * 4
    assert set(statuses) <= {200, 409}
    with shop.database.reading() as session:
        profiles = list(session.scalars(select(Profile)))
        owners = {row.subject: row.profile_id for row in session.scalars(select(ProfileIdentity))}
    sums = [int(profile.properties["points"]["values"][0]) for profile in profiles if "points" in profile.properties]
    assert sum(sums) == 1 + statuses.count(200)
    # and each of them has a profile of their own
    assert len(set(owners.values())) == len(owners) == len(profiles) == 2


def test_a_visitor_with_a_profile_of_their_own_is_not_refused(shop: Shop) -> None:
    # given two people
    owner = shop.log_in(OWNER)
    visitor = shop.log_in({**VISITOR, "email": "second@example.org"})
    # when one of them claims the other's address
    answer = shop.log_in(VISITOR)
    # then the post goes to their own profile, the address is not stored there, and no conflict is kept
    assert answer["profileId"] == visitor["profileId"] != owner["profileId"]
    assert answer["problems"] == {"email": [NOT_VERIFIED]}
    assert shop.properties(visitor["profileId"])["email"] == ["second@example.org"]
    assert conflicts(shop) == []


def test_a_later_link_may_say_who_the_visitor_is(make_shop: Callable[..., Shop]) -> None:
    # given a goal whose unproven link comes first, and two people, one known by an address that Auth0 verified
    customer = IdentifierLink("user_metadata.customer", "customer", require_verified=False)
    shop = make_shop(links=(customer, IdentifierLink("email", "email")), mappings=MAPPINGS)
    claim = f"{NAMESPACE}user_metadata.customer"
    owner = shop.log_in({**OWNER, claim: "C-1"})
    verified = {"email": "bob@example.org", "email_verified": True}
    bob = shop.log_in({"sub": "auth0|bob", **verified})
    # when that one comes by another login and claims the other's number
    answer = shop.log_in({"sub": "google-oauth2|bob", **verified, claim: "C-1"})
    # then the verified address decides
    assert answer["profileId"] == bob["profileId"] != owner["profileId"]


def test_an_anonymous_profile_in_the_browser_does_not_hide_a_conflict(shop: Shop) -> None:
    # given a profile that nobody owns
    shop.log_in(OWNER)
    # when a visitor's browser names it, while the link points at somebody else's
    refused(shop, profile_id="browser-1")
    # then that is a conflict all the same
    assert len(conflicts(shop)) == 1


def test_what_cannot_be_kept_does_not_change_the_answer(shop: Shop) -> None:
    # given a database without room for conflicts
    shop.log_in(OWNER)
    with shop.database.transaction() as session:
        session.execute(text("DROP TABLE identity_conflicts"))
    # when a post is refused, then it is refused as ever
    refused(shop)
