"""What comes over a limit of Auth0 or of the token service: certain failures, warnings, and the row that each names."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from snippets.exchange import action_secrets
from snippets.goals import PROFILE_ID, IdentifierLink, Mapping, MergeStrategy, Problem, WebGoal
from snippets.limits import (
    MAX_ACTION_BYTES,
    MAX_TOKEN_BYTES,
    RESERVED_IN_APP_METADATA,
    action_bytes,
    problems_of,
    warnings_of,
)
from tests.factories import make_full_goal, make_goal, to_auth0
from tests.snippets.arbitrary_goals import goals
from webapp.tokens import verification

ADD = MergeStrategy.ADD


def rows(count: int, *, length: int = 10, **changes: Any) -> tuple[Mapping, ...]:
    """Return rows whose fields have names of ``length`` letters after their number."""
    return tuple(Mapping(f"user_metadata.{n}{'x' * length}", f"p{n}", **changes) for n in range(count))


def messages(found: tuple[Problem, ...]) -> str:
    return " ".join(problem.message for problem in found)


@pytest.mark.parametrize("goal", [make_goal(), make_full_goal(), make_full_goal(server_exchange=True)])
def test_usual_goals_stay_far_below_every_limit(goal: WebGoal) -> None:
    assert problems_of(goal) == warnings_of(goal) == ()


def test_code_that_auth0_would_refuse_is_a_problem_of_the_row_that_takes_most() -> None:
    # given 200 rows with long names, one of them longer
    longest = Mapping("user_metadata." + "y" * 180, "longest")
    goal = make_goal(mappings=(*rows(150, length=160), longest, *rows(199, length=160)[150:]), enable_token=False)
    goal = make_goal(mappings=goal.mappings, claim_namespace=f"https://shop.example/{'n' * 150}/")
    # then their Action would be too large, and that row is named
    assert action_bytes(goal) > MAX_ACTION_BYTES
    [problem] = problems_of(goal)
    assert problem.place == ("mappings", 150, "auth0_field")
    assert "more than 100 kB of code" in problem.message
    # and it is not warned of besides
    assert "kB of code" not in messages(warnings_of(goal))


def test_code_that_is_near_the_limit_is_warned_of() -> None:
    # given rows that make more than 80 kB of code
    goal = make_goal(mappings=rows(200, length=160))
    assert 80_000 < action_bytes(goal) < MAX_ACTION_BYTES
    # then there is no problem, and a warning
    assert problems_of(goal) == ()
    assert "more than 80 kB of code" in messages(warnings_of(goal))


def test_a_list_of_applications_may_be_what_makes_the_code_long() -> None:
    # given hundreds of long client ids
    goal = make_goal(client_ids=tuple(f"{number}-{'c' * 500}" for number in range(250)))
    # then the list is named, and no row
    [problem] = problems_of(goal)
    assert problem.place == ("client_ids",)


@pytest.mark.parametrize("field", ["user_metadata", "app_metadata", "identities"])
def test_a_row_or_link_of_a_whole_object_is_warned_of(field: str) -> None:
    # given a row and a link that put everything into the token
    goal = make_goal(mappings=(Mapping("email", "email"), Mapping(field, "all")), links=(IdentifierLink(field, "id"),))
    # then both are named, with what to map instead
    warnings = warnings_of(goal)
    assert [each.place for each in warnings] == [("mappings", 1, "auth0_field"), ("links", 0, "auth0_field")]
    assert all(f"Map single fields, such as {field}." in each.message for each in warnings)
    # and of app_metadata it says who can read it
    assert ("browser can read it" in messages(warnings)) == (field == "app_metadata")


def test_claims_whose_names_alone_make_a_token_long_are_warned_of() -> None:
    # given a hundred claims of the usual length, then half of them
    [warning] = warnings_of(make_goal(mappings=(*rows(99), Mapping("user_metadata." + "y" * 30, "longest"))))
    # then the longest is named, and half of them are no matter
    assert warning.place == ("mappings", 99, "auth0_field")
    assert "larger than 8 KB" in warning.message
    assert warnings_of(make_goal(mappings=rows(50))) == ()


def test_claims_that_make_every_token_too_long_are_a_problem() -> None:
    # given claims that are in every token, since they may clear
    goal = make_goal(mappings=rows(150, length=40, strategy=MergeStrategy.SET_OR_CLEAR))
    # then the token service would take none of these tokens
    assert "16 KB that Websync takes" in messages(problems_of(goal))
    # and with another strategy, or without the Token option, some may pass
    assert problems_of(make_goal(mappings=rows(150, length=40))) == ()
    assert problems_of(make_goal(mappings=goal.mappings, enable_token=False)) == ()


def test_the_token_service_has_this_limit() -> None:
    assert MAX_TOKEN_BYTES == verification.MAX_TOKEN_BYTES


def test_values_that_may_fill_a_user_up_are_warned_of_once() -> None:
    # given rows that keep lists
    rows_to_auth0 = [to_auth0(f"user_metadata.list_{number}", f"list_{number}", ADD) for number in range(4)]
    # then the row is named with which it may become too much
    assert warnings_of(make_goal(mappings=tuple(rows_to_auth0[:2]))) == ()
    [warning] = warnings_of(make_goal(mappings=tuple(rows_to_auth0)))
    assert warning.place == ("mappings", 2, "auth0_field")
    assert "come near 10 KB" in warning.message


def test_names_that_metadata_cannot_have_are_problems() -> None:
    # given rows and a link that write under such names
    goal = make_goal(
        mappings=(to_auth0("user_metadata.a.$b", "a"), Mapping("user_metadata.$read", "b")),
        links=(IdentifierLink("user_metadata.$id", PROFILE_ID), IdentifierLink("user_id", "id")),
    )
    # then what is written is refused, and what is only read is not
    assert [each.place for each in problems_of(goal)] == [("mappings", 0, "auth0_field"), ("links", 0, "auth0_field")]


@pytest.mark.parametrize("name", sorted(RESERVED_IN_APP_METADATA))
def test_auth0_keeps_some_names_of_app_metadata_for_itself(name: str) -> None:
    # given a row of the server exchange that writes there
    goal = make_goal(mappings=(to_auth0(f"app_metadata.{name}", "a"),), server_exchange=True)
    # then it is refused; below another name, and in user_metadata, it is allowed
    assert f"Auth0 keeps the name {name} for itself" in messages(problems_of(goal))
    allowed = (to_auth0(f"app_metadata.shop.{name}", "a"), to_auth0(f"user_metadata.{name}", "b"))
    assert problems_of(make_goal(mappings=allowed, server_exchange=True)) == ()


def test_a_goal_without_an_action_has_nothing_to_be_warned_of() -> None:
    goal = make_goal(mappings=(Mapping("app_metadata", "all"), *rows(199, length=160)), enable_rule=False)
    assert problems_of(goal) == warnings_of(goal) == ()


@pytest.mark.parametrize("server_exchange", [False, True])
def test_an_action_needs_far_fewer_secrets_than_auth0_keeps(server_exchange: bool) -> None:
    secrets = action_secrets(make_goal(server_exchange=server_exchange))
    assert len(secrets) <= 30
    assert all(len(name) <= 128 for name in secrets)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(goal=goals())
def test_every_message_names_a_place_of_the_goal(goal: WebGoal) -> None:
    for problem in (*problems_of(goal), *warnings_of(goal)):
        found: Any = goal
        for part in problem.place:
            found = found[part] if isinstance(part, int) else getattr(found, part)
        assert found
