"""Programs with keys of their own, and what the documented shapes say of answers."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from werkzeug.test import TestResponse

from tests.run_pages.conftest import connection, database, goal, make_run  # noqa: F401, fixtures
from webapp.accounts.api_keys import Scope, make_api_key

Program = Callable[..., TestResponse]


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """SQLite's: what the calls do is tested on both where it is done."""
    return make_sqlite()


@pytest.fixture
def make_key(app: Flask) -> Callable[..., str]:
    """Return a function that makes a key, which may do everything unless told."""

    def make(*scopes: Scope, expires_at: datetime | None = None) -> str:
        with app.extensions["database"].transaction() as session:
            now = datetime.now(UTC)
            return make_api_key(session, "report", scopes or list(Scope), expires_at, actor="ada@example.org", now=now)

    return make


@pytest.fixture
def program(client: FlaskClient, make_key: Callable[..., str]) -> Program:
    """Return a function that calls the API as a program with all scopes does: ``program("GET", "/runs")``."""
    key = make_key()

    def call(method: str, path: str, **more: object) -> TestResponse:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}  # type: ignore[dict-item]
        return client.open(f"/api/v1{path}", method=method, headers=headers, **more)  # type: ignore[arg-type]

    return call


def check_shape(client: FlaskClient, response: TestResponse, method: str, path: str) -> None:
    """Hold an answer against the OpenAPI document, where ``path`` stands as the document has it."""
    document = client.get("/api/openapi.json").get_json()
    described = document["paths"][path][method.lower()]["responses"][str(response.status_code)]["content"]
    schema = described[response.mimetype]["schema"] | {"components": document["components"]}
    found = [error.message for error in OAS31Validator(schema).iter_errors(response.get_json(force=True))]
    assert found == [], response.text
