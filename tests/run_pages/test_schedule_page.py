"""The schedule's page: what is typed, what it would come to, and what is kept."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.connections.pages import audit_entries
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.schedule import Schedule
from webapp.connections.schedules import find_schedule, schedule_of
from webapp.database import Database

Fields = dict[str, str | list[str]]

DAILY: Fields = {"kind": "times_per_day", "times_per_day": "2", "at": "04:30", "time_zone": "Europe/Amsterdam"}
ON: Fields = {"is_on": "y"}


def send(client: FlaskClient, connection: Connection, fields: Fields, do: str = "save") -> str:
    """Send the form as a browser does, and return the page that comes."""
    named = {f"schedule-{name}": value for name, value in fields.items()}
    answer = client.post(
        f"/connections/{connection.key}/schedule", data={**named, "do": do}, follow_redirects=do == "save"
    )
    return answer.text


def stored(database: Database, connection: Connection) -> tuple[Schedule, bool, bool] | None:
    with database.reading() as session:
        row = find_schedule(session, session.get_one(Connection, connection.id))
        return (schedule_of(row), row.is_on, row.run_missed) if row else None


@pytest.mark.parametrize(
    ("fields", "cron"),
    [
        (DAILY, "30 4,16 * * *"),
        ({"kind": "weekdays", "weekdays": ["monday", "friday"], "at": "09:00", "time_zone": "UTC"}, "0 9 * * 1,5"),
        ({"kind": "day_of_month", "day": "last", "at": "09:00", "time_zone": "UTC"}, "0 9 L * *"),
        (
            {"kind": "weekday_of_month", "nth": "2", "weekday": "friday", "at": "9:00", "time_zone": "UTC"},
            "0 9 * * 5#2",
        ),
        ({"kind": "cron", "cron_text": " */5  3 * * 1-5 ", "time_zone": "Asia/Tokyo"}, "*/5 3 * * 1-5"),
    ],
)
def test_each_kind_of_schedule_is_kept_and_shown_again(
    admin_client: FlaskClient,
    database: Database,
    connection: Connection,
    goal: ImportGoalRow,
    fields: Fields,
    cron: str,
) -> None:
    # given a connection with an import goal
    # when a schedule is saved
    page = send(admin_client, connection, fields | {"is_on": "y", "run_missed": "y"})
    # then it is kept, and the connection's page says when it runs next
    assert "The schedule is saved." in page
    found = stored(database, connection)
    assert found is not None
    assert (found[0].cron, found[0].time_zone, found[1:]) == (cron, fields["time_zone"], (True, True))
    assert f"Time zone: {fields['time_zone']}" in page
    # and the form has it again
    form = admin_client.get(f"/connections/{connection.key}/schedule").text
    assert re.search(rf'value="{fields["kind"]}"[^>]*checked|checked[^>]*value="{fields["kind"]}"', form)
    assert f'value="{fields["time_zone"]}"' in form


def test_a_look_at_the_next_runs_keeps_nothing(
    admin_client: FlaskClient, database: Database, connection: Connection
) -> None:
    # given a connection without a schedule
    # when somebody looks at what one would come to
    page = send(admin_client, connection, DAILY | ON, "preview")
    # then the next five runs are there, in the schedule's zone, and nothing is kept
    assert len(re.findall(r"<li><time datetime=[^>]*>\w{3} \d+ \w+ \d{4}, (?:04|16):30</time>", page)) == 5
    assert re.search("CES?T", page)
    assert stored(database, connection) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_zone": "Mars/Olympus"}, "Choose a time zone by its name"),
        ({"at": "late"}, "Write the time of day"),
        ({"kind": "weekdays"}, "Choose at least one day of the week."),
        ({"kind": "cron", "cron_text": "every day"}, "Write five fields"),
        ({"kind": "cron", "cron_text": "0 0 31 2 *"}, "No year has such a day."),
        ({"kind": "yearly"}, "Not a valid choice"),
        ({"times_per_day": "7"}, "Not a valid choice"),
    ],
)
def test_what_is_no_schedule_is_said_at_its_field_and_not_kept(
    admin_client: FlaskClient, database: Database, connection: Connection, changes: Fields, message: str
) -> None:
    # given a form with a mistake
    for do in ("preview", "save"):
        # when it is sent, then the page says what to mend
        assert message in send(admin_client, connection, DAILY | changes, do)
    assert stored(database, connection) is None


def test_saving_is_in_the_audit_log_once_for_each_change(
    app: Flask, admin_client: FlaskClient, connection: Connection, goal: ImportGoalRow
) -> None:
    # given a schedule that is saved, saved again, and switched off
    assert "The schedule is saved." in send(admin_client, connection, DAILY | ON)
    assert "Nothing had changed." in send(admin_client, connection, DAILY | ON)
    assert "The schedule is switched off." in send(admin_client, connection, DAILY)
    # when the audit log is read, then it has both changes and who made them
    entries = [entry for entry in audit_entries(app, "connection") if entry.action == "scheduled"]
    assert [(entry.actor, entry.detail["is_on"]) for entry in entries] == [
        ("admin@example.org", True),
        ("admin@example.org", False),
    ]


def test_a_connection_that_there_is_not_has_no_schedule(admin_client: FlaskClient) -> None:
    assert admin_client.get("/connections/nothing/schedule").status_code == 404
    assert admin_client.post("/connections/nothing/schedule", data={"do": "save"}).status_code == 404
