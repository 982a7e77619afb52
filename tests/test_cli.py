import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from tests.conftest import ADMIN_EMAIL, TEST_KEY
from webapp.accounts.models import Admin, AuditEntry
from webapp.cli import main
from webapp.database import Database

HOME = Path(__file__).parent.parent
EXAMPLE = HOME / "examples" / "web-goal.yaml"


def run(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, list(words), env=environment)


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    return {
        "WEBSYNC_SECRET_KEYS": TEST_KEY,
        "WEBSYNC_PUBLIC_URL": "https://websync.example.com",
        "WEBSYNC_DATABASE_URL": database_url,
        "WEBSYNC_LOG_LEVEL": "ERROR",
        "AUTH0_CLIENT_SECRET": "s3cret",
    }


@pytest.mark.parametrize("kind", ["application", "action", "rule", "token"])
def test_a_snippet_needs_no_settings_no_database_and_no_network(kind: str, tmp_path: Path) -> None:
    # given an empty folder, an environment without settings, and no network (no socket may be opened)
    script = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('no network here')\n"
        "socket.socket.connect = refuse\n"
        "from webapp.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["snippet", "--config", str(EXAMPLE), "--goal", "Sync web data", "--kind", kind]
    # when the code is asked for
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, env={"PATH": ""}, capture_output=True, check=True
    )
    # then it is printed, and nothing was left behind
    assert done.stdout.decode().startswith('// Websync goal "Sync web data", revision 1.\n')
    assert list(tmp_path.iterdir()) == []


def test_a_snippet_for_no_place_that_a_browser_reaches_is_refused() -> None:
    # given a public URL that is more than one
    words = ["snippet", "--config", str(EXAMPLE), "--goal", "web-shop-1", "--kind", "token"]
    # when code is asked for
    result = run(*words, "--public-url", "https://websync.example.com/path")
    # then the option is named, with what it should be
    assert result.exit_code == 2
    assert "--public-url" in result.output
    assert "must be scheme and host only, such as https://websync.example.com" in " ".join(result.output.split())


def test_a_snippet_is_written_to_a_file_or_into_a_folder(tmp_path: Path) -> None:
    # given a folder, and a file's name
    words = ["snippet", "--config", str(EXAMPLE), "--goal", "web-shop-1", "--kind", "token"]
    # when the code is written to each
    into_folder = run(*words, "--output", str(tmp_path))
    to_file = run(*words, "--output", str(tmp_path / "mine.js"))
    # then both have the same bytes
    assert into_folder.exit_code == to_file.exit_code == 0
    code = (tmp_path / "websync-token.js").read_bytes()
    assert code == (tmp_path / "mine.js").read_bytes()
    assert b"https://websync.example.com/sync/web-shop-1/token" in code


def test_code_of_several_files_needs_a_folder(tmp_path: Path) -> None:
    # given an SDK that needs code in the browser and on the server
    words = ["snippet", "--config", str(EXAMPLE), "--goal", "web-shop-1", "--kind", "token", "--sdk", "nextjs-auth0"]
    # when it is to be printed, or written to one file
    for output in ([], ["--output", str(tmp_path / "one.js")]):
        refused = run(*words, *output)
        assert refused.exit_code == 2
        assert "This code has 2 files: name a folder with --output, with / at its end." in refused.output
    # then only a folder takes it, whether it is there or made now, each file at its place in a project
    for folder in (str(tmp_path), f"{tmp_path}/new/site/"):
        assert run(*words, "--output", folder).exit_code == 0
        for path in ("app/websync-token.js", "app/websync/token/route.js"):
            assert (Path(folder) / path).is_file()


@pytest.mark.parametrize("output", ["taken/", "taken/more/code.js"])
def test_a_place_that_cannot_be_written_is_named(output: str, tmp_path: Path) -> None:
    # given a file where a folder would have to be
    (tmp_path / "taken").write_text("mine")
    words = ["snippet", "--config", str(EXAMPLE), "--goal", "web-shop-1", "--kind", "action"]
    # when code is to be written there
    refused = run(*words, "--output", f"{tmp_path}/{output}")
    # then that is said, and the file is left alone
    assert refused.exit_code == 1
    assert "cannot be written" in refused.output
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        (
            "deploy-cli",
            ["actions/Websync Sync web data (web-shop-1)/code.js", "post-login-binding.yaml", "tenant.yaml"],
        ),
        ("terraform", ["websync-action.js", "websync.tf"]),
    ],
)
def test_files_for_a_pipeline_are_written_into_a_folder(kind: str, paths: list[str], tmp_path: Path) -> None:
    # given a pipeline that has checked its repository out, without the folder
    folder = tmp_path / "auth0" / "websync"
    words = ["snippet", "--config", str(EXAMPLE), "--goal", "web-shop-1"]
    # when its files are written there, twice
    for _ in range(2):
        assert run(*words, "--kind", kind, "--output", str(folder)).exit_code == 0
    # then each stands where the pipeline's tool looks for it, and one is the Action
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == paths
    [action] = folder.rglob("*.js")
    assert action.read_text(encoding="utf-8") == run(*words, "--kind", "action").output


def test_a_snippet_comes_with_warnings_that_stay_out_of_the_code(tmp_path: Path) -> None:
    # given a goal that puts all of app_metadata into each token
    file = tmp_path / "goals.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    file.write_text(text.replace("auth0_field: given_name", "auth0_field: app_metadata"), encoding="utf-8")
    words = ["snippet", "--config", str(file), "--goal", "web-shop-1", "--kind", "action"]
    # when its Action is asked for
    result = run(*words)
    # then the warning names the row, on standard error
    assert result.exit_code == 0
    assert "Warning, Sync web data: mappings[2].auth0_field: All of app_metadata goes into" in result.stderr
    assert "Warning" not in result.stdout
    assert result.stdout.startswith("// Websync goal")


def test_a_snippet_that_auth0_would_refuse_is_not_made(tmp_path: Path) -> None:
    # given a goal that writes under a name that metadata cannot have
    file = tmp_path / "goals.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    file.write_text(
        text.replace("auth0_field: user_metadata.newsletter", "auth0_field: user_metadata.$a"), encoding="utf-8"
    )
    # when its Action is asked for
    result = run("snippet", "--config", str(file), "--goal", "web-shop-1", "--kind", "action")
    # then it says which row has to change
    assert result.exit_code == 2
    assert "auth0_field: Auth0 takes no $ in the names of metadata." in result.stderr
    assert result.stdout == ""


def test_a_snippet_posts_to_the_public_url_that_is_named(tmp_path: Path) -> None:
    # given another public URL in the environment
    words = ["snippet", "--config", str(EXAMPLE), "--goal", "web-shop-1", "--kind", "token"]
    # when the code is asked for
    result = run(*words, WEBSYNC_PUBLIC_URL="https://sync.example.org/")
    # then it posts there
    assert "https://sync.example.org/sync/web-shop-1/token" in result.output


def test_a_snippet_asks_for_the_objectives_of_its_file(tmp_path: Path) -> None:
    # given a file whose connection has an objective that it defines
    text = EXAMPLE.read_text(encoding="utf-8").replace("objectives: []", "objectives: [marketing]")
    defined = "objectives: [{id: marketing, name: Marketing, legislations: [GDPR, CCPA]}]\nopt_out_zones: [CCPA]\n"
    file = tmp_path / "goals.yaml"
    file.write_text(defined + text, encoding="utf-8")
    # when the token snippet is asked for, without any database
    result = run("snippet", "--config", str(file), "--goal", "Sync web data", "--kind", "token")
    # then it asks BlueConic, by the zones of the file
    assert result.exit_code == 0, result.output
    assert '["marketing"].filter' in result.output
    assert '["GDPR"].includes(consent?.legislation)' in result.output
    assert "CCPA" not in result.output


@pytest.mark.parametrize(
    ("change", "name", "message", "code"),
    [
        (("", ""), "Another", "0 goals are called 'Another'; the file has: Sync web data.", 1),
        (("        key: web-shop-1\n", ""), "Sync web data", "has no key yet", 1),
        (("objectives: []", "objectives: [marketing]"), "Sync web data", "marketing: not among the objectives", 2),
        (("strategy: add", "strategy: plus"), "Sync web data", "mappings[5].strategy: Must be one of", 2),
    ],
)
def test_a_snippet_that_cannot_be_made_says_why(
    change: tuple[str, str], name: str, message: str, code: int, tmp_path: Path
) -> None:
    # given a file that lacks what is asked for
    file = tmp_path / "goals.yaml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    # when the code is asked for
    result = run("snippet", "--config", str(file), "--goal", name, "--kind", "action")
    # then the reason is printed
    assert result.exit_code == code
    assert message in result.output


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    # given a file of bytes
    file = tmp_path / "goals.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    # when it is read
    result = run("snippet", "--config", str(file), "--goal", "x", "--kind", "action")
    # then it says what is wrong
    assert result.exit_code == 2
    assert "is not UTF-8 text" in result.output


def test_applying_prints_warnings_and_goes_on(environment: dict[str, str], tmp_path: Path) -> None:
    # given a file with a goal that has a warning
    file = tmp_path / "goals.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    file.write_text(text.replace("auth0_field: given_name", "auth0_field: app_metadata"), encoding="utf-8")
    # when it is applied
    result = run("config", "apply", str(file), **environment)
    # then the goal is there, and the warning is on standard error
    assert result.exit_code == 0
    assert "created" in result.stdout
    assert "All of app_metadata goes into each visitor's token" in result.stderr


def test_configuration_is_applied_once_and_exported(environment: dict[str, str], tmp_path: Path) -> None:
    # given an empty database
    # when the example is applied twice, then exported
    first = run("config", "apply", str(EXAMPLE), **environment)
    second = run("config", "apply", str(EXAMPLE), **environment)
    exported = run("config", "export", str(tmp_path / "all.yaml"), **environment)
    printed = run("config", "export", **environment)
    # then the first creates, the second changes nothing, and the key is printed
    assert first.exit_code == second.exit_code == exported.exit_code == 0, first.output
    assert first.output.count("created") == 2
    assert second.output.count("unchanged") == 2
    assert "web-shop-1" in first.output
    assert printed.output == (tmp_path / "all.yaml").read_text(encoding="utf-8")
    assert "s3cret" not in printed.output


def test_a_configuration_with_mistakes_changes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    # given a file whose second connection is wrong only when it is applied
    file = tmp_path / "two.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    bad = "  - name: B\n    auth0: {domain: b.eu.auth0.com, client_secret: {env: NOT_SET}}\n"
    file.write_text(text + bad, encoding="utf-8")
    # when it is applied
    result = run("config", "apply", str(file), **environment)
    # then the mistake is named, and the first connection was not stored either
    assert result.exit_code == 2
    assert "connections[2].auth0.client_secret: The environment variable NOT_SET is not set." in result.output
    assert run("config", "export", **environment).output == "connections: []\n"


@pytest.mark.parametrize("command", [["serve"], ["check"], ["config", "export"], ["sign-in-link", "a@b.example"]])
def test_wrong_settings_stop_a_command_with_a_line_for_each(command: list[str]) -> None:
    # given production without a key, on http
    environment = {"WEBSYNC_MODE": "production", "WEBSYNC_PUBLIC_URL": "http://websync.example.com"}
    # when a command is started
    result = run(*command, **environment)
    # then it stops and says both
    assert result.exit_code == 2
    assert "WEBSYNC_SECRET_KEYS: is missing" in result.output
    assert "WEBSYNC_PUBLIC_URL: must be an https:// URL" in result.output
    assert "Traceback" not in result.output


def test_an_admin_without_password_gets_a_link(environment: dict[str, str], admin_in_database: Admin) -> None:
    # given an admin
    # when a link is asked for
    result = run("sign-in-link", ADMIN_EMAIL, **environment)
    # then it is printed, and on record
    assert result.exit_code == 0
    assert result.output.startswith("https://websync.example.com/sign-in/link/")
    database = Database(environment["WEBSYNC_DATABASE_URL"])
    with database.reading() as session:
        (entry,) = session.scalars(select(AuditEntry))
    database.close()
    assert (entry.actor, entry.action, entry.object_key) == ("cli", "made a link", str(admin_in_database.id))


def test_a_link_for_nobody_is_refused(environment: dict[str, str]) -> None:
    # given no admin
    # when a link is asked for
    result = run("sign-in-link", "nobody@example.org", **environment)
    # then it says so
    assert result.exit_code == 1
    assert "There is no admin with the address nobody@example.org." in result.output


@pytest.fixture
def admin_in_database(database_url: str, make_admin: Callable[[], Admin]) -> Admin:
    admin = make_admin()
    database = Database(database_url)
    with database.transaction() as session:
        session.add(admin)
    database.close()
    return admin


def test_the_documentation_has_every_command() -> None:
    # given the table of commands
    text = (HOME / "docs" / "cli.md").read_text(encoding="utf-8")
    # when it is compared with the code
    names = [name for name in main.commands if name != "config"] + ["config export", "config apply"]
    # then each is there
    assert [name for name in names if f"| `websync {name}" not in text] == []
