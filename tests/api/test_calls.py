from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.conftest import Program, check_shape
from tests.connections.pages import audit_entries
from tests.run_pages.conftest import MakeRun
from webapp.accounts.api_keys import Scope
from webapp.accounts.models import ApiKey
from webapp.api.calls import CALLS, CALLS_PER_MINUTE, REFUSALS_PER_MINUTE
from webapp.api.openapi import openapi_path
from webapp.connections.models import Connection, ImportGoalRow
from webapp.database import Database
from webapp.rates import MEMORY_URL, Rates
from webapp.runs.models import Run, RunLogLine, RunProblem, RunState

SCHEDULE = {"kind": "weekdays", "at": "03:00", "weekdays": ["monday", "friday"], "time_zone": "Europe/Amsterdam"}


def test_every_call_needs_a_key_with_its_scope(app: Flask, make_key: Callable[..., str]) -> None:
    # given a key for each scope but one
    for call in CALLS:
        weak = make_key(*(scope for scope in Scope if scope is not call.scope))
        client, path = app.test_client(), f"/api/v1{call.path.replace('<key>', 'nothing')}"
        # when a call is made without a key, with a wrong one, and with that one
        refused = [
            client.open(path, method=call.method, headers=headers)
            for headers in ({}, {"Authorization": "Bearer wsk_x"}, {"Authorization": f"Bearer {weak}"})
        ]
        # then each is refused for its reason, as documented, and without a cookie
        slugs = [response.get_json(force=True)["type"].rpartition("/")[2] for response in refused]
        assert slugs == ["api-key-needed", "api-key-refused", "api-scope"], call.name
        assert refused[2].get_json(force=True)["scope"] == call.scope
        assert all(response.headers["WWW-Authenticate"].startswith("Bearer") for response in refused)
        assert all("Set-Cookie" not in response.headers for response in refused)
        for response in refused:
            check_shape(client, response, call.method, openapi_path(call))


def test_a_signed_in_admin_has_no_key(admin_client: FlaskClient, connection: Connection) -> None:
    # given an admin's browser, with its cookie
    # when a page of another site makes it call the API, then the cookie counts for nothing
    response = admin_client.post(f"/api/v1/connections/{connection.key}/runs", json={})
    assert response.status_code == 401


def test_keys_that_have_ended_are_refused(app: Flask, client: FlaskClient, make_key: Callable[..., str]) -> None:
    # given a key that has expired, one that expires later, and odd headers
    now = datetime.now(UTC)
    old, good = make_key(expires_at=now), make_key(expires_at=now + timedelta(minutes=1))
    # when they are used
    answers = [
        client.get("/api/v1/connections", headers={"Authorization": header}).status_code
        for header in (f"Bearer {old}", f"bearer {good}", f"Basic {good}", good, "Bearer", f"Bearer {'x' * 5000}")
    ]
    # then the good one works
    assert answers == [401, 200, 401, 401, 401, 401]
    # and its use is noted
    with app.extensions["database"].reading() as session:
        used = [key.last_used_at is not None for key in session.query(ApiKey).order_by(ApiKey.id)]
    assert used == [False, True]


def test_connections_and_their_goals(
    client: FlaskClient, program: Program, connection: Connection, goal: ImportGoalRow
) -> None:
    # given a connection with an import goal
    # when a program asks for it
    listed, one = program("GET", "/connections"), program("GET", f"/connections/{connection.key}")
    # then it is there
    check_shape(client, listed, "GET", "/connections")
    check_shape(client, one, "GET", "/connections/{key}")
    assert listed.get_json()["connections"] == [one.get_json()]
    assert one.get_json()["import_goals"] == [{"key": goal.key, "name": goal.name, "enabled": True, "batch": True}]
    missing = program("GET", "/connections/nothing")
    assert missing.status_code == 404
    check_shape(client, missing, "GET", "/connections/{key}")


def test_runs_are_asked_for_and_stopped(
    app: Flask, client: FlaskClient, program: Program, connection: Connection, goal: ImportGoalRow
) -> None:
    # given an import goal
    # when a program asks for a run, twice, of the connection and of the goal
    first = program("POST", f"/connections/{connection.key}/runs")
    again = program("POST", f"/import-goals/{goal.key}/runs", json={"full": True})
    # then it is the same run, full by now
    check_shape(client, first, "POST", "/connections/{key}/runs")
    check_shape(client, again, "POST", "/import-goals/{key}/runs")
    (run,) = first.get_json()["runs"]
    assert run["key"] == again.get_json()["key"]
    assert (run["state"], run["requested_by"], run["url"]) == (
        "queued",
        "API key report",
        f"http://localhost:8000/runs/{run['key']}",
    )
    assert again.get_json()["full"]
    listed = program("GET", f"/import-goals/{goal.key}/runs")
    check_shape(client, listed, "GET", "/import-goals/{key}/runs")
    assert [each["key"] for each in listed.get_json()["under_way"]] == [run["key"]]
    # when it is stopped, then it is over, and the audit log knows who did it
    stopped = program("POST", f"/runs/{run['key']}/stop")
    check_shape(client, stopped, "POST", "/runs/{key}/stop")
    assert stopped.get_json()["state"] == "stopped"
    assert program("GET", f"/runs/{run['key']}").get_json()["state"] == "stopped"
    assert {entry.actor for entry in audit_entries(app, "run")} == {"API key report"}


def test_a_run_tells_how_fast_it_is_and_what_it_came_to(
    client: FlaskClient, program: Program, make_run: MakeRun
) -> None:
    # given a run under way, and one of another goal's that is over
    began = datetime.now(UTC) - timedelta(seconds=10)
    over = make_run(minutes_ago=100, profiles=7, connection_profiles=12)
    active = make_run(
        RunState.RUNNING, minutes_ago=1, expected_users=1000, counts={"read": 500}, chunks=5, first_chunk_at=began
    )
    # when they are asked for
    found = [program("GET", f"/runs/{run.key}") for run in (active, over)]
    for answer in found:
        check_shape(client, answer, "GET", "/runs/{key}")
    fast, done = (answer.get_json() for answer in found)
    # then the one says how long it will take, the other what it has reached
    assert 30 < fast["users_per_second"] <= 40
    assert 12 <= fast["seconds_left"] < 20
    assert (done["users_per_second"], done["seconds_left"]) == (None, None)
    assert (done["profiles"], done["connection_profiles"]) == (7, 12)


def test_what_cannot_be_done_now_is_a_conflict(
    client: FlaskClient, program: Program, connection: Connection, make_run: MakeRun
) -> None:
    # given a run that is over
    run = make_run()
    # when it is to be stopped, then that is told
    over = program("POST", f"/runs/{run.key}/stop")
    assert (over.status_code, over.get_json(force=True)["title"]) == (409, "The run is over")
    check_shape(client, over, "POST", "/runs/{key}/stop")


def test_the_history_comes_in_pages(client: FlaskClient, program: Program, make_run: MakeRun) -> None:
    # given five runs that are over and one that is under way
    keys = [make_run(minutes_ago=100 - number).key for number in range(5)]
    active = make_run(RunState.RUNNING, minutes_ago=1, expected_users=1000, counts={"read": 10}).key
    # when a program reads two at a time
    pages, cursor = [], ""
    while True:
        page = program("GET", f"/runs?limit=2{cursor}")
        check_shape(client, page, "GET", "/runs")
        pages.append(page.get_json())
        if (following := pages[-1]["next_cursor"]) is None:
            break
        cursor = f"&cursor={following}"
    # then it has each once, the newest first, and the active one on the first page
    assert [run["key"] for page in pages for run in page["runs"]] == keys[::-1]
    assert [[run["key"] for run in page["under_way"]] for page in pages] == [[active], [], []]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=two", "cursor=-1", "cursor=99999999999999999999"])
def test_odd_queries_are_refused(client: FlaskClient, program: Program, query: str) -> None:
    # given a query that no page has
    # when it is sent, then it is malformed
    answer = program("GET", f"/runs?{query}")
    assert answer.status_code == 400
    check_shape(client, answer, "GET", "/runs")


def test_a_runs_errors_and_log(
    client: FlaskClient, program: Program, database: Database, make_run: MakeRun, now: datetime
) -> None:
    # given a run with three errors, one of which tries to be a formula, and a line of log
    run = make_run(RunState.FAILED, problem="auth0-refused", problem_detail="Auth0 said no.")
    with database.transaction() as session:
        stored = session.get_one(Run, run.id)
        session.add_all(
            RunProblem(run_id=stored.id, line=line, user_id=user, auth0_field="email", reason="is no address")
            for line, user in ((1, "=1+1"), (2, "auth0|2"), (None, ""))
        )
        session.add(RunLogLine(run_id=stored.id, at=now, text="The run is failed."))
    # when they are read by page
    first = program("GET", f"/runs/{run.key}/errors?limit=2")
    check_shape(client, first, "GET", "/runs/{key}/errors")
    last = program("GET", f"/runs/{run.key}/errors?limit=2&cursor={first.get_json()['next_cursor']}")
    lines = first.get_json()["errors"] + last.get_json()["errors"]
    assert [line["user_id"] for line in lines] == ["=1+1", "auth0|2", ""]
    assert last.get_json()["next_cursor"] is None
    log = program("GET", f"/runs/{run.key}/log")
    check_shape(client, log, "GET", "/runs/{key}/log")
    assert [line["text"] for line in log.get_json()["log"]] == ["The run is failed."]
    # then as NDJSON or CSV there is all of it, safe for spreadsheets
    streamed = program("GET", f"/runs/{run.key}/errors", headers={"Accept": "application/x-ndjson"})
    assert streamed.mimetype == "application/x-ndjson"
    assert [orjson.loads(line) for line in streamed.data.splitlines()] == lines
    table = program("GET", f"/runs/{run.key}/errors", headers={"Accept": "text/csv"})
    assert '"\'=1+1"' in table.text
    assert "The run is failed." in program("GET", f"/runs/{run.key}/log", headers={"Accept": "text/csv"}).text
    shown = program("GET", f"/runs/{run.key}")
    check_shape(client, shown, "GET", "/runs/{key}")
    assert shown.get_json()["problem"] == {"slug": "auth0-refused", "detail": "Auth0 said no."}


def test_a_schedule_is_written_and_read(
    client: FlaskClient, program: Program, connection: Connection, goal: ImportGoalRow
) -> None:
    # given a connection without a schedule
    path, documented = f"/connections/{connection.key}/schedule", "/connections/{key}/schedule"
    before = program("GET", path)
    check_shape(client, before, "GET", documented)
    assert before.get_json() == {"enabled": False, "run_missed": True, "schedule": None, "next_runs": []}
    # when one is written
    written = program("PUT", path, json={"schedule": SCHEDULE, "run_missed": False})
    # then it says so, with the next times
    check_shape(client, written, "PUT", documented)
    found = program("GET", path).get_json()
    assert found == written.get_json()
    assert (found["enabled"], found["run_missed"], len(found["next_runs"])) == (True, False, 5)
    assert {name: found["schedule"][name] for name in SCHEDULE} == SCHEDULE
    # and what was read can be written as it is
    again = {name: found[name] for name in ("enabled", "run_missed", "schedule")}
    assert program("PUT", path, json=again).get_json() == found
    # and one that is switched off has no next times
    assert program("PUT", path, json=again | {"enabled": False}).get_json()["next_runs"] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "schedule: Field required"),
        ({"schedule": {"kind": "yearly"}}, "schedule.kind"),
        ({"schedule": {"kind": "cron"}}, "schedule.cron"),
        ({"schedule": {"kind": "cron", "cron": "R * * * *"}}, "schedule.cron"),
        ({"schedule": SCHEDULE | {"time_zone": "Mars"}}, "schedule.time_zone"),
        ({"schedule": SCHEDULE | {"weekdays": ["someday"]}}, "schedule.weekdays"),
        ({"schedule": SCHEDULE, "every": 5}, "every: Extra inputs"),
        ({"schedule": SCHEDULE, "enabled": "yes"}, "enabled"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    client: FlaskClient, program: Program, connection: Connection, body: dict[str, object], said: str
) -> None:
    # given a schedule with a mistake
    # when it is written, then the mistake is named and nothing is kept
    answer = program("PUT", f"/connections/{connection.key}/schedule", json=body)
    assert answer.status_code == 400
    assert said in answer.get_json(force=True)["detail"]
    check_shape(client, answer, "PUT", "/connections/{key}/schedule")
    assert program("GET", f"/connections/{connection.key}/schedule").get_json()["schedule"] is None


def test_a_body_is_json(client: FlaskClient, program: Program, connection: Connection) -> None:
    # given bodies that are none
    path = f"/connections/{connection.key}/schedule"
    # when they are sent, then that is told as a problem
    form = program("PUT", path, data="a=b", content_type="text/plain")
    assert form.status_code == 415
    check_shape(client, form, "PUT", "/connections/{key}/schedule")
    broken = program("PUT", path, data="{", content_type="application/json")
    assert (broken.status_code, broken.mimetype) == (400, "application/problem+json")
    assert program("PATCH", path).status_code == 405
    assert program("GET", "/nothing").mimetype == "application/problem+json"


def test_calls_are_counted_by_key_and_refusals_by_address(
    app: Flask, client: FlaskClient, make_key: Callable[..., str]
) -> None:
    # given two programs, of which one calls without an end, all in one moment
    app.extensions["rates"] = Rates(MEMORY_URL, clock=lambda: 1000.0)
    many, few = make_key(), make_key()

    def call(key: str) -> int:
        return client.get("/api/v1/connections", headers={"Authorization": f"Bearer {key}"}).status_code

    # when it has called too often, then it waits, and the other does not
    codes = [call(many) for _ in range(CALLS_PER_MINUTE.limit + 1)]
    assert (codes[0], codes[-1], call(few)) == (200, 429, 200)
    # and so does an address that tries keys
    codes = [call("wsk_guess") for _ in range(REFUSALS_PER_MINUTE.limit + 1)]
    assert (codes[0], codes[-1], call(few)) == (401, 429, 200)
