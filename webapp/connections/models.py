"""Tables of connections, their schedules, goals, their kept revisions, mappings and identifier links."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.database import Base, JsonDocument, UtcDateTime

MAX_NAME_LENGTH = 200
MAX_CLIENT_ID_LENGTH = 255
MAX_DESCRIPTION_LENGTH = 5000
MAX_LABELS = 20
MAX_LABEL_LENGTH = 50


class Connection(Base):
    """One Auth0 tenant joined to one profile store. ``key`` is its public name in URLs.

    ``objectives`` are ids, sorted: who changes them, or deletes an objective, holds `objectives.lock_objectives`.
    """

    __tablename__ = "connections"
    is_kept_in_memory = True

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    is_favourite: Mapped[bool] = mapped_column(default=False)
    labels: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    description: Mapped[str] = mapped_column(Text, default="")
    auth0_domain: Mapped[str] = mapped_column(String(255), default="")
    auth0_client_id: Mapped[str] = mapped_column(String(255), default="")
    sealed_client_secret: Mapped[str | None] = mapped_column(Text)
    objectives: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    is_on: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    goals: Mapped[list["Goal"]] = relationship(
        back_populates="connection", order_by="Goal.id", cascade="all, delete-orphan", passive_deletes=True
    )
    import_goals: Mapped[list["ImportGoalRow"]] = relationship(
        back_populates="connection", order_by="ImportGoalRow.id", cascade="all, delete-orphan", passive_deletes=True
    )


class ConnectionSchedule(Base):
    """When a connection's imports run. ``plain`` is what schedule.py makes of a Schedule.

    Run times up to ``handled_until`` have had their runs: whoever moves it on makes the runs of a time, and nobody
    else. With ``run_missed`` times that passed while no worker was there get one run together.
    """

    __tablename__ = "connection_schedules"

    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)
    plain: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    is_on: Mapped[bool]
    run_missed: Mapped[bool]
    handled_until: Mapped[datetime] = mapped_column(UtcDateTime)


class ConnectionNotifications(Base):
    """Whom a connection tells of its runs, and of which (notifications.py).

    ``sealed_webhook_secrets`` sign, the newest first; the second only until a while after ``secret_made_at``.
    """

    __tablename__ = "connection_notifications"

    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)
    emails: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    email_events: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    webhook_url: Mapped[str] = mapped_column(Text, default="")
    webhook_events: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    sealed_webhook_secrets: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    secret_made_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=0)


class StoredGoal(Base):
    """A goal of either kind at its newest revision. Its rows stand in two tables of their own.

    The kinds share a table, since keys, revisions and what came in are theirs in the same way. What one kind alone has
    is left empty by the other: see `Goal` and `ImportGoalRow`, by which each is read and written.
    """

    __tablename__ = "goals"
    is_kept_in_memory = True

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    is_on: Mapped[bool] = mapped_column(default=True)
    revision: Mapped[int] = mapped_column(default=1)
    claim_namespace: Mapped[str] = mapped_column(String(200), default="")
    allow_creation: Mapped[bool] = mapped_column(default=True)
    token_kind: Mapped[str] = mapped_column(String(20), default="")
    client_ids: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    audiences: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    allowed_origins: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    enable_rule: Mapped[bool] = mapped_column(default=True)
    enable_token: Mapped[bool] = mapped_column(default=True)
    server_exchange: Mapped[bool] = mapped_column(default=False)
    sealed_exchange_secrets: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    token_policy: Mapped[dict[str, object]] = mapped_column(JsonDocument, default=dict)
    sealed_signing_secret: Mapped[str | None] = mapped_column(Text)
    consent: Mapped[dict[str, list[str]] | None] = mapped_column(JsonDocument)
    import_settings: Mapped[dict[str, object] | None] = mapped_column(JsonDocument)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    mappings: Mapped[list["MappingRow"]] = relationship(
        order_by="MappingRow.position", cascade="all, delete-orphan", passive_deletes=True
    )
    links: Mapped[list["LinkRow"]] = relationship(
        order_by="LinkRow.position", cascade="all, delete-orphan", passive_deletes=True
    )

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_abstract": True}  # noqa: RUF012, SQLAlchemy's own name


class Goal(StoredGoal):
    """A web goal.

    ``sealed_exchange_secrets`` are those that the Action may use, newest first. ``token_policy`` is the plain data of
    snippets/reading.py; ``sealed_signing_secret`` is there if it asks for HS256. ``consent`` is what the
    connection's objectives came to when they were last changed (snippets/consent.py), None if no consent is needed.
    """

    connection: Mapped[Connection] = relationship(back_populates="goals")

    __mapper_args__ = {"polymorphic_identity": "web"}  # noqa: RUF012, SQLAlchemy's own name


class ImportGoalRow(StoredGoal):
    """An import goal. ``import_settings`` has what is neither a column nor a row (import_goals.py)."""

    connection: Mapped[Connection] = relationship(back_populates="import_goals")

    __mapper_args__ = {"polymorphic_identity": "import"}  # noqa: RUF012, SQLAlchemy's own name


class GoalRevision(Base):
    """A goal as it was saved once. ``plain`` is its plain data (snippets/reading.py, import_goals.py).

    ``saved_by`` is empty where that is not known: the revision is older than this table.
    """

    __tablename__ = "goal_revisions"

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    plain: Mapped[dict[str, object]] = mapped_column(JsonDocument)
    is_on: Mapped[bool]
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    saved_by: Mapped[str] = mapped_column(String(254))


class MappingRow(Base):
    """One mapping of a goal. ``position`` counts from 0 in the order of the page.

    Only mappings of import goals have ``transforms``, as plain data.
    """

    __tablename__ = "mappings"
    is_kept_in_memory = True

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    auth0_field: Mapped[str] = mapped_column(String(200))
    profile_property: Mapped[str] = mapped_column(String(100))
    direction: Mapped[str] = mapped_column(String(20))
    strategy: Mapped[str] = mapped_column(String(20))
    transforms: Mapped[list[object]] = mapped_column(JsonDocument, default=list)


class LinkRow(Base):
    """One identifier link of a goal, tried in the order of ``position``."""

    __tablename__ = "identifier_links"
    is_kept_in_memory = True

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    auth0_field: Mapped[str] = mapped_column(String(200))
    profile_property: Mapped[str] = mapped_column(String(100))
    require_verified: Mapped[bool]
