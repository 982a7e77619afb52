"""How new the news about each property of a profile is, so that older news does not overwrite it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("profiles", sa.Column("told_at", JSON_DOCUMENT, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("profiles", "told_at")
