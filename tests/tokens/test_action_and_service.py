"""The real Action in Node, and the real service over HTTP: whatever goes wrong between them, the login succeeds."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from werkzeug.exceptions import BadGateway
from werkzeug.test import run_wsgi_app

from snippets.goals import Mapping, MergeStrategy
from snippets.rendering import SnippetKind, render
from tests.conftest import wait_until
from tests.demo.conftest import serve
from tests.factories import to_auth0
from tests.javascript import NodeProcess
from tests.snippets.test_exchange import REAL_FETCH
from tests.tokens.conftest import LINKS, Shop
from tests.tokens.test_login_exchange import make_secret
from webapp.profiles.embedded import find_profiles

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAPPINGS = (
    Mapping("email", "email"),
    Mapping("app_metadata.points", "points", strategy=MergeStrategy.SUM),
    Mapping("user_metadata.biography", "biography"),
    to_auth0("app_metadata.sum", "points"),
)
ADA = {"user_id": "auth0|ada", "email": "ada@shop.example", "email_verified": True}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A goal's Action, and the service that it calls."""

    shop: Shop
    secret: str

    def log_in(self, points: int = 5, biography: str = "short", **event: Any) -> dict[str, Any]:
        """Run the Action as Auth0 does and return what it did: the login has succeeded then."""
        user = ADA | {"user_metadata": {"biography": biography}, "app_metadata": {"points": points}}
        full = {
            "user": user,
            "client": {"client_id": "shop-client"},
            "request": {"query": {"ext-bc_profile_id": "p-1"}},
            "secrets": {"WEBSYNC_SECRET": self.secret},
        } | event
        code = render(self.shop.goal, SnippetKind.ACTION).code
        with NodeProcess() as node:
            seen: dict[str, Any] = node.run(REAL_FETCH, {"code": code, "event": full, "answers": []})
        assert f"{self.shop.goal.claim_namespace}app_metadata.points" in seen["id"]
        return seen

    def post_token(self, seen: dict[str, Any]) -> dict[str, Any]:
        """Post the token of that login, as the browser does."""
        claims = seen["id"] | {"sub": ADA["user_id"], "email": ADA["email"], "email_verified": True}
        answer: dict[str, Any] = self.shop.post(self.shop.issuer.token(claims), "p-1").get_json()
        return answer


@pytest.fixture
def exchange(make_shop: Callable[..., Shop]) -> Iterator[Exchange]:
    """A service that listens, and a goal whose Action knows it there."""
    shops: list[Shop] = []

    def make(base_url: str) -> Any:
        shop = make_shop(server_exchange=True, mappings=MAPPINGS, links=LINKS, public_url=base_url)
        shops.append(shop)
        return shop.app

    for _ in serve(make):
        yield Exchange(shops[0], make_secret(shops[0]))


def points(exchange: Exchange) -> list[str]:
    return exchange.shop.properties("p-1").get("points", [])


def test_a_login_is_told_of_and_brings_values_back(exchange: Exchange) -> None:
    # when somebody logs in, and the browser's post comes too
    seen = exchange.log_in()
    answer = exchange.post_token(seen)
    # then the login counted once, and the profile's value is in app_metadata
    assert (points(exchange), answer["state"]) == (["5"], "CREATED")
    assert (seen["app"], seen["console"]) == ({"sum": "5"}, [])


@pytest.mark.parametrize(("secrets", "console"), [({"WEBSYNC_SECRET": "wrong"}, ["websync 401"]), ({}, [])])
def test_without_the_right_secret_the_browser_s_post_still_counts(
    exchange: Exchange, secrets: dict[str, str], console: list[str]
) -> None:
    # given an Action with a wrong secret, or none
    seen = exchange.log_in(secrets=secrets)
    # then the login succeeds without an exchange, and the token does the work
    assert (seen["app"], seen["console"]) == ({}, console)
    assert exchange.post_token(seen)["state"] == "CREATED"
    assert points(exchange) == ["5"]


def test_a_call_whose_answer_was_lost_is_made_again_and_counts_once(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a proxy that lets the first call through, and loses its answer
    app, calls = exchange.shop.app, []
    answer = app.wsgi_app

    def losing(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        calls.append(environ["PATH_INFO"])
        if len(calls) > 1:
            return answer(environ, start_response)
        run_wsgi_app(answer, environ)
        return BadGateway()(environ, start_response)

    monkeypatch.setattr(app, "wsgi_app", losing)
    # when somebody logs in, and the browser's post comes too
    seen = exchange.log_in()
    state = exchange.post_token(seen)["state"]
    # then the Action told of the login once more and got the values, and the login counted once
    assert calls == [f"/sync/{exchange.shop.goal.key}/login"] * 2 + [exchange.shop.path]
    assert (seen["app"], seen["console"]) == ({"sum": "5"}, [])
    assert (points(exchange), state) == (["5"], "CREATED")


def test_a_user_with_five_megabytes_logs_in(exchange: Exchange) -> None:
    # given a field that no call may carry
    seen = exchange.log_in(biography="x" * 5_000_000)
    # then the service refuses it, and the login succeeds. A server may also hang up on a body that it will not read.
    assert seen["console"] in (["websync 413"], ["websync TypeError"])
    assert exchange.shop.count() == (0, 0)


def test_a_slow_database_holds_nobody_up_and_counts_once(exchange: Exchange) -> None:
    # given a database that is busy for longer than the Action waits
    with busy(exchange.shop):
        seen = exchange.log_in()
    # then the login succeeded without an answer
    assert seen["console"] == ["websync AbortError"]
    # and what was told arrives all the same; with the browser's post it counts once
    wait_until(lambda: is_known(exchange.shop))
    exchange.post_token(seen)
    assert points(exchange) == ["5"]


def test_a_database_that_stays_busy_is_told_and_the_browser_s_post_still_counts(exchange: Exchange) -> None:
    # given a database that the service gives up to wait for sooner than the Action does
    with impatient(exchange.shop), busy(exchange.shop):
        seen = exchange.log_in()
    # then the service said so, twice, and the login succeeded
    assert (seen["app"], seen["console"]) == ({}, ["websync 503"])
    assert exchange.shop.count() == (0, 0)
    # and once the database is free, the token does the work
    assert exchange.post_token(seen)["state"] == "CREATED"
    assert points(exchange) == ["5"]


@contextmanager
def impatient(shop: Shop) -> Iterator[None]:
    """Let the service wait for the database for a moment only."""
    statement = "PRAGMA busy_timeout = 50" if shop.database.is_sqlite else "SET lock_timeout = '50ms'"

    def hurry(connection: Any, *_: object) -> None:
        connection.execute(statement)
        connection.commit()

    event.listen(shop.database.engine, "checkout", hurry)
    yield
    event.remove(shop.database.engine, "checkout", hurry)


@contextmanager
def busy(shop: Shop) -> Iterator[None]:
    """Hold what every login has to wait for: SQLite's one place for writers, PostgreSQL's lock on the goal."""
    held, done = Event(), Event()

    def hold() -> None:
        with shop.database.transaction() as session:
            connection = session.connection()  # on SQLite that is all: it begins as a writer
            if not shop.database.is_sqlite:
                connection.exec_driver_sql("LOCK TABLE goals IN ACCESS EXCLUSIVE MODE")
            held.set()
            done.wait(timeout=30)

    thread = Thread(target=hold)
    thread.start()
    held.wait(timeout=10)
    yield
    done.set()
    thread.join()


def is_known(shop: Shop) -> bool:
    with shop.database.reading() as session:
        return bool(find_profiles(session, "email", "ada@shop.example"))
