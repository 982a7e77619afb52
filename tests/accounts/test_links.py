"""One-time links: they work once, for a day, and the first admin's only while there is no admin."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.accounts.conftest import AuditTrail
from tests.conftest import ADMIN_PASSWORD
from webapp.accounts.links import LIFETIME, LinkSpentError, make_link, use_link
from webapp.accounts.models import Admin, SignInLink
from webapp.database import Database

FIRST_ADMIN = {"name": "Grace", "email": "Grace@Example.org", "password": ADMIN_PASSWORD}
MakeLink = Callable[..., str]


@pytest.fixture
def new_link(database: Database) -> MakeLink:
    """Return a function that makes a link for an admin id (or None) and returns its path."""

    def make(admin_id: int | None = None, made_at: datetime | None = None) -> str:
        with database.transaction() as session:
            return f"/sign-in/link/{make_link(session, admin_id, made_at or datetime.now(UTC))}"

    return make


def test_the_first_link_makes_the_first_admin(client: FlaskClient, new_link: MakeLink, audit_trail: AuditTrail) -> None:
    # given a fresh installation and its link
    link = new_link()
    assert "You will be the first admin." in client.get(link).text
    # when the form is sent
    response = client.post(link, data=FIRST_ADMIN, follow_redirects=True)
    # then the admin exists and is signed in
    assert response.status_code == 200
    assert "Welcome, Grace." in response.text
    assert audit_trail() == [("grace@example.org", "created"), ("grace@example.org", "signed in")]
    # and the password works from then on
    client.post("/sign-out")
    assert client.post("/sign-in", data=FIRST_ADMIN).status_code == 303


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "Enter your name."),
        ({"email": "grace"}, "This is not an e-mail address."),
        ({"password": "too short"}, "at least 12 characters"),
        ({"password": "Grace@Example.org"}, "something else than your e-mail"),
    ],
)
def test_a_mistake_in_the_first_form_does_not_use_up_the_link(
    client: FlaskClient, new_link: MakeLink, change: dict[str, str], words: str
) -> None:
    # given a link, and a form with a mistake
    link = new_link()
    response = client.post(link, data=FIRST_ADMIN | change)
    assert response.status_code == 422
    assert words in response.text
    # when it is sent again without the mistake, then it works
    assert client.post(link, data=FIRST_ADMIN).status_code == 303


def test_the_first_link_is_refused_once_there_is_an_admin(
    client: FlaskClient, new_link: MakeLink, known_admin: Admin, database: Database
) -> None:
    # given a first link that is still there after an admin was made
    link = new_link()
    # when somebody uses it
    response = client.post(link, data=FIRST_ADMIN)
    # then no second admin is made
    assert response.status_code == 410
    with database.reading() as session:
        assert len(session.scalars(select(Admin)).all()) == 1


def test_an_admins_link_shows_a_button_and_signs_in_once(
    app: Flask, client: FlaskClient, new_link: MakeLink, known_admin: Admin
) -> None:
    # given a link for an admin, that a mail program has opened for its preview
    link = new_link(known_admin.id)
    assert "Sign in as Ada Admin" in client.get(link).text
    # when the button is pressed
    assert client.post(link).status_code == 303
    # then the admin is signed in, and the link is spent for everybody
    assert client.get("/profiles").status_code == 200
    spent = app.test_client().post(link, headers={"Accept": "text/html"})
    assert spent.status_code == 410
    assert "This link no longer works" in spent.text


def test_a_link_ends_after_a_day(client: FlaskClient, new_link: MakeLink, known_admin: Admin) -> None:
    link = new_link(known_admin.id, datetime.now(UTC) - LIFETIME - timedelta(seconds=1))
    assert client.get(link).status_code == 410


@pytest.mark.parametrize("token", ["guessed", "x" * 500, "%F0%9F%94%91"])
def test_a_guessed_link_looks_like_a_spent_one(client: FlaskClient, token: str) -> None:
    assert client.get(f"/sign-in/link/{token}").status_code == 410


def test_a_new_link_takes_the_place_of_the_one_before(client: FlaskClient, new_link: MakeLink) -> None:
    older, newer = new_link(), new_link()
    assert client.get(older).status_code == 410
    assert client.get(newer).status_code == 200


def test_the_database_does_not_know_the_link(database: Database, new_link: MakeLink) -> None:
    token = new_link().rpartition("/")[2]
    with database.reading() as session:
        assert token not in session.scalars(select(SignInLink.digest)).all()


def test_of_two_at_the_same_time_one_gets_in(database: Database, known_admin: Admin, now: datetime) -> None:
    # given a link
    with database.transaction() as session:
        token = make_link(session, known_admin.id, now)

    def use() -> bool:
        try:
            with database.transaction() as session:
                use_link(session, token, now)
        except LinkSpentError:
            return False
        return True

    # when eight use it at once
    with ThreadPoolExecutor(8) as pool:
        got_in = list(pool.map(lambda _: use(), range(8)))
    # then one gets in
    assert got_in.count(True) == 1
