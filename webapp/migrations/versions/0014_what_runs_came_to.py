"""What runs came to: their error lists, their logs, and the profiles that they wrote last."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("runs", sa.Column("newest", DOCUMENT, nullable=False, server_default="[]"))
    op.create_table(
        "run_problems",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("run_id", NUMBER, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("auth0_field", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_problems_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_problems")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_problems_run_id_id", "run_problems", ["run_id", "id"])
    op.create_table(
        "run_log",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("run_id", NUMBER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_log_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_log_run_id_id", "run_log", ["run_id", "id"])


def downgrade() -> None:
    op.drop_table("run_log")
    op.drop_table("run_problems")
    op.drop_column("runs", "newest")
