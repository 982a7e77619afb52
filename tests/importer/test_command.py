"""`websync import`: what people type, and what they are told."""

import gc
import gzip
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tests.conftest import TEST_KEY
from tests.importer.conftest import lines_of
from webapp import import_command
from webapp.accounts.models import AuditEntry
from webapp.cli import main
from webapp.connections.models import ImportGoalRow
from webapp.database import Database, reading, transaction
from webapp.importer.summary import count_lines
from webapp.profiles.models import Profile
from webapp.runs.models import Run
from webapp.runs.requesting import find_run

EXAMPLE = Path(__file__).parents[2] / "examples" / "import-goal.yaml"
ANN = {"user_id": "auth0|ann", "email": "ann@example.org", "email_verified": True}
BOB = {"user_id": "auth0|bob", "email": "bob@example.org", "email_verified": True}


@pytest.fixture(autouse=True)
def usual_garbage() -> Iterator[None]:
    """Leave this process as it is: the command would have one of its own."""
    usual = gc.get_threshold()
    yield
    gc.set_threshold(*usual)


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    environment = {
        "WEBSYNC_SECRET_KEYS": TEST_KEY,
        "WEBSYNC_PUBLIC_URL": "https://websync.example.com",
        "WEBSYNC_DATABASE_URL": database_url,
        "WEBSYNC_LOG_LEVEL": "ERROR",
    }
    assert run(environment, "config", "apply", str(EXAMPLE)).exit_code == 0
    return environment


def run(environment: dict[str, str], *words: str, piped: bytes | None = None) -> Result:
    return CliRunner().invoke(main, list(words), env=environment, input=piped)


def counts_of(result: Result) -> dict[str, str]:
    """Return the table of counts."""
    table = result.stdout.partition("\n\n")[0]
    return {line[:36].strip(): line[36:].strip() for line in table.splitlines() if line[36:].strip()}


def number_of_profiles(environment: dict[str, str]) -> int:
    database = Database(environment["WEBSYNC_DATABASE_URL"])
    with database.reading() as session:
        found = len(session.scalars(select(Profile.id)).all())
    database.close()
    return found


def test_a_file_is_imported_and_the_second_time_nothing_is_new(environment: dict[str, str], tmp_path: Path) -> None:
    # given a packed export
    file = tmp_path / "users.ndjson.gz"
    file.write_bytes(gzip.compress(lines_of(ANN, BOB)))
    words = "import", "Import users", "--file", str(file)
    # when it is imported twice, by name and by key, then in full
    first, second = run(environment, *words), run(environment, "import", "import-users-1", *words[2:])
    full = run(environment, *words, "--full")
    # then
    assert [each.exit_code for each in (first, second, full)] == [0, 0, 0], first.output
    assert counts_of(first) | {"Unchanged": ""} == {
        "Read": "2",
        "Invalid": "0",
        "Of other databases": "0",
        "Unchanged since the last import": "0",
        "Checked": "2",
        "Created": "2",
        "Updated": "0",
        "Unchanged": "",
        "Not found": "0",
        "Skipped for consent": "0",
    }
    assert counts_of(second)["Unchanged since the last import"] == "2"
    assert (counts_of(full)["Checked"], counts_of(full)["Unchanged"]) == ("2", "2")
    assert number_of_profiles(environment) == 2


def test_users_come_by_a_pipe_as_csv(environment: dict[str, str]) -> None:
    # given CSV as Auth0 writes it
    piped = b"user_id,email,email_verified\n'auth0|ann,'ann@example.org,true\n"
    # when it is piped in
    result = run(environment, "import", "Import users", "--file", "-", piped=piped)
    # then
    assert result.exit_code == 0, result.output
    assert counts_of(result)["Created"] == "1"


def test_a_dry_run_and_a_limit(environment: dict[str, str]) -> None:
    # when
    piped = lines_of(ANN, BOB)
    result = run(environment, "import", "Import users", "--file", "-", "--dry-run", "--limit", "1", piped=piped)
    # then it says what would be, and nothing is
    assert result.exit_code == 0
    assert "Nothing was written" in result.stdout
    assert "Read                                           1" in result.stdout
    assert number_of_profiles(environment) == 0


def test_errors_are_told_by_line_and_end_with_1(environment: dict[str, str]) -> None:
    # given a file with a broken line, and a user with a wrong value
    piped = lines_of(ANN, b'{"user_id": "auth0|secret', BOB | {"app_metadata": {"points": "secret"}})
    # when it is imported
    result = run(environment, "import", "Import users", "--file", "-", piped=piped)
    # then all else is, and what is told repeats nothing of the people
    assert result.exit_code == 1
    assert counts_of(result)["Created"] == "2"
    assert "  line 2: no JSON" in result.stdout
    assert "  line 3, app_metadata.points: not a number" in result.stdout
    assert "1 x no JSON" in result.stdout
    assert "secret" not in result.output


def test_a_file_that_breaks_off_ends_with_2_after_what_came_before(environment: dict[str, str], tmp_path: Path) -> None:
    # given half of a packed file of many users
    file = tmp_path / "users.ndjson.gz"
    users = ({"user_id": f"auth0|{sha256(b'%d' % number).hexdigest()}"} for number in range(3000))
    content = gzip.compress(lines_of(*users))
    file.write_bytes(content[: len(content) // 2])
    # when it is imported
    result = run(environment, "import", "Import users", "--file", str(file))
    # then
    assert result.exit_code == 2
    assert "The import failed: the compressed data is broken, or breaks off" in result.stderr
    assert counts_of(result)["Created"] == f"{number_of_profiles(environment):,}"
    assert number_of_profiles(environment) > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "Another", "--file", "-"], "No import goal is called 'Another'."),
        (["import", "Import users", "--dry-run"], "Give the connection a client id and a client secret."),
        (["import", "Import users", "--file", "/no/such/file"], "No such file"),
        (["import", "Import users", "--file", "-", "--limit", "0"], "x>=1"),
    ],
)
def test_what_cannot_be_imported_ends_with_2(environment: dict[str, str], words: list[str], message: str) -> None:
    result = run(environment, *words)
    assert result.exit_code == 2
    assert message in result.output


def test_a_goal_without_batch_import_has_no_run_but_may_take_a_file(
    environment: dict[str, str], tmp_path: Path
) -> None:
    # given a goal whose users do not come in runs
    file = tmp_path / "no-batch.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "enable_batch: true" in text
    file.write_text(text.replace("enable_batch: true", "enable_batch: false"), encoding="utf-8")
    assert run(environment, "config", "apply", str(file)).exit_code == 0
    # when its users are to be imported, then no run waits, as on the pages
    result = run(environment, "import", "Import users")
    assert result.exit_code == 2
    assert "Batch import is not enabled for 'Import users'" in result.output
    # and a file is imported all the same
    assert run(environment, "import", "Import users", "--file", "-", piped=lines_of(ANN)).exit_code == 0


def test_a_run_that_goes_while_it_is_followed_ends_with_2(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given somebody who deletes the goal while a run of it is waited for
    def delete_goal(_: object, key: str) -> Run:
        with transaction() as session:
            session.delete(session.scalars(select(ImportGoalRow)).one())
        with reading() as session:
            return find_run(session, key)

    monkeypatch.setattr(import_command, "find_run", delete_goal)
    # when the command asks how far the run is
    result = run(environment, "import", "Import users")
    # then it says so, and who asked for the run is in the audit log
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
    assert "The run is gone: its goal was deleted." in result.output
    database = Database(environment["WEBSYNC_DATABASE_URL"])
    with database.reading() as session:
        entries = select(AuditEntry.actor).where(AuditEntry.action == "requested", AuditEntry.object_type == "run")
        assert list(session.scalars(entries)) == ["cli"]
    database.close()


def test_a_database_that_goes_away_while_a_run_is_followed_ends_with_2(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a database that is away when the command asks how far the run is
    def fail(*_: object) -> Run:
        raise OperationalError(None, None, OSError("secret"))

    monkeypatch.setattr(import_command, "find_run", fail)
    # when users are imported
    result = run(environment, "import", "Import users")
    # then the command says so, and does not end as if the run had
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
    assert "The run goes on, but how far cannot be told. The database: OperationalError" in result.output
    assert "secret" not in result.output


def test_a_goal_that_is_off_imports_nobody(environment: dict[str, str], tmp_path: Path) -> None:
    # given a goal that is switched off
    file = tmp_path / "off.yaml"
    file.write_text(
        EXAMPLE.read_text(encoding="utf-8").replace("key: import-users-1", "enabled: false"), encoding="utf-8"
    )
    assert run(environment, "config", "apply", str(file)).exit_code == 0
    # when
    result = run(environment, "import", "Import users", "--file", "-", piped=lines_of(ANN))
    # then
    assert result.exit_code == 2
    assert "'Import users' or its connection is switched off." in result.output
    assert number_of_profiles(environment) == 0


def test_the_counts_of_a_run_stand_in_one_order_and_chunks_are_not_among_them() -> None:
    # given what a run adds up as it comes, the chunks with errors among it
    counts = {"made_up": 9, "read": 3_000, "modified": 2, "problems": 7, "errors": 3, "created": 1}
    # when its table is printed
    printed = [tuple(line.rsplit(maxsplit=1)) for line in count_lines(counts)]
    # then
    rows = [("Read", "3,000"), ("Created", "1"), ("Updated", "2"), ("Made up", "9"), ("Problems", "7")]
    assert [(name.strip(), count) for name, count in printed] == rows
