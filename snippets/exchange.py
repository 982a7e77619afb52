"""The server exchange: the Action itself calls Websync in the login, with a secret that Auth0 keeps for it.

It sends what a token would carry and gets back the values of the mapped properties. A token of the same login names the
login, so that what the exchange applied is not applied once more.
"""

from dataclasses import dataclass

from snippets.claims import claim_name, fields_to_read
from snippets.fields import FieldPath, parse_field, source_of
from snippets.goals import Direction, Mapping, WebGoal
from snippets.parameters import parameter_name

EXCHANGE_SECRET = "WEBSYNC_SECRET"  # noqa: S105, the name of a secret and no secret
_LOGIN_CLAIM = ".login"
"""No field's claim can have this name: a field's path does not begin with a dot."""


@dataclass(frozen=True, slots=True)
class SentClaim:
    """A value that the Action sends, under the name that the token's claim would have."""

    name: str
    path: FieldPath
    null_if_missing: bool


@dataclass(frozen=True, slots=True)
class AnsweredWrite:
    """A property whose answered values go to ``path`` below ``user_metadata`` or ``app_metadata``."""

    mapping: Mapping

    @property
    def root(self) -> str:
        """Which of the two metadata objects."""
        return parse_field(self.mapping.auth0_field)[0]

    @property
    def parameter(self) -> str:
        """The parameter in which a browser may bring the value instead."""
        return parameter_name(self.mapping.profile_property)

    @property
    def path(self) -> FieldPath:
        """Where in it."""
        return parse_field(self.mapping.auth0_field)[1:]


def action_secrets(goal: WebGoal) -> tuple[str, ...]:
    """Return the names of the secrets that a goal's Action needs (``event.secrets``)."""
    return (EXCHANGE_SECRET,) if goal.server_exchange else ()


def exchange_url(goal: WebGoal) -> str:
    """Return where the Action posts."""
    return f"{goal.public_url}/sync/{goal.key}/login"


def login_claim(goal: WebGoal) -> str:
    """Return the claim by which a token names the login that the Action told Websync of."""
    return goal.claim_namespace + _LOGIN_CLAIM


def sent_claims(goal: WebGoal) -> tuple[SentClaim, ...]:
    """Return what the Action sends: all that the token service would read in a token, and nothing else."""
    clearing = goal.clearing_fields
    return tuple(
        SentClaim(claim_name(goal, field), source_of(field).action, null_if_missing=field in clearing)
        for field in fields_to_read(goal)
        if field != "user_id"
    )


def answered_writes(goal: WebGoal) -> tuple[AnsweredWrite, ...]:
    """Return what the Action writes of an answer."""
    return tuple(AnsweredWrite(mapping) for mapping in goal.mappings_to(Direction.TO_AUTH0))
