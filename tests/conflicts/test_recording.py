"""What is kept of a refused post."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from tests.conflicts.conftest import OWNER, PROFILE_ID, TENANT, VISITOR, Case
from webapp.conflicts import recording
from webapp.conflicts.listing import count_waiting
from webapp.connections.models import Goal
from webapp.profiles.models import Profile, ProfileIdentity


def waiting(case: Case) -> int:
    with case.client.application.app_context():
        return count_waiting(goal_id=case.goal_id)


def test_a_conflict_is_kept_with_both_sides_and_nothing_that_the_token_said(case: Case) -> None:
    # given a refused post
    # when the record is looked at
    found = case.conflict
    # then it has who came, whose profile it is, by which link, and ids only
    assert (found.visitor, found.profile_id, found.owners) == (VISITOR, PROFILE_ID, [list(OWNER)])
    assert (found.auth0_field, found.profile_property, found.post_count) == ("email", "email", 1)
    assert "ann@example.org" not in str(vars(found))


def test_the_same_again_only_counts(case: Case) -> None:
    # when the visitor tries twice more
    case.refuse()
    case.refuse()
    # then it is one conflict, with its first and its last post
    assert case.conflict.post_count == 3
    assert case.conflict.last_at - case.conflict.first_at == timedelta(minutes=2)


def test_other_users_goals_and_profiles_are_other_conflicts(case: Case) -> None:
    # given a second profile, and a second goal
    case.add_profile("profile-2", (TENANT, "auth0|bob"))
    # when they are pointed at, by others, or elsewhere
    case.refuse(profile_id="profile-2")
    case.refuse(visitor=(TENANT, "twitter|second"))
    case.refuse(visitor=("https://other.eu.auth0.com/", VISITOR[1]))
    case.refuse(goal_id=case.add_goal("goal-2"))
    # then each is kept by itself
    assert len(case.conflicts()) == 5


def test_many_accounts_do_not_fill_the_table(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    # given room for three conflicts of a goal
    monkeypatch.setattr(recording, "MAX_OPEN", 3)
    case.choose("keep")
    # when somebody comes with five accounts, and the first of them again in between
    for number in (1, 2, 1, 3, 4, 5):
        case.refuse(visitor=(TENANT, f"twitter|{number}"))
    # then the newest are kept, and what was decided stays
    assert [found.subject for found in case.conflicts()] == [VISITOR[1], "twitter|3", "twitter|4", "twitter|5"]
    # and other goals have room of their own
    case.refuse(goal_id=case.add_goal("goal-2"))
    assert len(case.conflicts()) == 5


def test_a_conflict_that_settled_meanwhile_is_not_kept(bare_case: Case) -> None:
    # given a profile that lost its owner since the post was refused, and one that the visitor has got
    bare_case.add_profile(PROFILE_ID)
    bare_case.add_profile("profile-2", OWNER, VISITOR)
    # when they are to be kept
    bare_case.refuse()
    bare_case.refuse(profile_id="profile-2")
    # then there is nothing to decide
    assert bare_case.conflicts() == []


@pytest.mark.parametrize("gone", [Goal, Profile])
def test_what_goes_takes_its_conflicts_along(case: Case, gone: type[Goal] | type[Profile]) -> None:
    # when the goal, or the profile, is deleted
    with case.database.transaction() as session:
        session.execute(delete(gone))
    # then
    assert case.conflicts() == []


def test_a_conflict_leaves_the_list_by_itself_when_nothing_is_to_decide(case: Case) -> None:
    # given a conflict that waits
    assert waiting(case) == 1
    # when the owner is gone
    with case.database.transaction() as session:
        session.execute(delete(ProfileIdentity))
    # then there is nothing to decide
    assert waiting(case) == 0
    # and neither when the visitor has a profile of their own
    case.link(OWNER, PROFILE_ID)
    assert waiting(case) == 1
    case.add_profile("profile-2", VISITOR)
    assert waiting(case) == 0


def test_a_kept_conflict_comes_back_when_the_profile_gets_other_owners(case: Case) -> None:
    # given a conflict that shall stay as it is
    case.choose("keep")
    case.refuse()
    assert (waiting(case), case.conflict.post_count) == (0, 2)
    # when the profile has another owner, and the visitor comes again
    case.link((TENANT, "auth0|second-owner"), PROFILE_ID)
    case.refuse()
    # then it waits again
    assert waiting(case) == 1
    assert case.conflict.decided_by == ""


def test_a_split_that_was_undone_is_a_conflict_again(case: Case) -> None:
    # given a visitor with a profile of their own, which somebody deletes
    case.choose("split")
    profile = case.profile_of(VISITOR)
    assert profile is not None
    with case.database.transaction() as session:
        session.delete(session.get_one(Profile, profile.id))
    # when the visitor comes again
    case.refuse()
    # then it waits for a decision
    assert waiting(case) == 1
    assert case.conflict.own_profile_id is None
