"""Advanced token checks on the goal's page, in a file and in the history; and the secret that is never shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.connections.pages import GOAL, add_goal, audit_entries, message_at, read_form
from webapp.connections.configuration import apply_configuration, export_configuration
from webapp.connections.configuration_file import InvalidConfigurationError, read_configuration, read_yaml
from webapp.connections.models import Goal
from webapp.connections.saving import Change

SECRET = "a client secret of the shop's application in Auth0"
POLICY = {
    "required_scopes": "sync:profile\nsync:write",
    "custom_domains": "https://login.example.com/",
    "max_age_seconds": "3600",
    "leeway_seconds": "0",
    "algorithms": "PS256",
    "token_kind": "access_token",
    "audiences": "https://websync.example/api",
}


@contextmanager
def goal_of(app: Flask) -> Iterator[Goal]:
    with app.extensions["database"].transaction() as session:
        yield session.scalars(select(Goal)).one()


def sealed_secret(app: Flask) -> str | None:
    with goal_of(app) as goal:
        return goal.sealed_signing_secret


def test_what_is_typed_is_stored_and_shown_again(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal with every advanced check
    address = add_goal(admin_client, **POLICY)
    # when its page is opened
    page = admin_client.get(address)
    # then they are there, unfolded, in one form of each
    fields = read_form(page)
    assert {name: fields[name] for name in POLICY} == POLICY | {"custom_domains": "login.example.com"}
    assert '<details class="disclosure" open>\n        <summary>Advanced token checks' in page.text
    # and saving the page as it is changes nothing
    assert admin_client.post(address, data=fields, follow_redirects=True).text.count("Nothing had changed.") == 1


def test_they_are_folded_while_nobody_needs_them(admin_client: FlaskClient) -> None:
    page = admin_client.get(add_goal(admin_client))
    assert '<details class="disclosure">\n        <summary>Advanced token checks' in page.text


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("leeway_seconds", "-1", "Must be a whole number, or nothing."),
        ("leeway_seconds", "999", "A whole number from 0 to 300"),
        ("max_age_seconds", "1e3", "Must be a whole number"),
        ("custom_domains", "169.254.169.254", "is no domain such as login.example.com"),
        ("required_scopes", "sync:profile", "Only access tokens have scopes"),
        ("signing_secret", "too short", "It has 9 bytes; HS256 needs at least 32"),
        ("signing_secret", "-----BEGIN PUBLIC KEY-----\n" + "A" * 40 + "\n-----END PUBLIC KEY-----", "and no secret"),
        ("signing_secret", "", "HS256 needs the client secret of the application in Auth0."),
    ],
)
def test_a_mistake_stands_at_its_field(
    app: Flask, admin_client: FlaskClient, field: str, typed: str, message: str
) -> None:
    # given a goal
    address = add_goal(admin_client)
    fields = read_form(admin_client.get(address)) | {field: typed}
    if field == "signing_secret":
        fields["algorithms"] = "HS256"
    # when it is saved with a mistake
    page = admin_client.post(address, data=fields)
    # then that is said at the field, the checks are unfolded, and what was typed as a secret is not repeated
    assert page.status_code == 422
    assert message in message_at(page, field)
    assert '<details class="disclosure" open>\n        <summary>Advanced' in page.text
    assert field != "signing_secret" or not typed or typed not in page.text
    assert sealed_secret(app) is None


def test_the_secret_is_sealed_kept_replaced_and_never_shown(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal for HS256
    address = add_goal(admin_client, algorithms="HS256", signing_secret=SECRET)
    sealed = sealed_secret(app)
    assert sealed is not None
    assert SECRET not in sealed
    assert app.extensions["sealer"].unseal(sealed) == SECRET
    # when its page is opened and saved with another name
    page = admin_client.get(address)
    assert SECRET not in page.text
    admin_client.post(address, data=read_form(page) | {"name": "Renamed"})
    # then the secret stays, and no revision and no audit entry has it
    assert sealed_secret(app) == sealed
    assert SECRET not in admin_client.get(f"{address}/history/changes?from=1&to=2").text
    assert SECRET not in str([entry.detail for entry in audit_entries(app, "goal")])
    # and a new one takes its place, without a revision
    fields = read_form(admin_client.get(address)) | {"signing_secret": SECRET + "!"}
    answer = admin_client.post(address, data=fields, follow_redirects=True)
    assert "The client secret for HS256 is saved." in answer.text
    assert "Revision 2" in answer.text
    stored = sealed_secret(app)
    assert stored is not None
    assert app.extensions["sealer"].unseal(stored) == SECRET + "!"


def test_the_secret_goes_with_hs256_and_a_revision_alone_does_not_bring_it_back(
    app: Flask, admin_client: FlaskClient
) -> None:
    # given a goal that had HS256 and has RS256 now
    address = add_goal(admin_client, algorithms="HS256", signing_secret=SECRET)
    admin_client.post(address, data=read_form(admin_client.get(address)) | {"algorithms": "RS256"})
    assert sealed_secret(app) is None
    # when the old revision is restored
    answer = admin_client.post(f"{address}/history/1/restore", data={"expected_revision": "2"}, follow_redirects=True)
    # then it says what is missing, and nothing has changed
    assert "HS256 needs the client secret" in answer.text
    with goal_of(app) as goal:
        assert (goal.revision, goal.token_policy) == (2, {})


def test_the_secret_ends_when_the_connection_moves_to_another_tenant(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal for HS256
    add_goal(admin_client, algorithms="HS256", signing_secret=SECRET)
    with goal_of(app) as goal:
        address = f"/connections/{goal.connection.key}"
    # when the connection gets another domain
    fields = read_form(admin_client.get(address)) | {"auth0_domain": "other.eu.auth0.com"}
    assert admin_client.post(address, data=fields).status_code == 303
    # then who knew the old application's secret cannot speak for the new tenant
    assert sealed_secret(app) is None


def test_the_history_tells_what_changed(admin_client: FlaskClient) -> None:
    # given a goal whose checks were changed
    address = add_goal(admin_client)
    fields = read_form(admin_client.get(address))
    admin_client.post(address, data=fields | {"max_age_seconds": "600", "custom_domains": "login.example.com"})
    # when its history is opened
    history = admin_client.get(f"{address}/history").text
    # then
    assert "greatest token age in seconds changed, custom domains changed" in history.lower()


def test_a_file_has_the_checks_and_names_the_variable_of_the_secret(app: Flask, admin_client: FlaskClient) -> None:
    # given a goal for HS256
    add_goal(admin_client, algorithms="HS256", signing_secret=SECRET, max_age_seconds="600")
    variable = {"AUTH0_SIGNING_SECRET_SHOP_VISITORS": SECRET}
    with app.extensions["database"].transaction() as session:
        # when it is exported
        text = export_configuration(session, public_url="http://localhost:8000")
        assert SECRET not in text
        assert "env: AUTH0_SIGNING_SECRET_SHOP_VISITORS" in text
        wanted = read_configuration(read_yaml(text), public_url="http://localhost:8000", allow_loopback=True)
        change = Change("cli", datetime.now(UTC))

        def states(environment: dict[str, str]) -> list[str]:
            sealer = app.extensions["sealer"]
            return [
                each.state
                for each in apply_configuration(session, wanted, change, environment=environment, sealer=sealer)
            ]

        # then applying it changes nothing, another secret is stored, and a bad or missing one is refused
        assert states(variable) == ["unchanged", "unchanged"]
        assert states({"AUTH0_SIGNING_SECRET_SHOP_VISITORS": SECRET + "!"}) == ["unchanged", "updated"]
        with pytest.raises(InvalidConfigurationError, match="signing_secret: It has 5 bytes"):
            states({"AUTH0_SIGNING_SECRET_SHOP_VISITORS": "short"})
        with pytest.raises(InvalidConfigurationError, match="AUTH0_SIGNING_SECRET_SHOP_VISITORS is not set"):
            states({})


def test_a_new_goal_for_hs256_needs_its_secret_at_once(app: Flask, admin_client: FlaskClient) -> None:
    # given a connection
    add_goal(admin_client)
    with goal_of(app) as goal:
        new_address = f"/connections/{goal.connection.key}/goals/new"
    # when a goal for HS256 is added without a secret
    fields = read_form(admin_client.get(new_address)) | GOAL | {"name": "Another", "algorithms": "HS256"}
    page = admin_client.post(new_address, data=fields)
    # then it is not stored
    assert page.status_code == 422
    assert "HS256 needs the client secret" in page.text
    with goal_of(app) as goal:
        assert goal.name == GOAL["name"]
