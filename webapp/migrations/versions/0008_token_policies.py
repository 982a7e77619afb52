"""What a goal asks of tokens beyond the usual, and the secret by which they are signed with HS256."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("goals", sa.Column("token_policy", JSON_DOCUMENT, nullable=False, server_default="{}"))
    op.add_column("goals", sa.Column("sealed_signing_secret", sa.Text()))


def downgrade() -> None:
    op.drop_column("goals", "sealed_signing_secret")
    op.drop_column("goals", "token_policy")
