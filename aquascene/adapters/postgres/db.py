"""Engines and transactions. Connections are made on first use, never at import."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from aquascene.adapters import settings
from aquascene.errors import ConfigError, TransientError


def sqlalchemy_url(url: str) -> str:
    """Name the psycopg driver in a libpq URL; anything but PostgreSQL is a ConfigError."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigError("DATABASE_URL must look like postgresql://user:password@host:5432/name; set it, or use `aquascene up` for an embedded server")
    return f"postgresql+psycopg://{rest}"


def make_engine(url: str, options: settings.DatabaseSettings) -> Engine:
    """Build an engine with time-outs on connecting, statements and locks."""
    return create_engine(
        sqlalchemy_url(url),
        pool_size=options.pool_size,
        max_overflow=options.pool_overflow,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": options.connect_timeout_seconds,
            "options": f"-c statement_timeout={options.statement_timeout_ms} -c lock_timeout={options.lock_timeout_ms} -c timezone=UTC",
            "application_name": "aquascene",
        },
    )


@lru_cache(maxsize=4)
def _engine(url: str, options: settings.DatabaseSettings) -> Engine:
    return make_engine(url, options)


def engine() -> Engine:
    """The engine of this process for the current settings."""
    now = settings.current()
    return _engine(now.database_url.get_secret_value(), now.database)


@contextmanager
def transaction() -> Iterator[Connection]:
    """Open one short transaction; lost connections and lock time-outs become TransientError."""
    try:
        with engine().begin() as db:
            yield db
    except (OperationalError, InterfaceError) as exc:
        raise TransientError(f"database: {describe(exc)}") from exc


def describe(error: DBAPIError) -> str:
    """Say what the database said, in one line without the statement and its values."""
    return " ".join(str(error.orig).split())


def server_of(url: str) -> str:
    """Name host and database of a URL without its credentials."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'local socket'}:{parts.port or 5432}{parts.path}"


def dispose() -> None:
    """Close the pools of this process (tests, before forking)."""
    if _engine.cache_info().currsize:
        _engine.cache_clear()
