"""A place that answers like no healthy tenant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response, jsonify, request

from tests.demo.conftest import serve
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import Tenant

TOKEN = {"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400, "scope": "read:actions"}
Answer = Callable[[], Response]


@dataclass
class ScriptedTenant:
    """A place that answers like no healthy tenant: one answer after the other, the last one again and again."""

    answers: list[Answer]
    token_answers: list[Answer] = field(default_factory=lambda: [lambda: jsonify(TOKEN)])
    requests: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.route("/<path:path>", methods=["GET", "POST", "PATCH"])
        def answer(path: str) -> Response:
            self.requests.append(f"{request.method} /{path}")
            self.queries.append(request.args.to_dict())
            waiting = self.token_answers if path == "oauth/token" else self.answers
            return (waiting.pop(0) if len(waiting) > 1 else waiting[0])()

        return app

    @contextmanager
    def client(self) -> Iterator[ManagementClient]:
        for base_url in serve(lambda _: self.app()):
            with ManagementClient(Tenant(base_url), "client", "secret") as client:
                yield client


def problem(status: int, message: str, **headers: str) -> Answer:
    def answer() -> Response:
        response = jsonify(statusCode=status, error="Error", message=message)
        response.status_code = status
        response.headers.update(headers)
        return response

    return answer
