"""Plain data to a goal: what a form or a YAML file may hold, and every mistake at its place."""

import json
from typing import Any

import pytest

from snippets.consent import ConsentRule
from snippets.goals import Direction, IdentifierLink, InvalidGoalError, Mapping, MergeStrategy, TokenKind, WebGoal
from snippets.policy import SigningAlgorithm, TokenPolicy
from snippets.reading import FIELDS, POLICY_FIELDS, plain_web_goal, read_web_goal
from tests.factories import make_full_goal, make_goal

PLAIN: dict[str, Any] = {
    "key": "shop-goal",
    "name": " Shop visitors ",
    "revision": 4,
    "claim_namespace": "https://shop.example/claims/",
    "mappings": [
        {"auth0_field": " email ", "profile_property": "email"},
        {
            "auth0_field": "user_metadata.newsletter",
            "profile_property": "newsletter",
            "direction": "to_auth0",
            "strategy": "add",
        },
    ],
    "links": [{"auth0_field": "email", "profile_property": "email", "require_verified": False}],
    "allow_creation": False,
    "token_kind": "access_token",
    "client_ids": ["one", " one ", "", "two"],
    "audiences": ["https://api.shop.example"],
    "allowed_origins": ["https://shop.example"],
    "enable_rule": False,
    "enable_token": True,
    "server_exchange": False,
    "algorithms": ["ES256", "RS256"],
    "required_scopes": ["sync:profile"],
    "leeway_seconds": 0,
    "max_age_seconds": 3600,
    "custom_domains": [" https://Login.example.com/ "],
    "consent": {"objectives": ["marketing"], "opt_in": ["GDPR"], "opt_out": []},
}


def read(**changes: Any) -> WebGoal:
    return read_web_goal(PLAIN | changes, public_url="https://websync.example")


def problems_of(**changes: Any) -> list[str]:
    with pytest.raises(InvalidGoalError) as caught:
        read(**changes)
    return [str(problem) for problem in caught.value.problems]


def test_plain_data_becomes_a_goal() -> None:
    # when all of it is read
    goal = read()
    # then texts are trimmed, empty lines and repetitions are gone, and the rest is as written
    assert goal == WebGoal(
        key="shop-goal",
        name="Shop visitors",
        public_url="https://websync.example",
        claim_namespace="https://shop.example/claims/",
        revision=4,
        mappings=(
            Mapping("email", "email"),
            Mapping("user_metadata.newsletter", "newsletter", Direction.TO_AUTH0, MergeStrategy.ADD),
        ),
        links=(IdentifierLink("email", "email", require_verified=False),),
        allow_creation=False,
        token_kind=TokenKind.ACCESS_TOKEN,
        client_ids=("one", "two"),
        audiences=("https://api.shop.example",),
        allowed_origins=("https://shop.example",),
        enable_rule=False,
        token_policy=TokenPolicy(
            algorithms=(SigningAlgorithm.RS256, SigningAlgorithm.ES256),
            required_scopes=("sync:profile",),
            leeway_seconds=0,
            max_age_seconds=3600,
            custom_domains=("login.example.com",),
        ),
        consent=ConsentRule(("marketing",), opt_in=("GDPR",)),
    )


def test_what_is_left_out_has_its_default() -> None:
    plain = {"key": "shop-goal", "name": "Shop", "claim_namespace": "https://a.example/", "enable_token": False}
    goal = read_web_goal(plain, public_url="https://websync.example")
    assert (goal.revision, goal.mappings, goal.links, goal.client_ids) == (1, (), (), ())
    assert (goal.allow_creation, goal.token_kind, goal.enable_rule) == (True, TokenKind.ID_TOKEN, True)
    assert goal.token_policy == TokenPolicy()


def test_a_usual_policy_leaves_no_trace_in_plain_data() -> None:
    assert not POLICY_FIELDS & plain_web_goal(make_goal()).keys()
    assert plain_web_goal(read())["custom_domains"] == ["login.example.com"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"algorithms": ["none"]}, "algorithms: 'none' is unknown; known are RS256, PS256, ES256, HS256."),
        ({"algorithms": ["rs256"]}, "algorithms: 'rs256' is unknown; known are RS256, PS256, ES256, HS256."),
        ({"algorithms": "RS256"}, "algorithms: Must be a list of texts."),
        (
            {"algorithms": ["RS256", "HS256"]},
            "algorithms: HS256 stands alone: with a public key beside it, that key could pass for the secret.",
        ),
        (
            {"token_kind": "id_token"},
            "required_scopes: Only access tokens have scopes: choose the access token, or take them out.",
        ),
        ({"required_scopes": ["a b"]}, "required_scopes: At most 20 scopes, one a line, without spaces or quotes."),
        ({"required_scopes": ["ü"]}, "required_scopes: At most 20 scopes, one a line, without spaces or quotes."),
        ({"leeway_seconds": -1}, "leeway_seconds: A whole number from 0 to 300, or nothing."),
        ({"leeway_seconds": 301}, "leeway_seconds: A whole number from 0 to 300, or nothing."),
        ({"leeway_seconds": True}, "leeway_seconds: Must be a whole number, or nothing."),
        ({"leeway_seconds": "soon"}, "leeway_seconds: Must be a whole number, or nothing."),
        ({"max_age_seconds": 59}, "max_age_seconds: A whole number from 60 to 2592000, or nothing."),
        ({"max_age_seconds": 1.5}, "max_age_seconds: Must be a whole number, or nothing."),
        *[
            (
                {"custom_domains": [domain]},
                f"custom_domains: {domain!r} is no domain such as login.example.com (no path, port or address).",
            )
            for domain in (
                "localhost",
                "127.0.0.1",
                "[::1]",
                "a.example:444",
                "a.example/x",
                "http://a.example",
                "x@a.b",
            )
        ],
    ],
)
def test_a_policy_that_cannot_be_is_refused(changes: dict[str, Any], problem: str) -> None:
    assert problems_of(**changes) == [problem]


def test_the_known_fields_are_those_that_are_read() -> None:
    assert set(PLAIN) == FIELDS


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": 5}, "name: Must be text."),
        ({"name": None}, "name: Give the goal a name."),
        ({"client_ids": "one"}, "client_ids: Must be a list of texts."),
        ({"client_ids": [1]}, "client_ids: Must be a list of texts."),
        ({"allow_creation": "yes"}, "allow_creation: Must be true or false."),
        ({"enable_token": 1}, "enable_token: Must be true or false."),
        ({"revision": 0}, "revision: Must be a whole number from 1."),
        ({"revision": True}, "revision: Must be a whole number from 1."),
        ({"revision": "2"}, "revision: Must be a whole number from 1."),
        ({"token_kind": "cookie"}, "token_kind: Must be one of id_token, access_token."),
        ({"mappings": "email"}, "mappings: Must be a list of rows."),
        ({"mappings": {"email": "email"}}, "mappings: Must be a list of rows."),
        ({"consent": "marketing"}, "consent: A rule has objectives, opt_in and opt_out."),
        ({"consent": PLAIN["consent"] | {"opt_in": "GDPR"}}, "consent: A rule has lists of texts."),
        ({"consent": PLAIN["consent"] | {"opt_out": [5]}}, "consent: A rule has lists of texts."),
        (
            {"consent": PLAIN["consent"] | {"objectives": []}},
            "consent: A rule has 1 to 20 objectives, named by ids.",
        ),
        ({"links": 5}, "links: Must be a list of rows."),
        ({"mappings": ["email"]}, "mappings[1].auth0_field: Name an Auth0 field, such as email or user_metadata.plan."),
        (
            {"mappings": [{"auth0_field": "email", "profile_property": 5}]},
            "mappings[1].profile_property: Must be text.",
        ),
        (
            {"mappings": [{"auth0_field": "email", "profile_property": "e", "direction": "up"}]},
            "mappings[1].direction: Must be one of to_profile, to_auth0.",
        ),
        (
            {"mappings": [{"auth0_field": "email", "profile_property": "e", "strategy": "SET"}]},
            "mappings[1].strategy: Must be one of set, set_if_empty, set_or_clear, add, sum.",
        ),
        (
            {"mappings": [{"auth0_field": "email", "profile_property": "e", "stratgy": "set"}]},
            "mappings[1].stratgy: Unknown; known are auth0_field, direction, profile_property, strategy.",
        ),
        (
            {"links": [{"auth0_field": "email", "profile_property": "e", "require_verified": "no"}]},
            "links[1].require_verified: Must be true or false.",
        ),
        (
            {"links": [{"auth0_field": "email", "profile_property": "e", "verified": True}]},
            "links[1].verified: Unknown; known are auth0_field, profile_property, require_verified.",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(changes: dict[str, Any], expected: str) -> None:
    assert expected in problems_of(**changes)


def test_all_mistakes_come_at_once() -> None:
    # given mistakes in the fields, in two rows, and in what takes all of the goal
    rows = [{"auth0_field": "last_login", "profile_property": "x"}, {"auth0_field": "email", "profile_property": "é"}]
    # when it is read
    found = problems_of(name="", mappings=rows, allowed_origins=["shop"], enable_rule="x")
    # then each is told once
    assert [line.partition(":")[0] for line in found] == [
        "mappings[1].auth0_field",
        "mappings[2].profile_property",
        "enable_rule",
        "name",
        "allowed_origins",
    ]


def test_rows_that_cannot_be_read_are_not_called_missing() -> None:
    # given the only link, misspelled
    found = problems_of(links=[{"auth0_field": "a..b", "profile_property": "email"}])
    # then nobody is told to add one
    assert [line.partition(":")[0] for line in found] == ["links[1].auth0_field"]


@pytest.mark.parametrize(
    "goal",
    [
        make_goal(),
        make_full_goal(),
        make_goal(token_kind=TokenKind.ACCESS_TOKEN, audiences=("a",)),
        make_goal(consent=ConsentRule(("a",), ("GDPR",))),
    ],
)
def test_plain_data_of_a_goal_makes_the_same_goal_again(goal: WebGoal) -> None:
    # given a goal
    # when it is written as plain data, sent through JSON, and read
    plain = json.loads(json.dumps(plain_web_goal(goal)))
    # then it is the same, with all its fields
    assert read_web_goal(plain, public_url=goal.public_url) == goal
    assert set(plain) == FIELDS - POLICY_FIELDS
