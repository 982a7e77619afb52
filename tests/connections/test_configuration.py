from datetime import datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.models import AuditEntry
from webapp.connections.configuration import Applied, apply_configuration, export_configuration
from webapp.connections.configuration_file import InvalidConfigurationError, read_configuration, read_yaml
from webapp.connections.models import Connection, Goal
from webapp.connections.saving import Change
from webapp.sealing import Sealer
from webapp.settings import Settings

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "web-goal.yaml"
PUBLIC_URL = "https://websync.example.com"
SECRETS = {"AUTH0_CLIENT_SECRET": "s3cret", "AUTH0_CLIENT_SECRET_WEB_SHOP": "s3cret"}


@pytest.fixture
def sealer(settings: Settings) -> Sealer:
    return Sealer(settings.keys)


def apply_text(session: Session, text: str, sealer: Sealer, now: datetime, **environment: str) -> list[Applied]:
    wanted = read_configuration(read_yaml(text), public_url=PUBLIC_URL, allow_loopback=False)
    return apply_configuration(session, wanted, Change("cli", now), environment=SECRETS | environment, sealer=sealer)


def problems_of(text: str) -> list[str]:
    with pytest.raises(InvalidConfigurationError) as caught:
        read_configuration(read_yaml(text), public_url=PUBLIC_URL, allow_loopback=False)
    return str(caught.value).splitlines()


def test_the_example_makes_a_connection_and_its_goal(session: Session, sealer: Sealer, now: datetime) -> None:
    # given the example that ships with Websync
    # when it is applied
    applied = apply_text(session, EXAMPLE.read_text(encoding="utf-8"), sealer, now)
    # then both are there, the secret is sealed, and the audit log knows
    assert [(change.kind, change.state) for change in applied] == [("connection", "created"), ("goal", "created")]
    assert applied[1].key == "web-shop-1"
    goal = session.scalars(select(Goal)).one()
    assert [row.auth0_field for row in goal.mappings][:2] == ["email", "given_name"]
    sealed = goal.connection.sealed_client_secret
    assert sealed is not None
    assert "s3cret" not in sealed
    assert sealer.unseal(sealed) == "s3cret"
    assert [entry.action for entry in session.scalars(select(AuditEntry))] == ["created", "created"]


def test_applying_the_same_file_again_changes_nothing(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file that was applied
    text = EXAMPLE.read_text(encoding="utf-8")
    apply_text(session, text, sealer, now)
    # when it is applied once more
    applied = apply_text(session, text, sealer, now)
    # then nothing grows
    assert {change.state for change in applied} == {"unchanged"}
    assert session.scalars(select(Goal)).one().revision == 1
    assert session.scalars(select(Connection)).one().version == 1


def test_a_changed_mapping_makes_the_next_revision(session: Session, sealer: Sealer, now: datetime) -> None:
    # given an applied file in which one strategy changes
    text = EXAMPLE.read_text(encoding="utf-8")
    apply_text(session, text, sealer, now)
    # when the changed file is applied
    applied = apply_text(session, text.replace("strategy: add", "strategy: set"), sealer, now)
    # then only the goal has changed
    assert [change.state for change in applied] == ["unchanged", "updated"]
    assert session.scalars(select(Goal)).one().revision == 2


def test_a_rotated_secret_is_stored(session: Session, sealer: Sealer, now: datetime) -> None:
    # given an applied file
    text = EXAMPLE.read_text(encoding="utf-8")
    apply_text(session, text, sealer, now)
    # when the variable has another secret
    applied = apply_text(session, text, sealer, now, AUTH0_CLIENT_SECRET="another")
    # then the connection has it
    assert applied[0].state == "updated"
    assert sealer.unseal(session.scalars(select(Connection)).one().sealed_client_secret or "") == "another"


def test_a_stored_secret_is_not_sent_to_another_tenant(session: Session, sealer: Sealer, now: datetime) -> None:
    # given an applied file, whose domain then becomes another without naming a secret
    text = EXAMPLE.read_text(encoding="utf-8")
    apply_text(session, text, sealer, now)
    moved = text.replace("acme.eu.auth0.com", "other.eu.auth0.com")
    without_secret = moved.replace("      client_secret: {env: AUTH0_CLIENT_SECRET}\n", "")
    # when it is applied
    with pytest.raises(InvalidConfigurationError, match=r"auth0\.client_secret: The domain has changed"):
        apply_text(session, without_secret, sealer, now)
    # then it is refused; with the secret named it is applied
    assert apply_text(session, moved, sealer, now)[0].state == "updated"


def test_a_secret_is_sealed_anew_after_a_rotation_of_keys(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a secret sealed with a key that is no longer the newest, or is gone
    text = EXAMPLE.read_text(encoding="utf-8")
    apply_text(session, text, sealer, now)
    newest = Fernet.generate_key().decode()
    # when the file is applied with the newest key alone, twice
    states = [apply_text(session, text, Sealer([newest]), now)[0].state for _ in range(2)]
    # then the first seals the secret anew, and the second has nothing to do
    assert states == ["updated", "unchanged"]
    assert Sealer([newest]).unseal(session.scalars(select(Connection)).one().sealed_client_secret or "") == "s3cret"


def test_a_domain_is_stored_as_the_pages_store_it(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file with the domain as somebody copied it
    text = EXAMPLE.read_text(encoding="utf-8").replace("acme.eu.auth0.com", "https://ACME.eu.auth0.com/")
    # when it is applied
    apply_text(session, text, sealer, now)
    # then the next save on the page finds nothing changed
    assert session.scalars(select(Connection)).one().auth0_domain == "acme.eu.auth0.com"


def test_an_export_can_be_applied_and_changes_nothing(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a stored connection
    apply_text(session, EXAMPLE.read_text(encoding="utf-8"), sealer, now)
    # when it is exported and applied again
    text = export_configuration(session, public_url=PUBLIC_URL)
    applied = apply_text(session, text, sealer, now)
    # then nothing changed, and no secret was written
    assert {change.state for change in applied} == {"unchanged"}
    assert "s3cret" not in text
    assert "env: AUTH0_CLIENT_SECRET_WEB_SHOP" in text


def test_a_secret_whose_variable_is_missing_is_named(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file that refers to a variable which nobody set
    text = EXAMPLE.read_text(encoding="utf-8").replace("env: AUTH0_CLIENT_SECRET", "env: NOT_SET")
    # when it is applied
    with pytest.raises(InvalidConfigurationError, match="NOT_SET is not set") as caught:
        apply_text(session, text, sealer, now)
    # then the message also says where
    assert str(caught.value).startswith("connections[1].auth0.client_secret:")


def test_a_goal_of_another_connection_is_not_taken_over(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a goal with a key
    text = EXAMPLE.read_text(encoding="utf-8")
    apply_text(session, text, sealer, now)
    # when another connection's goal claims the same key
    with pytest.raises(InvalidConfigurationError, match=r"goals\[1\]\.key"):
        apply_text(session, text.replace("name: Web shop", "name: Another shop"), sealer, now)
    # then the first connection still has it
    assert session.scalars(select(Goal)).one().connection.name == "Web shop"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("domain: acme.eu.auth0.com", "domain: http://localhost:8001", "connections[1].auth0.domain: Only https"),
        ("domain: acme.eu.auth0.com", "domain: 169.254.169.254", "connections[1].auth0.domain: The tenant's domain"),
        (
            "client_secret: {env: AUTH0_CLIENT_SECRET}",
            "client_secret: s3",
            "connections[1].auth0.client_secret: Secrets",
        ),
        ("labels: [shop, production]", "labels: shop", "connections[1].labels: Must be a list."),
        ("labels: [shop, production]", "labels: [1]", "connections[1].labels: Must be a list of texts."),
        ("    labels:", "    lables:", "connections[1].lables: Unknown; known are"),
        ("labels: [shop, production]", 'labels: ["a,b"]', "connections[1].labels: At most 20 labels"),
        ("name: Web shop", f"name: {'x' * 201}", "connections[1].name: At most 200 characters."),
        ("client_id: dGhl", f"client_id: {'x' * 256}", "connections[1].auth0.client_id: At most 255 characters."),
        ("kind: web", "kind: batch", "connections[1].goals[1].kind: Must be web or import."),
        ("strategy: add", "strategy: plus", "connections[1].goals[1].mappings[5].strategy: Must be one of"),
        ("auth0_field: nickname", "auth0_field: last_login", "connections[1].goals[1].mappings[3].auth0_field: Auth0"),
        ("name: Web shop", "name: 7", "connections[1].name: Must be text"),
        ("name: Web shop", 'name: "a\\0b"', "connections[1].name: Must not hold a NUL character."),
        ("name: Sync web data", 'name: "a\\0b"', "connections[1].goals[1].name: Must not hold a NUL character."),
        ("description: V", "enabled: maybe\n    description: V", "connections[1].enabled: Must be true or false."),
    ],
)
def test_a_mistake_in_the_file_is_named_at_its_place(old: str, new: str, line: str) -> None:
    # given the example with one mistake
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    # when it is read
    lines = problems_of(text.replace(old, new, 1))
    # then the one line says where and what
    assert len(lines) == 1
    assert lines[0].startswith(line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not good YAML"),
        ("connections: &a [*a]", "aliases are not allowed"),
        ("connections: []\nconnections: []", "'connections' is there twice"),
        ("connections: !!python/object/apply:os.system [id]", "not good YAML"),
        ("just text", "needs the key connections"),
        ("x" * 1_000_001, "larger than 1,000,000 bytes"),
    ],
)
def test_a_hostile_or_broken_file_is_refused(text: str, message: str) -> None:
    # given a file that is no configuration
    # when it is read, then it says so
    assert message in "\n".join(problems_of(text))


def test_two_connections_of_one_name_are_refused() -> None:
    # given a file that has a connection twice
    one = "{name: A, auth0: {domain: a.auth0.com}}"
    # when it is read
    lines = problems_of(f"connections: [{one}, {one}]")
    # then the second is named
    assert lines == ["connections[2].name: 'A' is in the file twice."]


OBJECTIVES = """
objectives:
  - id: marketing
    name: Marketing
    description: Letters that you like.
    legislations: [UK_GDPR, GDPR, CCPA]
  - {id: statistics, name: Statistics, legislations: [GDPR, CCPA]}
opt_out_zones: [CCPA]
connections:
  - name: Shop
    auth0: {domain: acme.eu.auth0.com}
    objectives: [statistics, marketing]
    goals:
      - kind: web
        name: Web goal
        key: web-shop-1
        claim_namespace: https://shop.example/claims/
        client_ids: [shop]
        allowed_origins: [https://shop.example]
        links: [{auth0_field: user_id, profile_property: auth0_user_id}]
"""
RULE = {"objectives": ["marketing", "statistics"], "opt_in": ["GDPR"], "opt_out": ["CCPA"]}


def test_a_file_brings_its_objectives_to_an_empty_installation(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file with objectives, zones, and a connection that has them
    # when it is applied twice
    applied = [apply_text(session, OBJECTIVES, sealer, now) for _ in range(2)]
    # then they are there, the goal knows what they come to from its first revision on, and the second time is quiet
    assert [(each.kind, each.key) for each in applied[0]][:2] == [
        ("objective", "marketing"),
        ("objective", "statistics"),
    ]
    assert [{each.state for each in each_time} for each_time in applied] == [{"created"}, {"unchanged"}]
    goal = session.scalars(select(Goal)).one()
    assert (goal.revision, goal.consent) == (1, RULE)
    assert goal.connection.objectives == ["marketing", "statistics"]


def test_exported_objectives_can_be_applied_elsewhere(
    session: Session, database_url: str, sealer: Sealer, now: datetime
) -> None:
    # given an installation with objectives
    apply_text(session, OBJECTIVES, sealer, now)
    # when its export is read
    exported = export_configuration(session, public_url=PUBLIC_URL)
    wanted = read_configuration(read_yaml(exported), public_url=PUBLIC_URL, allow_loopback=False)
    # then it says the same, and applying it changes nothing
    assert wanted == read_configuration(read_yaml(OBJECTIVES), public_url=PUBLIC_URL, allow_loopback=False)
    assert apply_text(session, exported, sealer, now)[0].state == "unchanged"


def test_changed_objectives_reach_the_goals(session: Session, sealer: Sealer, now: datetime) -> None:
    # given an applied file
    apply_text(session, OBJECTIVES, sealer, now)
    # when an objective and the connection's list change, and the zones are not named
    changed = OBJECTIVES.replace("objectives: [statistics, marketing]", "objectives: [marketing]")
    changed = changed.replace("[UK_GDPR, GDPR, CCPA]", "[UK_GDPR, CCPA]").replace("opt_out_zones: [CCPA]\n", "")
    applied = apply_text(session, changed, sealer, now)
    # then the goal follows, and the zones stay
    assert [each.state for each in applied] == ["updated", "unchanged", "updated", "unchanged"]
    goal = session.scalars(select(Goal)).one()
    assert goal.consent == {"objectives": ["marketing"], "opt_in": ["UK_GDPR"], "opt_out": ["CCPA"]}


def test_an_objective_that_nobody_defined_is_told_at_its_place(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file whose connection has an objective that neither the file nor the store knows
    text = OBJECTIVES.replace("[statistics, marketing]", "[statistics, marketting]")
    # when it is applied, then it is refused with the place
    message = r"connections\[1\]\.objectives: There is no objective marketting\. Define it in the file"
    with pytest.raises(InvalidConfigurationError, match=message):
        apply_text(session, text, sealer, now)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: marketing", "id: my marketing", "objectives[1].id: Letters, digits, - and _ only (at most 100)."),
        ("id: marketing", "id: zones", "objectives[1].id: This id is reserved."),
        ("id: statistics", "id: marketing", "objectives[2].id: 'marketing' is in the file twice."),
        ("name: Statistics", "title: Statistics", "objectives[2].name: Is missing."),
        ("[UK_GDPR, GDPR, CCPA]", "[ATLANTIS]", "objectives[1].legislations: ATLANTIS: no legislation zone"),
        ("[UK_GDPR, GDPR, CCPA]", "[{a: b}]", "objectives[1].legislations: {'a': 'b'}: no legislation zone"),
        ("opt_out_zones: [CCPA]", "opt_out_zones: CCPA", "opt_out_zones: Must be a list."),
        ("[statistics, marketing]", "[5]", "connections[1].objectives: Must be a list of objectives' ids."),
        ("[statistics, marketing]", str([f"o{n}" for n in range(21)]), "objectives: At most 20 objectives."),
        ("opt_out_zones:", "zones:", "zones: Unknown; known are connections, objectives, opt_out_zones."),
        ("        name: Web goal\n", "        name: Web goal\n        consent: {}\n", "goals[1].consent: Unknown"),
    ],
)
def test_mistakes_about_objectives_are_told_at_their_place(old: str, new: str, expected: str) -> None:
    assert any(expected in problem for problem in problems_of(OBJECTIVES.replace(old, new)))


SCHEDULED = """
connections:
  - name: Web shop
    auth0: {domain: acme.eu.auth0.com}
    schedule: {kind: weekdays, weekdays: [friday, monday], at: 13:30, time_zone: Europe/Amsterdam, run_missed: false}
"""


def test_a_schedule_is_carried_by_the_file(session: Session, sealer: Sealer, now: datetime) -> None:
    # given a file with a schedule, applied
    apply_text(session, SCHEDULED, sealer, now)
    # when it is exported, then the schedule is there, and applying either again changes nothing
    exported = export_configuration(session, public_url=PUBLIC_URL)
    assert "kind: weekdays" in exported
    assert "at: '13:30'" in exported
    assert "run_missed: false" in exported
    for text in (SCHEDULED, exported):
        assert {each.state for each in apply_text(session, text, sealer, now)} == {"unchanged"}
    # and without one it stays, and another is an update that the audit log knows
    (unnamed,) = apply_text(session, SCHEDULED.partition("    schedule")[0], sealer, now)
    (changed,) = apply_text(session, SCHEDULED.replace("13:30", '"14:30"'), sealer, now)
    assert (unnamed.state, changed.state) == ("unchanged", "updated")
    actions = [entry.action for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert actions == ["created", "scheduled", "scheduled"]


def test_mistakes_of_a_schedule_are_told_at_their_place() -> None:
    # given a file with schedules that cannot be
    text = SCHEDULED.replace("at: 13:30", 'at: "25:00"')
    # when it is read, then each mistake is told where it stands
    assert problems_of(text) == [
        "connections[1].schedule.at: Write the time of day as hours and minutes: 03:00.",
    ]
    text = "connections: [{name: X, auth0: {domain: acme.auth0.com}, schedule: {kind: cron, cron: never, every: day}}]"
    assert len(problems_of(text)) == 2
    assert all(line.startswith("connections[1].schedule.") for line in problems_of(text))
