"""What deployed Actions of the demo tenant may call."""

import pytest
from flask import Flask, request

from tests.demo.conftest import serve
from webapp.auth0.action_engine import FetchAnswer, Fetched
from webapp.demo.network import answerer


def test_an_action_reaches_websync_and_nothing_else() -> None:
    # given a Websync, and another service on this computer
    app = Flask("websync")

    @app.post("/sync/shop/login")
    def receive() -> tuple[str, int]:
        return f"{request.headers['Authorization']} {request.get_data(as_text=True)}", 201

    for websync_url in serve(lambda _base_url: app):
        answer = answerer(websync_url)
        headers = {"authorization": "Bearer s"}
        # when an Action calls each, then only Websync answers
        good = answer(Fetched(f"{websync_url}/sync/shop/login", "POST", headers, "body"))
        assert good == FetchAnswer(201, "Bearer s body")
        for url in (
            f"{websync_url}/admin",
            "http://localhost:9/sync/x",
            f"{websync_url}.evil.example/sync/x",
            "file:///etc",
        ):
            assert answer(Fetched(url, "POST", {}, "")) == FetchAnswer(error_name="TypeError")


@pytest.mark.parametrize("method", ["POST", "NO SUCH METHOD", ""])
def test_a_call_that_cannot_be_made_fails_as_fetch_does(method: str) -> None:
    # given nobody at the address
    answer = answerer("http://127.0.0.1:9")
    # when an Action calls it
    found = answer(Fetched("http://127.0.0.1:9/sync/shop/login", method, {}, ""))
    # then it hears what fetch would say
    assert found == FetchAnswer(error_name="TypeError")
