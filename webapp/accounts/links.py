"""One-time links: they make the first admin, or sign one in. Whoever has the link has its power, so it works once."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from webapp.accounts.models import Admin, SignInLink
from webapp.errors import WebsyncError

LIFETIME = timedelta(hours=24)


class LinkSpentError(WebsyncError):
    """A one-time link was used before, is older than 24 hours, or a newer one took its place.

    What to do: sign in with your password, or have the operator make a new link.
    """

    slug, title, status = "link-spent", "This link no longer works", HTTPStatus.GONE


@dataclass(frozen=True, slots=True)
class OpenLink:
    """What a working link does: sign ``admin`` in, or, without one, make the first admin."""

    admin: Admin | None


def make_link(session: Session, admin_id: int | None, now: datetime, lifetime: timedelta = LIFETIME) -> str:
    """Return the token of a new link for an admin, or for making the first admin (``admin_id`` is None).

    Older links of the same kind end, so that two of them can never make two first admins.
    """
    same = SignInLink.admin_id.is_(None) if admin_id is None else SignInLink.admin_id == admin_id
    session.execute(delete(SignInLink).where(or_(same, SignInLink.expires_at <= now)))
    token = secrets.token_urlsafe(32)
    session.add(SignInLink(digest=_digest(token), admin_id=admin_id, expires_at=now + lifetime))
    session.flush()
    return token


def look_at_link(session: Session, token: str, now: datetime) -> OpenLink:
    """Return what the link would do, and leave it as it is. Raises LinkSpentError."""
    link = session.get(SignInLink, _digest(token))
    if link is None or link.expires_at <= now:
        raise LinkSpentError("It was used before, or it is older than a day.")
    if link.admin_id is not None:
        return OpenLink(session.get(Admin, link.admin_id))
    if has_admin(session):
        raise LinkSpentError("It was for the first admin, and there is one now.")
    return OpenLink(None)


def use_link(session: Session, token: str, now: datetime) -> OpenLink:
    """Return what the link does, once: of two at the same time one gets it. Raises LinkSpentError."""
    found = look_at_link(session, token, now)
    deleted = session.execute(
        delete(SignInLink).where(SignInLink.digest == _digest(token)).returning(SignInLink.digest)
    )
    if deleted.first() is None:
        raise LinkSpentError("It was used a moment ago.")
    return found


def has_admin(session: Session) -> bool:
    """Say if there is any admin."""
    return session.scalar(select(Admin.id).limit(1)) is not None


def link_url(public_url: str, token: str) -> str:
    """Return the address of the link that `make_link` made."""
    return f"{public_url}/sign-in/link/{token}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
