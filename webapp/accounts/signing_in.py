"""What signing in does: check, remember, record. The caller opens the transaction."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.audit import record
from webapp.accounts.models import Admin


def find_admin(session: Session, email: str) -> Admin | None:
    """Return the admin with this address, in whatever case it was typed."""
    return session.scalar(select(Admin).where(Admin.email == normal_email(email)))


def normal_email(text: str) -> str:
    """Return an address as it is kept: trimmed, in lower case."""
    return text.strip().lower()


def sign_in(session: Session, admin: Admin, now: datetime, *, by: str) -> None:
    """Remember and record that ``admin`` signed in, ``by`` password or link."""
    admin.last_sign_in_at = now
    _record(session, admin, "signed in", now, by=by)


def refuse_sign_in(session: Session, admin: Admin | None, now: datetime) -> None:
    """Record a failed try. A mistyped address may be a password or a stranger's, so only an admin's own is kept."""
    if admin is not None:
        _record(session, admin, "failed to sign in", now)
        return
    record(session, actor="anonymous", action="failed to sign in", object_type="admin", object_key="unknown", now=now)


def sign_out(session: Session, admin_id: int, now: datetime) -> None:
    """End all sessions of the admin: a copy of the cookie must not outlive the sign-out."""
    admin = session.get(Admin, admin_id, with_for_update=True)
    if admin is not None:
        admin.session_version += 1
        _record(session, admin, "signed out", now)


def add_first_admin(session: Session, *, name: str, email: str, password_hash: str, now: datetime) -> Admin:
    """Make the first admin. That there is none yet is what the one-time link has checked."""
    admin = Admin(
        name=name.strip(),
        email=normal_email(email),
        password_hash=password_hash,
        session_version=1,
        created_at=now,
    )
    session.add(admin)
    session.flush()
    _record(session, admin, "created", now, by="first link")
    return admin


def change_password(session: Session, checked: Admin, new_hash: str, now: datetime) -> Admin | None:
    """Change the password and end all sessions of the admin; None if it is no longer the one that was ``checked``."""
    admin = session.get(Admin, checked.id, with_for_update=True)
    if admin is None or admin.password_hash != checked.password_hash:
        return None
    admin.password_hash = new_hash
    admin.session_version += 1
    _record(session, admin, "changed the password", now)
    return admin


def _record(session: Session, admin: Admin, action: str, now: datetime, **detail: object) -> None:
    record(session, actor=admin.email, action=action, object_type="admin", object_key=str(admin.id), now=now, **detail)
