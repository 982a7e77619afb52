"""What finds a profile goes with it by a trigger: a foreign key checks each row, a quarter of a first import's work.

Whoever makes `profiles` anew, as batch operations on SQLite do, has to make the trigger anew too.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = ("profile_identifiers", "profile_identities")
FORGET = " ".join(f"DELETE FROM {table} WHERE profile_id = OLD.id;" for table in TABLES)  # noqa: S608, our names


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:  # in the order in which imports come to them
        op.execute(f"LOCK TABLE profiles, {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(f"fk_{table}_profile_id_profiles", type_="foreignkey")
    if is_sqlite:
        op.execute(f"CREATE TRIGGER forget_profile AFTER DELETE ON profiles BEGIN {FORGET} END")
        return
    op.execute(
        f"CREATE FUNCTION forget_profile() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {FORGET} RETURN NULL; END $$"
    )
    op.execute("CREATE TRIGGER forget_profile AFTER DELETE ON profiles FOR EACH ROW EXECUTE FUNCTION forget_profile()")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER forget_profile")
    else:
        op.execute("DROP TRIGGER forget_profile ON profiles")
        op.execute("DROP FUNCTION forget_profile()")
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.create_foreign_key(
                f"fk_{table}_profile_id_profiles", "profiles", ["profile_id"], ["id"], ondelete="CASCADE"
            )
