"""Alembic's entry: online only, one transaction per revision, short lock waits."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from aquascene.adapters.postgres.db import sqlalchemy_url
from aquascene.adapters.postgres.tables import metadata


def run() -> None:
    """Upgrade (or compare) the database that the caller put into the configuration's attributes."""
    url = context.config.attributes["url"]
    engine = create_engine(sqlalchemy_url(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '4s'"))
        connection.execute(text("SET statement_timeout = '60s'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True, compare_type=True, compare_server_default=True)
        with context.begin_transaction():
            context.run_migrations()


run()
