"""Keys of programs that call the API: made by an admin, shown once, and known by their digest ever after.

The caller opens the transaction.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.accounts.models import ApiKey
from webapp.errors import NotFoundError, WebsyncError

PREFIX = "wsk_"
"""By it scanners of repositories know a key that somebody has committed."""
MAX_NAME_LENGTH = 100
USE_NOTED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a key may do."""

    READ_CONNECTIONS = "read:connections"
    READ_RUNS = "read:runs"
    RUN_IMPORTS = "run:imports"
    WRITE_SCHEDULES = "write:schedules"


SCOPE_WORDS = {
    Scope.READ_CONNECTIONS: "see connections, import goals and schedules",
    Scope.READ_RUNS: "see runs, their logs and error lists (with ids of users)",
    Scope.RUN_IMPORTS: "run imports, and stop them",
    Scope.WRITE_SCHEDULES: "change schedules",
}


class ApiKeyNeededError(WebsyncError):
    """The call has no API key.

    What to do: send one as ``Authorization: Bearer wsk_…``. An admin makes it on the page "API keys".
    """

    slug, title, status = "api-key-needed", "An API key is needed", HTTPStatus.UNAUTHORIZED
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="Websync"'}


class ApiKeyRefusedError(WebsyncError):
    """The API key is not known, has expired, or was revoked.

    What to do: have an admin make a new one on the page "API keys".
    """

    slug, title, status = "api-key-refused", "The API key is not accepted", HTTPStatus.UNAUTHORIZED
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="Websync", error="invalid_token"'}


class ApiScopeError(WebsyncError):
    """The API key may not do this: it lacks the scope that ``scope`` names.

    What to do: have an admin make a key with this scope.
    """

    slug, title, status = "api-scope", "The API key may not do this", HTTPStatus.FORBIDDEN
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="Websync", error="insufficient_scope"'}


def make_api_key(
    session: Session, name: str, scopes: Sequence[Scope], expires_at: datetime | None, *, actor: str, now: datetime
) -> str:
    """Store a new key and return its text, which nobody can read again."""
    text = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        public_id=secrets.token_urlsafe(9),
        name=name,
        digest=_digest(text),
        hint=text[-4:],
        scopes=[str(scope) for scope in Scope if scope in scopes],
        created_by=actor,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(key)
    _record(session, key, "created", actor, now, name=name, scopes=key.scopes)
    return text


def revoke_api_key(session: Session, public_id: str, *, actor: str, now: datetime) -> ApiKey:
    """End a key at once. Raises NotFoundError if there is none that works."""
    found: ApiKey | None = session.scalar(
        update(ApiKey)
        .where(ApiKey.public_id == public_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiKey)
    )
    if found is None:
        raise NotFoundError("There is no such API key.")
    _record(session, found, "revoked", actor, now, name=found.name)
    return found


def all_api_keys(session: Session) -> Sequence[ApiKey]:
    """Return all keys, the newest first."""
    return session.scalars(select(ApiKey).order_by(ApiKey.id.desc())).all()


def find_api_key(session: Session, text: str, *, now: datetime) -> ApiKey:
    """Return the key with this text. Raises ApiKeyRefusedError.

    It is looked up by its digest: nobody can guess that letter by letter, whatever a look-up tells by its time.
    """
    key = session.scalar(select(ApiKey).where(ApiKey.digest == _digest(text)))
    if key is None:
        raise ApiKeyRefusedError("It is not known.")
    if key.revoked_at is not None:
        raise ApiKeyRefusedError("It was revoked.")
    if key.expires_at is not None and key.expires_at <= now:
        raise ApiKeyRefusedError("It has expired.")
    return key


def check_scope(key: ApiKey, scope: Scope) -> None:
    """Raise ApiScopeError unless the key may do what ``scope`` says."""
    if scope not in key.scopes:
        raise ApiScopeError(f"It needs the scope {scope}.", scope=str(scope))


def is_use_to_be_noted(key: ApiKey, now: datetime) -> bool:
    """Say if the last use was noted so long ago that this one is worth a write."""
    return key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY


def note_use(session: Session, key: ApiKey, *, now: datetime) -> None:
    """Note that a key was used."""
    session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=now))


def _record(session: Session, key: ApiKey, action: str, actor: str, now: datetime, **detail: object) -> None:
    record(session, actor=actor, action=action, object_type="api_key", object_key=key.public_id, now=now, **detail)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
