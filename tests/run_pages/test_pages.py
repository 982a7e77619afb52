"""Pages of runs as an admin sees them."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.connections.pages import audit_entries
from tests.run_pages.conftest import MakeRun, add_goal
from webapp.connections.models import Connection, ImportGoalRow
from webapp.database import Database
from webapp.profiles.models import Profile
from webapp.runs.heartbeats import begin_beating
from webapp.runs.history import PAGE_LENGTH
from webapp.runs.models import Run, RunLogLine, RunProblem, RunState

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def start_worker(database: Database) -> Callable[[], None]:
    """Return a function that lets a worker live."""

    def start() -> None:
        with database.transaction() as session:
            begin_beating(session, "worker-1", datetime.now().astimezone())

    return start


def stored_runs(database: Database) -> list[Run]:
    with database.reading() as session:
        return list(session.scalars(select(Run).order_by(Run.id)))


def visible(html: str) -> str:
    """Return the text of a page, with one space between its parts."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_history_lists_what_runs_what_waits_and_what_is_over(
    admin_client: FlaskClient, connection: Connection, goal: ImportGoalRow, make_run: MakeRun
) -> None:
    # given runs of every state
    for number, state in enumerate(RunState):
        counts = {"created": 1_000 + number, "invalid": 7, "problems": 4_321}
        make_run(state, minutes_ago=100 - number, counts=counts) if state not in {"starting", "stopping"} else None
    # when the pages are opened, then each is there with its state
    for path in ("/runs", f"/connections/{connection.key}/runs", f"/imports/{goal.key}/runs"):
        text = visible(admin_client.get(path).text)
        for word in (
            "Queued",
            "Running",
            "Finished",
            "Finished with errors",
            "Failed",
            "Stopped",
            "1,004",
            "Errors",
            "4,321",
        ):
            assert word in text, (path, word)
        assert "The last 4 runs" in text
        assert "5 min" in text


def test_a_long_history_is_read_page_by_page(admin_client: FlaskClient, goal: ImportGoalRow, make_run: MakeRun) -> None:
    # given more runs than a page has
    keys = [make_run(minutes_ago=1_000 - number).key for number in range(PAGE_LENGTH + 3)]
    # when the first page is opened, and the older one that it links to
    first = admin_client.get(f"/imports/{goal.key}/runs").text
    older = re.search(r'href="([^"]*before=[^"]*)" rel="next"', first)
    assert older
    second = admin_client.get(older[1]).text
    # then together they have each run once, and only the first has what is now and next
    found = [re.findall(r'data-run="([^"]+)"', page) for page in (first, second)]
    assert found == [keys[:2:-1], keys[2::-1]]
    assert ("Nothing runs now" in first, "Nothing runs now" in second) == (True, False)
    assert "Newest" in second
    # and a place that is none is refused
    assert admin_client.get("/runs?before=-1").status_code == 400
    assert admin_client.get("/runs?before=99999999999999999999").status_code == 400


def test_an_empty_history_says_what_it_will_have(admin_client: FlaskClient, goal: ImportGoalRow) -> None:
    # given a goal that has never run
    # when its history is opened
    text = visible(admin_client.get(f"/imports/{goal.key}/runs").text)
    # then it says so, without a chart
    assert "No run has ended yet" in text
    assert "Not scheduled" in text
    assert "The figures as a table" not in text


def test_a_run_page_has_everything_of_the_run(
    admin_client: FlaskClient, make_run: MakeRun, database: Database, now: datetime
) -> None:
    # given a failed run with counts, errors, a log and two profiles, of which one is gone
    run = make_run(
        RunState.FAILED,
        counts={"read": 12_345, "created": 5, "problems": 60, "problems_not_listed": 2, "errors": 1},
        reasons={"no e-mail address": 58, HOSTILE: 2},
        newest=["profile-number-12345678", "profile-that-is-gone-now"],
        problem="export-failed",
        problem_detail=HOSTILE,
        profiles=5,
    )
    with database.transaction() as session:
        session.add(Profile(id="profile-number-12345678", properties={}, created_at=now, modified_at=now))
        session.add_all(
            RunProblem(run_id=run.id, line=line, user_id=HOSTILE, auth0_field="email", reason="no e-mail address")
            for line in range(30)
        )
        session.add_all(RunLogLine(run_id=run.id, at=now, text=f"Chunk {line} {HOSTILE}") for line in range(40))
    # when it is opened
    html = admin_client.get(f"/runs/{run.key}").text
    text = visible(html)
    # then all of it is there, and nothing of it is code
    for words in ("Failed", "12,345", "no e-mail address 58", "60 values or users were not imported; 2 of them"):
        assert words in text
    assert 'href="/profiles/profile-number-12345678"' in html
    assert "…12345678" in text
    assert "gone-now (gone)" in text
    assert 'href="/problems/export-failed"' in html
    assert "Chunk 39" in text
    assert "Chunk 5 " not in text
    assert "These are the last 30 lines. A download has all of them." in text
    assert HOSTILE not in html
    assert "Stop" not in text.replace("Stopped", "")
    # and the error list goes on on the next page
    more = re.search(r'href="([^"]*after=[^"#]*)#errors-title" rel="next"', html)
    assert more
    assert len(re.findall(r'data-label="Line">', admin_client.get(more[1]).text)) == 5


def test_a_run_under_way_says_how_far_it_is_and_can_be_stopped(
    app: Flask, admin_client: FlaskClient, make_run: MakeRun, database: Database, start_worker: Callable[[], None]
) -> None:
    # given a run that has done some, while a worker is alive
    start_worker()
    run = make_run(RunState.RUNNING, counts={"read": 500}, chunks=1, expected_users=1_000)
    # when its page is opened, then it says how far, in a bar too
    page = admin_client.get(f"/runs/{run.key}").text
    assert "500 of about 1,000 users, 50 %" in page
    assert re.search(r'<progress[^>]* max="100" value="50">', page)
    assert "data-follow" in page
    assert "No worker is alive" not in page
    # when it is stopped, then it stops after its chunk, and the audit log knows
    answer = admin_client.post(f"/runs/{run.key}/stop", follow_redirects=True)
    assert "The run stops after its current chunk." in answer.text
    assert "Stopping" in answer.text
    assert f"/runs/{run.key}/stop" not in answer.text
    assert [entry.action for entry in audit_entries(app, "run")] == ["stopped"]


def test_a_run_that_is_over_cannot_be_stopped_but_its_goal_run_again(
    admin_client: FlaskClient, make_run: MakeRun, goal: ImportGoalRow, database: Database
) -> None:
    # given a run that has ended since its page was opened
    run = make_run(RunState.FINISHED)
    assert "Run now</button>" in admin_client.get(f"/runs/{run.key}").text
    # when somebody stops it, then the page says that it is over
    assert "It is finished" in admin_client.post(f"/runs/{run.key}/stop", follow_redirects=True).text
    assert admin_client.post("/runs/nothing/stop").status_code == 404
    # and a goal that is switched off is not offered to run
    with database.transaction() as session:
        session.get_one(ImportGoalRow, goal.id).is_on = False
    assert "Run now</button>" not in admin_client.get(f"/runs/{run.key}").text


def test_run_now_queues_one_run_and_says_what_it_waits_for(
    app: Flask, admin_client: FlaskClient, connection: Connection, goal: ImportGoalRow, database: Database
) -> None:
    # given a connection with one import goal, and no worker
    path = f"/connections/{connection.key}/runs"
    # when it is run now, everybody compared
    answer = admin_client.post(path, data={"goal": goal.key, "is_full": "y"}, follow_redirects=True)
    # then one run waits, and the page says that there is no worker
    (run,) = stored_runs(database)
    assert answer.request.path == f"/runs/{run.key}"
    assert (run.state, run.is_full, run.requested_by) == ("queued", True, "admin@example.org")
    assert "A run of Import users is queued." in answer.text
    assert "No worker is alive" in answer.text
    # when it is run now again, then the page says that one waits already
    answer = admin_client.post(path, data={"goal": goal.key}, follow_redirects=True)
    assert "A run of Import users is queued already." in answer.text
    assert len(stored_runs(database)) == 1
    assert [entry.detail for entry in audit_entries(app, "run")] == [{"goal": goal.key, "is_full": True}]


def test_run_now_of_a_connection_runs_all_its_goals(
    admin_client: FlaskClient, connection: Connection, goal: ImportGoalRow, database: Database, now: datetime
) -> None:
    # given a connection with two import goals
    add_goal(database, connection, now, key="import-2", name="Import staff")
    # when all are run now
    answer = admin_client.post(f"/connections/{connection.key}/runs", data={"goal": ""}, follow_redirects=True)
    # then each has a run that waits
    assert answer.request.path == f"/connections/{connection.key}/runs"
    assert "A run of Import staff is queued." in answer.text
    assert len(stored_runs(database)) == 2


def test_what_cannot_run_is_said(
    admin_client: FlaskClient, connection: Connection, goal: ImportGoalRow, database: Database
) -> None:
    # given a connection that somebody has just switched off
    with database.transaction() as session:
        session.get_one(Connection, connection.id).is_on = False
    # when it is run now, then the page says why not
    answer = admin_client.post(f"/connections/{connection.key}/runs", follow_redirects=True)
    assert "There is nothing to run. The connection is switched off" in answer.text
    assert stored_runs(database) == []
    # and neither is a goal of nowhere run
    assert admin_client.post(f"/connections/{connection.key}/runs", data={"goal": "nothing"}).status_code == 404


def test_forms_of_other_sites_start_and_stop_nothing(csrf_admin_client: FlaskClient) -> None:
    # given an admin who has signed in
    # when a form without the token is sent, then it is refused before anything is looked up
    for path in ("/connections/x/runs", "/runs/x/stop", "/connections/x/schedule"):
        assert csrf_admin_client.post(path).status_code == 400


def test_the_connection_page_says_what_ran_and_what_was_imported(
    admin_client: FlaskClient, connection: Connection, goal: ImportGoalRow, make_run: MakeRun
) -> None:
    # given a connection that has never imported anything
    path = f"/connections/{connection.key}"
    assert "Counted at the end of the first run." in admin_client.get(path).text
    # when a run has ended
    make_run(RunState.FINISHED, profiles=1_234, connection_profiles=56_789)
    text = visible(admin_client.get(path).text)
    # then its page says what it was, how many profiles were imported, and offers to run it
    assert "Profiles imported ever 56,789 In the last run 1,234" in text
    assert "Last run Finished Import users" in text
    assert "Next run Not scheduled." in text
    assert "Run now" in text
    assert goal.name in text


def test_a_connection_without_import_goals_has_no_runs_to_speak_of(
    admin_client: FlaskClient, connection: Connection
) -> None:
    assert "Set up and run" not in admin_client.get(f"/connections/{connection.key}").text


def test_strangers_see_and_start_nothing(client: FlaskClient, make_run: MakeRun, connection: Connection) -> None:
    run = make_run()
    for path in ("/runs", f"/runs/{run.key}", f"/connections/{connection.key}/schedule"):
        assert client.get(path).location.startswith("/sign-in")
    for path in (f"/connections/{connection.key}/runs", f"/runs/{run.key}/stop"):
        assert client.post(path).status_code == 401


def test_a_run_that_takes_long_says_so_in_the_next_schedule(
    admin_client: FlaskClient, connection: Connection, make_run: MakeRun, now: datetime
) -> None:
    # given a goal whose last run took two hours
    make_run(started_at=now - timedelta(hours=3), ended_at=now - timedelta(hours=1))
    fields = {"schedule-kind": "times_per_day", "schedule-times_per_day": "24", "schedule-time_zone": "UTC"}
    # when it is to run every hour, then the hint stands beside the next runs, and after saving too
    path = f"/connections/{connection.key}/schedule"
    for do in ("preview", "save"):
        page = admin_client.post(path, data=fields | {"schedule-is_on": "y", "do": do}, follow_redirects=True).text
        assert "This is more often than a run takes: the last ones took 2 h together" in page
