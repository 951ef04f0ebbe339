"""What Alembic runs: the migrations, on the connection and in the transaction that `migrate` opened."""

from alembic import context

from treadle.adapters.sql.migrations import TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=TABLE, transactional_ddl=True
)
context.run_migrations()
