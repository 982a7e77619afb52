"""Many tokens are done by one thread: nobody may hold it up."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.tokens.conftest import Shop
from tests.tokens.issuer import reply
from webapp.tokens.verification import verify_token


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


def test_nobody_waits_for_a_key_that_another_token_needs(shop: Shop) -> None:
    # given a tenant whose keys are known, and which takes its time now
    shop.log_in()
    is_asked, may_answer = threading.Event(), threading.Event()

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        is_asked.set()
        may_answer.wait(timeout=20)
        reply(handler, 404, b"")

    shop.issuer.answer = slowly
    with ThreadPoolExecutor(1) as pool:
        # when a token comes whose key has to be fetched
        refused = pool.submit(shop.post, shop.issuer.token(key="foreign"))
        try:
            assert is_asked.wait(timeout=20)
            # then others are applied meanwhile
            assert shop.log_in({"sub": "auth0|bob"})["state"] == "CREATED"
            assert not refused.done()
        finally:
            may_answer.set()
        # and it is refused once that is known
        assert refused.result().status_code in {401, 503}


def test_a_bug_with_one_token_fails_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a service that cannot bear one of two tokens
    shop.log_in()
    bad, good = shop.issuer.token({"sub": "auth0|bad"}), shop.issuer.token({"sub": "auth0|good"})

    def verify_or_fail(token: str, *arguments: Any, **options: Any) -> Any:
        if token == bad:
            raise RuntimeError("bug")
        return verify_token(token, *arguments, **options)

    monkeypatch.setattr("webapp.tokens.desk.verify_token", verify_or_fail)
    # when both come at once
    with ThreadPoolExecutor(2) as pool:
        statuses = [answer.status_code for answer in pool.map(shop.post, [bad, good])]
    # then
    assert statuses == [500, 200]
