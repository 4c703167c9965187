"""Migrations of the promotion ledger. Every engine runs them first: they only add, so engines of older releases go on.

A ledger that is further than this code is left as it is.
"""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from aquascene.adapters.postgres.db import describe, server_of, single_engine
from aquascene.adapters.postgres.promotion_tables import SCHEMA
from aquascene.adapters.resources import resource
from aquascene.errors import ConfigError

_LOCK = 4_207_312  # any number but that of the product's migrations


def config(url: str) -> Config:
    """Build Alembic's configuration for the ledger."""
    made = Config()
    made.set_main_option("script_location", str(resource("migrations") / "ledger"))
    made.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(rev)s_%%(slug)s")
    made.attributes["url"] = url
    return made


def revisions() -> list[str]:
    """The revisions that the code has, oldest first."""
    scripts = ScriptDirectory(str(resource("migrations") / "ledger"))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def current(db: Connection) -> str | None:
    """The revision of a ledger; None where there is none yet."""
    options = {"version_table": "version", "version_table_schema": SCHEMA}
    return MigrationContext.configure(db, opts=options).get_current_revision()


def ensure(url: str) -> None:
    """Bring a ledger to the newest revision that this code knows; idempotent, and safe to run twice at once."""
    engine = single_engine(url)
    try:
        with engine.connect() as db:
            if current(db) in (None, *revisions()[:-1]):
                _upgrade(url, db)
    except (OperationalError, ProgrammingError) as exc:
        raise ConfigError(f"cannot use the ledger at {server_of(url)}: {describe(exc)}; check LEDGER_DATABASE_URL and that the server runs") from exc


def _upgrade(url: str, db: Connection) -> None:
    db.rollback()
    db.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    db.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    db.commit()
    try:
        command.upgrade(config(url), "head")
    finally:
        db.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        db.commit()


def check(url: str) -> None:
    """Raise ConfigError where the ledger's tables and the code's differ."""
    from alembic.util.exc import CommandError

    try:
        command.check(config(url))
    except CommandError as exc:
        raise ConfigError(f"the ledger at {server_of(url)} does not match the code: {exc}") from exc
