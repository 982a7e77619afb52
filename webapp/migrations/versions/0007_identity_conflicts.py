"""Posts that point at somebody else's profile are kept, for an admin to decide."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_conflicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("goal_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("profile_id", sa.String(length=64), nullable=False),
        sa.Column("auth0_field", sa.String(length=200), nullable=False),
        sa.Column("profile_property", sa.String(length=100), nullable=False),
        sa.Column("owners", JSON_DOCUMENT, nullable=False),
        sa.Column("post_count", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("decided_by", sa.String(length=254), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("own_profile_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["goals.id"], name=op.f("fk_identity_conflicts_goal_id_goals"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name=op.f("fk_identity_conflicts_profile_id_profiles"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_conflicts")),
        sa.UniqueConstraint("key", name=op.f("uq_identity_conflicts_key")),
        sa.UniqueConstraint(
            "goal_id",
            "issuer",
            "subject",
            "profile_id",
            name=op.f("uq_identity_conflicts_goal_id_issuer_subject_profile_id"),
        ),
    )
    op.create_index("ix_identity_conflicts_profile_id", "identity_conflicts", ["profile_id"])
    op.create_index("ix_identity_conflicts_state_last_at_id", "identity_conflicts", ["state", "last_at", "id"])


def downgrade() -> None:
    op.drop_table("identity_conflicts")
