"""Every saved revision of a goal is kept, and what was deployed, byte for byte.

Goals from before begin with the revision that they are at; nobody knows who saved it. Nor is the code of deployments
from before known.
"""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TEXTS = ("name", "key", "claim_namespace", "token_kind")
LISTS = ("client_ids", "audiences", "allowed_origins")
FLAGS = ("allow_creation", "enable_rule", "enable_token")
MAPPING = ("auth0_field", "profile_property", "direction", "strategy")
LINK = ("auth0_field", "profile_property", "require_verified")

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "goal_revisions",
        sa.Column("goal_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("plain", JSON_DOCUMENT, nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["goals.id"], name=op.f("fk_goal_revisions_goal_id_goals"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("goal_id", "revision", name=op.f("pk_goal_revisions")),
    )
    _keep_the_present_revisions()
    op.add_column("deployments", sa.Column("code", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("deployments") as batch:
        batch.alter_column("code", server_default=None)


def downgrade() -> None:
    op.drop_column("deployments", "code")
    op.drop_table("goal_revisions")


def _keep_the_present_revisions() -> None:
    mappings, links = _rows_by_goal("mappings", MAPPING), _rows_by_goal("identifier_links", LINK)
    texts = [sa.column(name, sa.String()) for name in TEXTS]
    lists = [sa.column(name, JSON_DOCUMENT) for name in LISTS]
    flags = [sa.column(name, sa.Boolean()) for name in (*FLAGS, "is_on")]
    numbers = [sa.column(name, sa.Integer()) for name in ("id", "revision")]
    goals = sa.table("goals", *numbers, *texts, *lists, *flags, sa.column("updated_at", sa.DateTime(timezone=True)))
    kept = [
        {
            "goal_id": goal["id"],
            "revision": goal["revision"],
            "plain": {name: goal[name] for name in ("revision", *TEXTS, *LISTS, *FLAGS)}
            | {"mappings": mappings[goal["id"]], "links": links[goal["id"]]},
            "is_on": goal["is_on"],
            "saved_at": goal["updated_at"],
            "saved_by": "",
        }
        for goal in op.get_bind().execute(sa.select(goals)).mappings()
    ]
    revisions = sa.table(
        "goal_revisions",
        sa.column("goal_id", sa.Integer()),
        sa.column("revision", sa.Integer()),
        sa.column("plain", JSON_DOCUMENT),
        sa.column("is_on", sa.Boolean()),
        sa.column("saved_at", sa.DateTime(timezone=True)),
        sa.column("saved_by", sa.String()),
    )
    if kept:
        op.bulk_insert(revisions, kept)


def _rows_by_goal(name: str, columns: tuple[str, ...]) -> dict[int, list[dict[str, Any]]]:
    kinds = {"require_verified": sa.Boolean()}
    table = sa.table(
        name,
        sa.column("goal_id", sa.Integer()),
        sa.column("position", sa.Integer()),
        *(sa.column(column, kinds.get(column, sa.String())) for column in columns),
    )
    found = defaultdict(list)
    for row in op.get_bind().execute(sa.select(table).order_by(table.c.goal_id, table.c.position)).mappings():
        found[row["goal_id"]].append({column: row[column] for column in columns})
    return found
