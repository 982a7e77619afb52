"""What imports remember."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_users",
        sa.Column("goal_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sums", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["goals.id"], name=op.f("fk_imported_users_goal_id_goals"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("goal_id", "user_id", name=op.f("pk_imported_users")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "applied_chunks",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("goal_id", sa.Integer(), nullable=False),
        sa.Column("result", JSON_DOCUMENT, nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["goals.id"], name=op.f("fk_applied_chunks_goal_id_goals"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "digest", name=op.f("pk_applied_chunks")),
    )
    op.create_index(op.f("ix_applied_chunks_goal_id"), "applied_chunks", ["goal_id"])


def downgrade() -> None:
    op.drop_table("applied_chunks")
    op.drop_table("imported_users")
