"""Runs that bring those who changed, and when everybody is exported instead."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from snippets.goals import MergeStrategy
from tests.demo.conftest import RunningTenant, tenant  # noqa: F401, a fixture
from tests.importer.carrying import Runs, running
from webapp.auth0.answers import Auth0UnavailableError
from webapp.auth0.models import TenantPause
from webapp.auth0.user_search import Window
from webapp.connections.import_goals import DeletionPolicy, ImportMapping, ImportMode
from webapp.importer import beginning, searched_users, tenant_import
from webapp.importer.models import ImportCoverage
from webapp.importer.searched_users import in_chunks
from webapp.runs.importers import NotNowError

USERS = 300
MAPPINGS = (
    ImportMapping("user_metadata.plan", "plan"),
    ImportMapping("app_metadata.points", "points", MergeStrategy.SUM),
)


@pytest.fixture
def runs(make_sqlite: Callable[[], str], tenant: RunningTenant) -> Iterator[Runs]:  # noqa: F811
    """A goal in incremental mode."""
    for each in running(make_sqlite(), tenant, USERS):
        each.save(mode=ImportMode.INCREMENTAL, mappings=MAPPINGS)
        yield each


def test_after_an_export_only_changes_are_asked_for(runs: Runs) -> None:
    # given a first run, which exports everybody
    first = runs.run()
    assert first.is_export
    assert first.counts["read"] == first.position["expected"] > first.counts["created"] >= USERS
    # when one user in ten changes, and it runs again
    runs.change(10)
    second = runs.run()
    # then those are found by the search, and the profiles are as after an export
    assert not second.is_export
    assert first.began == "All users are exported: no run of this goal has finished yet."
    assert second.began.endswith(f"are searched: {second.counts['read']}.")
    assert second.counts["modified"] == USERS / 10
    assert second.position["expected"] == second.counts["read"] < USERS
    changed = runs.profiles()
    full = runs.run(is_full=True)
    assert full.is_export
    assert full.counts["modified"] == 0
    assert runs.profiles() == changed
    # and the third asks only from the second on
    assert not (third := runs.run()).is_export
    assert third.counts["modified"] == 0
    assert runs.remembered_chunks() == 0


@pytest.mark.parametrize("kill", [True, False], ids=["killed before it is noted", "killed after it is noted"])
def test_a_search_goes_on_where_it_was_though_its_answers_change(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, *, kill: bool
) -> None:
    # given a run of small chunks that is killed after the second one
    monkeypatch.setattr(searched_users, "MOST_SEARCHED", 20)
    runs.run()
    before = runs.profiles()
    runs.change(2, spread_ms=40)
    order, run = runs.begin()
    runs.carry(order, run, steps=2, kill=kill)
    # when some of those who were found change again, so that the search finds them no more, and the run goes on
    runs.change(3, is_login=True)
    runs.carry(order, run)
    # then nobody is lost: whoever left is the next run's
    assert run.is_over
    last = runs.run()
    assert not last.is_export
    assert run.counts["modified"] + last.counts["modified"] == USERS / 2
    # and nobody's points were counted twice: a version is worth ten more than the one before, and a sum has both
    after = runs.profiles()
    grown = {user_id for user_id in after if after[user_id].get("points") != before[user_id].get("points")}
    assert {user_id: after[user_id]["points"] for user_id in grown} == {
        user_id: [str(int(before[user_id]["points"][0]) * 2 + 10)] for user_id in grown
    }
    assert len(grown) > USERS / 3


BEGAN = {
    "a new revision": "All users are exported: the goal or its tenant is another than at the last run.",
    "a full run": "All users are exported: it is a full run.",
    "too many changes": "All users are exported: more than 10 have changed.",
    "another tenant": "All users are exported: the goal or its tenant is another than at the last run.",
    "the sweep": "All users are exported: those who are gone are to be found.",
}


@pytest.mark.parametrize("reason", [*BEGAN, "everybody at once"])
def test_everybody_is_exported_where_a_search_will_not_do(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    # given a goal of which a run has finished, and a reason
    if reason == "the sweep":
        runs.save(mode=ImportMode.INCREMENTAL, mappings=MAPPINGS, deletion_policy=DeletionPolicy.CLEAR)
    runs.run()
    assert not runs.begin()[1].is_export
    options: dict[str, bool] = {}
    match reason:
        case "a new revision":
            runs.save(mode=ImportMode.INCREMENTAL, mappings=MAPPINGS[:1])
        case "a full run":
            options = {"is_full": True}
        case "too many changes":
            monkeypatch.setattr(beginning, "MOST_CHANGES", 10)
            runs.change(2)
        case "another tenant":
            change_coverage(runs, issuer="https://other.eu.auth0.com/")
        case "the sweep":
            change_coverage(runs, exported_at=datetime.now(UTC) - timedelta(days=8))
        case _:
            monkeypatch.setattr(beginning, "count_changes", lambda *_, **__: 0)  # they change after they were counted
            with runs.tenant.state.change() as data:
                data["populations"]["Customers"]["number"] = 1_200
            runs.change(1, spread_ms=1)
    # when it runs
    run = runs.run(**options)
    # then everybody comes, and the run's log says so where the search gave up
    assert run.is_export
    assert run.counts["read"] > USERS
    assert run.began == BEGAN.get(reason, run.began)
    assert [remark.partition(".")[0] for remark in run.remarks] == (
        ["All users are exported"] if reason == "everybody at once" else []
    )
    assert not runs.begin()[1].is_export or reason == "too many changes"


def change_coverage(runs: Runs, **values: Any) -> None:
    with runs.database.transaction() as session:
        session.execute(update(ImportCoverage).values(values))


def test_a_run_that_could_not_read_everybody_covers_nothing(runs: Runs) -> None:
    # given an export with lines that are no users
    runs.fault(broken_line_one_in=50)
    assert runs.run().counts["invalid"] > 0
    # when the next run begins, then it exports everybody again; once it could read all, changes will do
    runs.fault(broken_line_one_in=0)
    assert runs.run().is_export
    assert not runs.begin()[1].is_export


def test_a_run_that_has_not_finished_covers_nothing(runs: Runs) -> None:
    # given a run that is stopped after its chunk
    order, run = runs.begin()
    runs.carry(order, run, steps=1)
    # when the next one begins, then it exports everybody
    assert runs.begin()[1].is_export


def test_a_tenant_that_does_not_count_its_users_is_imported_all_the_same(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a tenant that does not say how many users it has
    def refuse(*_: object) -> None:
        raise Auth0UnavailableError("It does not say.")

    monkeypatch.setattr(beginning, "count_users", refuse)
    # when it is imported, then how many will come is unknown
    run = runs.run()
    assert (run.is_over, run.position["expected"]) == (True, None)


def test_a_run_waits_while_the_tenant_has_no_time_and_fails_only_if_that_lasts(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a tenant whose limit is reached for a minute
    monkeypatch.setattr(tenant_import, "MAX_MISSED_LOOKS", 2)
    runs.fault(limited_call_one_in=1, limit_seconds=60)
    order = runs.order()
    with runs.app.app_context():
        # when a run begins, then it is told to come again after that minute
        for _ in range(2):
            with pytest.raises(NotNowError) as caught:
                runs.importer.begin(order)
            assert caught.value.wait_seconds >= 50
        # and the third time it fails
        with pytest.raises(Auth0UnavailableError):
            runs.importer.begin(order)
        # once the minute has passed, all is well
        runs.fault(limited_call_one_in=0)
        with runs.database.transaction() as session:
            session.execute(delete(TenantPause))
        assert runs.importer.begin(order).position["job"]


START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(milliseconds=50))


@given(st.lists(st.integers(-5, 60), max_size=60), st.integers(1, 10))
def test_chunks_end_between_two_moments(offsets: list[int], most: int) -> None:
    # given users in any order, some of them newer than the window
    users = [
        {"user_id": str(number), "updated_at": (START + timedelta(milliseconds=each)).isoformat()}
        for number, each in enumerate(offsets)
    ]
    # when they are put into chunks
    chunks = list(in_chunks(users, WINDOW, most=most))
    # then none is lost, and whoever comes later than a chunk's end is in a later chunk, or was out of order
    assert [user for chunk, _ in chunks for user in chunk] == users
    ends = [last for _, last in chunks]
    assert ends == sorted(set(ends))
    in_order = sorted(offset for offset in offsets if 0 <= offset <= 50)
    if offsets == in_order:
        for chunk, last in chunks:
            assert all(datetime.fromisoformat(user["updated_at"]) <= last for user in chunk)
            assert len(chunk) <= most or len({user["updated_at"] for user in chunk}) == 1
