"""How long ago, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from webapp.moments import ago

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=30), "30 days ago"),
        (timedelta(days=31), "2026-10-22"),
    ],
)
def test_a_moment_is_said_in_the_longest_unit_that_fits(age: timedelta, words: str) -> None:
    assert ago(NOW - age, NOW) == words
