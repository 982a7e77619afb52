"""Makes valid data for tests: each says only what it is about."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from snippets.consent import ConsentRule
from snippets.goals import PROFILE_ID, Direction, IdentifierLink, Mapping, MergeStrategy, WebGoal
from webapp.connections.import_goals import ImportGoal, ImportMapping
from webapp.profiles.definitions import read_definitions
from webapp.profiles.facts import Identity, Sought, StoredProfile, find_facts
from webapp.profiles.merging import Rule, merge
from webapp.profiles.writing import ProfileChange, changed_profile, store_profiles

NOBODY: Identity = ("", "")


def make_goal(**changes: Any) -> WebGoal:
    """Return a web goal with one mapping (``user_metadata.plan`` to ``plan``), changed as told."""
    fields: dict[str, Any] = {
        "key": "shop-goal",
        "name": "Shop visitors",
        "public_url": "https://websync.example",
        "claim_namespace": "https://shop.example/claims/",
        "mappings": (Mapping("user_metadata.plan", "plan"),),
        "links": (IdentifierLink("user_id", "auth0_user_id"),),
        "client_ids": ("shop-client",),
        "allowed_origins": ("https://shop.example",),
    }
    return WebGoal(**fields | changes)


CONSENT = ConsentRule(("marketing_objective", "statistics"), ("GDPR", "SWITZERLAND_DPA", "UK_GDPR"), ("CCPA",))
"""Two objectives, with a zone of each mode."""


def to_auth0(field: str, profile_property: str, strategy: MergeStrategy = MergeStrategy.SET) -> Mapping:
    """Return a row whose value travels from the profile to ``user_metadata``."""
    return Mapping(field, profile_property, Direction.TO_AUTH0, strategy)


def make_full_goal(**changes: Any) -> WebGoal:
    """Return a goal that makes every kind of code use all it has: both directions, every strategy, the profile id."""
    fields: dict[str, Any] = {
        "name": "Shop visitors, everything",
        "revision": 7,
        "mappings": (
            Mapping("email", "email"),
            Mapping("user_metadata.plan", "plan", strategy=MergeStrategy.SET_IF_EMPTY),
            Mapping("nickname", "nickname", strategy=MergeStrategy.SET_OR_CLEAR),
            Mapping("authorization.roles", "roles", strategy=MergeStrategy.ADD),
            Mapping("logins_count", "logins", strategy=MergeStrategy.SUM),
            to_auth0("user_metadata.newsletter", "newsletter"),
            to_auth0("user_metadata.interests.categories", "favouriteCategory", MergeStrategy.ADD),
            to_auth0("user_metadata.interests.first", "first_visit", MergeStrategy.SET_IF_EMPTY),
        ),
        "links": (IdentifierLink("user_metadata.bc_profile_id", PROFILE_ID), IdentifierLink("email", "email")),
    }
    return make_goal(**fields | changes)


def write_profile(
    session: Session, profile_id: str, rules: Sequence[Rule], *, now: datetime, source: str = "Test"
) -> tuple[str, ...]:
    """Merge ``rules`` into a profile, which is made if it is missing; return what has changed, sorted."""
    known = find_facts(session, [Sought(NOBODY, profile_ids=frozenset({profile_id}))], for_update=True).profiles
    before = known.get(profile_id) or StoredProfile(profile_id, now)
    changed = merge(before.values, rules).changed
    after = changed_profile(before, changed, source=source, now=now)
    change = ProfileChange(known.get(profile_id), after, changed)
    store_profiles(session, [change], read_definitions(session, changed).identifying)
    return tuple(sorted(changed))


def make_import_goal(**changes: Any) -> ImportGoal:
    """Return an import goal with one mapping (``user_metadata.plan`` to ``plan``), changed as told."""
    fields: dict[str, Any] = {
        "key": "import-goal",
        "name": "Import users",
        "mappings": (ImportMapping("user_metadata.plan", "plan"),),
        "links": (IdentifierLink("user_id", "auth0_user_id"),),
    }
    return ImportGoal(**fields | changes)
