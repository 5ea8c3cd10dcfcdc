"""Alembic's entry: runs the revisions on the connection that platform_core.warehouse.migrate hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table="takt_revision", version_table_schema="public"
)
with context.begin_transaction():
    context.run_migrations()
