"""Makes valid data for tests: each says only what it is about."""

from typing import Any

from snippets.goals import PROFILE_ID, Direction, IdentifierLink, Mapping, MergeStrategy, WebGoal


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
