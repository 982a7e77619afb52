"""Which claims a goal adds to the token, and under which name the token service finds each field."""

import pytest

from snippets.claims import AddedClaim, added_claims, claim_name, fields_to_read, standard_claim
from snippets.goals import PROFILE_ID, IdentifierLink, Mapping, MergeStrategy, TokenKind
from tests.factories import make_goal, to_auth0

NS = "https://shop.example/claims/"


@pytest.mark.parametrize(
    ("token_kind", "field", "expected"),
    [
        (TokenKind.ID_TOKEN, "user_id", "sub"),
        (TokenKind.ID_TOKEN, "email", "email"),
        (TokenKind.ID_TOKEN, "user_metadata.plan", None),
        (TokenKind.ID_TOKEN, "phone_number", None),
        (TokenKind.ACCESS_TOKEN, "user_id", "sub"),
        (TokenKind.ACCESS_TOKEN, "email", None),
    ],
)
def test_a_token_has_standard_claims_by_itself(token_kind: TokenKind, field: str, expected: str | None) -> None:
    assert standard_claim(token_kind, field) == expected


def test_a_field_that_may_clear_its_property_has_a_claim_of_its_own() -> None:
    # given a standard claim and the user's id, both with "set or clear"
    rows = (
        Mapping("email", "email", strategy=MergeStrategy.SET_OR_CLEAR),
        Mapping("user_id", "id", strategy=MergeStrategy.SET_OR_CLEAR),
        Mapping("name", "name"),
    )
    goal = make_goal(mappings=rows)
    # then only the e-mail address is added: sub is never missing
    assert goal.clearing_fields == {"email", "user_id"}
    assert [claim_name(goal, field) for field in ("email", "user_id", "name")] == [NS + "email", "sub", "name"]
    assert added_claims(goal) == (AddedClaim(NS + "email", "email", null_if_missing=True),)


def test_the_token_service_reads_each_field_once_and_what_verifies_it() -> None:
    # given rows and links over the same fields
    goal = make_goal(
        mappings=(Mapping("email", "email"), Mapping("email", "login"), to_auth0("user_metadata.a", "a")),
        links=(
            IdentifierLink("user_metadata.bc", PROFILE_ID),
            IdentifierLink("email", "email"),
            IdentifierLink("phone_number", "phone", require_verified=False),
        ),
    )
    # then a row to Auth0 is not read, and a verified address needs its proof
    assert fields_to_read(goal) == ("email", "email_verified", "user_metadata.bc", "phone_number")
    # and only what an ID token lacks is added
    assert [claim.name for claim in added_claims(goal)] == [NS + "user_metadata.bc", NS + "phone_number"]


def test_an_access_token_needs_every_field_but_the_users_id() -> None:
    goal = make_goal(
        token_kind=TokenKind.ACCESS_TOKEN,
        audiences=("https://api.shop.example",),
        mappings=(Mapping("email", "email"), Mapping("user_id", "id")),
    )
    # then it has them, and with the address Auth0's word on it
    assert [claim.name for claim in added_claims(goal)] == [NS + "email", NS + "email_verified"]
