"""Rounds: many people's news in one transaction, as if one after the other.

Statements serve a whole round together. People who may have to do with the same profile go in rounds of their own, so
that each finds what the one before left.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from snippets.goals import PROFILE_ID
from webapp.profiles.facts import Facts, Sought, find_facts
from webapp.profiles.linking import identifiers_to_lock


class Round(NamedTuple):
    """Numbers of people who have nothing to do with each other, and the facts about them."""

    facts: Facts
    numbers: list[int]
    is_last: bool


def in_rounds(session: Session, numbers: Sequence[int], sought: Callable[[int], Sought]) -> Iterator[Round]:
    """Yield rounds with the ``numbers``, until none is left.

    ``sought`` says what may lead to the profile of the person with this number; it is asked anew in each round. The
    caller has locked all of it, and writes what a round comes to before the next one.
    """
    waiting = numbers
    while waiting:
        sought_now = [sought(number) for number in waiting]
        facts = find_facts(session, sought_now, for_update=True)
        taken: set[tuple[str, str]] = set()
        first: list[int] = []
        later: list[int] = []
        for number, each in zip(waiting, sought_now, strict=True):
            touched = identifiers_to_lock(each)
            if facts.profiles:
                touched |= {(PROFILE_ID, found) for found in facts.candidates(each)}
            (first if taken.isdisjoint(touched) else later).append(number)
            taken |= touched  # also of one that has to wait: nobody overtakes it
        yield Round(facts, first, is_last=not later)
        waiting = later
