"""Posts that arrive together end as if one had come after the other, for each person and on each kind of database."""

import http.client
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text

from snippets.goals import IdentifierLink, Mapping, MergeStrategy
from tests.conftest import wait_until
from tests.durability.service import KillableService
from tests.tokens.conftest import NAMESPACE, Shop
from webapp.conflicts.models import IdentityConflict
from webapp.database import Base
from webapp.profiles.models import Profile, ProfileIdentifier, ProfileIdentity
from webapp.tokens.models import TokenReceipt
from webapp.tokens.receipts import token_digest
from webapp.tokens.sync import Post as SyncPost
from webapp.tokens.sync import apply_posts
from webapp.tokens.verification import verify_token

POINTS, ROLES, PLAN, CUSTOMER = (f"{NAMESPACE}user_metadata.{name}" for name in ("points", "roles", "plan", "customer"))
MAPPINGS = (
    Mapping("user_id", "auth0_user_id"),
    Mapping("email", "email", strategy=MergeStrategy.SET_IF_EMPTY),
    Mapping("name", "full_name", strategy=MergeStrategy.SET_IF_EMPTY),
    Mapping("user_metadata.plan", "plan"),
    Mapping("user_metadata.roles", "roles", strategy=MergeStrategy.ADD),
    Mapping("user_metadata.points", "points", strategy=MergeStrategy.SUM),
)
LINKS = (IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email"))
UNPROVEN = IdentifierLink("user_metadata.customer", "customer", require_verified=False)
TABLES: tuple[type[Base], ...] = (IdentityConflict, TokenReceipt, ProfileIdentity, ProfileIdentifier, Profile)
THREADS = 8

Answer = tuple[int, dict[str, Any]]
Post = Callable[[str, str | None], Answer]
"""Posts a token with the browser's profile id."""


@dataclass(frozen=True, slots=True)
class Login:
    """A token that will be posted ``copies`` times: by ``user``, issued so many seconds ago, from a browser."""

    user: int
    claims: dict[str, Any]
    age_seconds: int = 0
    hint: str | None = None
    copies: int = 1


def few(examples: int) -> settings:
    """Each example is a crowd: a few of them are many posts."""
    return settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])


def empty(shop: Shop) -> None:
    with shop.database.transaction() as session:
        for table in TABLES:
            session.execute(delete(table.__table__))  # type: ignore[arg-type]  # it is a table


def tokens_of(shop: Shop, logins: Sequence[Login]) -> list[str]:
    """Return a token for each login; each time they are new ones."""
    now = int(shop.issuer.clock())
    return [shop.issuer.token(login.claims, sub=f"auth0|{login.user}", iat=now - login.age_seconds) for login in logins]


def in_this_process(shop: Shop) -> Post:
    """Post to the app itself: the threads of one web process."""

    def post(token: str, hint: str | None) -> Answer:
        response = shop.post(token, hint)
        return response.status_code, response.get_json()

    return post


@contextmanager
def in_two_processes(shop: Shop) -> Iterator[Post]:
    """Post to two web processes on the same database in turn."""
    turn = itertools.count()
    with ExitStack() as stack:
        services = [KillableService(shop.database.url) for _ in range(2)]
        for service in services:
            stack.callback(service.kill)
            service.start()
        for service in services:
            service.wait_until_ready()

        def post(token: str, hint: str | None) -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", services[next(turn) % 2].port, timeout=60)
            body = json.dumps({"token": token, "profileId": hint})
            connection.request("POST", shop.path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.status, json.loads(response.read())
            connection.close()
            return answer

        yield post


def post_together(post: Post, logins: Sequence[Login], tokens: Sequence[str]) -> list[list[Answer]]:
    """Post everything from several threads at once; return the answers to each login."""
    with ThreadPoolExecutor(THREADS) as pool:
        # Copies apart from each other, so that they meet other people's posts too.
        jobs = [number for copy in range(3) for number, login in enumerate(logins) if copy < login.copies]
        answers = list(pool.map(lambda number: (number, post(tokens[number], logins[number].hint)), jobs))
    return [[answer for number, answer in answers if number == each] for each in range(len(logins))]


# People whose tokens all say the same about who they are: whatever the order, the sums and lists are known.

known_logins = st.lists(
    st.builds(
        Login,
        user=st.integers(0, 5),
        claims=st.fixed_dictionaries(
            {},
            optional={
                POINTS: st.integers(1, 5),
                ROLES: st.lists(st.sampled_from("abcd"), min_size=1, max_size=3),
                PLAN: st.sampled_from(["gold", "silver", "free"]),
                "name": st.sampled_from(["Ann", "Bob"]),
            },
        ),
        age_seconds=st.sampled_from([0, 60, 120]),
        hint=st.none() | st.sampled_from(["browser-1", "browser-2"]),
        copies=st.integers(1, 3),
    ),
    min_size=4,
    max_size=24,
)
addresses = st.lists(st.none() | st.sampled_from(["x@example.org", "y@example.org"]), min_size=6, max_size=6)


def check_a_crowd(shop: Shop, post: Post, logins: Sequence[Login], emails: Sequence[str | None]) -> None:
    # given logins of users, of whom some are one person by their verified address
    empty(shop)
    known = [
        Login(
            each.user,
            each.claims | ({"email": emails[each.user], "email_verified": True} if emails[each.user] else {}),
            each.age_seconds,
            each.hint,
            each.copies,
        )
        for each in logins
    ]
    # when all are posted together, some more than once
    answers = post_together(post, known, tokens_of(shop, known))
    # then each login has one answer, however often it was posted
    for each in answers:
        assert {status for status, _ in each} == {200}, each
        assert len({(answer["state"], answer["profileId"]) for _, answer in each}) == 1, each
    assert shop.count()[1] == len(known)
    people: dict[str, list[int]] = {}
    for number, login in enumerate(known):
        people.setdefault(emails[login.user] or f"user {login.user}", []).append(number)
    assert shop.count()[0] == len(people)
    for numbers in people.values():
        check_a_person(shop, [known[number] for number in numbers], [answers[number][0][1] for number in numbers])


def check_a_person(shop: Shop, logins: Sequence[Login], answers: Sequence[dict[str, Any]]) -> None:
    # one profile, that one of the logins made
    (profile_id,) = {answer["profileId"] for answer in answers}
    assert [answer["state"] for answer in answers].count("CREATED") == 1
    stored = shop.properties(profile_id)
    # every sum and every list is complete, and nothing counted twice
    points = sum(login.claims.get(POINTS, 0) for login in logins)
    assert stored.get("points", ["0"]) == [str(points)]
    assert set(stored.get("roles", [])) == {role for login in logins for role in login.claims.get(ROLES, [])}
    # what is set if empty is what somebody said, and what is set is of the newest token that says it
    names = {login.claims["name"] for login in logins if "name" in login.claims}
    assert set(stored.get("full_name", [])) <= names
    assert len(stored.get("full_name", [])) == bool(names)
    ages = [login.age_seconds for login in logins if PLAN in login.claims]
    newest = {login.claims[PLAN] for login in logins if PLAN in login.claims and login.age_seconds == min(ages)}
    assert set(stored.get("plan", [])) <= newest
    assert len(stored.get("plan", [])) == bool(newest)
    with shop.database.reading() as session:
        query = select(ProfileIdentity.subject).where(ProfileIdentity.profile_id == profile_id)
        assert set(session.scalars(query)) == {f"auth0|{login.user}" for login in logins}


def test_a_crowd_in_one_process_ends_as_if_one_had_come_after_the_other(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(mappings=MAPPINGS, links=LINKS)

    @few(12)
    @given(logins=known_logins, emails=addresses)
    def check(logins: list[Login], emails: list[str | None]) -> None:
        check_a_crowd(shop, in_this_process(shop), logins, emails)

    check()


def test_a_crowd_at_two_processes_ends_as_if_one_had_come_after_the_other(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(mappings=MAPPINGS, links=LINKS)
    with in_two_processes(shop) as post:

        @few(8)
        @given(logins=known_logins, emails=addresses)
        def check(logins: list[Login], emails: list[str | None]) -> None:
            check_a_crowd(shop, post, logins, emails)

        check()


# People who say this and that of themselves: here the order matters, so every order is tried, one after the other.

unsteady_logins = st.lists(
    st.builds(
        Login,
        user=st.integers(0, 2),
        claims=st.fixed_dictionaries(
            {POINTS: st.integers(1, 3), ROLES: st.lists(st.sampled_from("ab"), min_size=1, max_size=1)},
            optional={
                "email": st.sampled_from(["x@example.org", "y@example.org"]),
                "email_verified": st.booleans(),
                CUSTOMER: st.sampled_from(["C-1", "C-2"]),
                "name": st.sampled_from(["Ann", "Bob"]),
            },
        ),
        hint=st.none() | st.just("browser-1"),
        copies=st.integers(1, 2),
    ),
    min_size=2,
    max_size=4,
)

State = tuple[tuple[int, ...], tuple[Any, ...]]


def end_state(shop: Shop, statuses: Sequence[int]) -> State:
    """Return what everybody was answered, and each profile's users and values; profile ids are nobody's business."""
    with shop.database.reading() as session:
        owners: dict[str, list[str]] = {}
        for row in session.scalars(select(ProfileIdentity)):
            owners.setdefault(row.profile_id, []).append(row.subject)
        profiles = [
            (
                tuple(sorted(owners.get(profile.id, []))),
                tuple(sorted((name, tuple(sorted(each["values"]))) for name, each in profile.properties.items())),
            )
            for profile in session.scalars(select(Profile))
        ]
    return tuple(statuses), tuple(sorted(profiles))


def begin(shop: Shop, now: datetime) -> None:
    """Begin anew, with one profile that nobody owns."""
    empty(shop)
    shop.add_profile("browser-1", now)


def serial_states(shop: Shop, logins: Sequence[Login], now: datetime) -> set[State]:
    """Return every end to which the logins may come, one after the other."""
    found = set()
    for order in itertools.permutations(range(len(logins))):
        begin(shop, now)
        tokens, statuses = tokens_of(shop, logins), [0] * len(logins)
        for number in order:
            statuses[number] = shop.post(tokens[number], logins[number].hint).status_code
        found.add(end_state(shop, statuses))
    return found


@pytest.mark.parametrize("rounds", [3])
def test_whoever_people_say_to_be_the_end_is_that_of_some_order(make_shop: Callable[..., Shop], rounds: int) -> None:
    shop = make_shop(mappings=(*MAPPINGS, Mapping("user_metadata.customer", "customer")), links=(*LINKS, UNPROVEN))
    now = datetime.now(UTC)

    @few(8)
    @given(logins=unsteady_logins)
    def check(logins: list[Login]) -> None:
        # given every end that an order of the logins has
        possible = serial_states(shop, logins, now)
        for _ in range(rounds):
            # when they are posted together
            begin(shop, now)
            answers = post_together(in_this_process(shop), logins, tokens_of(shop, logins))
            # then it is one of those ends; a conflict may have been settled between two copies of a token
            statuses = [min(status for status, _ in each) for each in answers]
            assert end_state(shop, statuses) in possible

    check()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_who_waits_for_a_profile_is_not_led_there_by_what_it_no_longer_has(shop: Shop) -> None:
    # given a user whose new address is being written: it is not committed yet
    user, other = ({"sub": f"auth0|{name}", "email": "old@shop.example", "email_verified": True} for name in "ab")
    user_profile = shop.log_in(user)["profileId"]
    live, keys = shop.app.extensions["live_goals"], shop.app.extensions["signing_keys"]
    now = datetime.now(UTC)
    with shop.app.app_context():
        goal = live.find(shop.goal.key)
    token = shop.issuer.token(user | {"email": "new@shop.example"})
    claims = verify_token(token, goal, keys, now=now, leeway_seconds=0)
    with ThreadPoolExecutor(1) as pool, shop.database.transaction() as session:
        apply_posts(session, [SyncPost(goal, claims, token_digest(token), None, now)])
        # when somebody else logs in, who has the old address now, and waits for that profile
        answer = pool.submit(shop.log_in, other)
        wait_until(lambda: is_waited_for(shop))
    # then the two end as if one had come after the other
    assert answer.result()["profileId"] != user_profile
    assert shop.properties(user_profile)["email"] == ["new@shop.example"]


def is_waited_for(shop: Shop) -> bool:
    """Say if a transaction waits for another."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with shop.database.reading() as session:
        return bool(session.scalar(query))
