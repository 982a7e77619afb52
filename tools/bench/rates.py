"""Rates of single parts, in this process: the signature, the verification around it, and the rendering of code."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from statistics import median, quantiles

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from snippets.goals import Direction, MergeStrategy, WebGoal
from snippets.goals import Mapping as Row
from snippets.parameters import MAX_VALUE_PARAMETERS
from snippets.rendering import SITE_KINDS, SnippetKind, render
from snippets.sdks import Sdk
from tools.bench.contestants import Stage, apply_configuration
from tools.bench.load import Load
from tools.bench.machine import Cores, pinned
from tools.bench.world import CLIENT_ID, GOAL_KEY, LINKS, NAMESPACE, ORIGIN, Post, Tenant, configuration
from webapp.app import create_app
from webapp.auth0.signing_keys import signing_keys
from webapp.connections.goals import find_live_goal
from webapp.database import database, reading
from webapp.settings import Mode, Settings
from webapp.tokens.verification import verify_token

ROUNDS = 7
Task = Callable[[], object]


def rates(tasks: dict[str, Task], count: int) -> dict[str, float]:
    """Return how often each task runs in a second, as the median of rounds in which they take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            begin = time.perf_counter()
            for _ in range(count):
                task()
            seconds[name].append((time.perf_counter() - begin) / count)
    return {name: 1 / median(found) for name, found in seconds.items()}


def verification_rates(stage: Stage, tenant: Tenant, posts: Sequence[Post]) -> dict[str, float]:
    """Return verifications per second on this core: the bare signature, PyJWT's, and all that the service checks.

    They take turns on distinct tokens, as in the service.
    """
    key = tenant.key.public_key()
    signatures = cycle([_split(post.token) for post in posts])
    tokens, ours = cycle(post.token for post in posts), cycle(post.token for post in posts)

    def verify_signature() -> None:
        signed, signature = next(signatures)
        key.verify(signature, signed, PKCS1v15(), SHA256())

    with checking_service(stage, tenant) as verify:
        return rates(
            {
                "bare RSA signature": verify_signature,
                "jwt.decode of PyJWT": lambda: jwt.decode(next(tokens), key, ["RS256"], audience=CLIENT_ID),
                "verify_token of Websync": lambda: verify(next(ours)),
            },
            500,
        )


def disk_rate(stage: Stage) -> float:
    """Return how often a second the disk confirms a written page: what each commit waits for, or many together."""
    with (stage.folder / "page").open("wb", buffering=0) as file:

        def write_page() -> None:
            file.write(bytes(4096))
            os.fdatasync(file.fileno()) if sys.platform == "linux" else os.fsync(file.fileno())

        return rates({"page": write_page}, 20)["page"]


def bare_verification(tenant: Tenant, posts: Sequence[Post], cores: Cores, *, seconds: float) -> Load:
    """Check bare signatures on the server's core, one after the other: no server could be quicker than that."""
    key = tenant.key.public_key()
    signatures = cycle([_split(post.token) for post in posts])
    times = []
    with pinned(cores.of_server):
        cpu, begin = time.thread_time(), time.perf_counter()
        moment = begin
        while moment < begin + seconds:
            signed, signature = next(signatures)
            key.verify(signature, signed, PKCS1v15(), SHA256())
            before, moment = moment, time.perf_counter()
            times.append((moment - before) * 1000)
        cpu = time.thread_time() - cpu
    p50, *_, p99 = quantiles(times, n=100)[49:]
    return Load(len(times), moment - begin, p50, p99, cpu, generator_busy=0.0)


@contextmanager
def checking_service(stage: Stage, tenant: Tenant) -> Iterator[Callable[[str], object]]:
    """Give what the service does to verify a token of the bench's goal, with the keys in its cache."""
    settings = Settings(
        mode=Mode.DEVELOPMENT, database_url=f"sqlite:///{stage.folder}/verification.db", log_level="ERROR"
    )
    apply_configuration(stage, configuration(tenant), settings.database_url)
    app = create_app(settings)
    with app.app_context():
        with reading() as session:
            goal = find_live_goal(session, GOAL_KEY)
        keys = signing_keys()
        yield lambda token: verify_token(
            token, goal, keys, now=datetime.now(UTC), leeway_seconds=settings.token_leeway_seconds
        )
        database().close()


def _split(token: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.encode().rpartition(b".")
    return signed, jwt.utils.base64url_decode(signature)


def rendering_ms() -> dict[str, float]:
    """Return the milliseconds for all kinds of code of a goal with 100 mappings: for one SDK, and for every one."""
    goal = WebGoal(
        key=GOAL_KEY,
        name="Bench",
        public_url="http://localhost:8000",
        claim_namespace=NAMESPACE,
        mappings=_hundred_mappings(),
        links=LINKS,
        client_ids=(CLIENT_ID,),
        allowed_origins=(ORIGIN,),
    )

    def render_all(sdks: Sequence[Sdk]) -> None:
        for kind in SnippetKind:
            for sdk in sdks if kind in SITE_KINDS else [Sdk.SPA_JS]:
                render(goal, kind, sdk=sdk)

    tasks: dict[str, Task] = {
        "one SDK": partial(render_all, [Sdk.SPA_JS]),
        f"all {len(Sdk)} SDKs": partial(render_all, list(Sdk)),
    }
    for task in tasks.values():
        task()
    return {name: 1000 / rate for name, rate in rates(tasks, 5).items()}


def _hundred_mappings() -> tuple[Row, ...]:
    """Return 100 rows over all merge strategies: as many to Auth0 as a login can carry, the others to the profile."""
    strategies, ways_back = list(MergeStrategy), [MergeStrategy.SET, MergeStrategy.SET_IF_EMPTY, MergeStrategy.ADD]
    back = tuple(
        Row(f"user_metadata.kept_{number}", f"kept_{number}", Direction.TO_AUTH0, ways_back[number % 3])
        for number in range(MAX_VALUE_PARAMETERS)
    )
    return back + tuple(
        Row(f"user_metadata.field_{number}", f"property_{number}", strategy=strategies[number % len(strategies)])
        for number in range(100 - len(back))
    )
