"""What came of a trial, as plain data for templates/trying/: the run, the token, and the change of the profile."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snippets.claims import claim_name
from snippets.goals import Direction, WebGoal
from snippets.rendering import SnippetKind
from webapp.json_text import compact, pretty, printable
from webapp.profiles.linking import FoundBy
from webapp.profiles.showing import date_text
from webapp.profiles.store import ProfileState
from webapp.profiles.values import PropertyType
from webapp.tokens.planning import Plan
from webapp.trying.exchanging import Exchange
from webapp.trying.logins import TriedLogin
from webapp.trying.notes import Note
from webapp.trying.running import Run

Types = Mapping[str, PropertyType]
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
class PropertyRow:
    """A property before and after. ``positions`` are the mappings that speak of it, counted from 0."""

    property_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    positions: tuple[int, ...]

    @property
    def is_changed(self) -> bool:
        """Whether the token would change it."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class ShownLink:
    """An identifier link and what came of it."""

    auth0_field: str
    profile_property: str
    outcome: str
    has_found: bool


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


def show_sync(goal: WebGoal, plan: Plan, types: Types, claims: Claims, *, hint: str | None) -> ShownSync:
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
        links=tuple(_links(goal, plan, claims)),
        rows=tuple(_rows(goal, plan, types)) if outcome.profile_id is not None else (),
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


def _rows(goal: WebGoal, plan: Plan, types: Types) -> Iterator[PropertyRow]:
    mapped = {mapping.profile_property for mapping in goal.mappings_to(Direction.TO_PROFILE)}
    linked = {link.profile_property for link in goal.links if link.profile_property in plan.before}
    for name in sorted(mapped | linked | set(plan.changed)):
        before = plan.before.get(name, [])
        is_date = types.get(name) is PropertyType.DATETIME
        yield PropertyRow(
            name,
            _texts(before, is_date=is_date),
            _texts(plan.changed.get(name, before), is_date=is_date),
            tuple(
                position
                for position, mapping in enumerate(goal.mappings)
                if mapping.profile_property == name and mapping.direction is Direction.TO_PROFILE
            ),
        )


def _texts(values: Sequence[str], *, is_date: bool) -> tuple[str, ...]:
    return tuple(date_text(value) if is_date else value for value in values)


def _links(goal: WebGoal, plan: Plan, claims: Claims) -> Iterator[ShownLink]:
    found = plan.linked.link.position if plan.linked.link else None
    tried, passed_over = ({link.position for link in links} for links in (plan.links, plan.linked.passed_over))
    for position, link in enumerate(goal.links):
        if position == found:
            text = "finds the profile"
        elif position in passed_over:
            text = "is passed over: it leads to the profile of another user, and Auth0 does not vouch for it"
        elif position in tried:
            text = "finds no profile" if found is None or position < found else "is not needed"
        elif link.verified_by is not None and claims.get(claim_name(goal, link.verified_by)) is not True:
            text = "is not tried: Auth0 has not verified it"
        else:
            text = "is not tried: the token does not have one value for it"
        yield ShownLink(link.auth0_field, link.profile_property, text, position == found)
