from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import select

from tests.demo.conftest import RunningTenant, tenant  # noqa: F401, a fixture
from tests.factories import make_import_goal
from tests.receivers import mail_server
from tests.runs.workers import store_goals
from webapp.checking import Finding, check_all
from webapp.connections.import_saving import add_import_goal
from webapp.connections.models import Connection
from webapp.connections.notifications import NotificationSettings, RunEvent, save_notifications
from webapp.connections.saving import Change
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET, READER_CLIENT_ID, READER_CLIENT_SECRET
from webapp.runs.heartbeats import begin_beating
from webapp.runs.models import RunTrigger
from webapp.runs.requesting import request_run
from webapp.sealing import Sealer


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


@pytest.fixture
def store(app: Flask, now: datetime) -> Callable[..., None]:
    """Return a function that stores a connection."""

    def add(domain: str, client_id: str = "", secret: str | None = None, *, sealer: Sealer | None = None) -> None:
        sealer = sealer or app.extensions["sealer"]
        sealed = None if secret is None else sealer.seal(secret)
        connection = Connection(
            key="connection-1",
            name="Shop",
            auth0_domain=domain,
            auth0_client_id=client_id,
            sealed_client_secret=sealed,
            created_at=now,
            updated_at=now,
        )
        with app.extensions["database"].transaction() as session:
            session.add(connection)

    return add


def findings(app: Flask, name: str | None = None) -> list[Finding]:
    with app.app_context():
        return list(check_all(name))


def wrong(found: list[Finding]) -> list[str]:
    assert all(finding.remedy for finding in found if not finding.is_good), "every mistake needs its remedy"
    return [finding.text for finding in found if not finding.is_good]


def test_a_good_installation_has_nothing_wrong(
    app: Flask,
    store: Callable[..., None],
    tenant: RunningTenant,  # noqa: F811
) -> None:
    # given a connection to a tenant, with all scopes
    store(tenant.base_url, M2M_CLIENT_ID, M2M_CLIENT_SECRET)
    # when everything is checked
    found = findings(app, "Shop")
    # then all is good, and the keys were really fetched
    assert wrong(found) == []
    assert f"Shop: 2 signing keys (RS256) at {tenant.base_url}/.well-known/jwks.json" in [
        finding.text for finding in found
    ]


@pytest.mark.parametrize(
    ("has_worker", "has_run", "text", "is_good"),
    [
        (True, True, "workers: 1", True),
        (False, False, "workers: none", True),
        (False, True, "workers: none, and 1 run waits for one", False),
    ],
)
def test_a_worker_that_is_missing_is_told_and_wrong_if_a_run_waits_for_it(
    app: Flask, now: datetime, *, has_worker: bool, has_run: bool, text: str, is_good: bool
) -> None:
    # given a worker that lives or one that stopped long ago, and a run that waits or none
    database = app.extensions["database"]
    beat_at = datetime.now(UTC) - (timedelta(0) if has_worker else timedelta(hours=1))
    with database.transaction() as session:
        begin_beating(session, "worker-1", beat_at)
    if has_run:
        (goal,) = store_goals(database)
        with database.transaction() as session:
            request_run(session, goal, RunTrigger.MANUAL, requested_by="ada", now=now)
    # when everything is checked, then it says so
    (finding,) = [each for each in findings(app, "Nowhere") if each.text.startswith("workers:")]
    assert (finding.text, finding.is_good) == (text, is_good)
    assert ("websync worker" in finding.remedy) != has_worker


def test_who_imports_users_needs_to_read_them(
    app: Flask,
    store: Callable[..., None],
    tenant: RunningTenant,  # noqa: F811
    now: datetime,
) -> None:
    # given a connection that imports, whose application may do nothing
    store(tenant.base_url, M2M_CLIENT_ID, M2M_CLIENT_SECRET)
    with tenant.state.change() as data:
        for grant in data["client_grants"]:
            grant["scope"] = []
    with app.extensions["database"].transaction() as session:
        connection = session.scalars(select(Connection)).one()
        add_import_goal(session, connection, make_import_goal(), Change("ada", now), is_on=True)
    # when everything is checked, then that is wrong too
    assert "Shop: scope read:users" in wrong(findings(app))


def test_mail_that_cannot_be_sent_is_told_and_wrong_if_somebody_waits_for_it(app: Flask, now: datetime) -> None:
    def finding(url: str | None) -> Finding:
        smtp_url = None if url is None else SecretStr(url)
        app.extensions["settings"] = app.extensions["settings"].model_copy(update={"smtp_url": smtp_url})
        (found,) = [each for each in findings(app, "Nowhere") if each.text.startswith("mail:")]
        return found

    # given a connection without addresses, and no mail server, then that is all right
    database = app.extensions["database"]
    (goal,) = store_goals(database)
    assert finding(None).is_good
    # when it has addresses, then it is not
    with database.transaction() as session:
        connection = session.get_one(Connection, goal.connection_id)
        wanted = NotificationSettings(("ops@example.com",), (RunEvent.FAILURE,))
        save_notifications(session, connection, wanted, Change("ada", now))
    assert finding(None).text == "mail: no server, and 1 connection has addresses to notify"
    # and a server is asked if it takes mail
    with mail_server() as mailbox:
        assert finding(mailbox.url).text == "mail: 127.0.0.1 takes mail from websync@localhost"
        mailbox.refusals[""] = "550 Not you"
        assert "refuses the sender websync@localhost: 550 Not you" in finding(mailbox.url).text
    down = finding(mailbox.url)
    assert not down.is_good
    assert "WEBSYNC_SMTP_URL" in down.remedy


def test_each_missing_scope_is_named(
    app: Flask,
    store: Callable[..., None],
    tenant: RunningTenant,  # noqa: F811
) -> None:
    # given an application that may only read users
    store(tenant.base_url, READER_CLIENT_ID, READER_CLIENT_SECRET)
    # when everything is checked
    # then the scopes that a deployment needs are named
    assert wrong(findings(app)) == [
        "Shop: scope create:actions",
        "Shop: scope read:actions",
        "Shop: scope update:actions",
    ]


def test_optional_scopes_are_no_mistake(
    app: Flask,
    store: Callable[..., None],
    tenant: RunningTenant,  # noqa: F811
) -> None:
    # given an application that may read users and not Rules
    store(tenant.base_url, READER_CLIENT_ID, READER_CLIENT_SECRET)
    # when everything is checked, then each says what it is for
    texts = [finding.text for finding in findings(app) if finding.is_good]
    assert "Shop: scope read:users (optional: imports users, and tries a goal on a real user)" in texts
    assert "Shop: scope read:connections (not granted, optional: lists the databases to import from)" in texts
    assert "Shop: scope read:rules (not granted, optional: finds an old Rule by its name)" in texts


def test_a_wrong_secret_is_told(
    app: Flask,
    store: Callable[..., None],
    tenant: RunningTenant,  # noqa: F811
) -> None:
    # given a wrong secret
    store(tenant.base_url, M2M_CLIENT_ID, "not-the-secret")
    # when everything is checked
    (mistake,) = wrong(findings(app))
    # then Auth0's refusal is told, and the secret is not
    assert mistake.startswith("Shop: Auth0")
    assert "not-the-secret" not in mistake


def test_a_tenant_that_cannot_be_reached_and_missing_credentials_are_told(
    app: Flask, store: Callable[..., None]
) -> None:
    # given a tenant where nobody listens, and no credentials
    store("http://localhost:9")
    # when everything is checked
    keys, credentials = wrong(findings(app))
    # then both are told
    assert keys.startswith("Shop: signing keys:")
    assert credentials == "Shop: no credentials for the Management API"


def test_a_secret_of_a_lost_key_is_told(
    app: Flask,
    store: Callable[..., None],
    tenant: RunningTenant,  # noqa: F811
) -> None:
    # given a secret sealed with a key that is gone
    store(tenant.base_url, M2M_CLIENT_ID, "s", sealer=Sealer(["bG9zdC1rZXktMDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="]))
    # when everything is checked
    # then the remedy names the setting
    found = findings(app)
    assert wrong(found) == ["Shop: the client secret cannot be opened"]
    assert "WEBSYNC_SECRET_KEYS" in found[-1].remedy


def test_a_domain_that_may_not_be_used_is_told(app: Flask, store: Callable[..., None]) -> None:
    # given a connection without a domain
    store("")
    # when everything is checked
    # then it is told
    assert wrong(findings(app)) == ["Shop: the Auth0 domain cannot be used"]


def test_an_unknown_connection_is_told_and_none_is_no_mistake(app: Flask) -> None:
    # given no connection
    # when one is asked for, or all are
    # then only the first is wrong
    assert wrong(findings(app, "Nowhere")) == ["connections: none is called Nowhere"]
    assert wrong(findings(app)) == []
