import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.connections.pages import audit_entries
from webapp.accounts.models import ApiKey

FORM = {"name": "Nightly <b>report</b>", "scopes": ["read:runs", "run:imports"], "days": "90"}


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


def test_a_key_is_shown_once_and_works_until_it_is_revoked(
    app: Flask, client: FlaskClient, admin_client: FlaskClient
) -> None:
    # given an admin who makes a key
    made = admin_client.post("/api-keys", data=FORM).text
    found = re.search(r"wsk_[\w-]{40,}", made)
    assert found

    def call() -> int:
        return client.get("/api/v1/runs", headers={"Authorization": f"Bearer {found[0]}"}).status_code

    # then it is on no page after that, and in no table
    page = admin_client.get("/api-keys").text
    assert found[0] not in page
    assert "Nightly &lt;b&gt;report" in page
    assert f"…{found[0][-4:]}" in page
    with app.extensions["database"].reading() as session:
        (row,) = session.query(ApiKey)
    assert found[0] not in str(vars(row))
    assert row.scopes == ["read:runs", "run:imports"]
    assert call() == 200
    # when it is revoked, then it works no more
    assert admin_client.post(f"/api-keys/{row.public_id}/revoke").status_code == 303
    assert call() == 401
    assert "no: revoked" in admin_client.get("/api-keys").text
    assert admin_client.post(f"/api-keys/{row.public_id}/revoke").status_code == 404
    # and the audit log has both
    entries = audit_entries(app, "api_key")
    assert [(entry.action, entry.detail["name"]) for entry in entries] == [
        ("created", FORM["name"]),
        ("revoked", FORM["name"]),
    ]
    assert found[0] not in str([entry.detail for entry in entries])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "Say what it is for"),
        ({"name": "x" * 101}, "100"),
        ({"name": "a\0b"}, "Printable characters only."),
        ({"scopes": []}, "Choose at least one."),
        ({"scopes": ["write:everything"]}, "not a valid"),
        ({"days": "9999"}, "Not a valid choice"),
    ],
)
def test_a_key_that_cannot_be_is_refused(admin_client: FlaskClient, changes: dict[str, object], said: str) -> None:
    # given a form with a mistake
    # when it is sent, then the mistake is said, and there is no key
    answer = admin_client.post("/api-keys", data=FORM | changes)
    assert answer.status_code == 422
    assert said in answer.text
    assert "No API key yet" in admin_client.get("/api-keys").text


def test_keys_are_for_admins(client: FlaskClient) -> None:
    # given somebody who has not signed in
    # when they ask for the page, then they are led to the sign-in page
    assert client.get("/api-keys").status_code == 303
    assert client.post("/api-keys", data=FORM).status_code == 401
