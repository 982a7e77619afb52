"""The server exchange: the Action tells of a login with the goal's secret, and gets the profile's values back.

The same linking, mapping and receipts as for tokens. What the Action sends is Auth0's word, as a verified token is.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from snippets.exchange import login_claim
from snippets.goals import Direction, WebGoal
from webapp.connections.exchange_secrets import is_secret
from webapp.connections.goals import LiveGoal
from webapp.profiles.consent import may_process
from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.sealing import Sealer
from webapp.tokens.planning import Outcome
from webapp.tokens.receipts import login_digest, token_digest
from webapp.tokens.refusals import CallOutOfTimeError, ExchangeSecretError
from webapp.tokens.sync import Post, sync_visitor
from webapp.tokens.verification import VerifiedClaims, check_subject

MAX_CALL_BYTES = 64 * 1024
LONGEST_AGE = timedelta(minutes=5)
RECEIPT_LIFETIME = timedelta(days=31)
"""Longer than any token of the same login is good for (an access token 30 days at most): none counts a second time."""
MAX_ANSWERED_VALUES = 100
MAX_ANSWERED_BYTES = 4000
"""Of all properties together: Auth0 keeps 10 KB for a user, and more would crowd out the rest."""

LOGIN_ID_PATTERN = r"^[A-Za-z0-9_-]{8,64}$"
LoginId = Annotated[str, StringConstraints(pattern=LOGIN_ID_PATTERN)]


class LoginCall(BaseModel):
    """The body. ``claims`` has what a token would carry; ``sent_at`` is in milliseconds since 1970."""

    model_config = ConfigDict(extra="forbid", strict=True)

    login_id: LoginId = Field(alias="loginId")
    sent_at: int = Field(alias="sentAt")
    user_id: str = Field(alias="userId")
    profile_id: str | None = Field(default=None, alias="profileId", pattern=f"^{PROFILE_ID_PATTERN.pattern}$")
    claims: dict[str, Any]


def check_secret(goal: LiveGoal, authorization: str | None, sealer: Sealer) -> None:
    """Raise ExchangeSecretError unless the header has one of the goal's secrets. Source: RFC 6750, 2.1."""
    scheme, _, secret = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not is_secret(secret.strip(), goal.sealed_exchange_secrets, sealer):
        raise ExchangeSecretError("The call needs the goal's secret as a bearer token.")


def claims_of_call(call: LoginCall, goal: LiveGoal, *, now: datetime) -> VerifiedClaims:
    """Return what an authenticated call says, as a token's claims.

    Raises:
        CallOutOfTimeError: it was not made just now.
        TokenSubjectError: it is not about a person.
    """
    # Whatever number it is: no date of Python's is that far away.
    sent_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=min(max(call.sent_at, 0), 2**47))
    if abs(now - sent_at) > LONGEST_AGE:
        raise CallOutOfTimeError("The call was not made in the last five minutes.")
    claims = {**call.claims, "sub": call.user_id}
    subject = check_subject(claims)
    return VerifiedClaims(goal.tenant.issuer, subject, (), claims, now + RECEIPT_LIFETIME, sent_at)


def receipt_of(goal: WebGoal, claims: VerifiedClaims, token: str) -> bytes:
    """Return by what a token is remembered: by its login, if an Action may have told of that, else by itself.

    Also once the exchange is off: what counted while it was on must not count again.
    """
    login_id = claims.claims.get(login_claim(goal))
    if isinstance(login_id, str) and re.fullmatch(LOGIN_ID_PATTERN, login_id):
        return login_digest(claims.subject, login_id)
    return token_digest(token)


def exchange_login(goal: LiveGoal, call: LoginCall, *, now: datetime) -> dict[str, Any]:
    """Apply a call, once for each login, and return the answer of docs/http-api.md.

    Raises:
        IdentityConflictError: as `sync_visitor`.
        CallOutOfTimeError, TokenSubjectError: as `claims_of_call`.
    """
    claims = claims_of_call(call, goal, now=now)
    digest = login_digest(claims.subject, call.login_id)
    applied = sync_visitor(Post(goal, claims, digest, call.profile_id, now))
    return answer_of(goal.web_goal, applied.outcome, applied.stored)


def answer_of(goal: WebGoal, outcome: Outcome, stored: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the answer for a profile that has the properties ``stored`` now.

    A call that comes again is answered as before; but of a visitor who has refused meanwhile, Auth0 gets no values.
    """
    is_allowed = may_process(goal.consent, stored)
    return outcome.as_json() | {"values": _answered_values(goal, stored) if is_allowed else {}}


def _answered_values(goal: WebGoal, stored: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the values of the properties that go to Auth0; what is too large for a user's metadata is left out."""
    wanted = dict.fromkeys(mapping.profile_property for mapping in goal.mappings_to(Direction.TO_AUTH0))
    answered, left = {}, MAX_ANSWERED_BYTES
    for name in wanted:
        values = stored.get(name, [])
        size = sum(len(value.encode()) for value in values)
        if values and len(values) <= MAX_ANSWERED_VALUES and size <= left:
            answered[name], left = values, left - size
    return answered
