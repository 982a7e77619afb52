"""Whom connections tell of their runs, and what was sent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITS = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "connection_notifications",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("emails", DOCUMENT, nullable=False),
        sa.Column("email_events", DOCUMENT, nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=False),
        sa.Column("webhook_events", DOCUMENT, nullable=False),
        sa.Column("sealed_webhook_secrets", DOCUMENT, nullable=False),
        sa.Column("secret_made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_connection_notifications_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_connection_notifications")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("run_id", NUMBER, nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("news", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_notifications_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_notifications_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("key", name=op.f("uq_notifications_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_notifications_channel_next_try_at",
        "notifications",
        ["channel", "next_try_at"],
        sqlite_where=WAITS,
        postgresql_where=WAITS,
    )
    op.create_index("ix_notifications_run_id_id", "notifications", ["run_id", "id"])
    op.create_index("ix_notifications_connection_id_id", "notifications", ["connection_id", "id"])


def downgrade() -> None:
    op.drop_table("notifications")
    op.drop_table("connection_notifications")
