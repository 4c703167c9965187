"""Alembic's entry for the ledger: a schema of its own with a version table of its own, apart from the product's where both share a database."""

from typing import Any

from alembic import context
from sqlalchemy import text

from aquascene.adapters.postgres.db import single_engine
from aquascene.adapters.postgres.promotion_tables import SCHEMA, metadata

VERSION_TABLE = "version"
LIMITS = ("SET lock_timeout = '4s'", "SET statement_timeout = '60s'")


def _ours(name: str | None, kind: str, parents: Any) -> bool:
    """Compare the ledger's schema only: the product's tables may live in the same database."""
    return kind != "schema" or name == SCHEMA


def run() -> None:
    """Upgrade (or compare) the database that the caller put into the configuration's attributes."""
    with single_engine(context.config.attributes["url"]).connect() as connection:
        for limit in LIMITS:
            connection.execute(text(limit))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table=VERSION_TABLE,
            version_table_schema=SCHEMA,
            include_schemas=True,
            include_name=_ours,
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def print_sql() -> None:
    """Write the SQL of the revisions, for reviewers and for the migration lint; no database is asked."""
    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        version_table=VERSION_TABLE,
        version_table_schema=SCHEMA,
        transaction_per_migration=True,
    )
    for limit in LIMITS:
        context.execute(limit)
    with context.begin_transaction():
        context.run_migrations()


print_sql() if context.is_offline_mode() else run()
