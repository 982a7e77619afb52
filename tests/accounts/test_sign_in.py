"""Signing in with a password, and changing it."""

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from tests.accounts.conftest import AuditTrail
from tests.conftest import ADMIN_EMAIL, ADMIN_PASSWORD
from webapp.accounts.models import Admin
from webapp.database import Database

WRONG = "The e-mail address or the password is wrong."
NEW_PASSWORD = "another fine password"


@pytest.mark.parametrize("email", [ADMIN_EMAIL, "  Admin@Example.ORG "])
def test_the_right_password_opens_the_pages(
    client: FlaskClient, known_admin: Admin, audit_trail: AuditTrail, email: str
) -> None:
    # when an admin signs in
    response = client.post("/sign-in", data={"email": email, "password": ADMIN_PASSWORD})
    # then the pages open, with the admin's name on them
    assert (response.status_code, response.location) == (303, "/connections")
    assert "Ada Admin" in client.get("/profiles").text
    assert audit_trail() == [(ADMIN_EMAIL, "signed in")]


@pytest.mark.parametrize("email", [ADMIN_EMAIL, "nobody@example.org"])
def test_a_wrong_password_and_an_unknown_address_look_the_same(
    client: FlaskClient, known_admin: Admin, email: str
) -> None:
    # when the password, or the address too, is wrong
    response = client.post("/sign-in", data={"email": email, "password": "wrong password"})
    # then the page says the same, keeps the address, and never the password
    assert response.status_code == 422
    assert WRONG in response.text
    assert f'value="{email}"' in response.text
    assert "wrong password" not in response.text
    assert client.get("/profiles").status_code == 303


def test_failed_tries_are_recorded_without_a_strangers_address(
    client: FlaskClient, known_admin: Admin, audit_trail: AuditTrail
) -> None:
    # when somebody tries with an admin's address, and with one that is no admin's
    for email in (ADMIN_EMAIL, "my-password-by-mistake"):
        client.post("/sign-in", data={"email": email, "password": "wrong password"})
    # then both are on record, and only the admin's own address with it
    assert audit_trail() == [(ADMIN_EMAIL, "failed to sign in"), ("anonymous", "failed to sign in")]


def test_an_empty_form_says_what_is_missing(client: FlaskClient) -> None:
    response = client.post("/sign-in", data={})
    assert response.status_code == 422
    assert "Enter your e-mail address." in response.text
    assert 'aria-describedby="password-errors"' in response.text


def test_a_hash_of_lower_costs_is_renewed_by_signing_in(
    client: FlaskClient, database: Database, known_admin: Admin
) -> None:
    # given an admin whose password was hashed with lower costs than today's
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(ADMIN_PASSWORD)
    with database.transaction() as session:
        session.get_one(Admin, known_admin.id).password_hash = cheap
    # when the admin signs in
    client.post("/sign-in", data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    # then a hash of today's costs is kept
    with database.reading() as session:
        assert session.get_one(Admin, known_admin.id).password_hash != cheap


def test_guessing_is_stopped_after_ten_tries(csrf_app: Flask) -> None:
    # given the service as it runs for people
    csrf_app.config["WTF_CSRF_ENABLED"] = False
    client = csrf_app.test_client()
    form = {"email": ADMIN_EMAIL, "password": "wrong password"}
    # when somebody tries ten times
    assert [client.post("/sign-in", data=form).status_code for _ in range(10)] == [422] * 10
    # then the eleventh try is refused for a while, reading the page is not
    response = client.post("/sign-in", data=form, headers={"Accept": "text/html"})
    assert response.status_code == 429
    assert "Too many tries" in response.text
    assert 0 < int(response.headers["Retry-After"]) <= 301
    assert client.get("/sign-in").status_code == 200


def test_a_form_without_its_csrf_token_signs_nobody_in(csrf_app: Flask) -> None:
    response = csrf_app.test_client().post("/sign-in", data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    assert response.status_code == 400


def test_changing_the_password_ends_other_sessions(
    app: Flask, client: FlaskClient, known_admin: Admin, audit_trail: AuditTrail
) -> None:
    # given an admin who is signed in, in two browsers
    elsewhere = app.test_client()
    for browser in (client, elsewhere):
        browser.post("/sign-in", data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    # when the password is changed in one of them
    response = client.post(
        "/account",
        data={"current_password": ADMIN_PASSWORD, "new_password": NEW_PASSWORD, "repeated_password": NEW_PASSWORD},
        follow_redirects=True,
    )
    # then that one goes on, the other is signed out, and only the new password works
    assert "Your password is changed." in response.text
    assert elsewhere.get("/profiles").status_code == 303
    assert elsewhere.post("/sign-in", data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}).status_code == 422
    assert elsewhere.post("/sign-in", data={"email": ADMIN_EMAIL, "password": NEW_PASSWORD}).status_code == 303
    assert (ADMIN_EMAIL, "changed the password") in audit_trail()


@pytest.mark.parametrize(
    ("current", "new", "repeated", "words"),
    [
        ("wrong password", NEW_PASSWORD, NEW_PASSWORD, "This is not your current password."),
        (ADMIN_PASSWORD, "short", "short", "at least 12 characters"),
        (ADMIN_PASSWORD, ADMIN_EMAIL, ADMIN_EMAIL, "something else than your e-mail"),
        (ADMIN_PASSWORD, NEW_PASSWORD, "another", "The two new passwords differ."),
    ],
)
def test_a_password_change_that_cannot_be_says_why(
    client: FlaskClient, known_admin: Admin, current: str, new: str, repeated: str, words: str
) -> None:
    # given a signed-in admin
    client.post("/sign-in", data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    # when the change has a mistake in it
    form = {"current_password": current, "new_password": new, "repeated_password": repeated}
    response = client.post("/account", data=form)
    # then the page says which, and the old password goes on working
    assert response.status_code == 422
    assert words in response.text
    client.post("/sign-out")
    assert client.post("/sign-in", data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}).status_code == 303
