"""Import goals, beside the web goals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The defaults stay: on SQLite, to take one away means a new table, and rows of other tables would go with the old.
    op.add_column("goals", sa.Column("kind", sa.String(length=10), nullable=False, server_default="web"))
    op.add_column("goals", sa.Column("import_settings", JSON_DOCUMENT, nullable=True))
    op.add_column("mappings", sa.Column("transforms", JSON_DOCUMENT, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.execute("DELETE FROM goals WHERE kind = 'import'")
    op.drop_column("mappings", "transforms")
    op.drop_column("goals", "import_settings")
    op.drop_column("goals", "kind")
