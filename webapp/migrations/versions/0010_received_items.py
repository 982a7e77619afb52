"""Received items, for the Live page."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "received_items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("goal_id", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("outcome", sa.String(length=60), nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("milliseconds", sa.Double(), nullable=False),
        sa.Column("person", sa.String(length=12), nullable=False),
        sa.Column("profile", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["goals.id"], name=op.f("fk_received_items_goal_id_goals"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_received_items")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_received_items_goal_id_id", "received_items", ["goal_id", "id"])


def downgrade() -> None:
    op.drop_table("received_items")
