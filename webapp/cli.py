"""The ``websync`` commands. Each reads its words, calls one function of a room, and prints what came of it."""

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import click

from snippets.goals import WebGoal
from snippets.limits import problems_of, warnings_of
from snippets.rendering import PIPELINE_KINDS, SnippetKind, render
from snippets.sdks import Sdk
from webapp import checking, serving
from webapp import worker as carrying
from webapp.accounts.audit import record
from webapp.accounts.links import link_url, make_link
from webapp.accounts.signing_in import find_admin
from webapp.app import create_app
from webapp.command_line import app_or_exit, exit_with_lines, settings_or_exit
from webapp.connections.configuration import apply_configuration, export_configuration
from webapp.connections.configuration_file import (
    KEY_TO_COME,
    Configuration,
    InvalidConfigurationError,
    goal_with_consent,
    read_configuration,
    read_yaml,
)
from webapp.connections.saving import Change
from webapp.database import database, reading, transaction
from webapp.demo import launch
from webapp.demo.first_goal import Ports
from webapp.import_command import import_users_of
from webapp.sealing import sealer
from webapp.settings import Mode, read_origin
from webapp.settings import settings as current_settings

EXAMPLE_PUBLIC_URL = "https://websync.example.com"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="websync")
def main() -> None:
    """Websync joins Auth0 with a customer-data platform."""


@main.command()
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@click.option("--no-worker", is_flag=True, help="Web processes only: `websync worker` runs somewhere else.")
def serve(workers: int, *, no_worker: bool) -> None:
    """Start the production server: web processes, and a worker that carries imports."""
    settings = settings_or_exit()
    app = create_app(settings)
    with app.app_context():
        database().upgrade()
        # The demo prints a link of its own, and a newer one would end it.
        if settings.mode is not Mode.DEMO and (link := serving.first_admin_link(datetime.now(UTC))) is not None:
            click.echo(f"Nobody can sign in yet. Make the first admin here (once, within 24 hours):\n  {link}")
        database().close()
    click.echo(f"Websync listens on http://{settings.host}:{settings.port}, for visitors of {settings.public_url}")
    serving.serve(settings, workers=workers, with_worker=not no_worker)


@main.command()
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when the process that started this one is gone.")
def worker(*, with_parent: bool) -> None:
    """Carry imports until a signal says stop; then leave each after its current chunk."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    if with_parent:
        threading.Thread(target=_stop_with_parent, args=(os.getppid(), stopping), daemon=True).start()
    try:
        carrying.run_worker(settings_or_exit(), stopping)
    except carrying.WorkerRefusedError as error:
        exit_with_lines(str(error))


@main.command()
@click.option("--folder", default=".demo", show_default=True, type=click.Path(path_type=Path), help="Keeps its data.")
@click.option("--port", default=8000, show_default=True, help="Of Websync.")
@click.option("--tenant-port", default=8001, show_default=True, help="Of the demo tenant.")
@click.option("--shop-port", default=8002, show_default=True, help="Of the demo shop.")
def demo(folder: Path, port: int, tenant_port: int, shop_port: int) -> None:
    """Start Websync with a demo tenant and a demo shop, on this computer only."""
    try:
        launch.run(folder, Ports(port, tenant_port, shop_port))
    except launch.DemoRefusedError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--config", "file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--goal", "name", required=True, help="The goal's name or key.")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in SnippetKind]))
@click.option("--sdk", default=Sdk.SPA_JS.value, show_default=True, type=click.Choice([sdk.value for sdk in Sdk]))
@click.option("--output", type=click.Path(), help="A file, or a folder (/ at its end); without it the code is printed.")
@click.option(
    "--public-url",
    envvar="WEBSYNC_PUBLIC_URL",
    callback=lambda _context, _parameter, value: _origin(value),
    default=EXAMPLE_PUBLIC_URL,
    show_default=True,
    help="Where browsers reach Websync.",
)
def snippet(file: Path, name: str, kind: str, sdk: str, output: str | None, public_url: str) -> None:
    """Render one kind of code of a web goal. Needs no database and no network."""
    goal = _goal_of(_read_file(file, public_url=public_url, allow_loopback=True), name)
    if problems := problems_of(goal):
        exit_with_lines("\n".join(map(str, problems)))
    _print_warnings(goal)
    code = render(goal, SnippetKind(kind), sdk=Sdk(sdk))
    if output is not None and (output.endswith("/") or Path(output).is_dir() or code.kind in PIPELINE_KINDS):
        for each in code.files:
            _write(Path(output) / each.path, each.code)
    elif len(code.files) > 1:
        raise click.UsageError(
            f"This code has {len(code.files)} files: name a folder with --output, with / at its end."
        )
    elif output is None:
        click.echo(code.code, nl=False)
    else:
        _write(Path(output), code.code)


@main.command()
@click.argument("connection", required=False)
def check(connection: str | None) -> None:
    """Check settings, database, and (each, or one) CONNECTION: what is wrong and how to mend it."""
    app = create_app(settings_or_exit())
    is_good = True
    with app.app_context():
        for finding in checking.check_all(connection):
            is_good = is_good and finding.is_good
            colour = "green" if finding.is_good else "red"
            click.secho("ok    " if finding.is_good else "wrong ", fg=colour, nl=False)
            click.echo(finding.text)
            if finding.remedy:
                click.echo(f"      {finding.remedy}")
    sys.exit(0 if is_good else 1)


@main.group()
def config() -> None:
    """Connections and goals as a YAML file."""


@config.command("export")
@click.argument("file", default="-", type=click.Path(path_type=Path))
def export_config(file: Path) -> None:
    """Write all connections and goals to FILE (or - for standard output), without secrets."""
    with app_or_exit().app_context(), reading() as session:
        text = export_configuration(session, public_url=current_settings().public_url)
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


@config.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply_config(file: Path) -> None:
    """Make the database agree with FILE; what the file doesn't name stays. Prints each goal's key."""
    with app_or_exit().app_context():
        settings = current_settings()
        wanted = _read_file(file, public_url=settings.public_url, allow_loopback=settings.allows_loopback_tenant)
        try:
            with transaction() as session:
                applied = apply_configuration(
                    session, wanted, Change("cli", datetime.now(UTC)), environment=os.environ, sealer=sealer()
                )
        except InvalidConfigurationError as error:
            exit_with_lines(str(error))
    for goal in (each.web_goal for connection in wanted.connections for each in connection.goals):
        _print_warnings(goal)
    for change in applied:
        click.echo(f"{change.state:10} {change.kind:10} {change.key:14} {change.name}")


@main.command("sign-in-link")
@click.argument("email")
def sign_in_link(email: str) -> None:
    """Print a link that signs EMAIL in once, for an admin who lost the password."""
    with app_or_exit().app_context():
        now = datetime.now(UTC)
        with transaction() as session:
            admin = find_admin(session, email)
            if admin is None:
                raise click.ClickException(f"There is no admin with the address {email}.")
            record(session, actor="cli", action="made a link", object_type="admin", object_key=str(admin.id), now=now)
            token = make_link(session, admin.id, now)
        click.echo(link_url(current_settings().public_url, token))


def _stop_with_parent(parent: int, stopping: threading.Event) -> None:
    while os.getppid() == parent and not stopping.wait(1):
        pass
    stopping.set()


def _write(path: Path, code: str) -> None:
    """Write a file, and make the folders that it stands in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {path}", err=True)


def _origin(text: str) -> str:
    try:
        return read_origin(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}") from error


def _read_file(file: Path, *, public_url: str, allow_loopback: bool) -> Configuration:
    try:
        plain = read_yaml(file.read_text(encoding="utf-8"))
        return read_configuration(plain, public_url=public_url, allow_loopback=allow_loopback)
    except UnicodeDecodeError:
        exit_with_lines(f"{file} is not UTF-8 text.")
    except InvalidConfigurationError as error:
        exit_with_lines("\n".join(f"{file}: {line}" for line in str(error).splitlines()))


def _goal_of(configuration: Configuration, name: str) -> WebGoal:
    goals = [(connection, goal) for connection in configuration.connections for goal in connection.goals]
    found = [(connection, goal) for connection, goal in goals if name in {goal.web_goal.name, goal.web_goal.key}]
    if len(found) != 1:
        known = ", ".join(goal.web_goal.name for _, goal in goals) or "none"
        raise click.ClickException(f"{len(found)} goals are called {name!r}; the file has: {known}.")
    if found[0][1].web_goal.key == KEY_TO_COME:
        message = f"The goal {name!r} has no key yet. `websync config apply` makes one and prints it: add it as key."
        raise click.ClickException(message)
    try:
        return goal_with_consent(configuration, *found[0])
    except InvalidConfigurationError as error:
        exit_with_lines(str(error))


def _print_warnings(goal: WebGoal) -> None:
    for warning in warnings_of(goal):
        click.echo(f"Warning, {goal.name}: {warning}", err=True)


main.add_command(import_users_of)

if __name__ == "__main__":
    main()
