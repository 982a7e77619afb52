"""Tables of runs, and of the workers that carry them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, JsonDocument, UtcDateTime


class RunState(StrEnum):
    """Where a run is. It is *stopping* until its chunk is done."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FINISHED_WITH_ERRORS = "finished_with_errors"
    FAILED = "failed"
    STOPPED = "stopped"


class RunTrigger(StrEnum):
    """What asked for a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    CLI = "cli"


ACTIVE_STATES = (RunState.STARTING, RunState.RUNNING, RunState.STOPPING)
IS_QUEUED = text("state = 'queued'")
IS_ACTIVE = text("state IN ('starting', 'running', 'stopping')")


class Run(Base):
    """One execution of an import goal. Two indexes decide how many there are at a time, whoever asks at once.

    ``position`` is the importer's own word for where to go on; ``chunks`` counts what was applied up to there.
    ``executor_id`` is the worker that has it. ``problem`` is the slug of what failed, ``problem_detail`` its sentence.
    ``newest`` are ids of the profiles that were created or updated last, the newest first. ``reasons`` counts the lines
    of the error list. When the run ends, ``profiles`` is how many different ones it has imported, and
    ``connection_profiles`` its connection ever.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("uq_runs_queued_goal_id", "goal_id", unique=True, sqlite_where=IS_QUEUED, postgresql_where=IS_QUEUED),
        Index(
            "uq_runs_active_connection_id",
            "connection_id",
            unique=True,
            sqlite_where=IS_ACTIVE,
            postgresql_where=IS_ACTIVE,
        ),
        Index("ix_runs_goal_id_id", "goal_id", "id"),
        Index("ix_runs_connection_id_id", "connection_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"))
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    trigger: Mapped[str] = mapped_column(String(10))
    requested_by: Mapped[str] = mapped_column(String(254))
    is_full: Mapped[bool]
    state: Mapped[str] = mapped_column(String(24))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_chunk_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    executor_id: Mapped[str] = mapped_column(String(100), default="")
    chunks: Mapped[int] = mapped_column(default=0)
    position: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    expected_users: Mapped[int | None]
    counts: Mapped[dict[str, int]] = mapped_column(JsonDocument, default=dict)
    newest: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    reasons: Mapped[dict[str, int]] = mapped_column(JsonDocument, default=dict)
    profiles: Mapped[int | None]
    connection_profiles: Mapped[int | None]
    problem: Mapped[str] = mapped_column(String(60), default="")
    problem_detail: Mapped[str] = mapped_column(Text, default="")


class RunProblem(Base):
    """A line of a run's error list. Empty is what is not known, or not meant: a whole line has no ``auth0_field``."""

    __tablename__ = "run_problems"
    __table_args__ = (Index("ix_run_problems_run_id_id", "run_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    line: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[str] = mapped_column(String(255))
    auth0_field: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)


class RunLogLine(Base):
    """A line of a run's log: what it did, and when. ``text`` names nobody."""

    __tablename__ = "run_log"
    __table_args__ = (Index("ix_run_log_run_id_id", "run_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)


class WorkerHeartbeat(Base):
    """A worker, and when it was last known to live. ``has_left`` is set when it stops in order."""

    __tablename__ = "worker_heartbeats"

    executor_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    has_left: Mapped[bool]
