import csv
import io
import json
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tests.run_pages.conftest import MakeRun
from webapp.database import Database
from webapp.run_pages.downloads import FORMULA_STARTS, csv_line, safe_cell
from webapp.runs import records
from webapp.runs.models import RunLogLine, RunProblem

HOSTILE = "=cmd|' /C calc'!A0"


@pytest.mark.parametrize("start", [*FORMULA_STARTS, " =", "\0="])
def test_no_cell_is_a_formula(start: str) -> None:
    assert safe_cell(f"{start}1+1").startswith("'")


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.integers(0) | st.none(), min_size=1)
)
def test_a_line_of_csv_has_the_cells_that_were_put_in(values: list[object]) -> None:
    # given any values
    # when they are made a line, and a spreadsheet reads it
    (cells,) = csv.reader(io.StringIO(csv_line(values).decode(), newline=""))
    # then each is there, with an apostrophe before what would be a formula
    wanted = ["" if value is None else str(value) for value in values]
    assert [cell.replace("'", "") for cell in cells] == [text.replace("'", "") for text in wanted]
    assert not any(cell.startswith(FORMULA_STARTS) for cell in cells)


FORMULAS = tuple(start for start in FORMULA_STARTS if start.strip())
PIECES = st.sampled_from([*FORMULA_STARTS, ";", '"', ";=", ';"=', " ", "\t", "a", ","])


@pytest.mark.parametrize("separator", [";", "\t"])
@given(st.lists(st.lists(PIECES).map("".join), min_size=1))
def test_no_cell_is_a_formula_where_others_separate_cells(separator: str, values: list[str]) -> None:
    # given any line
    line = csv_line(values).decode()
    # when a spreadsheet reads it that separates cells by something else
    rows = csv.reader(io.StringIO(line, newline=""), delimiter=separator)
    # then it finds no formula either
    assert not any(cell.strip().startswith(FORMULAS) for row in rows for cell in row)


def test_a_separator_inside_a_value_starts_no_formula() -> None:
    assert safe_cell("auth0|a;=1+1;b") == "auth0|a;'=1+1;b"
    assert safe_cell("auth0|a;b-c") == "auth0|a;b-c"


def test_the_error_list_is_sent_as_it_is_read(
    admin_client: FlaskClient, make_run: MakeRun, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a run with more errors than are read at once, one of them by a user whose id is a formula
    monkeypatch.setattr(records, "BATCH_LINES", 10)
    run, other = make_run(), make_run(minutes_ago=30)
    with database.transaction() as session:
        session.add_all(
            RunProblem(run_id=run.id, line=line, user_id="auth0|ann", auth0_field="email", reason="no e-mail")
            for line in range(1, 25)
        )
        session.add(RunProblem(run_id=run.id, line=None, user_id=HOSTILE, auth0_field="", reason="no JSON"))
        session.add(RunProblem(run_id=other.id, line=1, user_id="x", auth0_field="", reason="no JSON"))
    # when it is downloaded
    found = admin_client.get(f"/runs/{run.key}/errors.csv")
    # then it is a file of its own, with all of the run's errors and no formula
    rows = list(csv.DictReader(io.StringIO(found.text, newline="")))
    assert found.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert found.headers["Content-Disposition"] == f'attachment; filename="websync-run-{run.key}-errors.csv"'
    assert [row["line"] for row in rows] == [*map(str, range(1, 25)), ""]
    assert rows[-1] == {"line": "", "user_id": f"'{HOSTILE}", "auth0_field": "", "reason": "no JSON"}
    # and for programs it is lines of JSON
    found = admin_client.get(f"/runs/{run.key}/errors.ndjson")
    lines = [json.loads(line) for line in found.text.splitlines()]
    assert found.headers["Content-Type"] == "application/x-ndjson"
    assert len(lines) == 25
    assert lines[-1] == {"line": None, "user_id": HOSTILE, "auth0_field": "", "reason": "no JSON"}


def test_the_log_is_sent_with_its_times(
    admin_client: FlaskClient, make_run: MakeRun, database: Database, now: datetime
) -> None:
    # given a run with a log
    run = make_run()
    with database.transaction() as session:
        for second in range(2):
            session.add(RunLogLine(run_id=run.id, at=now + timedelta(seconds=second), text=f"Chunk {second}"))
    # when it is downloaded, then its lines are there, in their order
    lines = [json.loads(line) for line in admin_client.get(f"/runs/{run.key}/log.ndjson").text.splitlines()]
    assert lines == [
        {"at": "2026-11-22T12:00:00.000+00:00", "text": "Chunk 0"},
        {"at": "2026-11-22T12:00:01.000+00:00", "text": "Chunk 1"},
    ]
    assert "Chunk 1" in admin_client.get(f"/runs/{run.key}/log.csv").text


def test_what_there_is_not_is_not_found(admin_client: FlaskClient, make_run: MakeRun, client: FlaskClient) -> None:
    # given a run
    run = make_run()
    # when somebody asks for a run, or a form of it, that there is not, then it is not found
    for path in ("/runs/nothing/log.csv", f"/runs/{run.key}/log.xlsx", f"/runs/{run.key}/profiles.csv"):
        assert admin_client.get(path).status_code == 404
    # and a stranger gets nothing
    assert client.get(f"/runs/{run.key}/errors.csv").location.startswith("/sign-in")
