"""What a token would do: decided as for a real one, without any right to write."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.tokens.conftest import NAMESPACE, Shop
from webapp.connections.goals import find_live_goal
from webapp.tokens.planning import Plan
from webapp.tokens.preview import preview_sync
from webapp.tokens.refusals import TokenAudienceError, TokenExpiredError, TokenIssuerError, TokenSubjectError

READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}


def preview(shop: Shop, profile_hint: str | None = None, **claims: object) -> Plan:
    """Preview in a transaction in which the database itself refuses to write or to lock a row."""
    with shop.app.app_context(), shop.database.reading() as session:
        live = find_live_goal(session, shop.goal.key)
        dialect = shop.database.engine.dialect.name
        session.execute(text(READ_ONLY[dialect]))
        try:
            found = shop.issuer.claims(**claims)
            return preview_sync(session, live, found, profile_hint=profile_hint, now=datetime.now(UTC))
        finally:
            if dialect == "sqlite":  # there it belongs to the connection, which others use after us
                session.execute(text("PRAGMA query_only = OFF"))


@pytest.mark.parametrize("profile_hint", [None, "browser-1"])
def test_a_preview_needs_no_right_to_write(shop: Shop, profile_hint: str | None) -> None:
    # given a profile of one visitor
    profile_id = shop.log_in({"name": "Ann"})["profileId"]
    # when the next token of the visitor, and one of a stranger, are previewed
    known = preview(shop, profile_hint, **{f"{NAMESPACE}user_metadata.points": 2})
    strange = preview(shop, profile_hint, sub="auth0|bob")
    # then both are decided
    assert (known.outcome.state, known.outcome.profile_id) == ("MODIFIED", profile_id)
    assert known.changed == {"points": ["2"]}
    assert strange.outcome.state == "CREATED"


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"iss": "https://other.example/"}, TokenIssuerError),
        ({"aud": "other"}, TokenAudienceError),
        ({"sub": "app@clients"}, TokenSubjectError),
        ({"exp": 1}, TokenExpiredError),
    ],
)
def test_claims_that_the_service_would_refuse_are_refused(
    shop: Shop, claims: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        preview(shop, **claims)  # type: ignore[arg-type]  # none of them is the hint
