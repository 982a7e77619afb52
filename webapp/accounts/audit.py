"""The audit log: who changed what and when."""

from datetime import datetime

from sqlalchemy.orm import Session

from webapp.accounts.models import AuditEntry


def record(
    session: Session, *, actor: str, action: str, object_type: str, object_key: str, now: datetime, **detail: object
) -> None:
    """Add an entry, in the transaction of the change itself.

    ``actor`` is an admin's e-mail address or ``"cli"``; ``action`` is a past participle ("saved"); ``detail``
    never holds a secret.
    """
    entry = AuditEntry(
        at=now, actor=actor, action=action, object_type=object_type, object_key=object_key, detail=detail
    )
    session.add(entry)
