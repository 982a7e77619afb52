"""A goal held against what Auth0 and Websync bound: what is certain to fail is a problem, what may fail is a warning.

Source: Auth0, "Actions limitations", "Create custom claims", "Metadata field names and data types", and "Deprecations
and migrations" (10 KB for a user, enforced from 2027-03-04).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from snippets.claims import AddedClaim, added_claims, claim_name
from snippets.fields import parse_field, source_of
from snippets.goals import Direction, IdentifierLink, Mapping, MergeStrategy, Place, Problem, TokenKind, WebGoal
from snippets.literals import literal
from snippets.rendering import SnippetKind, render

MAX_ACTION_BYTES = 100_000
"""Of an Action's code."""
MAX_USER_BYTES = 10_000
"""Of a user in Auth0, with both kinds of metadata."""
MAX_TOKEN_BYTES = 16 * 1024
"""Of a token that the token service takes."""

# fmt: off
RESERVED_IN_APP_METADATA = frozenset({
    "__tenant", "_id", "blocked", "clientID", "created_at", "email", "email_verified", "globalClientID",
    "global_client_id", "identities", "lastIP", "lastLogin", "loginsCount", "metadata", "multifactor",
    "multifactor_last_modified", "updated_at", "user_id",
})
# fmt: on
WHOLE_OBJECTS = {
    "user_metadata": "user_metadata.plan",
    "app_metadata": "app_metadata.plan",
    "identities": "identities.0.provider",
}
"""Fields that hold everything of their kind, each with a field inside of it for an example."""

NEAR = 0.8
"""The part of a limit from which people are warned."""
TOKEN_BYTES_BY_ITSELF = 1000
PARAMETER_BYTES = 255
LIST_BYTES = 100 * 35
"""What "add" keeps of one field: 100 texts (templates/metadata.js.jinja), each of a usual length."""

Row = Mapping | IdentifierLink


def problems_of(goal: WebGoal) -> tuple[Problem, ...]:
    """Return what is certain to fail in Auth0 or at the token service. A goal without an Action has nothing to fail."""
    if not goal.enable_rule:
        return ()
    return (*_name_problems(goal), *_code_problems(goal), *_token_problems(goal))


def warnings_of(goal: WebGoal) -> tuple[Problem, ...]:
    """Return what may fail, depending on the values that people have. Their messages name no sizes, so they last.

    What is a problem already is no warning as well.
    """
    if not goal.enable_rule:
        return ()
    return (*_whole_object_warnings(goal), *_code_warnings(goal), *_token_warnings(goal), *_metadata_warnings(goal))


def _name_problems(goal: WebGoal) -> Iterator[Problem]:
    for place, row in _rows(goal):
        is_written = row.keeps_profile_id if isinstance(row, IdentifierLink) else row.direction is Direction.TO_AUTH0
        if not is_written:
            continue
        root, *names = parse_field(row.auth0_field)
        if any("$" in name for name in names):
            yield Problem(place, "Auth0 takes no $ in the names of metadata.")
        if root == "app_metadata" and names[0] in RESERVED_IN_APP_METADATA:
            yield Problem(place, f"Auth0 keeps the name {names[0]} for itself: app_metadata cannot have it.")


def _code_problems(goal: WebGoal) -> Iterator[Problem]:
    if action_bytes(goal) > MAX_ACTION_BYTES:
        message = (
            "The Action would have more than 100 kB of code, and Auth0 refuses that. This takes most of it: shorten it "
            "or the claim namespace, or map less."
        )
        yield Problem(_longest_in_code(goal), message)


def _code_warnings(goal: WebGoal) -> Iterator[Problem]:
    if NEAR * MAX_ACTION_BYTES < action_bytes(goal) <= MAX_ACTION_BYTES:
        message = "The Action has more than 80 kB of code, and Auth0 takes 100 kB. This takes most of it."
        yield Problem(_longest_in_code(goal), message)


def action_bytes(goal: WebGoal) -> int:
    """Return the size of the goal's Action."""
    return len(render(goal, SnippetKind.ACTION).code.encode())


def _longest_in_code(goal: WebGoal) -> Place:
    """Return the row, or the list of texts, that takes most of the Action's code."""
    sizes: dict[Place, int] = {
        ("client_ids",): len(literal(goal.client_ids)),
        ("audiences",): len(literal(goal.audiences)) if goal.token_kind is TokenKind.ACCESS_TOKEN else 0,
    }
    for place, row in _rows(goal):
        sizes[place] = len(literal(claim_name(goal, row.auth0_field))) + len(literal(source_of(row.auth0_field).action))
    return max(sizes, key=lambda place: sizes[place])


def _token_problems(goal: WebGoal) -> Iterator[Problem]:
    lasting = [claim for claim in added_claims(goal) if claim.null_if_missing]
    if goal.enable_token and token_bytes(lasting) > MAX_TOKEN_BYTES:
        message = (
            "The names of the claims that every token has make it larger than the 16 KB that Websync takes. This one "
            "is the longest: shorten it or the claim namespace, or use another strategy than set or clear."
        )
        yield Problem(_longest_claim(goal, lasting), message)


def _token_warnings(goal: WebGoal) -> Iterator[Problem]:
    claims = added_claims(goal)
    if token_bytes(claims) > MAX_TOKEN_BYTES / 2 and not any(_token_problems(goal)):
        message = (
            "The names of the claims alone make tokens larger than 8 KB. Websync takes 16 KB, and many servers refuse "
            "such headers. This one is the longest: shorten it or the claim namespace."
        )
        yield Problem(_longest_claim(goal, claims), message)


def token_bytes(claims: Iterable[AddedClaim]) -> int:
    """Return the least that a token with these claims has: their names and ``null``, in base64."""
    names = sum(len(json.dumps(claim.name)) + len(":null,") for claim in claims)
    return TOKEN_BYTES_BY_ITSELF + names * 4 // 3


def _longest_claim(goal: WebGoal, claims: Sequence[AddedClaim]) -> Place:
    """Return the row to which the claim with the longest name belongs (a verification has none of its own)."""
    fields = {claim.auth0_field for claim in claims}
    rows = [(place, row) for place, row in _rows(goal) if row.auth0_field in fields]
    return max(rows, key=lambda each: len(json.dumps(each[1].auth0_field)))[0]


def _whole_object_warnings(goal: WebGoal) -> Iterator[Problem]:
    for place, row in _rows(goal):
        if (example := WHOLE_OBJECTS.get(row.auth0_field)) is None:
            continue
        reader = "their browser can read it, and " if row.auth0_field == "app_metadata" else ""
        message = (
            f"All of {row.auth0_field} goes into each visitor's token: {reader}above 100 KB of claims Auth0 fails the "
            f"login. Map single fields, such as {example}."
        )
        yield Problem(place, message)


def _metadata_warnings(goal: WebGoal) -> Iterator[Problem]:
    """Name the row with which the values that logins keep may come near to what Auth0 keeps for a user."""
    rows = [(place, row) for place, row in _rows(goal) if _is_written(row)]
    sizes = accumulate(_kept_bytes(row) for _, row in rows)
    for (place, _), size in zip(rows, sizes, strict=True):
        if size > NEAR * MAX_USER_BYTES:
            message = (
                "With this row, what logins write may come near 10 KB, and Auth0 keeps no more for a user (enforced "
                "from 2027-03-04). Add keeps up to 100 values in a field."
            )
            yield Problem(place, message)
            return


def _is_written(row: Row) -> bool:
    return isinstance(row, Mapping) and row.direction is Direction.TO_AUTH0


def _kept_bytes(row: Row) -> int:
    is_list = isinstance(row, Mapping) and row.strategy is MergeStrategy.ADD
    return len(row.auth0_field.encode()) + (LIST_BYTES if is_list else PARAMETER_BYTES)


def _rows(goal: WebGoal) -> Iterator[tuple[Place, Row]]:
    """Give all rows, each with the place of its field."""
    for index, mapping in enumerate(goal.mappings):
        yield ("mappings", index, "auth0_field"), mapping
    for index, link in enumerate(goal.links):
        yield ("links", index, "auth0_field"), link
