"""From a chunk of users to profiles: whose they are, consent, what is unchanged, and each chunk once."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from snippets.goals import PROFILE_ID, IdentifierLink, MergeStrategy
from tests.conftest import wait_until
from tests.factories import write_profile
from tests.importer.conftest import CHANGE, ISSUER, Tenant, a_user
from webapp.connections.import_goals import ImportMapping
from webapp.connections.models import Connection, StoredGoal
from webapp.connections.objectives import save_objective
from webapp.connections.saving import ConnectionDetails, save_connection
from webapp.connections.transforms import Transform, TransformKind
from webapp.errors import NotFoundError
from webapp.importer import applying, chunks
from webapp.importer.applying import FEW_USERS, ChunkApplier, ImportRun
from webapp.importer.chunks import MAX_CHUNK_USERS
from webapp.importer.importing import import_users
from webapp.importer.memory import ask_changed, forget_users
from webapp.importer.models import AppliedChunk, ImportedUser
from webapp.importer.planning import CONFLICT
from webapp.importer.reading import BrokenLine, Entry, UnreadableFileError, User
from webapp.importer.results import MAX_KEPT_PROBLEMS, ImportResult
from webapp.profiles.definitions import ensure_properties
from webapp.profiles.linking import NOT_VERIFIED, NOT_VOUCHED_FOR
from webapp.profiles.merging import Rule
from webapp.profiles.models import Profile, ProfileIdentity, PropertyDefinition
from webapp.profiles.objectives import ObjectiveDetails
from webapp.profiles.store import ProfileState
from webapp.profiles.values import PropertyType
from webapp.rows import table_of

CREATED, MODIFIED, UNCHANGED = ProfileState.CREATED, ProfileState.MODIFIED, ProfileState.UNCHANGED
USER_LINK, EMAIL_LINK = IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email")
PLAN = ImportMapping("user_metadata.plan", "plan")
POINTS = ImportMapping("user_metadata.points", "points", MergeStrategy.SUM)


def with_plan(plan: object, **fields: Any) -> dict[str, Any]:
    return a_user(user_metadata={"plan": plan}, **fields)


def with_points(count: int, plan: str) -> dict[str, Any]:
    return a_user(user_metadata={"points": count, "plan": plan})


def make_profile(tenant: Tenant, profile_id: str, **values: str) -> None:
    with tenant.database.transaction() as session:
        ensure_properties(session, {name: (PropertyType.TEXT, name in {"email", "auth0_user_id"}) for name in values},
                          tenant.now)  # fmt: skip
        rules = [Rule(name, [value], MergeStrategy.SET) for name, value in values.items()]
        write_profile(session, profile_id, rules, now=tenant.now)


# Whose profile it is


def test_a_new_user_gets_a_profile_that_the_next_import_finds(tenant: Tenant) -> None:
    # given
    goal = tenant.save()
    # when a user is imported twice, with another plan
    first = tenant.run(goal, with_plan("gold"))
    second = tenant.run(goal, with_plan("silver"))
    # then there is one profile, which the link finds
    assert (first.states, second.states) == ({CREATED: 1}, {MODIFIED: 1})
    assert first.newest == second.newest
    assert tenant.values("auth0|ann") == {"auth0_user_id": ["auth0|ann"], "plan": ["silver"]}


def test_a_user_is_found_by_what_a_login_linked_before(tenant: Tenant) -> None:
    # given a profile to which a login linked the user, and nothing else that says so
    goal = tenant.save()
    make_profile(tenant, "of-login", city="Utrecht")
    with tenant.database.transaction() as session:
        session.add(ProfileIdentity(issuer=ISSUER, subject="auth0|ann", profile_id="of-login"))
    # when the user is imported
    result = tenant.run(goal, with_plan("gold"))
    # then
    assert result.newest == ["of-login"]
    assert tenant.values("auth0|ann") == {"city": ["Utrecht"], "plan": ["gold"]}


def test_without_creation_only_profiles_that_exist_are_updated(tenant: Tenant) -> None:
    # given a goal that creates nobody, and one profile
    goal = tenant.save(allow_creation=False, links=(EMAIL_LINK,))
    make_profile(tenant, "known", email="ann@example.org")
    # when two users are imported
    ann = with_plan("gold", email="Ann@example.org", email_verified=True)
    bob = ann | {"user_id": "auth0|bob", "email": "bob@example.org"}
    result = tenant.run(goal, ann, bob)
    # then only one has become something
    assert result.states == {MODIFIED: 1, ProfileState.NOTFOUND: 1}
    assert tenant.profiles() == 1
    # and once the other has a profile, the next run finds it, though the user has not changed
    make_profile(tenant, "new", email="bob@example.org")
    assert tenant.run(goal, ann, bob).states == {MODIFIED: 1}


@pytest.mark.parametrize(("is_verified", "found"), [(True, "known"), (False, None), (None, None), ("true", None)])
def test_an_address_counts_only_if_auth0_has_verified_it(
    tenant: Tenant, is_verified: object, found: str | None
) -> None:
    # given a profile with an address
    goal = tenant.save(links=(USER_LINK, EMAIL_LINK), mappings=(PLAN, ImportMapping("email", "email")))
    make_profile(tenant, "known", email="ann@example.org")
    # when a user is imported who has it, verified or not
    result = tenant.run(goal, with_plan("gold", email="ann@example.org", email_verified=is_verified))
    # then
    assert (result.newest == ["known"]) is (found == "known")
    # and the claim of nobody's word is not stored where people are found by it
    assert tenant.values("auth0|ann").get("email") == (["ann@example.org"] if found else None)
    assert [problem.reason for problem in result.problems] == ([] if found else [NOT_VERIFIED])
    # which is as it should be: every tenant has such users
    assert not result.has_problems


def test_an_unproven_link_to_somebody_elses_profile_is_told(tenant: Tenant) -> None:
    # given a link by the user's own word, and a profile that is somebody's
    goal = tenant.save(links=(IdentifierLink("user_metadata.card", "card"),))
    tenant.run(goal, a_user(user_metadata={"card": "7", "plan": "gold"}))
    # when another user names the same card
    result = tenant.run(goal, {"user_id": "auth0|eve", "user_metadata": {"card": "7", "plan": "none"}})
    # then nothing is written, and the reason says nothing of either
    assert (result.invalid, result.problem_count) == (1, {CONFLICT: 1})
    assert tenant.values("auth0|ann")["plan"] == ["gold"]
    assert tenant.profiles() == 1


def test_users_of_a_chunk_who_share_a_profile_come_one_after_the_other(tenant: Tenant) -> None:
    # given two users with the same verified address
    goal = tenant.save(links=(USER_LINK, EMAIL_LINK), mappings=(ImportMapping("name", "names", MergeStrategy.ADD),))
    verified = {"email": "ann@example.org", "email_verified": True}
    # when they are in one chunk
    result = tenant.run(goal, a_user(name="A", **verified), {"user_id": "auth0|two", "name": "B", **verified})
    # then the second finds what the first left
    assert result.states == {CREATED: 1, MODIFIED: 1}
    assert tenant.values("auth0|ann") == tenant.values("auth0|two")
    assert tenant.values("auth0|two")["names"] == ["A", "B"]


def test_a_profile_id_that_the_user_carries_is_taken(tenant: Tenant) -> None:
    # given
    goal = tenant.save(links=(USER_LINK, IdentifierLink("user_metadata.bc_profile_id", PROFILE_ID)))
    # when
    result = tenant.run(goal, a_user(user_metadata={"bc_profile_id": "0a1b", "plan": "gold"}))
    # then
    assert result.newest == ["0a1b"]


# What is read of a user


def test_fields_are_found_under_their_path_or_under_its_name(tenant: Tenant) -> None:
    # given
    provider = ImportMapping("identities[0].provider", "provider"), ImportMapping("identities.0.provider", "same")
    mappings = PLAN, *provider, ImportMapping("identities[7].provider", "no"), ImportMapping("identities.x", "neither")
    goal = tenant.save(mappings=mappings)
    # when one user has the fields nested, the other under flat names, a third something else in their places
    nested = with_plan("gold", identities=[{"provider": "auth0"}])
    flat = {"user_id": "auth0|bob", "user_metadata.plan": "gold", "identities[0].provider": "auth0"}
    odd = {"user_id": "auth0|eve", "user_metadata": ["plan"], "identities": {"0": "x"}}
    result = tenant.run(goal, nested, flat, odd)
    # then
    assert result.states == {CREATED: 3}
    assert tenant.values("auth0|ann")["plan"] == tenant.values("auth0|bob")["plan"] == ["gold"]
    assert tenant.values("auth0|ann")["provider"] == tenant.values("auth0|bob")["provider"] == ["auth0"]
    assert tenant.values("auth0|ann")["same"] == ["auth0"]
    assert tenant.values("auth0|eve") == {"auth0_user_id": ["auth0|eve"]}


def test_only_users_of_the_databases_are_imported_and_may_keep_its_name(tenant: Tenant) -> None:
    # given
    goal = tenant.save(databases=("shop", "staff"), database_property="database")
    # when users of several are in one export, one of whom it does not say
    users = [
        a_user(connection="shop"),
        {"user_id": "auth0|bob", "identities": [{"connection": "staff"}]},
        {"user_id": "auth0|eve", "identities[0].connection": "elsewhere"},
        {"user_id": "auth0|who"},
        {"connection": "elsewhere"},
    ]
    result = tenant.run(goal, *users)
    # then those of other databases are left out, and who has no id is told of
    assert (result.elsewhere, result.invalid, result.states) == (1, 1, {CREATED: 3})
    names = [tenant.values(f"auth0|{name}").get("database") for name in ("ann", "bob", "who")]
    assert names == [["shop"], ["staff"], None]


def test_transforms_come_before_the_property(tenant: Tenant) -> None:
    # given
    transforms = Transform(TransformKind.SPLIT, ","), Transform(TransformKind.LOWER)
    since = ImportMapping("user_metadata.since", "since", transforms=(Transform(TransformKind.DATE, "%d.%m.%Y"),))
    mappings = ImportMapping("user_metadata.likes", "likes", MergeStrategy.ADD, transforms), since
    goal = tenant.save(mappings=mappings)
    # when
    result = tenant.run(
        goal,
        a_user(user_metadata={"likes": "Tea, Cake", "since": "22.11.2026"}),
        {"user_id": "auth0|bob", "user_metadata": {"likes": "Tea", "since": "long ago"}},
    )
    # then
    assert tenant.values("auth0|ann")["likes"] == ["tea", "cake"]
    assert tenant.values("auth0|ann")["since"] == ["1795305600000"]
    assert tenant.values("auth0|bob")["likes"] == ["tea"]
    assert [tuple(problem) for problem in result.problems] == [
        (2, "not a date of the format %d.%m.%Y", "user_metadata.since", "auth0|bob")
    ]


def test_nobody_is_found_by_a_constant(tenant: Tenant) -> None:
    # given a mapping that gives all users the same identifier
    constant = ImportMapping("user_id", "auth0_user_id", transforms=(Transform(TransformKind.CONSTANT, "same"),))
    goal = tenant.save(mappings=(constant,))
    # when
    result = tenant.run(goal, a_user())
    # then it is refused
    assert result.problem_count == {NOT_VOUCHED_FOR: 1}
    assert result.has_problems
    assert tenant.values("auth0|ann") == {"auth0_user_id": ["auth0|ann"]}


@pytest.mark.parametrize("user_id", [None, "", 7, ["x"], "x" * 256, "nul\0", "ä\0", "\ud800"])
def test_a_user_without_an_identifier_stops_nobody(tenant: Tenant, user_id: object) -> None:
    # given a chunk with such a user and a broken line
    goal = tenant.save()
    entries: list[Entry] = [User(1, a_user()), User(2, {"user_id": user_id}), BrokenLine(3, "no JSON"), User(4, {})]
    # when it is applied
    result = tenant.apply(ImportRun("run", goal), entries)
    # then each is told by its line
    assert (result.read, result.invalid, result.states) == (4, 3, {CREATED: 1})
    assert [tuple(problem) for problem in result.problems] == [
        (2, "no user_id", "", ""),
        (3, "no JSON", "", ""),
        (4, "no user_id", "", ""),
    ]


@pytest.mark.parametrize(
    ("levels", "told"), [(300, None), (5000, "nested too deeply")], ids=["more than usual", "too many"]
)
def test_deeply_nested_values_stop_nobody(tenant: Tenant, levels: int, told: str | None) -> None:
    # given a user with lists in lists, and a number that is larger than any column
    nested: list[Any] = [2**80]
    for _ in range(levels):
        nested = [nested]
    goal = tenant.save(mappings=(ImportMapping("user_metadata", "all"),))
    # when it is imported
    result = tenant.run(goal, a_user(user_metadata={"x": nested}), {"user_id": "auth0|bob"})
    # then
    assert [problem.reason for problem in result.problems] == ([told] if told else [])
    assert result.states == {CREATED: 1 if told else 2}


# Consent


def test_only_profiles_that_consented_are_imported(tenant: Tenant) -> None:
    # given a connection with an objective
    goal = tenant.save()
    details = ObjectiveDetails("Marketing", legislations=("GDPR",))
    with tenant.database.transaction() as session:
        save_objective(session, "marketing", details, CHANGE)
        connection = session.scalars(select(Connection)).one()
        wanted = ConnectionDetails("Shop", "acme.eu.auth0.com", objectives=["marketing"])
        save_connection(session, connection, wanted, CHANGE, expected_version=connection.version)
    make_profile(tenant, "yes", auth0_user_id="auth0|yes", privacy_legislation="GDPR", consented_objectives="marketing")
    make_profile(tenant, "no", auth0_user_id="auth0|no", privacy_legislation="GDPR")
    # when users are imported
    users = [with_plan("gold", user_id=f"auth0|{name}") | {"user_id": f"auth0|{name}"} for name in ("yes", "no", "new")]
    result = tenant.run(goal, *users)
    # then who is in a zone that asks for consent needs it
    assert result.states == {MODIFIED: 1, CREATED: 1, ProfileState.CONSENT_MISMATCH: 1}
    # and who gives it later is imported then, though the user has not changed
    make_profile(tenant, "no", consented_objectives="marketing")
    assert tenant.run(goal, *users).states == {MODIFIED: 1}


# Newer news


def test_an_export_does_not_overwrite_what_a_later_login_has_set(tenant: Tenant) -> None:
    # given a profile that was told something yesterday
    goal = tenant.save()
    tenant.run(goal, with_plan("gold", updated_at="2026-11-21T12:00:00.000Z"))
    # when an older export comes late, then a newer one
    late = tenant.run(goal, with_plan("bronze", updated_at="2026-11-20T12:00:00.000Z"))
    kept = tenant.values("auth0|ann")["plan"]
    tenant.run(goal, with_plan("silver", updated_at="2026-11-22T11:00:00.000Z"))
    # then
    assert (late.states, kept) == ({UNCHANGED: 1}, ["gold"])
    assert tenant.values("auth0|ann")["plan"] == ["silver"]


@pytest.mark.parametrize("updated_at", [None, "soon", {"$date": 1}, "2999-01-01T00:00:00Z", "0001-01-01T00:00:00"])
def test_news_without_a_good_moment_is_of_now(tenant: Tenant, updated_at: object) -> None:
    # given
    goal = tenant.save()
    tenant.run(goal, with_plan("gold", updated_at=updated_at))
    # when
    tenant.run(goal, with_plan("silver"))
    # then it keeps no later news away
    assert tenant.values("auth0|ann")["plan"] == ["silver"]


# What is unchanged


def test_who_has_not_changed_is_left_out(tenant: Tenant) -> None:
    # given an import
    goal = tenant.save()
    users = [with_plan("gold", user_id="x") | {"user_id": f"auth0|{number}"} for number in range(60)]
    tenant.run(goal, *users)
    # when the same users come again, one of them changed, and another in a field that the goal does not read
    users[7], users[8] = users[7] | {"user_metadata": {"plan": "new"}}, users[8] | {"last_ip": "192.0.2.7"}
    result = tenant.run(goal, *users)
    # then only that one is compared with its profile
    assert (result.read, result.unchanged, result.checked, result.states) == (60, 59, 1, {MODIFIED: 1})
    # and with --full all are
    assert tenant.run(goal, *users, is_full=True).states == {UNCHANGED: 60}


def test_many_users_at_once_come_to_what_few_at_a_time_come_to(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "FEW_USERS", 15)
    # given users of all kinds: new ones and known ones, of whom some change, some do not, some are linked anew
    goal = tenant.save(mappings=(PLAN, POINTS), links=(EMAIL_LINK, USER_LINK))

    def user(number: int, plan: str, address: int) -> dict[str, Any]:
        return {
            "user_id": f"auth0|{number}",
            "email": f"{address}@example.org",
            "email_verified": True,
            "user_metadata": {"plan": plan, "points": number},
        }

    def import_all(size: int) -> tuple[ImportResult, list[dict[str, list[str]]]]:
        # some known ones have others' addresses by now, and the last twenty those of new ones
        addresses = [*range(30), *range(10), *range(40, 60), *range(40, 60)]
        users = [user(number, "gold" if number % 3 else "new", each) for number, each in enumerate(addresses)]
        total = ImportResult()
        for start in range(0, len(users), size):
            total.add(tenant.run(goal, *users[start : start + size]))
        return total, [tenant.values(each["user_id"]) for each in users]

    found = []
    for size in (10, 80):
        with tenant.database.transaction() as session:
            session.execute(delete(Profile))
            session.execute(delete(ImportedUser))
        for number in range(40):
            tenant.run(goal, user(number, "gold", number))
        # when they are imported, a few at a time or all at once
        found.append(import_all(size))
    # then it comes to the same
    (few, one_by_one), (many, at_once) = found
    assert at_once == one_by_one
    assert (many.states, many.unchanged) == (few.states, few.unchanged)
    assert {CREATED, MODIFIED} <= many.states.keys()
    assert tenant.profiles() == 60


@pytest.mark.parametrize(
    "changes",
    [
        {"mappings": (PLAN, ImportMapping("name", "name"))},
        {"mappings": (ImportMapping("user_metadata.plan", "plan", MergeStrategy.ADD),)},
        {"mappings": (ImportMapping("user_metadata.plan", "plan", transforms=(Transform(TransformKind.TRIM),)),)},
        {"links": (USER_LINK, EMAIL_LINK)},
        {"database_property": "database"},
    ],
)
def test_another_mapping_makes_everybody_changed(tenant: Tenant, changes: dict[str, Any]) -> None:
    # given an import
    tenant.run(tenant.save(), with_plan("gold"))
    # when the goal maps otherwise
    result = tenant.run(tenant.save(**changes), with_plan("gold"))
    # then
    assert result.unchanged == 0
    assert result.checked == 1


def test_a_new_name_of_the_goal_changes_nobody(tenant: Tenant) -> None:
    tenant.run(tenant.save(), with_plan("gold"))
    assert tenant.run(tenant.save(name="Renamed"), with_plan("gold")).unchanged == 1


def test_another_type_of_a_property_makes_everybody_changed(tenant: Tenant) -> None:
    # given a text that is a number
    goal = tenant.save()
    tenant.run(goal, with_plan("1.50"))
    # when the property becomes one of numbers
    with tenant.database.transaction() as session:
        session.get_one(PropertyDefinition, "plan").property_type = PropertyType.DECIMAL
    # then the next import brings it in that form
    assert tenant.run(goal, with_plan("1.50")).states == {MODIFIED: 1}
    assert tenant.values("auth0|ann")["plan"] == ["1.5"]


@pytest.mark.parametrize("few", [FEW_USERS, 0], ids=["as few", "as many"])
def test_a_property_that_changes_while_users_are_looked_up_is_taken_as_it_is_now(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    # given a text that becomes a number just when an import has found out who has changed
    monkeypatch.setattr(applying, "FEW_USERS", few)
    goal = tenant.save()
    looks = 0

    def look(session: Session, *arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        found = ask_changed(session, *arguments)()
        if looks == 1:
            session.rollback()
            with tenant.database.transaction() as other:
                other.get_one(PropertyDefinition, "plan").property_type = PropertyType.DECIMAL
        return lambda: found

    monkeypatch.setattr(applying, "ask_changed", look)
    monkeypatch.setattr(applying, "together", nullcontext)  # so that the answer can be read at once
    # when it goes on, then it looks anew, and writes what the property holds now
    assert tenant.run(goal, with_plan("1.50")).states == {CREATED: 1}
    assert tenant.values("auth0|ann")["plan"] == ["1.5"]
    assert looks > 1


def test_who_was_forgotten_is_new(tenant: Tenant) -> None:
    goal = tenant.save()
    tenant.run(goal, with_plan("gold"))
    with tenant.database.transaction() as session:
        forget_users(session, goal.id, ["auth0|ann"])
    assert tenant.run(goal, with_plan("gold")).states == {UNCHANGED: 1}


# Once


def test_a_value_is_summed_once_until_it_changes(tenant: Tenant) -> None:
    # given
    goal = tenant.save(mappings=(POINTS, PLAN))
    # when the same count comes again: unchanged, beside another change, in a full run, and by other mappings
    tenant.run(goal, with_points(5, "a"))
    tenant.run(goal, with_points(5, "a"))
    tenant.run(goal, with_points(5, "b"))
    tenant.run(goal, with_points(5, "b"), is_full=True)
    goal = tenant.save(mappings=(POINTS,))
    tenant.run(goal, with_points(5, "b"))
    # then it has counted once
    assert tenant.values("auth0|ann")["points"] == ["5"]
    # and another count is added
    tenant.run(goal, with_points(2, "b"))
    assert tenant.values("auth0|ann")["points"] == ["7"]


@pytest.mark.parametrize("count", [3, 200], ids=["few", "many"])
@pytest.mark.parametrize("is_full", [False, True])
def test_a_repeated_chunk_is_answered_and_not_applied(tenant: Tenant, is_full: bool, count: int) -> None:
    # given a chunk that was applied
    goal = tenant.save(mappings=(POINTS, ImportMapping("email", "email")), links=(USER_LINK, EMAIL_LINK))
    users = [{"user_id": f"auth0|{number}", "user_metadata": {"points": 1}, "email": "x"} for number in range(count)]
    first = tenant.run(goal, *users, run_id="run", is_full=is_full)
    # when the run brings it again, though somebody changed a profile meanwhile
    with tenant.database.transaction() as session:
        session.execute(delete(Profile).where(Profile.id == first.newest[0]))
    second = tenant.run(goal, *users, run_id="run", is_full=is_full)
    # then the answer is the same, and nothing happened
    assert second == first
    assert first.states == {CREATED: count}
    assert tenant.profiles() == count - 1
    assert tenant.values("auth0|0")["points"] == ["1"]


def test_a_chunk_that_fails_leaves_nothing_behind(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a chunk whose transaction fails at its very end
    goal = tenant.save(mappings=(POINTS,))
    user = a_user(user_metadata={"points": 5})

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("webapp.importer.applying.keep_result", fail)
        with pytest.raises(OSError, match="full"):
            tenant.run(goal, user, run_id="run")
    # when the run brings it again
    result = tenant.run(goal, user, run_id="run")
    # then it counts, once
    assert result.states == {CREATED: 1}
    assert tenant.values("auth0|ann")["points"] == ["5"]


def test_the_same_chunk_at_the_same_moment_is_applied_once(tenant: Tenant) -> None:
    # given two workers with the same chunk
    goal = tenant.save(mappings=(POINTS,))
    users = [{"user_id": f"auth0|{number}", "user_metadata": {"points": 1}} for number in range(100)]
    results = []
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        results.append(tenant.run(goal, *users, run_id="run", is_full=True))

    # when both apply it
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # then one has
    assert [result.states for result in results] == [{CREATED: 100}] * 2
    assert tenant.profiles() == 100
    assert tenant.values("auth0|7")["points"] == ["1"]


def test_a_user_who_comes_twice_is_one_person(tenant: Tenant) -> None:
    goal = tenant.save(mappings=(PLAN,))
    result = tenant.run(goal, with_plan("gold"), with_plan("silver"), with_plan("silver"))
    assert result.states == {CREATED: 1, MODIFIED: 1, UNCHANGED: 1}
    assert tenant.run(goal, with_plan("silver")).unchanged == 1


def test_a_user_who_comes_twice_is_summed_once(tenant: Tenant) -> None:
    goal = tenant.save(mappings=(POINTS, PLAN))
    tenant.run(goal, with_points(5, "a"), with_points(5, "b"), with_points(2, "b"))
    assert tenant.values("auth0|ann")["points"] == ["7"]


# A dry run, and whole runs


def test_a_dry_run_says_what_would_happen(tenant: Tenant) -> None:
    # given
    goal = tenant.save()
    # when
    dry = tenant.run(goal, with_plan("gold"), is_dry=True)
    # then it tells what the real one does, and nothing is there
    assert tenant.profiles() == 0
    with tenant.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ImportedUser)) == 0
    assert dry.states == tenant.run(goal, with_plan("gold")).states == {CREATED: 1}


def test_a_run_goes_through_all_chunks_and_forgets_them(tenant: Tenant) -> None:
    # given more users than a chunk has
    goal = tenant.save()
    users = [User(number, {"user_id": f"auth0|{number}"}) for number in range(1, MAX_CHUNK_USERS + 51)]
    seen = []
    # when they are imported
    result = import_users(
        tenant.database, ImportRun("run", goal), users, on_chunk=lambda so_far: seen.append(so_far.read)
    )
    # then each chunk was told, and nothing is remembered of them
    assert seen == [MAX_CHUNK_USERS, MAX_CHUNK_USERS + 50]
    assert result.states == {CREATED: MAX_CHUNK_USERS + 50}
    assert len(result.newest) == 5
    with tenant.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AppliedChunk)) == 0
        newest = list(
            session.scalars(select(ProfileIdentity.profile_id).where(ProfileIdentity.subject == "auth0|1050"))
        )
    assert result.newest[:1] == newest


def test_a_chunk_is_written_while_the_next_one_is_read(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a file whose next users are read only once those before are among the profiles
    monkeypatch.setattr(chunks, "MAX_CHUNK_USERS", FEW_USERS + 1)
    users = [User(number, {"user_id": f"auth0|{number}"}) for number in range(FEW_USERS + 2)]
    readers = set()

    def file() -> Iterator[User]:
        yield from users[:-1]
        wait_until(lambda: tenant.profiles() == FEW_USERS + 1)
        readers.add(threading.current_thread())
        yield users[-1]

    # when they are imported
    result = import_users(tenant.database, ImportRun("run", tenant.save()), file(), reads_ahead=True)
    # then another thread has read them, and nobody waited for the other
    assert result.states == {CREATED: FEW_USERS + 2}
    assert threading.current_thread() not in readers
    assert not any(reader.is_alive() for reader in readers)


def test_users_who_are_read_beforehand_come_to_the_same(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a file in which half of the users come twice, so that they find what they left
    monkeypatch.setattr(chunks, "MAX_CHUNK_USERS", FEW_USERS + 1)
    goal = tenant.save(links=(USER_LINK, EMAIL_LINK), mappings=(PLAN, ImportMapping("email", "email")))
    numbers = [*range(150), *range(75)]
    users = [
        User(line, with_plan(f"{line}", user_id=f"auth0|{n}", email=f"{n}@x.example", email_verified=n % 3 > 0))
        for line, n in enumerate(numbers)
    ]
    # when it is imported with the next chunk read beforehand
    ahead = import_users(tenant.database, ImportRun("ahead", goal), iter(users), reads_ahead=True)
    values = {user.fields["user_id"]: tenant.values(user.fields["user_id"]) for user in users}
    # then it is as if that were not so: whoever compares everybody finds nothing that differs
    assert ahead.read == sum(ahead.states.values()) == len(users)
    again = import_users(tenant.database, ImportRun("again", goal, is_full=True), iter(users[75:]))
    assert again.states == {UNCHANGED: 150}
    assert {user_id: tenant.values(user_id) for user_id in values} == values


def test_what_was_prepared_counts_no_more_once_a_property_is_another(tenant: Tenant) -> None:
    # given a chunk that was read and prepared, of somebody whose card is a text so far
    goal = tenant.save(links=(IdentifierLink("app_metadata.card", "card"),), mappings=(PLAN,))
    make_profile(tenant, "known", card="7")
    applier = ChunkApplier(tenant.database, ImportRun("run", goal))
    entries = [applier.read(User(1, with_plan("gold", app_metadata={"card": "07"})))]
    applier.prepare(entries)
    # when cards become numbers before it is applied
    is_card = PropertyDefinition.id == "card"
    with tenant.database.transaction() as session:
        session.execute(update(PropertyDefinition).where(is_card).values(property_type="number"))
    result = applier.apply(entries, now=tenant.now)
    # then the number leads to the profile
    assert result.newest == ["known"]


def test_a_pipe_is_read_by_nobody_else(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a pipe that may let its reader wait, so that nothing could end another thread
    monkeypatch.setattr(chunks, "MAX_CHUNK_USERS", FEW_USERS + 1)
    readers = []

    def pipe() -> Iterator[User]:
        for number in range(FEW_USERS + 2):
            readers.append(threading.current_thread())
            yield User(number, {"user_id": f"auth0|{number}"})

    # when its users are imported, then this thread has read them
    import_users(tenant.database, ImportRun("run", tenant.save()), pipe())
    assert set(readers) == {threading.current_thread()}


def test_a_file_that_breaks_off_while_a_chunk_is_written_ends_the_run_after_it(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a file that breaks off where a chunk ends, so that the next one is begun while that one is written
    monkeypatch.setattr(chunks, "MAX_CHUNK_USERS", FEW_USERS + 1)

    def file() -> Iterator[User]:
        for number in range(FEW_USERS + 1):
            yield User(number, {"user_id": f"auth0|{number}"})
        raise UnreadableFileError("it breaks off")

    # when it is imported, then the run fails, and the chunk is there
    with pytest.raises(UnreadableFileError):
        import_users(tenant.database, ImportRun("run", tenant.save()), file(), reads_ahead=True)
    assert tenant.profiles() == FEW_USERS + 1


def test_a_limit_ends_the_run(tenant: Tenant) -> None:
    users = (User(number, {"user_id": f"auth0|{number}"}) for number in range(1, 100))
    assert import_users(tenant.database, ImportRun("run", tenant.save()), users, limit=7).read == 7


def test_a_goal_that_is_deleted_meanwhile_ends_the_run(tenant: Tenant) -> None:
    goal = tenant.save()
    with tenant.database.transaction() as session:
        session.delete(session.scalars(select(Connection)).one())
    with pytest.raises(NotFoundError):
        tenant.run(goal, with_plan("gold"))


def test_another_goal_with_the_id_of_a_deleted_one_is_not_imported(tenant: Tenant) -> None:
    # given a run whose goal's id a web goal has by now, as SQLite gives ids away again
    goal = tenant.save()
    with tenant.database.transaction() as session:
        session.execute(update(table_of(StoredGoal)).values(kind="web"))
    # when a chunk comes, then nothing of it is written
    with pytest.raises(NotFoundError):
        tenant.run(goal, with_plan("gold"))
    assert tenant.profiles() == 0


# Any users


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
odd_users = st.fixed_dictionaries(
    {"user_id": st.sampled_from(["auth0|a", "auth0|b"]) | json_values},
    optional={
        "email": json_values | st.sampled_from(["a@example.org", "b@example.org"]),
        "email_verified": st.booleans() | json_values,
        "updated_at": json_values,
        "user_metadata": json_values | st.dictionaries(st.sampled_from(["plan", "points"]), json_values),
        "connection": json_values,
        "identities": json_values,
    },
)


@pytest.mark.parametrize("few", [FEW_USERS, 0], ids=["as few", "as many"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users=st.lists(odd_users, min_size=1, max_size=5))
def test_any_users_are_imported_or_told_and_come_to_rest(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, few: int, users: list[dict[str, Any]]
) -> None:
    # given a goal with every strategy
    monkeypatch.setattr(applying, "FEW_USERS", few)
    mappings = (
        PLAN,
        POINTS,
        ImportMapping("email", "email", MergeStrategy.SET_OR_CLEAR),
        ImportMapping("user_metadata.plan", "plans", MergeStrategy.ADD),
        ImportMapping("user_metadata", "all", MergeStrategy.SET_IF_EMPTY),
    )
    goal = tenant.save(mappings=mappings, links=(USER_LINK, EMAIL_LINK), databases=("shop",), database_property="db")
    # when any users are imported, and the last words of each once more
    first = tenant.run(goal, *users)
    assert first.read == len(users) == first.invalid + first.elsewhere + first.unchanged + first.checked
    latest = {str(user["user_id"]): user for user in users}
    tenant.run(goal, *latest.values(), is_full=True)
    again = tenant.run(goal, *latest.values(), is_full=True)
    # then nothing of them changes any more
    assert set(again.states) <= {UNCHANGED}


def test_a_chunk_keeps_more_problems_than_it_has_users(tenant: Tenant) -> None:
    # given a goal that maps two fields of which neither can be stored
    goal = tenant.save(mappings=(ImportMapping("name", "name"), ImportMapping("nickname", "nickname")))
    users = [a_user(user_id=f"auth0|{number}", name="\0", nickname="\0") for number in range(600)]
    # when 600 such users are one chunk, then each problem is there to be listed
    result = tenant.run(goal, *users)
    assert len(result.problems) == result.problem_count.total() == 1200
    # and of all chunks together the first are there to be shown
    total = ImportResult()
    for _ in range(2):
        total.add(result)
    assert (len(total.problems), total.problem_count.total()) == (MAX_KEPT_PROBLEMS, 2400)
