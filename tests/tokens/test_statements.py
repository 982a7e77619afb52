"""What a post asks of the database: the same few statements for many posts, each led by an index."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.tokens.conftest import Shop
from webapp import rows
from webapp.connections.live_goals import live_goal
from webapp.database import run_by_driver
from webapp.tokens.receipts import SWEEP_LIMIT, sweep_receipts, token_digest
from webapp.tokens.sync import Post, apply_posts
from webapp.tokens.verification import VerifiedClaims

VERIFIED = {"email": "ann@example.org", "email_verified": True}
NO_STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK")

Statement = tuple[str, Any, bool]
"""Its text, its parameters, and whether these are many."""


@contextmanager
def noted_statements(shop: Shop) -> Iterator[list[Statement]]:
    """Note every statement that is sent in the block."""
    sent: list[Statement] = []

    def note(*arguments: Any) -> None:
        if not arguments[2].startswith(NO_STATEMENTS):
            sent.append((arguments[2], arguments[3], arguments[5]))

    def note_and_run(connection: Connection, statement: str, parameters: Sequence[object]) -> Any:
        sent.append((statement, tuple(parameters), False))
        return run_by_driver(connection, statement, parameters)

    event.listen(shop.database.engine, "before_cursor_execute", note)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "run_by_driver", note_and_run)
        yield sent
    event.remove(shop.database.engine, "before_cursor_execute", note)


def table_scans(shop: Shop, statements: Sequence[Statement]) -> list[str]:
    """Return the steps of the database's plans that read a whole table."""
    found = []
    with shop.database.transaction() as session:
        connection = session.connection()
        for statement, parameters, is_many in statements:
            explain = "EXPLAIN QUERY PLAN " if shop.database.is_sqlite else "EXPLAIN "
            plan = connection.exec_driver_sql(explain + statement, parameters[0] if is_many else parameters)
            steps = [str(row[-1]) for row in plan]
            found += [
                step
                for step in steps
                if re.search(r"^SCAN (?!(\d+ )?CONSTANT|wanted)|Seq Scan on|Hash Join|Merge Join", step)
            ]
    return found


def make_posts(shop: Shop, people: Sequence[str], number: int) -> list[Post]:
    with shop.app.app_context():
        goal = live_goal(shop.goal.key)
    now = datetime.now(UTC)
    posts = []
    for person in people:
        claims = {**VERIFIED, "email": f"{person}@example.org", "name": person, "n": number}
        verified = VerifiedClaims(goal.tenant.issuer, f"auth0|{person}", (), claims, now + timedelta(hours=1), now)
        posts.append(Post(goal, verified, token_digest(f"{person}{number}"), f"profile-{person}", now))
    return posts


def test_no_statement_of_a_post_reads_a_whole_table(shop: Shop) -> None:
    # given posts of new people, of known ones with another address, and repeats
    with noted_statements(shop) as statements:
        for number, people in enumerate((["ann", "bob"], ["ann", "bob", "eve"])):
            with shop.database.transaction() as session:
                apply_posts(session, make_posts(shop, people, number))
        with shop.database.transaction() as session:
            apply_posts(session, make_posts(shop, ["ann", "bob"], 0))
        with shop.database.transaction() as session:
            sweep_receipts(session, now=datetime.now(UTC) + timedelta(days=1), limit=SWEEP_LIMIT)
    # when the database is asked how it does them
    assert len(statements) > 20
    # then an index leads to each row
    assert table_scans(shop, statements) == []


def test_many_posts_take_as_many_statements_as_one(shop: Shop) -> None:
    counts = []
    for number, count in enumerate((1, 16)):
        posts = make_posts(shop, [f"p{number}-{each}" for each in range(count)], 1)
        with noted_statements(shop) as statements, shop.database.transaction() as session:
            apply_posts(session, posts)
        counts.append(len([each for each in statements if "keep_until <" not in each[0]]))
    assert counts[0] == counts[1] <= 12
