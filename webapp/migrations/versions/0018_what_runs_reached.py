"""What runs reached: reasons of their error lists, how many profiles, and when the first chunk came."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("runs", sa.Column("first_chunk_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("reasons", DOCUMENT, nullable=False, server_default="{}"))
    op.add_column("runs", sa.Column("profiles", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("connection_profiles", sa.Integer(), nullable=True))
    op.add_column("imported_users", sa.Column("run_id", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("imported_users", "run_id")
    for name in ("connection_profiles", "profiles", "reasons", "first_chunk_at"):
        op.drop_column("runs", name)
