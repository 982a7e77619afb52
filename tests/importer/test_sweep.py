"""Users whom the tenant no longer has: who is swept, who is not, and what is left of them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from snippets.goals import IdentifierLink, MergeStrategy
from tests.demo.conftest import RunningTenant, tenant  # noqa: F401, a fixture
from tests.factories import make_import_goal, write_profile
from tests.importer.carrying import Runs, running
from webapp.connections.import_goals import DeletionPolicy, ImportMapping
from webapp.connections.import_saving import add_import_goal
from webapp.connections.models import Connection
from webapp.connections.saving import Change
from webapp.demo.population import populations
from webapp.demo.seed import CUSTOMERS
from webapp.importer import opened_import, sweeping
from webapp.importer.refusals import GoalChangedError
from webapp.importer.results import ImportResult
from webapp.importer.seen import SeenUsers
from webapp.importer.sweeping import Sweep
from webapp.profiles.merging import Rule
from webapp.profiles.models import Profile, ProfileIdentity
from webapp.runs.importers import Later

USERS = 100
GOAL: dict[str, Any] = {
    "links": (IdentifierLink("user_id", "auth0_user_id"),),
    "mappings": (
        ImportMapping("user_id", "auth0_user_id"),
        ImportMapping("nickname", "nickname"),
        ImportMapping("name", "name"),
        ImportMapping("given_name", "given_name"),
    ),
}


@pytest.fixture
def runs(make_sqlite: Callable[[], str], tenant: RunningTenant) -> Iterator[Runs]:  # noqa: F811
    yield from running(make_sqlite(), tenant, USERS)


def gone(runs: Runs, one_in: int = 10) -> set[str]:
    """Delete one customer in ``one_in``, and return who that was."""
    before = customers(runs)
    runs.delete(one_in)
    return before - customers(runs)


def customers(runs: Runs) -> set[str]:
    with runs.tenant.state.read() as data:
        (population,) = populations(data)
        return {population.user_id(number) for number in population.numbers()}


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tenant: RunningTenant) -> Iterator[Runs]:  # noqa: F811
    """The same on both databases."""
    yield from running(request.getfixturevalue(f"make_{request.param}")(), tenant, USERS)


def test_profiles_of_users_who_are_gone_are_deleted_once(stored: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a goal that deletes, which has imported everybody, and then one user in ten is gone
    monkeypatch.setattr(sweeping, "ASKED_AT_ONCE", 4)
    stored.save(deletion_policy=DeletionPolicy.DELETE, **GOAL)
    stored.run()
    before = stored.profiles()
    users = gone(stored)
    # when the next run is killed in the middle of its sweep, after a step that was not noted
    order, run = stored.begin()
    stored.carry(order, run, steps=3, kill=True)
    stored.carry(order, run)
    # then their profiles are gone, all others are as they were, and each counts once
    assert stored.profiles() == {user_id: values for user_id, values in before.items() if user_id not in users}
    assert run.counts["deleted"] == len(users) == USERS / 10
    assert stored.profile_count() == len(before) - len(users)
    # and the next one finds nobody to sweep
    last = stored.run()
    assert (last.counts["deleted"], last.counts["created"], last.problems) == (0, 0, [])
    assert stored.remembered_chunks() == 0


def test_what_the_goal_wrote_is_cleared_and_nothing_else(runs: Runs) -> None:
    # given a goal that clears; another goal writes the name too, and something else has set the given name
    runs.save(deletion_policy=DeletionPolicy.CLEAR, **GOAL)
    runs.run()
    now = datetime.now(UTC)
    with runs.database.transaction() as session:
        connection = session.scalars(select(Connection)).one()
        other = make_import_goal(key="another", name="Another", mappings=(ImportMapping("name", "name"),))
        add_import_goal(session, connection, other, Change("ada", now), is_on=False)
    users = gone(runs)
    told = min(users)
    with runs.database.transaction() as session:
        profile_id = session.scalars(select(ProfileIdentity.profile_id).where(ProfileIdentity.subject == told)).one()
        write_profile(
            session, profile_id, [Rule("given_name", ("Zoë",), MergeStrategy.SET)], now=now, source="Web goal Shop"
        )
    before = runs.profiles()
    # when the goal is renamed, and the tenant imported
    runs.save(deletion_policy=DeletionPolicy.CLEAR, name="Renamed", **GOAL)
    run = runs.run()
    # then only what it alone wrote is gone
    after = runs.profiles()
    assert run.counts["cleared"] == len(users)
    for user_id in users:
        kept = {"auth0_user_id", "name"} | ({"given_name"} if user_id == told else set())
        assert after[user_id] == {name: before[user_id][name] for name in kept}
    assert {user_id: after[user_id] for user_id in after.keys() - users} == {
        user_id: before[user_id] for user_id in before.keys() - users
    }


def test_who_was_linked_to_another_user_has_not_left(runs: Runs) -> None:
    # given a user who is gone because he was linked to another one
    runs.save(deletion_policy=DeletionPolicy.DELETE, **GOAL)
    runs.run()
    linked = sorted(gone(runs, 100))
    with runs.tenant.state.change() as data:
        primary = next(iter(data["users"].values()))
        provider, _, identity = linked[0].partition("|")
        primary["identities"].append({"connection": CUSTOMERS, "provider": provider, "user_id": identity})
    before = runs.profiles()
    # when the tenant is imported, then the profile stays, and he is not asked for again
    run = runs.run()
    assert (run.counts["linked"], run.counts["deleted"]) == (1, 0)
    assert runs.profiles() == before
    assert runs.run().counts["linked"] == 0


@pytest.mark.parametrize("issuer", ["", "https://other.eu.auth0.com/"], ids=["this tenant", "another tenant"])
@pytest.mark.parametrize("policy", [DeletionPolicy.DELETE, DeletionPolicy.CLEAR])
def test_a_profile_of_somebody_else_too_stays(runs: Runs, policy: DeletionPolicy, issuer: str) -> None:
    # given a profile of two users, of whom one is gone
    runs.save(deletion_policy=policy, **GOAL)
    runs.run()
    (left,) = gone(runs, 100)
    with runs.database.transaction() as session:
        profile_id = session.scalars(select(ProfileIdentity.profile_id).where(ProfileIdentity.subject == left)).one()
        alive = min(customers(runs))
        if issuer:
            session.add(ProfileIdentity(issuer=issuer, subject=alive, profile_id=profile_id))
        else:
            session.scalars(
                select(ProfileIdentity).where(ProfileIdentity.subject == alive)
            ).one().profile_id = profile_id
    # when the tenant is imported
    run = runs.run()
    # then the profile stays as it is, and belongs to the other one alone
    assert (run.counts["kept"], run.counts["deleted"], run.counts["cleared"]) == (1, 0, 0)
    with runs.database.reading() as session:
        owners = session.scalars(select(ProfileIdentity.subject).where(ProfileIdentity.profile_id == profile_id)).all()
        assert owners == [alive]
        assert "nickname" in session.get_one(Profile, profile_id).properties


def test_a_profile_of_two_who_are_both_gone_is_deleted(runs: Runs) -> None:
    # given a profile of two users who are both gone, and a user without a profile who is gone too
    runs.save(deletion_policy=DeletionPolicy.DELETE, **GOAL)
    runs.run()
    first, second, third = sorted(gone(runs, 33))[:3]
    with runs.database.transaction() as session:
        by_user = {each.subject: each for each in session.scalars(select(ProfileIdentity))}
        by_user[second].profile_id = by_user[first].profile_id
        session.flush()
        session.execute(delete(Profile).where(Profile.id == by_user[third].profile_id))
    # when the tenant is imported
    run = runs.run()
    # then the profile is deleted, once
    assert run.counts["deleted"] >= 1
    assert runs.profiles().keys().isdisjoint({first, second, third})


@pytest.mark.parametrize("policy", [DeletionPolicy.DELETE, DeletionPolicy.CLEAR])
def test_an_export_that_lacks_most_users_sweeps_nobody(runs: Runs, policy: DeletionPolicy) -> None:
    # given a tenant that seems to have lost two users of three
    runs.save(deletion_policy=policy, **GOAL)
    runs.run()
    before = runs.profiles()
    with runs.tenant.state.change() as data:
        data["populations"]["Customers"]["number"] = USERS // 3
    # when it is imported
    run = runs.run()
    # then nothing happens to their profiles, and the run says why
    assert runs.profiles() == before
    (problem,) = run.problems
    assert problem.reason.startswith("Nobody was swept: the export lacks 67 of the ")
    assert run.remarks == [problem.reason]


def test_who_is_in_no_line_but_at_auth0_is_left_alone(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    # given an export that does not have some users whom Auth0 has
    runs.save(deletion_policy=DeletionPolicy.DELETE, **GOAL)
    runs.run()
    before = runs.profiles()
    add = SeenUsers.add
    monkeypatch.setattr(SeenUsers, "add", lambda seen, user: None if user.endswith("f") else add(seen, user))
    # when the tenant is imported, then they are asked for, and stay
    run = runs.run()
    assert runs.profiles() == before
    assert (run.counts["deleted"], run.problems) == (0, [])


def test_nobody_is_swept_before_the_search_knows_who_was_linked(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a user who is gone, and a search that may be minutes late
    runs.save(deletion_policy=DeletionPolicy.DELETE, **GOAL)
    runs.run()
    order, run = runs.begin()
    runs.carry(order, run)
    assert run.is_over  # nobody is gone: there is nothing to wait for
    before = runs.profiles()
    gone(runs)
    monkeypatch.setattr(opened_import, "SETTLED_AFTER", timedelta(minutes=5))
    # when the run has brought all who are there
    order, run = runs.begin()
    with runs.app.app_context(), runs.importer.open(order, run.position) as opened:
        opened.apply(opened.next_chunk(), now=datetime.now(UTC))
        later = opened.next_chunk()
    # then it waits, and nobody was swept
    assert isinstance(later, Later)
    assert 200 < later.wait_seconds <= 300
    assert runs.profiles() == before


@pytest.mark.parametrize("change", ["saved", "switched off"])
def test_a_goal_that_was_changed_meanwhile_sweeps_nobody(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    # given a run that is about to sweep
    runs.save(deletion_policy=DeletionPolicy.DELETE, **GOAL)
    runs.run()
    before = runs.profiles()
    gone(runs)
    order, run = runs.begin()

    def saved_first(sweep: Sweep, *args: Any, **more: Any) -> ImportResult:
        # when somebody thinks better of it
        if change == "saved":
            runs.save(deletion_policy=DeletionPolicy.IGNORE, **GOAL)
        else:
            with runs.database.transaction() as session:
                session.scalars(select(Connection)).one().is_on = False
        return apply(sweep, *args, **more)

    apply = Sweep.apply
    monkeypatch.setattr(Sweep, "apply", saved_first)
    # then the run ends there
    with pytest.raises(GoalChangedError, match="Nobody else is swept"):
        runs.carry(order, run)
    assert runs.profiles() == before


def test_a_goal_that_ignores_sweeps_nobody(runs: Runs) -> None:
    # given a goal that ignores who is gone
    runs.save(**GOAL)
    runs.run()
    before = runs.profiles()
    gone(runs)
    # when the tenant is imported, then all profiles are there
    assert runs.run().is_over
    assert runs.profiles() == before


def test_few_users_are_taken_for_seen_who_were_not() -> None:
    # given many users in a small memory
    seen = SeenUsers("run", bits=1 << 16)
    for number in range(5_000):
        seen.add(f"auth0|{number}")
    # when others are asked for, then those who were seen always are, and of the others few
    assert all(f"auth0|{number}" in seen for number in range(5_000))
    wrong = {number for number in range(5_000, 10_000) if f"auth0|{number}" in seen}
    assert len(wrong) < 100
    # and in another run others
    other = SeenUsers("another run", bits=1 << 16)
    for number in range(5_000):
        other.add(f"auth0|{number}")
    assert not all(f"auth0|{number}" in other for number in wrong)
