"""`websync demo`: Websync, the demo tenant and the demo shop on three ports of this computer."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from cryptography.fernet import Fernet
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import select
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from webapp.accounts.links import link_url, make_link
from webapp.accounts.models import Admin
from webapp.app import create_app
from webapp.connections.configuration import apply_configuration
from webapp.connections.configuration_file import read_configuration
from webapp.connections.models import Goal
from webapp.connections.saving import Change
from webapp.database import database, reading, transaction
from webapp.demo.first_goal import Ports, demo_configuration
from webapp.demo.mailbox import Mailbox, mail_server
from webapp.demo.seed import M2M_CLIENT_SECRET
from webapp.demo.shop import create_shop
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant
from webapp.sealing import sealer
from webapp.settings import PREFIX, Mode, Settings

START_SECONDS = 30.0
LOOPBACK = "127.0.0.1"


class DemoRefusedError(Exception):
    """The demo does not start. The message says why and what to do."""


def run(folder: Path, ports: Ports) -> None:
    """Run the demo until Ctrl+C. ``folder`` keeps its database, its keys and the tenant's state.

    Raises:
        DemoRefusedError: the environment has production settings, or a port is taken.
    """
    _refuse_production(os.environ)
    folder.mkdir(parents=True, exist_ok=True)
    settings = _settings(folder, ports)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        # The tenant first: whatever the others ask of it is there. And if its port is taken, perhaps by another demo,
        # nothing has been changed yet, and the sign-in link of that one still works.
        state, mails = TenantState(folder / "tenant.json"), Mailbox()
        tenant = create_tenant(ports.tenant_url, state, websync_url=ports.websync_url, mails=mails)
        stack.enter_context(_served(tenant, ports.tenant, "the demo tenant"))
        link, goal_key = _prepare(settings, ports)
        shop = create_shop(ports.tenant_url, ports.websync_url, goal_key=goal_key)
        stack.enter_context(_served(shop, ports.shop, "the demo shop"))
        smtp_url = stack.enter_context(mail_server(mails))
        service = stack.enter_context(_websync(settings, folder, smtp_url))
        _wait_until_ready(service, ports, stopped)
        print(_welcome(link, goal_key, ports), flush=True)
        while not stopped.wait(0.5):
            if service.poll() is not None:
                raise DemoRefusedError("Websync has stopped; its last lines are above.")
        print("\nStopping. `make run` starts it again with everything as it is now.", flush=True)


def _refuse_production(environment: Mapping[str, str]) -> None:
    mode = environment.get(f"{PREFIX}MODE", Mode.DEMO)
    if mode != Mode.DEMO or environment.get(f"{PREFIX}PUBLIC_URL", "").startswith("https://"):
        message = (
            f"The demo's passwords are public, so it does not start with production settings: unset {PREFIX}MODE and "
            f"{PREFIX}PUBLIC_URL first. For production there is `websync serve`."
        )
        raise DemoRefusedError(message)


def _settings(folder: Path, ports: Ports) -> Settings:
    key_file = folder / "secret-key"
    if not key_file.exists():
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(Fernet.generate_key().decode())
    return Settings(
        mode=Mode.DEMO,
        database_url=f"sqlite:///{(folder / 'websync.db').resolve()}",
        secret_keys=(SecretStr(key_file.read_text(encoding="utf-8").strip()),),
        public_url=ports.websync_url,
        port=ports.websync,
        log_level="WARNING",
    )


def _prepare(settings: Settings, ports: Ports) -> tuple[str, str | None]:
    """Bring the database up to date, fill it the first time; return a sign-in link and the first goal's key."""
    with create_app(settings).app_context():
        database().upgrade()
        now = datetime.now(UTC)
        wanted = read_configuration(demo_configuration(ports), public_url=ports.websync_url, allow_loopback=True)
        with reading() as session:
            is_new = session.scalar(select(Goal.id).limit(1)) is None
        with transaction() as session:
            if is_new:
                secret = {"DEMO_CLIENT_SECRET": M2M_CLIENT_SECRET}
                apply_configuration(session, wanted, Change("demo", now), environment=secret, sealer=sealer())
            goal_key = session.scalar(select(Goal.key).order_by(Goal.id).limit(1))
            admin_id = session.scalar(select(Admin.id).order_by(Admin.id).limit(1))
            token = make_link(session, admin_id, now)
        database().close()
    return link_url(ports.websync_url, token), goal_key


class _QuietHandler(WSGIRequestHandler):
    """Serves without a line for each request: the newcomer's terminal keeps the sign-in link in sight."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002, the name is werkzeug's
        """Say nothing."""


@contextmanager
def _served(app: Flask, port: int, name: str) -> Iterator[BaseWSGIServer]:
    try:
        listener = socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise DemoRefusedError(_taken(port, name)) from error
    server = make_server(LOOPBACK, port, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, name=name, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        listener.close()


@contextmanager
def _websync(settings: Settings, folder: Path, smtp_url: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {
        f"{PREFIX}MODE": Mode.DEMO,
        f"{PREFIX}DATABASE_URL": settings.database_url,
        f"{PREFIX}SECRET_KEYS": ",".join(settings.keys),
        f"{PREFIX}PUBLIC_URL": settings.public_url,
        f"{PREFIX}PORT": str(settings.port),
        f"{PREFIX}LOG_LEVEL": settings.log_level,
        f"{PREFIX}SMTP_URL": smtp_url,
    }
    # A session of its own: Ctrl+C reaches this process only, which then stops the other in order.
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp.cli", "serve"],
        env=environment,
        stdout=(folder / "websync.log").open("ab"),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_until_ready(service: subprocess.Popen[bytes], ports: Ports, stopped: threading.Event) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not stopped.wait(0.1):
        if service.poll() is not None or time.monotonic() > deadline:
            raise DemoRefusedError(_taken(ports.websync, "Websync"))
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{ports.websync_url}/readyz", timeout=5).is_success:
                return


def _taken(port: int, name: str) -> str:
    return f"Port {port} is taken, so {name} cannot start. Stop what runs there, or choose others: websync demo --help"


def _welcome(link: str, goal_key: str | None, ports: Ports) -> str:
    return f"""
  Websync is running, with a demo tenant and a demo shop.

    1. Sign in (this link works once):   {link}
    2. Look at the goal, deploy Action:  {ports.websync_url}/goals/{goal_key}
    3. Log in at the shop as a visitor:  {ports.shop_url}/
    4. See the visitor's profile change: {ports.websync_url}/profiles
    5. Import all users of the tenant:   {ports.websync_url}/connections, Demo shop, Run now

  The demo tenant itself: {ports.tenant_url}/    Mail that Websync sends: {ports.tenant_url}/mailbox
  Stop with Ctrl+C.
"""
