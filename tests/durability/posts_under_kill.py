"""Posts from many processes, while the server is killed again and again: what was answered is applied exactly once.

Each token adds its number to a sum, one to another, and its id to a list of its person. A post without an answer is
repeated with the same token. In the end the sums and lists say what was lost, and what counted twice.
"""

import multiprocessing
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select

from snippets.goals import IdentifierLink, Mapping, MergeStrategy, WebGoal
from tests.durability.posting import Posted, Share, id_of, person_of, points_of, post_share, prepare
from tests.durability.service import KillableService
from tests.factories import make_goal
from tests.tokens.issuer import Issuer, signing_key
from webapp.connections.goals import add_goal
from webapp.connections.models import Connection
from webapp.database import Database
from webapp.profiles.embedded import ensure_properties, wanted_properties
from webapp.profiles.models import Profile
from webapp.tokens.models import TokenReceipt

LONGEST_MOMENT_SECONDS = 0.05
"""A kill comes up to so much later than the post that it waited for: at any moment of another one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is posted, by how many, and how often the server is killed meanwhile."""

    posts: int
    processes: int = 8
    people: int = 400
    kills: int = 5
    workers: int = 1
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. ``lost`` and ``doubled`` count tokens; ``surprises`` are answers that nobody should get."""

    posts: int
    kills: int
    unanswered: int
    seconds: float
    profiles: int
    receipts: int
    lost: int
    doubled: int
    surprises: Sequence[str]

    @property
    def is_good(self) -> bool:
        """Whether every token was answered, and applied exactly once."""
        return not (self.lost or self.doubled or self.surprises) and self.receipts == self.posts

    def __str__(self) -> str:
        facts = (
            f"{self.posts} posts and {self.kills} kills in {self.seconds:.0f} s, {self.unanswered} tries unanswered"
            f": {self.lost} lost, {self.doubled} doubled, "
            f"{self.receipts} receipts, {self.profiles} profiles"
        )
        return "\n".join([facts, *self.surprises[:20]])


def post_under_kill(database_url: str, plan: Plan) -> Report:
    """Post as planned to a service on this migrated database, and count what is in it afterwards."""
    issuer = Issuer()
    service = KillableService(database_url, workers=plan.workers)
    database = Database(database_url)
    goal = _add_goal(database, issuer)
    try:
        service.start()
        service.wait_until_ready()
        seconds, posted = _post_and_kill(
            service, plan, [_share(plan, each, service, issuer, goal) for each in range(plan.processes)]
        )
        return _count(database, plan, seconds, posted)
    finally:
        service.kill()
        issuer.close()
        database.close()


def _add_goal(database: Database, issuer: Issuer) -> WebGoal:
    now = datetime.now(UTC)
    goal = make_goal(
        links=(IdentifierLink("user_id", "auth0_user_id"),),
        mappings=(
            Mapping("user_id", "auth0_user_id"),
            Mapping("name", "full_name"),
            Mapping("user_metadata.points", "points", strategy=MergeStrategy.SUM),
            Mapping("user_metadata.posts", "posts", strategy=MergeStrategy.SUM),
            Mapping("user_metadata.tokens", "tokens", strategy=MergeStrategy.ADD),
        ),
    )
    with database.transaction() as session:
        connection = Connection(
            key="shop", name="Shop", auth0_domain=issuer.tenant.base_url, created_at=now, updated_at=now
        )
        session.add(connection)
        session.flush()
        add_goal(session, connection, goal, is_on=True, now=now)
        ensure_properties(session, wanted_properties(goal), now)
    return goal


def _share(plan: Plan, first: int, service: KillableService, issuer: Issuer, goal: WebGoal) -> Share:
    pem = signing_key("first").private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Share(
        first=first,
        step=plan.processes,
        count=plan.posts,
        people=plan.people,
        port=service.port,
        path=f"/sync/{goal.key}/token",
        issuer=issuer.tenant.issuer,
        namespace=goal.claim_namespace,
        private_pem=pem,
    )


def _post_and_kill(service: KillableService, plan: Plan, shares: Sequence[Share]) -> tuple[float, list[Posted]]:
    # Started anew and not forked: the threads of this process would leave their locks to the children.
    context = multiprocessing.get_context("spawn")
    answered, start = context.Value("q", 0), context.Barrier(len(shares) + 1)
    with ProcessPoolExecutor(len(shares), mp_context=context, initializer=prepare, initargs=(answered, start)) as pool:
        posting = [pool.submit(post_share, share) for share in shares]
        start.wait(timeout=600)
        began = time.monotonic()
        _kill_at_moments(service, plan, answered, posting)
        posted = [each.result() for each in posting]
        return time.monotonic() - began, posted


def _kill_at_moments(
    service: KillableService, plan: Plan, answered: "Synchronized[int]", posting: Sequence["Future[Posted]"]
) -> None:
    """Kill the service and start it again, each time when a number of posts has been answered that nobody foresaw."""
    dice, pause = random.Random(plan.seed), threading.Event()
    for moment in sorted(dice.sample(range(1, plan.posts), plan.kills)):
        while answered.value < moment and not all(each.done() for each in posting):
            assert not service.has_ended(), "the service ended by itself"
            pause.wait(0.002)
        pause.wait(dice.uniform(0, LONGEST_MOMENT_SECONDS))
        service.kill()
        service.start()


def _count(database: Database, plan: Plan, seconds: float, posted: Sequence[Posted]) -> Report:
    tokens: dict[int, set[str]] = {}
    points: dict[int, int] = {}
    for number in range(plan.posts):
        person = person_of(number, plan.people)
        tokens.setdefault(person, set()).add(id_of(number))
        points[person] = points.get(person, 0) + points_of(number)
    surprises = [each for one in posted for each in one.surprises]
    lost = doubled = 0
    with database.reading() as session:
        found = {row.properties["auth0_user_id"]["values"][0]: row for row in session.scalars(select(Profile))}
        profiles = session.scalar(select(func.count()).select_from(Profile)) or 0
        receipts = session.scalar(select(func.count()).select_from(TokenReceipt)) or 0
    for person, wanted in tokens.items():
        profile = found.get(f"auth0|person-{person}")
        values = {name: each["values"] for name, each in profile.properties.items()} if profile else {}
        missing = wanted - set(values.get("tokens", []))
        lost += len(missing)
        doubled += max(0, int(values.get("posts", ["0"])[0]) - len(wanted) + len(missing))
        answers = set().union(*(one.profile_ids.get(person, set()) for one in posted))
        if profile is None or answers != {profile.id} or values["points"] != [str(points[person])]:
            surprises.append(
                f"person {person}: answered {answers}, stored {profile and profile.id}, {values.get('points')}"
            )
    if profiles != len(tokens):
        surprises.append(f"{profiles} profiles of {len(tokens)} people")
    unanswered = sum(one.unanswered for one in posted)
    return Report(plan.posts, plan.kills, unanswered, seconds, profiles, receipts, lost, doubled, surprises)
