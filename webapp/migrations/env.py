"""Alembic's entry: runs the migrations on the connection that Database.upgrade opened."""

from alembic import context

import webapp.accounts.models
import webapp.auth0.models
import webapp.code_pages.models
import webapp.conflicts.models
import webapp.connections.models
import webapp.importer.models
import webapp.live.models
import webapp.notifications.models
import webapp.profiles.models
import webapp.runs.models
import webapp.tokens.models  # noqa: F401, the tables register themselves
from webapp.database import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    transaction_per_migration=False,
    transactional_ddl=True,  # SQLite's too: database.py begins transactions itself, so one lock holds for all of them
)
with context.begin_transaction():
    context.run_migrations()
