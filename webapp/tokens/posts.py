"""Reading a post: the body of a WSGI request, and what has to stand in it."""

from typing import Annotated
from wsgiref.types import WSGIEnvironment

from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wsgi import get_content_length

from snippets.consent import OBJECTIVE_ID
from webapp.profiles.consent import SaidConsent
from webapp.profiles.embedded import PROFILE_ID_PATTERN
from webapp.tokens.refusals import BodyTooLargeError, NotJsonError

MAX_BODY_BYTES = 24 * 1024
MAX_SAID = 100
"""Objectives in each list of a post. Of those that the goal does not ask for nothing is kept."""

ObjectiveIds = Annotated[list[Annotated[str, Field(pattern=f"^{OBJECTIVE_ID.pattern}$")]], Field(max_length=MAX_SAID)]


class PostedConsent(BaseModel):
    """What the visitor says of objectives, as BlueConic's script has it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    consented: ObjectiveIds = []
    refused: ObjectiveIds = []
    legislation: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,60}$")

    def said(self) -> SaidConsent:
        """Return it as plain data."""
        return SaidConsent(tuple(self.consented), tuple(self.refused), self.legislation)


class TokenPost(BaseModel):
    """The body: a token, the browser's BlueConic profile if it has one, and what the visitor says of objectives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: str = Field(min_length=1)
    profile_id: str | None = Field(default=None, alias="profileId", pattern=f"^{PROFILE_ID_PATTERN.pattern}$")
    consent: PostedConsent | None = None


def read_body(environ: WSGIEnvironment, max_bytes: int) -> bytes:
    """Return the body of a request. Raises NotJsonError or BodyTooLargeError, or what `webapp.slow_clients` raises."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise NotJsonError("Send the body with the content type application/json.")
    # One more than allowed: so one that is too long is told from one that is just right, also if it has no length.
    length = get_content_length(environ)
    if length is not None and length > max_bytes:
        raise BodyTooLargeError(f"A body has at most {max_bytes} bytes.")
    body: bytes = environ["wsgi.input"].read(max_bytes + 1)
    if len(body) > max_bytes:
        raise BodyTooLargeError(f"A body has at most {max_bytes} bytes.")
    return body
