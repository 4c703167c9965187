"""Alembic's entry: one transaction per revision, short lock waits; with --sql it prints what it would run."""

from alembic import context
from sqlalchemy import text

from aquascene.adapters.postgres.db import single_engine
from aquascene.adapters.postgres.tables import metadata

# A migration that waits behind a long query makes every later query wait behind itself: it gives up soon and is tried again.
LIMITS = ("SET lock_timeout = '4s'", "SET statement_timeout = '60s'")


def run() -> None:
    """Upgrade (or compare) the database that the caller put into the configuration's attributes."""
    with single_engine(context.config.attributes["url"]).connect() as connection:
        for limit in LIMITS:
            connection.execute(text(limit))
        connection.commit()
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True, compare_type=True, compare_server_default=True)
        with context.begin_transaction():
            context.run_migrations()


def print_sql() -> None:
    """Write the SQL of the revisions, for reviewers and for the migration lint; no database is asked."""
    context.configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True, transaction_per_migration=True)
    for limit in LIMITS:
        context.execute(limit)
    with context.begin_transaction():
        context.run_migrations()


print_sql() if context.is_offline_mode() else run()
