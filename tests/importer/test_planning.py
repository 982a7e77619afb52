"""What a new user comes to is the same by the short way and by the rules."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.goals import IdentifierLink, MergeStrategy
from tests.factories import make_import_goal
from webapp.connections.import_goals import ImportMapping
from webapp.connections.transforms import Transform, TransformKind
from webapp.importer.mapping import MappedUser, UserMapper
from webapp.importer.planning import Candidate, Plan, Terms, plan_user
from webapp.importer.reading import User
from webapp.profiles.definitions import Definitions
from webapp.profiles.facts import Facts
from webapp.profiles.values import PropertyType

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GOAL = make_import_goal(
    mappings=(
        ImportMapping("email", "email", MergeStrategy.SET_OR_CLEAR),
        ImportMapping("name", "name"),
        ImportMapping("likes", "likes", MergeStrategy.ADD, (Transform(TransformKind.SPLIT, ","),)),
        ImportMapping("count", "count", MergeStrategy.SET_IF_EMPTY),
        ImportMapping("since", "since"),
        ImportMapping("nickname", "nickname", MergeStrategy.SET_OR_CLEAR),
    ),
    links=(IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email")),
    database_property="database",
)
DEFINITIONS = Definitions(
    {"email": PropertyType.EMAIL, "count": PropertyType.NUMBER, "since": PropertyType.DATETIME},
    frozenset({"email", "auth0_user_id"}),
)

values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["a@example.org", "7", "a,a"])
)
fields = st.fixed_dictionaries(
    {"user_id": st.just("auth0|ann")},
    optional={
        name: values | st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=2), values, max_size=2)
        for name in (
            "email",
            "email_verified",
            "name",
            "likes",
            "count",
            "since",
            "nickname",
            "connection",
            "updated_at",
        )
    },
)


def plan_of(user: dict[str, Any], *, is_quick: bool) -> Plan:
    mapper = UserMapper(GOAL, DEFINITIONS, issuer="https://acme.eu.auth0.com/")
    assert mapper.is_quick_for_new
    mapper.is_quick_for_new = is_quick
    mapped = mapper.read(User(1, user))
    assert isinstance(mapped, MappedUser)
    links = mapper.links(mapped)
    return plan_user(Candidate(mapped, links, mapper.sought(mapped, links)), Facts(), Terms(GOAL, mapper, None, NOW))


@given(fields)
def test_the_short_way_for_new_users_comes_to_what_the_rules_do(user: dict[str, Any]) -> None:
    # given any user without a profile
    quick, by_rules = plan_of(user, is_quick=True), plan_of(user, is_quick=False)
    # then both ways write the same, but for the id, which nobody guesses
    assert quick.change is not None
    assert by_rules.change is not None
    assert quick.change.profile._replace(id="") == by_rules.change.profile._replace(id="")
    assert quick.change.changed == by_rules.change.changed
    assert (quick.state, list(quick.problems)) == (by_rules.state, list(by_rules.problems))


@pytest.mark.parametrize(
    "mappings",
    [
        (ImportMapping("points", "points", MergeStrategy.SUM),),
        (ImportMapping("name", "name"), ImportMapping("nickname", "name", MergeStrategy.ADD)),
        (ImportMapping("consents", "consented_objectives"),),
    ],
    ids=["sum", "two rows", "consent"],
)
def test_goals_whose_rows_depend_on_more_go_by_the_rules(mappings: tuple[ImportMapping, ...]) -> None:
    goal = make_import_goal(mappings=mappings)
    assert not UserMapper(goal, DEFINITIONS, issuer="https://acme.eu.auth0.com/").is_quick_for_new
