from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from sqlalchemy.orm import Session

from tests.conftest import TEST_KEY
from tests.connections.test_configuration import apply_text, problems_of
from webapp.connections.configuration import export_configuration
from webapp.connections.configuration_file import InvalidConfigurationError
from webapp.connections.models import ConnectionNotifications
from webapp.connections.notifications import RunEvent, settings_of, signing_secrets
from webapp.database import Database
from webapp.sealing import Sealer

SECRET = "whsec_" + "c2VjcmV0" * 4
FILE = """
connections:
  - name: Web shop
    auth0: {domain: acme.eu.auth0.com}
    notifications:
      email: {to: [ops@example.com], events: [failure]}
      webhook: {url: "https://hooks.example.com/a", events: [finish, failure], secret: {env: WEBHOOK_SECRET_WEB_SHOP}}
"""


@pytest.fixture
def session(make_sqlite: Callable[[], str]) -> Iterator[Session]:
    database = Database(make_sqlite())
    with database.transaction() as session:
        yield session
    database.close()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer([TEST_KEY])


def stored(session: Session) -> ConnectionNotifications:
    (row,) = session.query(ConnectionNotifications)
    return row


def test_notifications_go_to_a_file_and_back(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file with notifications
    # when it is applied, twice
    states = [
        [each.state for each in apply_text(session, FILE, sealer, now, WEBHOOK_SECRET_WEB_SHOP=SECRET)]
        for _ in range(2)
    ]
    # then they are stored once, with the secret sealed
    assert states == [["created", "created"], ["unchanged", "unchanged"]]
    assert settings_of(stored(session)).email_events == (RunEvent.FAILURE,)
    assert signing_secrets(stored(session), sealer, now) == [SECRET]
    # and an export says the same, with the secret by reference
    text = export_configuration(session, public_url="https://websync.example.com")
    assert SECRET not in text
    applied = apply_text(session, text, sealer, now, WEBHOOK_SECRET_WEB_SHOP=SECRET)
    assert {each.state for each in applied} == {"unchanged"}
    # and a file that does not speak of them leaves them alone; an empty word ends them
    without = FILE[: FILE.index("    notifications")]
    assert [each.state for each in apply_text(session, without, sealer, now)] == ["unchanged"]
    assert settings_of(stored(session)).webhook_url
    applied = apply_text(session, without + "    notifications: {}\n", sealer, now)
    assert [each.state for each in applied] == ["unchanged", "updated"]
    assert not settings_of(stored(session)).emails


def test_a_webhook_without_a_secret_gets_one(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file that names no secret
    text = FILE.replace(", secret: {env: WEBHOOK_SECRET_WEB_SHOP}", "")
    # when it is applied, then nothing goes out unsigned
    apply_text(session, text, sealer, now)
    assert len(signing_secrets(stored(session), sealer, now)) == 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[ops@example.com]", "[ops]", "connections[1].notifications.email.to: 'ops' is no e-mail address"),
        ("[failure]}", "[crash]}", "connections[1].notifications.email.events: Unknown event"),
        ("https://hooks", "http://hooks", "connections[1].notifications.webhook.url: Write an https:// URL"),
        ("[finish, failure]", "[]", "connections[1].notifications.webhook.events: Choose at least one event"),
        ("{env: WEBHOOK_SECRET_WEB_SHOP}", "x", "connections[1].notifications.webhook.secret: Secrets stay out"),
        ("to: [", "cc: [", "connections[1].notifications.email.cc: Unknown"),
    ],
)
def test_mistakes_are_named_at_their_place(old: str, new: str, problem: str) -> None:
    # given a file with a mistake
    # when it is read, then it is named
    assert any(line.startswith(problem) for line in problems_of(FILE.replace(old, new, 1)))


def test_a_secret_by_which_nothing_can_be_signed_is_refused(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a variable with something else
    # when the file is applied, then it says so without repeating it
    with pytest.raises(InvalidConfigurationError) as caught:
        apply_text(session, FILE, sealer, now, WEBHOOK_SECRET_WEB_SHOP="hunter2")
    assert "whsec_" in str(caught.value)
    assert "hunter2" not in str(caught.value)
