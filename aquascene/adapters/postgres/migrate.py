"""Migrations by Alembic, called from Python: no ini file, the URL never reaches a log."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from aquascene.adapters.postgres.db import describe, server_of, single_engine
from aquascene.adapters.postgres.revisions import revisions
from aquascene.adapters.resources import resource
from aquascene.errors import ConfigError

_LOCK = 4_207_311  # any number; one migrator at a time


def config(url: str) -> Config:
    """Build Alembic's configuration for one database."""
    cfg = Config()
    cfg.set_main_option("script_location", str(resource("migrations")))
    cfg.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(rev)s_%%(slug)s")
    cfg.attributes["url"] = url
    return cfg


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = single_engine(url)
    try:
        with engine.connect() as db:
            yield db
    except OperationalError as exc:
        raise ConfigError(f"cannot reach the database at {server_of(url)}: {describe(exc)}; check DATABASE_URL and that the server runs") from exc


def head() -> str:
    """The newest revision in the code."""
    revision = ScriptDirectory(str(resource("migrations"))).get_current_head()
    assert revision is not None
    return revision


def current(url: str) -> str | None:
    """The revision of a database; None when it is empty."""
    with _connected(url) as db:
        return MigrationContext.configure(db).get_current_revision()


def upgrade(url: str) -> str:
    """Bring a database to the newest revision under an advisory lock; idempotent. Returns the revision.

    A revision that this code does not know was made by a newer release: code that went back leaves its schema alone.
    """
    with _connected(url) as db:
        db.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        db.commit()
        try:
            here = MigrationContext.configure(db).get_current_revision()
            db.commit()
            if is_ahead(here):
                return str(here)
            command.upgrade(config(url), "head")
        finally:
            db.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            db.commit()
    return head()


def is_ahead(revision: str | None) -> bool:
    """Whether a database's revision is one that only a newer release knows."""
    return revision is not None and revision not in {known.id for known in revisions()}


def check(url: str) -> None:
    """Raise ConfigError where the tables of the code and of the database differ."""
    from alembic.util.exc import CommandError

    try:
        command.check(config(url))
    except CommandError as exc:
        raise ConfigError(f"the database at {server_of(url)} does not match the code: {exc}; run `aquascene db upgrade`") from exc
