"""Alembic's entry: runs the migrations on the connection it is given, in that connection's transaction."""

from alembic import context

from shell.store.metadata import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
