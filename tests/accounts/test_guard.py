"""Every page is closed to people who have not signed in, unless it says otherwise."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import AnyConverter, IntegerConverter, Rule

from tests.accounts.conftest import AuditTrail
from tests.conftest import ADMIN_EMAIL
from webapp.accounts.models import Admin
from webapp.accounts.session import OPEN_ENDPOINTS, is_local_path
from webapp.database import Database

OPEN_TO_EVERYBODY = OPEN_ENDPOINTS | {
    "accounts.sign_in",
    "accounts.open_link",
    "code_pages.script",
    "api_docs.openapi",
    "api_docs.show",
}


def test_an_anonymous_visitor_gets_no_page_but_the_public_ones(app: Flask, client: FlaskClient) -> None:
    # given every route of the service
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN_TO_EVERYBODY or getattr(app.view_functions[rule.endpoint], "is_public", False):
            continue
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "DELETE"}:
            # when somebody who has not signed in asks for it
            response = client.open(_url(rule), method=method)
            # then reading leads to the sign-in page, and writing is refused
            if method == "GET":
                assert (response.status_code, response.location.partition("?")[0]) == (303, "/sign-in"), rule.endpoint
            else:
                assert response.status_code == 401, rule.endpoint


def test_only_the_views_that_must_be_are_public(app: Flask) -> None:
    public = {name for name, view in app.view_functions.items() if getattr(view, "is_public", False)}
    # then calls of the API are the only others: they ask for a key (tests/api/test_calls.py)
    assert {name for name in public if not name.startswith("api.")} <= OPEN_TO_EVERYBODY


def test_after_signing_in_people_land_where_they_wanted_to_go(client: FlaskClient, known_admin: Admin) -> None:
    # given an anonymous visitor who was sent to the sign-in page
    sent = client.get("/profiles?q=ada")
    page = client.get(sent.location)
    assert 'value="/profiles?q=ada"' in page.text
    # when the form is sent with the path that the page put into it
    response = client.post(
        "/sign-in", data={"email": known_admin.email, "password": "correct horse battery", "next": "/profiles?q=ada"}
    )
    # then the page that was asked for comes
    assert (response.status_code, response.location) == (303, "/profiles?q=ada")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil",
        "",
        "/\n",
    ],
)
def test_a_way_out_of_the_site_is_not_followed(client: FlaskClient, known_admin: Admin, target: str) -> None:
    # when somebody signs in through a link that someone else made
    response = client.post(
        "/sign-in", data={"email": known_admin.email, "password": "correct horse battery", "next": target}
    )
    # then they stay on this site
    assert response.location == "/connections"
    assert not is_local_path(target)


def test_a_session_of_an_older_version_is_over(database: Database, admin: Admin, admin_client: FlaskClient) -> None:
    # given a signed-in admin
    assert admin_client.get("/profiles").status_code == 200
    # when the sessions of the admin are ended
    with database.transaction() as session:
        session.get_one(Admin, admin.id).session_version += 1
    # then this one is over
    assert admin_client.get("/profiles").status_code == 303


def test_a_forged_session_is_no_session(client: FlaskClient, known_admin: Admin) -> None:
    client.set_cookie("websync", "eyJhZG1pbl9pZCI6MSwic2Vzc2lvbl92ZXJzaW9uIjoxfQ.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")
    assert client.get("/profiles").status_code == 303


def test_signing_out_ends_the_session(admin_client: FlaskClient, audit_trail: AuditTrail) -> None:
    # when the admin signs out
    response = admin_client.post("/sign-out", follow_redirects=True)
    # then the sign-in page says so, pages are closed, and it is on record
    assert "You have signed out, in all your browsers." in response.text
    assert admin_client.get("/profiles").status_code == 303
    assert audit_trail() == [(ADMIN_EMAIL, "signed out")]


def test_a_copy_of_the_cookie_does_not_outlive_the_sign_out(app: Flask, admin_client: FlaskClient) -> None:
    # given somebody with a copy of a signed-in admin's cookie
    thief = app.test_client()
    thief.set_cookie("websync", cookie_of(admin_client))
    assert thief.get("/profiles").status_code == 200
    # when the admin signs out
    admin_client.post("/sign-out")
    # then the copy is worth nothing
    assert thief.get("/profiles").status_code == 303


def test_a_session_ends_after_its_hours_however_much_it_is_used(app: Flask, admin_client: FlaskClient) -> None:
    # given an admin who signed in as long ago as a session lasts
    with admin_client.session_transaction() as session:
        session["signed_in_at"] -= app.extensions["settings"].session_hours * 3600 + 1
    # when a page is opened, then they have to sign in again
    assert admin_client.get("/profiles").status_code == 303


@pytest.mark.parametrize("path", ["/static/css/websync.css", "/healthz", "/sync/shop/token.js"])
def test_what_a_cache_may_keep_carries_no_cookie(admin_client: FlaskClient, path: str) -> None:
    # given a signed-in admin
    # when something is read that others may have from a cache, too, then the cookie is not sent along
    assert "Set-Cookie" not in admin_client.get(path).headers


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient, known_admin: Admin) -> None:
    response = client.post("/sign-in", data={"email": known_admin.email, "password": "correct horse battery"})
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_pages_of_an_admin_stay_out_of_caches(client: FlaskClient, admin_client: FlaskClient) -> None:
    assert admin_client.get("/profiles").headers["Cache-Control"] == "no-store"
    assert "no-store" not in client.get("/static/css/websync.css").headers["Cache-Control"]


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("websync")
    assert cookie is not None
    return cookie.value


def _url(rule: Rule) -> str:
    values = {
        name: 1
        if isinstance(converter, IntegerConverter)
        else min(converter.items)
        if isinstance(converter, AnyConverter)
        else "something"
        for name, converter in rule._converters.items()
    }
    _, path = rule.build(values) or ("", "/")
    return path
