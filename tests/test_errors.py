"""Errors: a page for people, problem+json for programs, and nothing of the inside in either."""

import re
import sqlite3
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy.exc import InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from webapp.accounts.guard import public
from webapp.errors import WebsyncError, problem_types

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"Accept": "application/json"}


@pytest.fixture
def broken_app(app: Flask) -> Flask:
    """The service with a view that has a bug."""

    @app.get("/bug")
    @public
    def bug() -> str:
        raise RuntimeError("the secret inside")

    return app


def test_people_get_a_page_where_nothing_is(admin_client: FlaskClient) -> None:
    # when somebody follows a dead link
    response = admin_client.get("/nothing-here", headers=BROWSER)
    # then a page says so, and leads back
    assert response.status_code == 404
    assert "<h1>Not Found</h1>" in response.text
    assert "Go to the connections" in response.text


def test_somebody_who_has_not_signed_in_is_led_to_the_sign_in_page(client: FlaskClient) -> None:
    response = client.get("/nothing-here", headers=BROWSER)
    assert response.status_code == 404
    assert "Go to the sign-in page" in response.text


def test_programs_get_a_problem(client: FlaskClient) -> None:
    # when a program asks for what there is not
    response = client.get("/nothing-here", headers=PROGRAM)
    # then it gets a problem whose type is a page that explains it
    assert response.mimetype == "application/problem+json"
    problem = response.get_json(force=True)
    assert problem["status"] == 404
    assert client.get(urlsplit(problem["type"]).path).status_code == 200


def test_an_error_that_its_status_explains_has_no_type_of_its_own(client: FlaskClient, broken_app: Flask) -> None:
    # given a method that the address does not have, and a bug
    not_allowed, bug = client.get("/sync/shop-goal/token", headers=PROGRAM), client.get("/bug", headers=PROGRAM)
    # then no type leads to a page that is not there
    for response, title in ((not_allowed, "Method Not Allowed"), (bug, "Internal Server Error")):
        problem = response.get_json(force=True)
        assert (problem["type"], problem["title"]) == ("about:blank", title)
    assert {"POST", "OPTIONS"} == set(not_allowed.headers["Allow"].split(", "))


def test_a_bug_tells_nobody_what_is_inside(broken_app: Flask) -> None:
    # when a view has a bug
    for headers in (BROWSER, PROGRAM):
        response = broken_app.test_client().get("/bug", headers=headers)
        # then people and programs hear that, and nothing else
        assert response.status_code == 500
        assert "Something went wrong" in response.text
        assert "secret" not in response.text


def test_a_lost_database_still_gives_a_page(app: Flask, admin_client: FlaskClient) -> None:
    # given a signed-in admin, and a database without its tables
    with app.extensions["database"].engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE sign_in_links")
        connection.exec_driver_sql("DROP TABLE admins")
    # when a page is asked for
    response = admin_client.get("/profiles", headers=BROWSER)
    # then the error page comes, which must not ask the database who is signed in
    assert response.status_code == 500
    assert "<h1>Internal Server Error</h1>" in response.text


def test_a_hostile_path_is_text_on_the_page(admin_client: FlaskClient) -> None:
    response = admin_client.get("/profiles?after=<script>alert(1)</script>", headers=BROWSER)
    assert response.status_code == 400
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("path", ["/goals/a%00b", "/profiles/%00", "/sync/%00/token", "/sync/a%00b/login"])
def test_nothing_is_at_an_address_with_a_nul(app: Flask, admin_client: FlaskClient, path: str) -> None:
    # when somebody asks for it, then that is no bug of ours, whatever the database thinks of such a text
    response = admin_client.post(path, json={}) if path.startswith("/sync/") else admin_client.get(path)
    assert response.status_code == 404


def test_every_kind_of_problem_has_its_page(client: FlaskClient) -> None:
    ours = [kind for kind in problem_types() if kind.__module__.startswith("webapp.")]  # tests have some too
    assert ours
    for kind in ours:
        response = client.get(f"/problems/{kind.slug}")
        assert response.status_code == 200
        assert escape(kind.title) in response.text
        # which says what to do
        advice = response.text.partition('id="advice-title">What to do</h2>')[2].partition("</section>")[0]
        assert re.search(r"<p[^>]*>\w+", advice), kind.slug


def test_an_unknown_problem_has_no_page(client: FlaskClient) -> None:
    assert client.get("/problems/made-up", headers=BROWSER).status_code == 404


def test_no_two_kinds_of_problem_share_a_name() -> None:
    slugs = [kind.slug for kind in problem_types()]
    assert len(slugs) == len(set(slugs))
    assert WebsyncError.slug not in slugs


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("x", {}, sqlite3.OperationalError("database is locked")), 503),
        (OperationalError("x", {}, psycopg.errors.LockNotAvailable("timeout")), 503),
        (PoolTimeoutError("no connection was free"), 503),
        (OperationalError("x", {}, sqlite3.OperationalError("no such table")), 500),
        (InvalidRequestError("a bug"), 500),
    ],
)
def test_a_database_that_is_only_busy_is_no_bug(app: Flask, error: Exception, status: int) -> None:
    # given a view whose database says something
    @app.get("/busy")
    @public
    def busy() -> str:
        raise error

    # when a program asks
    response = app.test_client().get("/busy", headers=PROGRAM)
    # then it hears whether the same again may work
    assert response.status_code == status
    assert ("Retry-After" in response.headers) == (status == 503)
