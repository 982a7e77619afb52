"""What finds a profile goes with it by our own hand: PostgreSQL's check of each row took a third of a first import."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = ("profile_identifiers", "profile_identities")


def upgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(f"fk_{table}_profile_id_profiles", type_="foreignkey")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DELETE FROM {table} WHERE profile_id NOT IN (SELECT id FROM profiles)")  # noqa: S608, our names
        with op.batch_alter_table(table) as batch:
            batch.create_foreign_key(
                f"fk_{table}_profile_id_profiles", "profiles", ["profile_id"], ["id"], ondelete="CASCADE"
            )
