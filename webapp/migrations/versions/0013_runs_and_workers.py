"""Runs of imports, their schedules, and the workers that carry them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IS_QUEUED = sa.text("state = 'queued'")
IS_ACTIVE = sa.text("state IN ('starting', 'running', 'stopping')")


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("goal_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(length=10), nullable=False),
        sa.Column("requested_by", sa.String(length=254), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("executor_id", sa.String(length=100), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("position", DOCUMENT, nullable=True),
        sa.Column("expected_users", sa.Integer(), nullable=True),
        sa.Column("counts", DOCUMENT, nullable=False),
        sa.Column("problem", sa.String(length=60), nullable=False),
        sa.Column("problem_detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["goal_id"], ["goals.id"], name=op.f("fk_runs_goal_id_goals"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_runs_connection_id_connections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("key", name=op.f("uq_runs_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_runs_queued_goal_id", "runs", ["goal_id"], unique=True, sqlite_where=IS_QUEUED, postgresql_where=IS_QUEUED
    )
    op.create_index(
        "uq_runs_active_connection_id",
        "runs",
        ["connection_id"],
        unique=True,
        sqlite_where=IS_ACTIVE,
        postgresql_where=IS_ACTIVE,
    )
    op.create_index("ix_runs_goal_id_id", "runs", ["goal_id", "id"])
    op.create_index("ix_runs_connection_id_id", "runs", ["connection_id", "id"])
    op.create_table(
        "connection_schedules",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("plain", DOCUMENT, nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("run_missed", sa.Boolean(), nullable=False),
        sa.Column("handled_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_connection_schedules_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_connection_schedules")),
    )
    op.create_table(
        "worker_heartbeats",
        sa.Column("executor_id", sa.String(length=100), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("has_left", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name=op.f("pk_worker_heartbeats")),
    )
    op.create_index(op.f("ix_worker_heartbeats_beat_at"), "worker_heartbeats", ["beat_at"])


def downgrade() -> None:
    op.drop_table("worker_heartbeats")
    op.drop_table("connection_schedules")
    op.drop_table("runs")
