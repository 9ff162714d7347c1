"""What Alembic runs: migrations on the connection that `schema` gives, inside its transaction."""

from alembic import context

from videoannotator.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
