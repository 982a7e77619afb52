"""What becomes of a chunk's users: planned in rounds, counted, and the new ones of many written on the way."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy.orm import Session

from webapp.importer.mapping import MappedUser
from webapp.importer.planning import Candidate, Terms, plan_user
from webapp.importer.results import ImportResult
from webapp.profiles.facts import Facts, Identity
from webapp.profiles.store import ProfileState
from webapp.profiles.writing import (
    ProfileChange,
    link_identities,
    link_new_identities,
    store_identifiers,
    store_new_profiles,
    store_profiles,
)
from webapp.rows import Row

_APPLIED = frozenset({ProfileState.CREATED, ProfileState.MODIFIED, ProfileState.UNCHANGED})
_WRITTEN = frozenset({ProfileState.CREATED, ProfileState.MODIFIED})


class Unwritten(NamedTuple):
    """What is still to be written of a round, `together` with all else of it.

    ``new_identifiers`` are the rows that find new profiles, which were written themselves. ``identities`` say whose
    profiles are, ``new_identities`` do it for users who had none before.
    """

    changes: Sequence[ProfileChange]
    identities: Mapping[Identity, str]
    new_identifiers: Sequence[Row] = ()
    new_identities: Mapping[Identity, str] = MappingProxyType({})

    def write(self, session: Session, identifying: frozenset[str]) -> None:
        """Write it. ``identifying`` are the properties by which profiles are found."""
        store_identifiers(session, self.new_identifiers)
        link_new_identities(session, self.new_identities)
        store_profiles(session, self.changes, identifying)
        link_identities(session, self.identities)


class Ledger:
    """The users of one transaction, and what has become of them so far. ``applied`` has them by their ids."""

    def __init__(self, session: Session, terms: Terms, result: ImportResult) -> None:
        self._session = session
        self._terms = terms
        self._result = result
        self.applied: dict[str, MappedUser] = {}

    def apply_round(self, facts: Facts, candidates: Sequence[Candidate], *, are_many: bool) -> Unwritten:
        """Plan users who have nothing to do with each other, and return what is still to be written.

        New profiles are written here where they ``are_many``, while those after them are still planned.
        """
        identities: dict[Identity, str] = {}
        changes = self._plan(facts, candidates, identities)
        if not are_many:
            return Unwritten(list(changes), identities)
        others: list[ProfileChange] = []
        identifying = self._terms.mapper.definitions.identifying
        identifiers = store_new_profiles(self._session, _only_new(changes, others), identifying)
        moved = {each: identities.pop(each) for each in facts.by_identity.keys() & identities.keys()}
        return Unwritten(others, moved, identifiers, identities)

    def _plan(
        self, facts: Facts, candidates: Sequence[Candidate], identities: dict[Identity, str]
    ) -> Iterator[ProfileChange]:
        """Yield what is to be written of profiles, and note whose they are in ``identities``, where that is news."""
        newest: list[str] = []
        for candidate in candidates:
            user_id = candidate.user.user_id
            if (last := self.applied.get(user_id)) is not None:  # the same user came before, in this very chunk
                candidate = candidate._replace(has_new_sums=last.sums != candidate.user.sums)  # noqa: PLW2901
            state, profile_id, change, problems, conflict = plan_user(candidate, facts, self._terms)
            if problems:
                self._result.note(problems)
            if conflict is not None:
                self._result.conflicts.append(conflict)
            if state is None:
                self._result.invalid += 1
                continue
            self._result.states[state] += 1
            if state in _APPLIED and profile_id is not None:
                self.applied[user_id] = candidate.user
                identity = candidate.sought.identity
                if facts.by_identity.get(identity) != profile_id:
                    identities[identity] = profile_id
                if state in _WRITTEN:
                    newest.append(profile_id)
            if change is not None:
                yield change
        self._result.note_newest(newest)


def _only_new(changes: Iterable[ProfileChange], others: list[ProfileChange]) -> Iterator[ProfileChange]:
    """Yield those of new profiles, and add the ``others`` to the list."""
    for change in changes:
        if change.before is None:
            yield change
        else:
            others.append(change)
