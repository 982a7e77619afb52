"""Objectives, the zones in which visitors opt out, and which objectives a connection has."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "objectives",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("needs_consent", sa.Boolean(), nullable=False),
        sa.Column("legislations", JSON_DOCUMENT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objectives")),
    )
    op.create_table(
        "opt_out_zones",
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("zone", name=op.f("pk_opt_out_zones")),
    )
    # The default stays: on SQLite, to take it away means a new table, and rows of other tables would go with the old.
    op.add_column("connections", sa.Column("objectives", JSON_DOCUMENT, nullable=False, server_default="[]"))
    op.add_column("goals", sa.Column("consent", JSON_DOCUMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("goals", "consent")
    op.drop_column("connections", "objectives")
    op.drop_table("opt_out_zones")
    op.drop_table("objectives")
