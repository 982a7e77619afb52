"""Deployments name their tenant: what another one runs says nothing about the connection's tenant of today.

Deployments from before belong to no tenant, so their goals ask to be deployed once more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployments", sa.Column("auth0_domain", sa.String(length=255), nullable=False, server_default=""))
    with op.batch_alter_table("deployments") as batch:
        batch.alter_column("auth0_domain", server_default=None)


def downgrade() -> None:
    op.drop_column("deployments", "auth0_domain")
