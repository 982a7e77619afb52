"""Filling the embedded profile store with millions of people, by SQL of its own: the service would take hours."""

import json

from sqlalchemy import create_engine, text

from tools.bench.world import GOAL_NAME, INTERESTS, POINTS, SPREAD, Tenant

_DIALECTS = {
    "sqlite": {
        "prepare": "PRAGMA synchronous = OFF",
        "numbers": "SELECT :first AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < :last",
        "hex8": "printf('%08x', spread)",
        "hex16": "printf('%016x', n)",
        "json": "TEXT",
        "moment": "TEXT",
        "tidy": "PRAGMA wal_checkpoint(TRUNCATE)",
    },
    "postgresql": {
        "prepare": "SET session_replication_role = replica",  # foreign keys are right by construction
        "numbers": "SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n",
        "hex8": "lpad(to_hex(spread), 8, '0')",
        "hex16": "lpad(to_hex(n), 16, '0')",
        "json": "JSONB",
        "moment": "TIMESTAMPTZ",
        "tidy": "VACUUM ANALYZE",
    },
}
# In the order of the keys, so that the indexes grow at their ends.
_PEOPLE = f"""
    WITH RECURSIVE numbers AS ({{numbers}}),
    spread AS (SELECT n, n * {SPREAD} % 4294967296 AS spread FROM numbers),
    people AS (
        SELECT
            {{hex8}} || '-' || {{hex16}} AS profile_id,
            'auth0|' || {{hex8}} || {{hex16}} AS user_id,
            {{hex8}} || '-' || n || '@bench.example' AS email,
            n
        FROM spread ORDER BY spread
    )
"""
_INSERTS = (
    """INSERT INTO profiles (id, properties, created_at, modified_at)
    SELECT profile_id,
        CAST(replace(replace(replace(:properties, 'USER_ID', user_id), 'EMAIL', email), 'NUMBER', n || '') AS {json}),
        CAST(:long_ago AS {moment}), CAST(:long_ago AS {moment})
    FROM people""",
    """INSERT INTO profile_identifiers (property_id, value, profile_id)
    SELECT 'auth0_user_id', user_id, profile_id FROM people""",
    """INSERT INTO profile_identifiers (property_id, value, profile_id)
    SELECT 'email', email, profile_id FROM people""",
    """INSERT INTO profile_identities (issuer, subject, profile_id)
    SELECT CAST(:issuer AS TEXT), user_id, profile_id FROM people""",
)
_LONG_AGO = "2026-01-01 00:00:00.000000"


def fill(database_url: str, issuer: Tenant, people: range) -> None:
    """Store the profiles of these people, as if each had logged in once, long ago."""
    engine = create_engine(database_url)
    words = _DIALECTS[engine.dialect.name]
    values = {
        "first": people.start,
        "last": people.stop - 1,
        "properties": json.dumps(_properties()),
        "issuer": issuer.issuer,
        "long_ago": _LONG_AGO,
    }
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(words["prepare"]))
        for insert in _INSERTS:
            connection.execute(text((_PEOPLE + insert).format(**words)), values)
        connection.execute(text(words["tidy"]))
    engine.dispose()


def _properties() -> dict[str, dict[str, object]]:
    values = {
        "auth0_user_id": ["USER_ID"],
        "email": ["EMAIL"],
        "first_name": ["Ada"],
        "last_name": ["Number NUMBER"],
        "plan": ["bronze"],
        "interests": INTERESTS[0],
        "segments": ["a", "b"],
        "points": [str(POINTS[0])],
    }
    return {
        name: {"values": found, "source": f"Web goal {GOAL_NAME}", "changed": 1_767_225_600_000}
        for name, found in values.items()
    }
