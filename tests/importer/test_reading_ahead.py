"""Reading ahead: the same items in the same order, whoever reads them."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.importer.reading import UnreadableFileError
from webapp.importer.reading_ahead import ReadAhead


@given(st.lists(st.booleans(), max_size=8))
def test_the_items_are_the_same_however_often_they_are_read_beforehand(begun: list[bool]) -> None:
    # given as many items as there are moments, at some of which the next one is begun
    taken: list[int | None] = []
    prepared: list[int] = []
    ahead = ReadAhead(iter(range(len(begun))), prepared.append)
    for is_begun in begun:
        if is_begun:
            ahead.begin()
            ahead.begin()
        taken.append(ahead.take())
    # then each comes once, prepared if it was read beforehand, and then none
    assert taken == list(range(len(begun)))
    assert prepared == [number for number, is_begun in enumerate(begun) if is_begun]
    assert [ahead.take(), ahead.take()] == [None, None]


def ignore(item: object) -> None:
    """Prepare nothing."""


def test_what_is_read_beforehand_holds_nobody_up() -> None:
    # given an item that takes as long as it likes
    may_come = threading.Event()

    def items() -> Iterator[str]:
        assert may_come.wait(10)
        yield "late"

    ahead = ReadAhead(items(), ignore)
    # when it is begun, then whoever did so goes on, and gets it at last
    ahead.begin()
    may_come.set()
    assert ahead.take() == "late"


def test_an_error_comes_where_the_item_would_be_taken() -> None:
    def items() -> Iterator[str]:
        yield "first"
        raise UnreadableFileError("it breaks off")

    # given a file that breaks off after its first item
    ahead = ReadAhead(items(), ignore)
    ahead.begin()
    assert ahead.take() == "first"
    # when the next one is read beforehand, then nothing is raised there
    ahead.begin()
    ahead.join()
    ahead.begin()
    with pytest.raises(UnreadableFileError):
        ahead.take()
    assert ahead.take() is None
