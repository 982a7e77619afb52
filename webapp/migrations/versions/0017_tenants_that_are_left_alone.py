"""Until when a tenant takes no more calls, for all workers."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant_pauses",
        sa.Column("base_url", sa.String(length=300), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("base_url", name=op.f("pk_tenant_pauses")),
    )


def downgrade() -> None:
    op.drop_table("tenant_pauses")
