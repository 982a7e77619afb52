from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from tests.runs.workers import store_goals
from webapp.connections.models import Connection, ConnectionSchedule, ImportGoalRow
from webapp.connections.saving import Change, ConnectionDetails, save_connection
from webapp.connections.schedule import Schedule, ScheduleKind, Weekday
from webapp.connections.schedules import find_schedule, save_schedule, schedule_of
from webapp.database import Database
from webapp.runs.models import Run, RunTrigger
from webapp.runs.scheduling import planned_connections, run_missed, run_on_schedule

DAILY = Schedule(time_zone="Europe/Amsterdam")
WEEKLY = Schedule(ScheduleKind.WEEKDAYS, weekdays=(Weekday.MONDAY, Weekday.FRIDAY))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def save(database: Database, goal: ImportGoalRow, now: datetime, schedule: Schedule = DAILY, **switches: bool) -> None:
    with database.transaction() as session:
        connection = session.get_one(Connection, goal.connection_id)
        switches = {"is_on": True, "run_missed": True} | switches
        save_schedule(session, connection, schedule, Change("ada", now), **switches)


def runs(database: Database) -> list[tuple[int, str]]:
    with database.reading() as session:
        return [(run.goal_id, run.trigger) for run in session.scalars(select(Run).order_by(Run.id))]


def due(database: Database, goal: ImportGoalRow, moment: datetime) -> None:
    with database.transaction() as session:
        run_on_schedule(session, goal.connection_id, moment, now=moment)


def switch_off(database: Database, model: type[Connection] | type[ImportGoalRow], identity: int) -> None:
    with database.transaction() as session:
        session.execute(update(model).where(model.id == identity).values(is_on=False))


@pytest.mark.parametrize("schedule", [DAILY, WEEKLY, Schedule(ScheduleKind.CRON, cron_text="5 4 * * 1-5")])
def test_a_schedule_is_kept_as_it_was_saved(database: Database, now: datetime, schedule: Schedule) -> None:
    # given a connection
    (goal,) = store_goals(database)
    with database.reading() as session:
        assert find_schedule(session, session.get_one(Connection, goal.connection_id)) is None
    # when a schedule is saved, then it is found again
    save(database, goal, now, schedule)
    with database.reading() as session:
        row = find_schedule(session, session.get_one(Connection, goal.connection_id))
        assert row is not None
        assert schedule_of(row) == schedule
        assert [plan.is_active for plan in planned_connections(session)] == [True]


def test_a_time_has_its_runs_once_whoever_hears_of_it(database: Database, now: datetime) -> None:
    # given a connection with two goals, of which one is off
    on, off = store_goals(database, count=2)
    switch_off(database, ImportGoalRow, off.id)
    save(database, on, now)
    # when four workers hear at once that its time has come
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: due(database, on, now + timedelta(hours=14)), range(4)))
    # then there is one run, of the goal that is on
    assert runs(database) == [(on.id, RunTrigger.SCHEDULE)]


@pytest.mark.parametrize("switched_off", ["connection", "schedule"])
def test_what_is_switched_off_never_runs(database: Database, now: datetime, switched_off: str) -> None:
    # given a connection that is off, or its schedule
    (goal,) = store_goals(database)
    save(database, goal, now, is_on=switched_off != "schedule")
    if switched_off == "connection":
        switch_off(database, Connection, goal.connection_id)
    # when a time comes that was planned before, and days that were missed are caught up with
    due(database, goal, now + timedelta(hours=14))
    with database.transaction() as session:
        run_missed(session, now=now + timedelta(days=3))
    # then nothing runs
    assert runs(database) == []
    with database.reading() as session:
        assert [plan.is_active for plan in planned_connections(session)] == [False]


def test_an_hour_that_comes_twice_has_one_run_of_what_runs_once_a_day(database: Database) -> None:
    # given a daily run at 2:30 in a zone whose clocks go back at 3:00
    (goal,) = store_goals(database)
    half_past_two = Schedule(ScheduleKind.CRON, "Europe/Amsterdam", cron_text="30 2 * * *")
    save(database, goal, datetime(2026, 10, 24, 12, tzinfo=UTC), half_past_two)
    # when both 2:30 come, of which only the second is still to be handled
    save(database, goal, datetime(2026, 10, 25, 0, 45, tzinfo=UTC), half_past_two)
    due(database, goal, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    # then the second one does not run
    assert runs(database) == []


@pytest.mark.parametrize(("wants_missed", "count"), [(True, 1), (False, 0)])
def test_missed_times_get_one_run_if_that_is_wanted(
    database: Database, now: datetime, *, wants_missed: bool, count: int
) -> None:
    # given a daily schedule, and three days without a worker
    (goal,) = store_goals(database)
    save(database, goal, now, run_missed=wants_missed)
    back = now + timedelta(days=3)
    # when workers are back and look, again and again, and one brings a time that is older
    for _ in range(3):
        with database.transaction() as session:
            run_missed(session, now=back)
    if wants_missed:
        due(database, goal, now + timedelta(hours=14))
    # then there is one run, or none
    assert len(runs(database)) == count


def test_times_that_passed_while_the_connection_was_off_were_not_missed(database: Database, now: datetime) -> None:
    # given a daily schedule of a connection that is off
    (goal,) = store_goals(database)
    save(database, goal, now)
    switch_off(database, Connection, goal.connection_id)
    # when it is switched on after three days, with workers that lived all the time
    back = now + timedelta(days=3)
    with database.transaction() as session:
        connection = session.get_one(Connection, goal.connection_id)
        wanted = ConnectionDetails(connection.name, connection.auth0_domain)
        save_connection(session, connection, wanted, Change("ada", back), expected_version=connection.version)
        run_missed(session, now=back)
    # then nothing is made up for
    assert runs(database) == []
    # but what is missed from then on is
    with database.transaction() as session:
        run_missed(session, now=back + timedelta(days=1))
    assert runs(database) == [(goal.id, RunTrigger.SCHEDULE)]


def test_a_time_that_has_just_come_is_not_missed_yet(database: Database, now: datetime) -> None:
    # given a schedule whose time came half a minute ago: DBOS gives a worker some seconds for it
    (goal,) = store_goals(database)
    save(database, goal, now)
    time_of_run = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    # when a worker looks for missed ones, then it leaves this to DBOS
    with database.transaction() as session:
        run_missed(session, now=time_of_run + timedelta(seconds=30))
    assert runs(database) == []


def test_a_schedule_in_a_time_zone_that_is_gone_stops_no_worker(database: Database, now: datetime) -> None:
    # given two connections with schedules, of which one names a time zone that this computer does not know any more
    (gone,), (good,) = store_goals(database), store_goals(database, name="other")
    for goal in (gone, good):
        save(database, goal, now)
    with database.transaction() as session:
        row = session.get_one(ConnectionSchedule, gone.connection_id)
        row.plain = row.plain | {"time_zone": "US/Pacific-New"}
    # when a worker looks at them, and days were missed
    with database.transaction() as session:
        planned = [each.connection_id for each in planned_connections(session)]
        run_missed(session, now=now + timedelta(days=3))
        run_on_schedule(session, gone.connection_id, now + timedelta(hours=14), now=now + timedelta(hours=14))
        found = find_schedule(session, session.get_one(Connection, gone.connection_id))
    # then the good one runs, and the other one is as if nobody had said anything
    assert (planned, found) == ([good.connection_id], None)
    assert runs(database) == [(good.id, RunTrigger.SCHEDULE)]
    # and it can be saved anew
    save(database, gone, now)
    with database.reading() as session:
        assert len(list(planned_connections(session))) == 2
