"""How often an address may post and how much a goal takes; and who is who behind proxies."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import make_settings
from tests.tokens.conftest import ORIGIN, Shop
from webapp.app import create_app

ADDRESS = "192.0.2.1"


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


@pytest.fixture
def limit(shop: Shop) -> Callable[..., None]:
    """Return a function that changes the settings."""

    def change(**settings: Any) -> None:
        shop.app.extensions["settings"] = shop.app.extensions["settings"].model_copy(update=settings)

    return change


def post(shop: Shop, address: str = ADDRESS, *, path: str = "", **options: Any) -> TestResponse:
    """Post what is no token, from an address."""
    headers = {"Origin": ORIGIN} | options.pop("headers", {})
    return shop.app.test_client().post(
        path or shop.path, json={"token": "x"}, headers=headers, environ_overrides={"REMOTE_ADDR": address}, **options
    )


def test_an_address_that_posts_too_often_hears_when_to_come_again(shop: Shop, limit: Callable[..., None]) -> None:
    # given a limit of two
    limit(address_posts_per_minute=2)
    assert [post(shop).status_code for _ in range(2)] == [401, 401]
    # when a third post comes
    response = post(shop)
    # then the page that sent it may read why, and when to come again
    assert (response.status_code, response.mimetype) == (429, "application/problem+json")
    assert response.get_json()["type"].endswith("/problems/too-many-requests")
    assert 1 <= int(response.headers["Retry-After"]) <= 120
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Expose-Headers"] == "Retry-After"
    # and others go on
    assert post(shop, "192.0.2.2").status_code == 401
    # and it is counted as refused, at its goal
    text = shop.app.test_client().get("/metrics").text
    assert 'websync_received_total{goal="shop-goal",kind="token",outcome="too-many-requests"} 1.0' in text


def test_a_page_of_another_origin_may_not_read_it(shop: Shop, limit: Callable[..., None]) -> None:
    limit(address_posts_per_minute=1)
    post(shop)
    response = post(shop, headers={"Origin": "https://evil.example"})
    assert response.status_code == 429
    assert "Access-Control-Allow-Origin" not in response.headers


def test_tokens_and_logins_count_together_and_unknown_goals_too(shop: Shop, limit: Callable[..., None]) -> None:
    # given a limit of three
    limit(address_posts_per_minute=3)
    # when an address posts to all there is, and to what there is not
    paths = [shop.path, "/sync/shop-goal/login", "/sync/made-up/token", shop.path, "/sync/made-up/token"]
    found = [post(shop, path=path).status_code for path in paths]
    # then the fourth is one too many
    assert found == [401, 401, 404, 429, 429]


def test_a_goal_takes_no_more_than_its_share(shop: Shop, limit: Callable[..., None]) -> None:
    # given a limit of two for a goal
    limit(goal_posts_per_minute=2)
    # when posts come from many addresses
    found = [post(shop, f"192.0.2.{number}") for number in range(1, 4)]
    # then the third is refused
    assert [response.status_code for response in found] == [401, 401, 429]
    assert "Retry-After" in found[-1].headers
    assert found[-1].headers["Access-Control-Allow-Origin"] == ORIGIN
    # and foreign pages, or calls without the secret, cannot use it up
    limit(goal_posts_per_minute=3)
    assert post(shop, headers={"Origin": "https://evil.example"}).status_code == 403
    assert post(shop, path="/sync/shop-goal/login").status_code == 401
    assert post(shop).status_code == 401


def test_nothing_is_read_of_a_post_that_is_one_too_many(shop: Shop, limit: Callable[..., None]) -> None:
    # given a used-up limit, and a body that cannot be read
    class Unreadable:
        def read(self, *_: object) -> bytes:
            raise AssertionError("somebody reads it")

    limit(address_posts_per_minute=1)
    post(shop)
    # when it is posted
    environ = {"REMOTE_ADDR": ADDRESS, "wsgi.input": Unreadable(), "CONTENT_LENGTH": "10"}
    response = shop.app.test_client().post(shop.path, environ_overrides=environ, content_type="application/json")
    # then it is refused all the same
    assert response.status_code == 429


def test_preflights_and_health_checks_are_not_counted(shop: Shop, limit: Callable[..., None]) -> None:
    # given a used-up limit
    limit(address_posts_per_minute=1, goal_posts_per_minute=1)
    post(shop)
    # when a browser asks first, and a load balancer looks
    client = shop.app.test_client()
    outside = {"REMOTE_ADDR": ADDRESS}
    found = [client.options(shop.path, headers={"Origin": ORIGIN}, environ_overrides=outside) for _ in range(5)]
    found += [client.get(path, environ_overrides=outside) for path in ("/healthz", "/readyz", "/metrics")]
    # then they are answered
    assert {response.status_code for response in found} == {200, 204}


@pytest.mark.parametrize("changes", [{"address_posts_per_minute": 0}, {}])
def test_without_a_limit_and_from_this_computer_anything_goes(
    shop: Shop, limit: Callable[..., None], changes: dict[str, int]
) -> None:
    # given no limit, or posts that a proxy on this computer passes on as its own
    limit(**({"address_posts_per_minute": 1} | changes))
    address = ADDRESS if changes else "127.0.0.1"
    assert {post(shop, address).status_code for _ in range(4)} == {401}


@pytest.fixture
def behind(shop: Shop, database_url: str) -> Iterator[Callable[[int], Shop]]:
    """Return a function that gives the shop with so many proxies in front, and one post a minute for each address."""
    apps: list[Flask] = []

    def make(proxies: int) -> Shop:
        settings = make_settings(database_url).model_copy(update={"proxies": proxies, "address_posts_per_minute": 1})
        app = create_app(settings)
        app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
        apps.append(app)
        return Shop(app, shop.issuer, shop.goal)

    yield make
    for app in apps:
        app.extensions["database"].close()


@pytest.mark.parametrize(
    ("proxies", "first", "second", "are_one"),
    [
        # without a proxy the header is anybody's word
        (0, "198.51.100.1", "198.51.100.2", True),
        (0, "127.0.0.1", "127.0.0.1", True),
        # with one, what that one appended counts, whatever the client wrote before it
        (1, "198.51.100.1", "198.51.100.2", False),
        (1, "198.51.100.8, 198.51.100.1", "198.51.100.9, 198.51.100.1", True),
        (1, "127.0.0.1, 198.51.100.1", "::1, 198.51.100.1", True),
        # with two, the second from the right
        (2, "198.51.100.1, 10.0.0.1", "198.51.100.2, 10.0.0.1", False),
        (2, "198.51.100.8, 198.51.100.1, 10.0.0.1", "198.51.100.9, 198.51.100.1, 10.0.0.2", True),
        # fewer entries than proxies: who connected counts
        (2, "198.51.100.1", "198.51.100.2", True),
        # one customer's network
        (1, "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        (1, "2001:db8:1:2::1", "2001:db8:1:3::1", False),
        (1, "[2001:db8:1:2::1]:999", "2001:db8:1:2::2", True),
        (1, "198.51.100.1:4711", "198.51.100.1:4712", True),
        (1, "::ffff:198.51.100.1", "198.51.100.1", True),
        # whatever is no address is counted together
        (1, "garbage", "'; DROP TABLE goals; --", True),
        (1, "a" * 4000, "unknown", True),
    ],
)
def test_who_is_who_behind_proxies(
    behind: Callable[[int], Shop], proxies: int, first: str, second: str, are_one: bool
) -> None:
    # given a service behind so many proxies, that lets each address post once
    shop = behind(proxies)
    # when two posts come with these headers
    found = [post(shop, headers={"X-Forwarded-For": header}).status_code for header in (first, second)]
    # then the second is refused if it is the same somebody
    assert found == [401, 429 if are_one else 401]
