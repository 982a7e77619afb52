"""How long keys are believed and when they are fetched: the table of docs/operate.md, without a tenant."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tokens.issuer import key_set
from webapp.auth0.key_ages import (
    FRESH_SECONDS,
    LAST_GOOD_SECONDS,
    OUTAGE_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    UNKNOWN_KEY_SECONDS,
    Need,
    TenantKeys,
    age,
    need_of,
)
from webapp.auth0.key_fetching import MAX_BODY_BYTES, TIMEOUT_SECONDS

NOW = 1_800_000_000.0
KEYS = key_set("first")
MOMENTS = st.none() | st.floats(NOW - 2 * LAST_GOOD_SECONDS, NOW + 600)


def known(seconds_ago: float, *, failed: float | None = None, hunted: float | None = None) -> TenantKeys:
    """Return what is known when the keys came ``seconds_ago``, and a fetch ``failed`` and was a hunt so long ago."""
    return TenantKeys(
        KEYS, NOW - seconds_ago, None if failed is None else NOW - failed, None if hunted is None else NOW - hunted
    )


@pytest.mark.parametrize(
    ("state", "kid", "need"),
    [
        # nothing was ever fetched
        (TenantKeys(), "first", Need.FETCH),
        (TenantKeys(failed_at=NOW - RETRY_SECONDS + 1), "first", Need.NOTHING),
        (TenantKeys(failed_at=NOW - RETRY_SECONDS), "first", Need.FETCH),
        # keys by their age
        (known(0), "first", Need.NOTHING),
        (known(REFRESH_SECONDS - 1), "first", Need.NOTHING),
        (known(REFRESH_SECONDS), "first", Need.REFRESH),
        (known(FRESH_SECONDS - 1), "first", Need.REFRESH),
        (known(FRESH_SECONDS), "first", Need.FETCH),
        (known(FRESH_SECONDS, failed=RETRY_SECONDS), "first", Need.REFRESH),
        (known(FRESH_SECONDS, failed=RETRY_SECONDS - 1), "first", Need.NOTHING),
        (known(FRESH_SECONDS, failed=OUTAGE_SECONDS), "first", Need.FETCH),
        (known(LAST_GOOD_SECONDS - 1, failed=RETRY_SECONDS), "first", Need.REFRESH),
        (known(LAST_GOOD_SECONDS, failed=RETRY_SECONDS), "first", Need.FETCH),
        # a key that is not among them
        (known(0), "other", Need.HUNT),
        (known(0), None, Need.NOTHING),
        (known(0, hunted=UNKNOWN_KEY_SECONDS - 1), "other", Need.NOTHING),
        (known(0, hunted=UNKNOWN_KEY_SECONDS), "other", Need.HUNT),
        (known(0, failed=RETRY_SECONDS - 1), "other", Need.NOTHING),
        (known(REFRESH_SECONDS, hunted=1), "other", Need.REFRESH),
        (known(FRESH_SECONDS, failed=RETRY_SECONDS), "other", Need.REFRESH),
    ],
)
def test_what_a_token_needs_before_its_key_is_chosen(state: TenantKeys, kid: str | None, need: Need) -> None:
    assert need_of(state, kid, NOW) is need


@pytest.mark.parametrize(
    ("state", "is_believed"),
    [
        (TenantKeys(), False),
        (known(FRESH_SECONDS - 1), True),
        (known(FRESH_SECONDS), False),
        (known(FRESH_SECONDS, failed=OUTAGE_SECONDS - 1), True),
        (known(FRESH_SECONDS, failed=OUTAGE_SECONDS), False),
        (known(LAST_GOOD_SECONDS - 1, failed=1), True),
        (known(LAST_GOOD_SECONDS, failed=1), False),
    ],
)
def test_old_keys_are_believed_only_in_an_outage_and_for_a_day(state: TenantKeys, is_believed: bool) -> None:
    assert state.is_believed(NOW) == is_believed


@given(MOMENTS, MOMENTS, MOMENTS, st.sampled_from(["first", "other", None]))
def test_nothing_believes_keys_for_longer_than_the_bounds(
    fetched_at: float | None, failed_at: float | None, hunted_at: float | None, kid: str | None
) -> None:
    # given any history
    state = TenantKeys(KEYS, fetched_at, failed_at, hunted_at)
    # then keys that are older than ten minutes need a failure of the last minute, and keys of a day help nobody
    if state.is_believed(NOW):
        assert fetched_at is not None
        assert NOW - fetched_at < LAST_GOOD_SECONDS
        assert NOW - fetched_at < FRESH_SECONDS or (failed_at is not None and NOW - failed_at < OUTAGE_SECONDS)
    # and a token waits only for what it cannot do without
    need = need_of(state, kid, NOW)
    if need is Need.FETCH:
        assert not state.is_believed(NOW)
    if need is Need.HUNT:
        assert state.keys.find(kid) is None
    # and nothing is fetched right after a failure
    if need is not Need.NOTHING:
        assert age(failed_at, NOW) >= RETRY_SECONDS


def test_the_bounds_are_those_of_the_docs() -> None:
    # given the table that operators read
    text = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
    table = text.partition("## The tenant's signing keys")[2].partition("\n## ")[0]
    # then each bound in it is the one that holds
    for bound in (
        f"are {REFRESH_SECONDS // 60} minutes old",
        f"at most {FRESH_SECONDS // 60} minutes after it is revoked",
        f"until they are {LAST_GOOD_SECONDS // 3600} hours old",
        f"every {RETRY_SECONDS} seconds",
        f"has {TIMEOUT_SECONDS:g} seconds for everything and {MAX_BODY_BYTES // 1024} KiB",
        f"each for at most {TIMEOUT_SECONDS + 1:g} seconds",
    ):
        assert bound in table
    # and a minute is one
    assert (OUTAGE_SECONDS, UNKNOWN_KEY_SECONDS) == (60, 60)
    assert table.count("at most a minute") + table.count("at most once a minute") == 2


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(None, math.inf), (NOW - 5, 5.0), (NOW, 0.0), (NOW + 60, 0.0), (NOW + 61, math.inf)],
)
def test_a_clock_that_is_set_back_makes_old_news_and_not_eternally_fresh_news(
    moment: float | None, expected: float
) -> None:
    assert age(moment, NOW) == expected
