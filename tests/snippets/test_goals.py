"""What a goal may be, and what is said of one that may not."""

from typing import Any

import pytest

from snippets.goals import (
    PROFILE_ID,
    Direction,
    IdentifierLink,
    InvalidGoalError,
    InvalidMappingError,
    Mapping,
    MergeStrategy,
    Problem,
    TokenKind,
)
from tests.factories import make_goal, to_auth0


def problems_of(**changes: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Return place and message of all that is wrong with a goal that was changed so."""
    with pytest.raises(InvalidGoalError) as caught:
        make_goal(**changes)
    return [(problem.place, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("row", "attribute", "message"),
    [
        (("", "plan"), "auth0_field", "Name an Auth0 field"),
        (("last_login", "seen"), "auth0_field", "does not tell last_login at login"),
        (("email", ""), "profile_property", "Name a profile property"),
        (("email", "e mail"), "profile_property", "letters, digits, - and _ only"),
        (("email", "é"), "profile_property", "letters, digits, - and _ only"),
        (("email", "x" * 101), "profile_property", "at most 100"),
        (("email", PROFILE_ID), "profile_property", "use an identifier link"),
        (("email", "CreationDate"), "profile_property", "read-only"),
        (("email", "email", Direction.TO_AUTH0), "auth0_field", "only go to a field of user_metadata"),
        (("user_metadata", "all", Direction.TO_AUTH0), "auth0_field", "only go to a field of user_metadata"),
        (
            ("user_metadata.a", "a", Direction.TO_AUTH0, MergeStrategy.SET_OR_CLEAR),
            "strategy",
            "must not erase it",
        ),
        (("user_metadata.a", "a", Direction.TO_AUTH0, MergeStrategy.SUM), "strategy", "count the visitor's word"),
    ],
)
def test_a_row_that_cannot_be_names_what_to_change(row: tuple[Any, ...], attribute: str, message: str) -> None:
    with pytest.raises(InvalidMappingError, match=message) as caught:
        Mapping(*row)
    assert caught.value.attribute == attribute


def test_a_read_only_property_may_go_to_auth0() -> None:
    assert to_auth0("user_metadata.first_seen", "creationdate").profile_property == "creationdate"


@pytest.mark.parametrize(
    ("link", "attribute"),
    [(("", "email"), "auth0_field"), (("email", ""), "profile_property"), (("a..b", "b"), "auth0_field")],
)
def test_a_link_that_cannot_be_names_what_to_change(link: tuple[str, str], attribute: str) -> None:
    with pytest.raises(InvalidMappingError) as caught:
        IdentifierLink(*link)
    assert caught.value.attribute == attribute


@pytest.mark.parametrize(
    ("field", "required", "verified_by"),
    [
        ("email", True, "email_verified"),
        ("email", False, None),
        ("phone_number", True, "phone_verified"),
        ("user_id", True, None),
    ],
)
def test_a_link_by_address_asks_for_a_verified_one(field: str, required: bool, verified_by: str | None) -> None:
    assert IdentifierLink(field, "property", require_verified=required).verified_by == verified_by


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"name": "  "}, ("name",), "Give the goal a name."),
        ({"name": "x" * 201}, ("name",), "At most 200 characters."),
        ({"key": "short"}, ("key",), "6 to 64"),
        ({"key": "has space"}, ("key",), "6 to 64"),
        ({"claim_namespace": ""}, ("claim_namespace",), "A URL that you control"),
        ({"claim_namespace": "https://shop.example"}, ("claim_namespace",), "A URL that you control"),
        ({"claim_namespace": "ftp://shop.example/"}, ("claim_namespace",), "A URL that you control"),
        ({"claim_namespace": "https:///"}, ("claim_namespace",), "A URL that you control"),
        ({"claim_namespace": "https://[x/"}, ("claim_namespace",), "A URL that you control"),
        (
            {"claim_namespace": "https://shop.auth0.com/"},
            ("claim_namespace",),
            "Auth0 ignores claims on shop.auth0.com",
        ),
        ({"claim_namespace": "https://webtask.io/x/"}, ("claim_namespace",), "Auth0 ignores"),
        ({"claim_namespace": "https://é.example/"}, ("claim_namespace",), "200 ASCII"),
        ({"claim_namespace": "https://a.example/b c/"}, ("claim_namespace",), "without spaces"),
        ({"claim_namespace": f"https://a.example/{'b' * 200}/"}, ("claim_namespace",), "At most 200"),
        ({"links": ()}, ("links",), "Add an identifier link"),
        ({"client_ids": ()}, ("client_ids",), "Name the client id"),
        ({"token_kind": TokenKind.ACCESS_TOKEN}, ("audiences",), "Name the identifier"),
        ({"allowed_origins": ()}, ("allowed_origins",), "Name the origin"),
        ({"client_ids": ("a\nb",)}, ("client_ids",), "Plain text"),
        ({"audiences": ("x" * 601,)}, ("audiences",), "Plain text"),
        ({"mappings": (Mapping("email", "e"), Mapping("email", "e"))}, ("mappings", 1, "auth0_field"), "same as row 1"),
        (
            {"mappings": tuple(Mapping("email", f"p{number}") for number in range(201))},
            ("mappings",),
            "At most 200 mappings.",
        ),
        (
            {"mappings": tuple(to_auth0(f"user_metadata.f{number}", f"p{number}") for number in range(10))},
            ("mappings",),
            "at most 9 properties to Auth0; these rows have 10",
        ),
        (
            {"mappings": (to_auth0("user_metadata.a", "a"), to_auth0("app_metadata.role", "role"))},
            ("mappings", 1, "auth0_field"),
            "For app_metadata, switch on Server exchange.",
        ),
        (
            {
                "server_exchange": True,
                "mappings": (Mapping("user_metadata.role", "role"), to_auth0("app_metadata.role", "role")),
            },
            ("mappings", 1, "profile_property"),
            "user_metadata.role fills this property, and visitors can write that themselves",
        ),
        (
            {
                "server_exchange": True,
                "mappings": (Mapping("email", "address"), to_auth0("app_metadata.address", "address")),
            },
            ("mappings", 1, "profile_property"),
            "email fills this property",
        ),
        (
            {"server_exchange": True, "enable_rule": False},
            ("server_exchange",),
            "Switch on Enable Rule as well",
        ),
        (
            {"server_exchange": True, "enable_token": False, "links": ()},
            ("links",),
            "without one nobody can be recognised",
        ),
        (
            {"mappings": (to_auth0("user_metadata.a.b", "one"), to_auth0("user_metadata.a", "two"))},
            ("mappings", 1, "auth0_field"),
            "user_metadata.a.b is written already",
        ),
        (
            {
                "mappings": (to_auth0("user_metadata.id", "one"),),
                "links": (IdentifierLink("user_metadata.id", PROFILE_ID),),
            },
            ("mappings", 0, "auth0_field"),
            "user_metadata.id is written already",
        ),
        (
            {
                "mappings": (
                    to_auth0("user_metadata.a", "favouriteCategory"),
                    to_auth0("user_metadata.b", "favouritecategory_ucudav"),
                )
            },
            ("mappings", 1, "profile_property"),
            "could not tell it from favouriteCategory",
        ),
        (
            {"links": (IdentifierLink("email", "email"), IdentifierLink("email", "email"))},
            ("links", 1, "auth0_field"),
            "same as link 1",
        ),
    ],
)
def test_a_goal_that_cannot_be_says_where_and_how_to_mend_it(
    changes: dict[str, Any], place: tuple[str | int, ...], message: str
) -> None:
    [(found_place, found_message)] = problems_of(**changes)
    assert found_place == place
    assert message in found_message


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ("shop.example", "is no origin"),
        ("https://", "is no origin"),
        ("https://shop.example/", "is no origin"),
        ("https://shop.example/path", "is no origin"),
        ("https://shop.example?x", "is no origin"),
        ("ftp://shop.example", "is no origin"),
        ("https://shöp.example", "is no origin"),
        ("https://[::1", "is no origin"),
        ("https://shop.example:99999", "is no origin"),
        ("https://shop.example:0", "is no origin"),
        ("https://a b", "is no origin"),
        ("https://a;b", "is no origin"),
        ("https://shop.example\n", "is no origin"),
        ("null", "is no origin"),
        ("https://Shop.example", "lower case"),
        ("HTTPS://shop.example", "lower case"),
        ("https://*.shop.example", "wildcards"),
        ("https://ann@shop.example", "user names"),
        ("http://shop.example", "is not safe"),
        ("http://localhost.example", "is not safe"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str, message: str) -> None:
    [(place, found_message)] = problems_of(allowed_origins=("https://good.example", origin))
    assert place == ("allowed_origins",)
    assert message in found_message


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "https://shop.example:8443",
        "http://localhost:8002",
        "http://127.0.0.1",
        "http://[::1]:8002",
    ],
)
def test_an_origin_as_a_browser_sends_it_is_accepted(origin: str) -> None:
    assert make_goal(allowed_origins=(origin,)).allowed_origins == (origin,)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_page() -> None:
    found = problems_of(name="", key="", claim_namespace="", links=(), client_ids=(), allowed_origins=())
    assert [place[0] for place, _ in found] == [
        "name",
        "key",
        "claim_namespace",
        "links",
        "client_ids",
        "allowed_origins",
    ]


def test_without_the_token_nothing_of_the_token_is_asked() -> None:
    goal = make_goal(enable_token=False, links=(), client_ids=(), allowed_origins=())
    assert goal.enable_token is False


def test_one_property_may_fill_two_fields_and_nine_properties_fit() -> None:
    rows = tuple(to_auth0(f"user_metadata.f{number}", f"p{number % 9}") for number in range(12))
    assert len(make_goal(mappings=rows).mappings_to(Direction.TO_AUTH0)) == 12


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("mappings", 2, "auth0_field"), "mappings[3].auth0_field: Mend it."),
        (("name",), "name: Mend it."),
        ((), "Mend it."),
    ],
)
def test_a_problem_is_one_line_that_counts_rows_from_one(place: tuple[str | int, ...], expected: str) -> None:
    assert str(Problem(place, "Mend it.")) == expected


def test_a_goal_knows_its_addresses() -> None:
    goal = make_goal(key="abc123", public_url="https://websync.example")
    assert goal.token_url == "https://websync.example/sync/abc123/token"
    assert goal.page_url == "https://websync.example/goals/abc123"


def test_the_profile_id_is_kept_by_the_first_link_that_a_browser_may_fill() -> None:
    # given links to the profile id of which the first two are not the browser's to fill
    fields = ("app_metadata.id", "user_id", "user_metadata.id", "user_metadata.other")
    links = tuple(IdentifierLink(field, PROFILE_ID) for field in fields)
    # then the third keeps it, and without it none does
    assert make_goal(links=links).profile_id_link == links[2]
    assert make_goal(links=(*links[:2], IdentifierLink("user_metadata.email", "email"))).profile_id_link is None
