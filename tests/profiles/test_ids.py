import uuid
from collections.abc import Callable

import pytest

from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.profiles.ids import new_id, new_ids


def test_an_id_is_a_uuid_that_browsers_may_name() -> None:
    # when an id is made
    made = new_id()
    # then it is one of RFC 9562, version 7
    assert uuid.UUID(made).version == 7
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert PROFILE_ID_PATTERN.fullmatch(made)


@pytest.fixture(params=["one by one", "many"])
def make_id(request: pytest.FixtureRequest) -> Callable[[], str]:
    return new_id if request.param == "one by one" else new_ids().__next__


def test_later_ids_are_greater_and_none_comes_twice(
    monkeypatch: pytest.MonkeyPatch, make_id: Callable[[], str]
) -> None:
    # given moments one after the other
    moments = iter(range(1_700_000_000_000, 1_700_000_001_000))
    monkeypatch.setattr("time.time_ns", lambda: next(moments) * 1_000_000)
    # when ids are made
    made = [make_id() for _ in range(1000)]
    # then they are in that order
    assert made == sorted(set(made))


def test_ids_of_one_moment_differ_in_what_nobody_guesses(
    monkeypatch: pytest.MonkeyPatch, make_id: Callable[[], str]
) -> None:
    # given a clock that stands still
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    # when ids are made
    numbers = [uuid.UUID(make_id()).int for _ in range(1000)]
    # then each of the 74 bits takes both values, and only those
    differing = 0
    for number in numbers:
        differing |= number ^ numbers[0]
    assert differing.bit_count() == 74
