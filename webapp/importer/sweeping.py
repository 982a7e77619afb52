"""The sweep: users whom the tenant no longer has lose what this goal brought of them, or their profile.

It follows an export of all users. Nobody is swept for not being in a file alone: Auth0 is asked for each of them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.auth0.management_calls import ManagementCalls
from webapp.auth0.user_search import has_user, linked_user_id
from webapp.connections.import_goals import DeletionPolicy
from webapp.connections.models import Connection, ImportGoalRow
from webapp.database import Database
from webapp.importer.applying import ImportRun
from webapp.importer.clearing import Clearing, cleared_profile
from webapp.importer.memory import find_result, forget_users, imported_user_ids, keep_result, step_key
from webapp.importer.refusals import GoalChangedError
from webapp.importer.results import ImportResult
from webapp.importer.seen import SeenUsers
from webapp.profiles.definitions import read_definitions
from webapp.profiles.embedded import lock_all_identifiers
from webapp.profiles.facts import Facts, Identity, Sought, find_facts
from webapp.profiles.models import Profile, ProfileIdentity
from webapp.profiles.owners import owners_of, profile_id_of
from webapp.profiles.writing import store_profiles
from webapp.rows import delete_rows

ASKED_AT_ONCE = 20
"""Users of a step: for each of them Auth0 is asked twice or more."""


class Missing(NamedTuple):
    """A user whom Auth0 does not know any more. Who was ``is_linked`` is part of another user now.

    ``others`` are the other users of the profile, all of whom are gone too unless it ``is_shared``.
    """

    user_id: str
    is_linked: bool = False
    is_shared: bool = False
    others: frozenset[Identity] = frozenset()


class Sweep:
    """The sweep of one run. ``seen`` has every user of the export."""

    def __init__(self, database: Database, run: ImportRun, client: ManagementCalls, seen: SeenUsers) -> None:
        self._database, self._run, self._client, self._seen = database, run, client, seen
        self._absent: Iterator[str] | None = None
        self.has_somebody = False

    def objection(self) -> str:
        """Say why nobody may be swept, or nothing: an export that lacks so many may be one that went wrong.

        From then on ``has_somebody`` says if it lacks anybody.
        """
        known = absent = 0
        for user_id in self._known():
            known += 1
            absent += user_id not in self._seen
        self.has_somebody = absent > 0
        if absent * 2 <= known:
            return ""
        return (
            f"Nobody was swept: the export lacks {absent:,} of the {known:,} users whom this goal has imported. "
            "If they are gone indeed, delete what is left of them by hand."
        )

    def next_step(self) -> list[Missing] | None:
        """Return who is to be swept next, None at the end. Users whom Auth0 still has are left out."""
        if self._absent is None:
            self._absent = (user_id for user_id in self._known() if user_id not in self._seen)
        asked = list(islice(self._absent, ASKED_AT_ONCE))
        if not asked:
            return None
        gone = {user_id: linked for user_id in asked if (linked := self._look_for(user_id)) is not None}
        return [self._missing(user_id, gone) for user_id in gone]

    def apply(self, missing: Sequence[Missing], step: int, *, now: datetime) -> ImportResult:
        """Sweep users once, and return what came of it: the same again if this run has done this step before.

        Raises:
            GoalChangedError: somebody has saved the goal since, and may have thought better of it.
        """
        goal, key = self._run.goal, step_key(self._run.id, f"sweep {step}")
        with self._database.transaction() as session:
            lock_all_identifiers(session)
            if earlier := find_result(session, key):
                return earlier
            self._check_goal(session)
            result = ImportResult()
            clearing = Clearing.of(session, goal) if goal.goal.deletion_policy is DeletionPolicy.CLEAR else None
            for each in missing:
                result.swept[self._sweep(session, each, clearing, now)] += 1
            forget_users(session, goal.id, [each.user_id for each in missing])
            result.swept.pop("", None)
            keep_result(session, key, goal.id, result, now=now)
        return result

    def _check_goal(self, session: Session) -> None:
        goal = self._run.goal
        is_same = ImportGoalRow.id == goal.id, ImportGoalRow.revision == goal.goal.revision, ImportGoalRow.is_on
        if session.scalar(select(ImportGoalRow.id).join(Connection).where(*is_same, Connection.is_on)) is None:
            raise GoalChangedError("Nobody else is swept: the goal was saved or switched off meanwhile.")

    def _known(self) -> Iterator[str]:
        last = ""
        while True:
            with self._database.reading() as session:
                page = imported_user_ids(session, self._run.goal.id, after=last)
            if not page:
                return
            yield from page
            last = page[-1]

    def _look_for(self, user_id: str) -> bool | None:
        """Return None for a user whom Auth0 has, else whether he was linked to another user."""
        if has_user(self._client, user_id):
            return None
        return linked_user_id(self._client, user_id) is not None

    def _missing(self, user_id: str, gone: dict[str, bool]) -> Missing:
        """Return what becomes of a user depends on. ``gone`` are those of the step, and whether they were linked."""
        if gone[user_id]:
            return Missing(user_id, is_linked=True)
        identity = self._identity(user_id)
        with self._database.reading() as session:
            profile_id = profile_id_of(session, identity)
            others = frozenset(owners_of(session, profile_id) if profile_id else ()) - {identity}
        is_shared = any(self._is_alive(other, gone) for other in others)
        return Missing(user_id, is_shared=is_shared, others=others)

    def _is_alive(self, other: Identity, gone: dict[str, bool]) -> bool:
        issuer, subject = other
        if issuer != self._run.goal.tenant.issuer or subject in self._seen:
            return True  # of another tenant nobody can be asked here
        linked = gone[subject] if subject in gone else self._look_for(subject)
        return linked is None or linked

    def _sweep(self, session: Session, missing: Missing, clearing: Clearing | None, now: datetime) -> str:
        """Do what the goal's policy says, and return the name of the count; nothing if nobody is touched."""
        if missing.is_linked:
            return "linked"
        identity = self._identity(missing.user_id)
        facts = find_facts(session, [Sought(identity)], for_update=True)
        profile_id = facts.by_identity.get(identity)
        if profile_id is None:
            return ""
        # Whoever was linked to the profile since was not asked for.
        if missing.is_shared or not facts.owners[profile_id] - {identity} <= missing.others:
            delete_rows(session, ProfileIdentity, [identity])
            return "kept"
        if clearing is None:
            session.execute(delete(Profile).where(Profile.id == profile_id))
            return "deleted"
        return "cleared" if self._clear(session, facts, profile_id, clearing, now) else ""

    def _clear(self, session: Session, facts: Facts, profile_id: str, clearing: Clearing, now: datetime) -> bool:
        change = cleared_profile(facts.profiles[profile_id], clearing, now=now)
        if change is not None:
            store_profiles(session, [change], read_definitions(session, change.changed).identifying)
        return change is not None

    def _identity(self, user_id: str) -> Identity:
        return self._run.goal.tenant.issuer, user_id
