"""Goals whose Action calls Websync in the login, and the secrets by which it does."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("goals", sa.Column("server_exchange", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("goals", sa.Column("sealed_exchange_secrets", JSON_DOCUMENT, nullable=False, server_default="[]"))
    op.add_column("deployments", sa.Column("secret_digest", sa.String(64), nullable=False, server_default=""))
    # The defaults stay: on SQLite, to take one away means a new table, and rows of other tables would go with the old.


def downgrade() -> None:
    op.drop_column("deployments", "secret_digest")
    op.drop_column("goals", "sealed_exchange_secrets")
    op.drop_column("goals", "server_exchange")
