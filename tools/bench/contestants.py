"""Who takes part in the token bench: Websync, its Express peer, the least in Python, and two that do nothing."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import make_url

from tools.bench.load import BenchError, node
from tools.bench.machine import Cores
from tools.bench.servers import HOME, Server, clean_environment, free_port, running
from tools.bench.world import (
    CLIENT_ID,
    GOAL_KEY,
    NAMESPACE,
    ORIGIN,
    Post,
    Tenant,
    configuration,
    http_request,
)

THREADS = 16
"""Of each server that has threads; the default of `websync serve`."""
PEER = Path(__file__).parent / "peer"
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Stage:
    """Where servers run: a folder for what they write, and the cores."""

    folder: Path
    cores: Cores


@dataclass(frozen=True, slots=True)
class TokenServer:
    """A server that takes tokens.

    ``request_of`` makes the request that posts one, ``sums_of`` reads points and number of interests off a profile.
    """

    server: Server
    database_url: str
    request_of: Callable[[Post], str]
    sums_of: Callable[[Mapping[str, Any]], tuple[int, int]]


def noop(stage: Stage, name: str) -> AbstractContextManager[Server]:
    """Run a server that does nothing: ``flask`` or ``wsgi``."""
    port = free_port()
    command = [sys.executable, "-m", "tools.bench.noop", name, str(port), str(THREADS)]
    return running(f"{name} no-op", command, port, folder=stage.folder, cores=stage.cores)


@contextmanager
def websync(stage: Stage, issuer: Tenant, database_url: str) -> Iterator[TokenServer]:
    """Run the production server on a database, with the goal in it. Raises BenchError, StartError."""
    port = free_port()
    apply_configuration(stage, configuration(issuer), database_url)
    settings = {
        **_settings(database_url),
        "WEBSYNC_PORT": str(port),
        "WEBSYNC_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "WEBSYNC_THREADS": str(THREADS),
        "WEBSYNC_LOG_LEVEL": "WARNING",  # the others write no log either
        # All posts come from one address. They are counted as usual, and the limits are out of reach.
        "WEBSYNC_ADDRESS_POSTS_PER_MINUTE": "100000000",
        "WEBSYNC_GOAL_POSTS_PER_MINUTE": "100000000",
    }
    command = [sys.executable, "-m", "webapp.cli", "serve", "--no-worker"]
    with running("Websync", command, port, folder=stage.folder, cores=stage.cores, environment=settings) as server:
        yield TokenServer(server, database_url, _websync_request, _websync_sums)


@contextmanager
def express(stage: Stage, issuer: Tenant, database_url: str) -> Iterator[TokenServer]:
    """Run the Express peer on an empty database. Raises BenchError, StartError."""
    if not (PEER / "node_modules").is_dir():
        raise BenchError("The peer's npm packages are missing: run tools/prepare_bench.sh .venv/bin, or make bench.")
    port = free_port()
    url = make_url(database_url)
    environment = {
        "PORT": str(port),
        "ISSUER_BASE_URL": issuer.base_url,
        "AUDIENCE": CLIENT_ID,
        "ALLOWED_ORIGIN": ORIGIN,
        "CLAIM_NAMESPACE": NAMESPACE,
        "DATABASE": f"sqlite:{url.database}",
    }
    if url.drivername != "sqlite":
        environment |= {
            "DATABASE": "postgresql:",
            "PGHOST": str(url.query.get("host") or url.host),
            "PGPORT": str(url.port or 5432),
            "PGUSER": url.username or "",
            "PGPASSWORD": str(url.password or ""),
            "PGDATABASE": url.database or "",
        }
    command = [node(), str(PEER / "server.mjs")]
    with running("Express", command, port, folder=stage.folder, cores=stage.cores, environment=environment) as server:
        yield TokenServer(server, database_url, _express_request, _express_sums)


@contextmanager
def barest(stage: Stage, issuer: Tenant, database_url: str) -> Iterator[TokenServer]:
    """Run the least that a server in Python has to do, on an empty SQLite database. Raises StartError."""
    port = free_port()
    environment = {
        "ISSUER_BASE_URL": issuer.base_url,
        "CLAIM_NAMESPACE": NAMESPACE,
        "DATABASE": str(make_url(database_url).database),
    }
    command = [sys.executable, "-m", "tools.bench.barest", str(port), str(THREADS)]
    name = "least in Python"
    with running(name, command, port, folder=stage.folder, cores=stage.cores, environment=environment) as server:
        yield TokenServer(server, database_url, _websync_request, _express_sums)


def apply_configuration(
    stage: Stage, wanted: Mapping[str, Any], database_url: str, settings: Mapping[str, str] = NONE
) -> None:
    """Bring the tables and a goal of the bench into a database, as an operator does. Raises BenchError."""
    goals = stage.folder / "goals.yaml"
    goals.write_text(json.dumps(wanted), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "webapp.cli", "config", "apply", str(goals)],
        env={**clean_environment(), **_settings(database_url), **settings},
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise BenchError(f"websync config apply failed:\n{ran.stdout}{ran.stderr}")


def _settings(database_url: str) -> dict[str, str]:
    # Not production, only because that refuses a tenant on this computer.
    return {"WEBSYNC_MODE": "development", "WEBSYNC_DATABASE_URL": database_url}


def _websync_request(post: Post) -> str:
    return http_request("POST", f"/sync/{GOAL_KEY}/token", json.dumps({"token": post.token, "profileId": None}))


def _websync_sums(properties: Mapping[str, Any]) -> tuple[int, int]:
    return sum(map(int, properties["points"]["values"])), len(properties["interests"]["values"])


def _express_request(post: Post) -> str:
    headers = {"Authorization": f"Bearer {post.token}"}
    return http_request("POST", "/token", json.dumps({"profileId": None}), headers)


def _express_sums(properties: Mapping[str, Any]) -> tuple[int, int]:
    return properties["points"], len(properties["interests"])
