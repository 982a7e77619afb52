"""Which claims a goal's token carries. The generator writes them, the token service reads them: both ask here."""

from dataclasses import dataclass

from snippets.fields import ACCESS_TOKEN_CLAIMS, ID_TOKEN_CLAIMS, VERIFIED_BY
from snippets.goals import Direction, TokenKind, WebGoal


@dataclass(frozen=True, slots=True)
class AddedClaim:
    """A claim that the Action or Rule adds. ``null_if_missing`` lets an empty field be told from a missing Action."""

    name: str
    auth0_field: str
    null_if_missing: bool


def standard_claim(token_kind: TokenKind, field: str) -> str | None:
    """Return the claim that the token has for ``field`` by itself, or None."""
    claims = ID_TOKEN_CLAIMS if token_kind is TokenKind.ID_TOKEN else ACCESS_TOKEN_CLAIMS
    return claims.get(field)


def claim_name(goal: WebGoal, field: str) -> str:
    """Return the claim that holds ``field`` in this goal's token.

    A field that may clear a property always gets a claim of its own: a standard claim is also missing when the
    application did not ask for its scope, and that must not erase anything.
    """
    # Each token asks, and the rows never change.
    name = goal.claim_names.get(field)
    if name is None:
        name = goal.claim_names[field] = _find_claim_name(goal, field)
    return name


def _find_claim_name(goal: WebGoal, field: str) -> str:
    standard = standard_claim(goal.token_kind, field)
    if standard is not None and (field == "user_id" or field not in goal.clearing_fields):
        return standard
    return goal.claim_namespace + field


def fields_to_read(goal: WebGoal) -> tuple[str, ...]:
    """Return the Auth0 fields that the token service needs for this goal, each once, in the order of the rows.

    An address comes with Auth0's word on it: without that it is not stored where it would tell people apart.
    """
    fields = []
    for mapping in goal.mappings_to(Direction.TO_PROFILE):
        fields.append(mapping.auth0_field)
        if mapping.auth0_field in VERIFIED_BY:
            fields.append(VERIFIED_BY[mapping.auth0_field])
    for link in goal.links:
        fields.append(link.auth0_field)
        if link.verified_by is not None:
            fields.append(link.verified_by)
    return tuple(dict.fromkeys(fields))


def added_claims(goal: WebGoal) -> tuple[AddedClaim, ...]:
    """Return the claims that the Action or Rule has to add: exactly those that the token would lack."""
    return tuple(
        AddedClaim(claim_name(goal, field), field, null_if_missing=field in goal.clearing_fields)
        for field in fields_to_read(goal)
        if claim_name(goal, field).startswith(goal.claim_namespace)
    )
