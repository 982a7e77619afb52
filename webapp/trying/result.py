"""What came of a trial, as plain data for templates/trying/: the run, the token, and the change of the profile."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snippets.claims import claim_name
from snippets.goals import Direction, WebGoal
from snippets.rendering import SnippetKind
from webapp.json_text import compact, pretty, printable
from webapp.profiles.linking import FoundBy
from webapp.profiles.previewing import PropertyRow, ShownLink, property_rows, shown_links
from webapp.profiles.store import ProfileState
from webapp.profiles.values import PropertyTypes
from webapp.tokens.planning import Plan
from webapp.trying.exchanging import Exchange
from webapp.trying.logins import TriedLogin
from webapp.trying.notes import Note
from webapp.trying.running import Run

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShownClaim:
    """A claim that the code set; ``value`` is JSON."""

    token: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """A root key of the user's metadata that the code changed. The values are JSON, or None if there is none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ShownRun:
    """What the code did, as texts."""

    name: str
    claims: tuple[ShownClaim, ...]
    metadata: tuple[MetadataChange, ...]
    console: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    failure: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the token changes nothing. ``slug`` names the page that explains it, if there is one."""

    title: str
    detail: str
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class ShownSync:
    """What the token would do. ``profile_id`` is None if there is no profile, or one whose id is not known before."""

    state: ProfileState
    profile_id: str | None
    found_by: FoundBy | None
    link_position: int | None
    switch_profile: bool
    links: tuple[ShownLink, ...]
    rows: tuple[PropertyRow, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """All that the page shows. ``token`` is the claims of the token as JSON."""

    run: ShownRun
    notes: tuple[Note, ...]
    token: str | None = None
    sync: ShownSync | None = None
    refusal: Refusal | None = None


def show_run(login: TriedLogin, done: Run) -> ShownRun:
    """Return what the code did, to be read."""
    tokens = (("ID token", done.id_token_claims), ("Access token", done.access_token_claims))
    return ShownRun(
        name="Rule" if done.kind is SnippetKind.RULE else "Action",
        claims=tuple(
            ShownClaim(token, printable(name), compact(value)) for token, set_ in tokens for name, value in set_.items()
        ),
        metadata=tuple(_metadata_changes(login, done)),
        console=tuple(map(printable, done.console)),
        exchanges=done.exchanges,
        failure=None if done.failure is None else printable(done.failure),
    )


def show_token(claims: Claims) -> str:
    """Return a token's claims, to be read."""
    return pretty(claims)


def show_sync(goal: WebGoal, plan: Plan, types: PropertyTypes, claims: Claims, *, hint: str | None) -> ShownSync:
    """Return what a token would do, to be read. ``hint`` is the profile id that the browser brings."""
    outcome, linked = plan.outcome, plan.linked
    foreseeable = {hint, *(link.value for link in plan.links if link.is_profile_id)}
    is_known = outcome.state is not ProfileState.CREATED or outcome.profile_id in foreseeable
    return ShownSync(
        state=outcome.state,
        profile_id=outcome.profile_id if is_known else None,
        found_by=linked.found_by,
        link_position=linked.link.position if linked.link else None,
        switch_profile=outcome.switch_profile,
        links=shown_links(goal.links, plan.links, plan.linked, _unverified(goal, claims), "token"),
        rows=_rows(goal, plan, types) if outcome.profile_id is not None else (),
    )


def _metadata_changes(login: TriedLogin, done: Run) -> Iterator[MetadataChange]:
    for kind, after in (("user_metadata", done.user_metadata), ("app_metadata", done.app_metadata)):
        before = login.user.get(kind) or {}
        for name in dict.fromkeys([*before, *after]):
            old, new = _json_at(before, name), _json_at(after, name)
            if old != new:
                yield MetadataChange(printable(f"{kind}.{name}"), old, new)


def _json_at(metadata: Mapping[str, Any], name: str) -> str | None:
    return compact(metadata[name]) if metadata.get(name) is not None else None


def _rows(goal: WebGoal, plan: Plan, types: PropertyTypes) -> tuple[PropertyRow, ...]:
    written_by: dict[str, list[int]] = {}
    for position, mapping in enumerate(goal.mappings):
        if mapping.direction is Direction.TO_PROFILE:
            written_by.setdefault(mapping.profile_property, []).append(position)
    linked = {link.profile_property for link in goal.links if link.profile_property in plan.before}
    names = {*written_by, *linked, *plan.changed}
    return property_rows(names, plan.before, plan.changed, types, written_by)


def _unverified(goal: WebGoal, claims: Claims) -> set[str]:
    return {
        link.auth0_field
        for link in goal.links
        if link.verified_by is not None and claims.get(claim_name(goal, link.verified_by)) is not True
    }
