"""Engines and transactions. Connections are made on first use, never at import."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, create_engine, make_url, pool, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from aquascene.adapters import settings
from aquascene.adapters.postgres.replica import Replica
from aquascene.errors import ConfigError, TransientError

FLOW_RUN = "PREFECT__FLOW_RUN_ID"  # the engine sets it in every process that runs one flow run
_DEBIAN_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_REPLICA_CONNECT_SECONDS = 2
# Not by the driver's option, which says READ WRITE when it is taken back: a replica refuses that.
_READ_ONLY = text("SET TRANSACTION READ ONLY")


def sqlalchemy_url(url: str) -> str:
    """Name the psycopg driver in a libpq URL; anything but PostgreSQL is a ConfigError."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigError("DATABASE_URL must look like postgresql://user:password@host:5432/name; set it, or use `aquascene up` for an embedded server")
    return f"postgresql+psycopg://{rest}"


def tls_arguments(url: str, options: settings.DatabaseSettings) -> dict[str, str]:
    """Say how libpq is to use TLS: what the URL says wins over the settings, and a Unix socket has none."""
    parsed = make_url(sqlalchemy_url(url))
    hosts = parsed.query.get("host", parsed.host or "")
    if all(host.startswith("/") or not host for host in ([hosts] if isinstance(hosts, str) else hosts)):
        return {}
    wanted: dict[str, str] = {"sslmode": options.ssl_mode}
    if options.ssl_root_cert or options.ssl_mode.startswith("verify"):
        wanted["sslrootcert"] = options.ssl_root_cert or _system_authorities()
    return {name: value for name, value in wanted.items() if name not in parsed.query}


def _system_authorities() -> str:
    """Locate the machine's authorities: the libpq of the driver's wheel looks where its builder had them."""
    found = ssl.get_default_verify_paths().cafile
    return found or (str(_DEBIAN_AUTHORITIES) if _DEBIAN_AUTHORITIES.exists() else "system")


def make_engine(url: str, options: settings.DatabaseSettings, pool_size: int | None = None) -> Engine:
    """Build an engine with time-outs on connecting, statements, locks and the pool."""
    return create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size or options.pool_size,
        max_overflow=options.pool_overflow,
        pool_timeout=options.pool_timeout_seconds,
        pool_recycle=options.pool_recycle_seconds,
        pool_pre_ping=True,
        connect_args=_arguments(url, options)
        | {"options": f"-c statement_timeout={options.statement_timeout_ms} -c lock_timeout={options.lock_timeout_ms} -c timezone=UTC"},
    )


def single_engine(url: str) -> Engine:
    """Build an engine that keeps no connection, for migrations: the same TLS, time-outs of their own."""
    return create_engine(sqlalchemy_url(url), poolclass=pool.NullPool, connect_args=_arguments(url, settings.current().database))


def _arguments(url: str, options: settings.DatabaseSettings) -> dict[str, Any]:
    return {"connect_timeout": options.connect_timeout_seconds, "application_name": "aquascene", **tls_arguments(url, options)}


@lru_cache(maxsize=4)
def _engine(url: str, options: settings.DatabaseSettings, pool_size: int) -> Engine:
    return make_engine(url, options, pool_size)


@lru_cache(maxsize=2)
def _replica(url: str, primary: Engine, options: settings.DatabaseSettings, pool_size: int) -> Replica:
    quick = options.model_copy(update={"connect_timeout_seconds": min(options.connect_timeout_seconds, _REPLICA_CONNECT_SECONDS)})
    return Replica(primary, make_engine(url, quick, pool_size), options.replica_max_lag_seconds)


def pool_size(now: settings.Settings) -> int:
    """How many connections this process keeps: a flow run has a number of its own, because there are many of them."""
    return now.scale.flow_run_pool_size if os.environ.get(FLOW_RUN) else now.database.pool_size


def engine() -> Engine:
    """The engine of this process for the current settings."""
    now = settings.current()
    return _engine(now.database_url.get_secret_value(), now.database, pool_size(now))


def replica() -> Replica | None:
    """The read replica of the current settings."""
    now = settings.current()
    url = now.database_replica_url.get_secret_value() if now.database_replica_url else ""
    return _replica(url, engine(), now.database, pool_size(now)) if url else None


@contextmanager
def transaction() -> Iterator[Connection]:
    """Open one short transaction; lost connections and lock time-outs become TransientError."""
    try:
        with engine().begin() as db:
            yield db
    except (OperationalError, InterfaceError, PoolTimeout) as exc:
        raise TransientError(f"database: {describe(exc)}") from exc


@contextmanager
def reading() -> Iterator[Connection]:
    """Open a read-only transaction for lists and counts, which may be some seconds old: on the replica where there is a good one.

    Never for verdicts, tokens or suppression: those must see what was committed a moment ago.
    """
    db, used = _connect_for_reading()
    try:
        with db, db.begin():
            db.execute(_READ_ONLY)
            yield db
    except (OperationalError, InterfaceError, PoolTimeout) as exc:
        if used is not None:
            used.distrust(type(exc).__name__)
        raise TransientError(f"database: {describe(exc)}") from exc


def _connect_for_reading() -> tuple[Connection, Replica | None]:
    beside = replica()
    if beside is not None and beside.usable():
        try:
            return beside.engine.connect(), beside
        except (DBAPIError, PoolTimeout) as exc:
            beside.distrust(type(exc).__name__)
    try:
        return engine().connect(), None
    except (OperationalError, InterfaceError, PoolTimeout) as exc:
        raise TransientError(f"database: {describe(exc)}") from exc


def describe(error: DBAPIError | PoolTimeout) -> str:
    """Say what the database said, in one line without the statement and its values."""
    if isinstance(error, PoolTimeout):
        return "no connection of the pool was free in time"
    return " ".join(str(error.orig).split())


def server_of(url: str) -> str:
    """Name host and database of a URL without its credentials."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'local socket'}:{parts.port or 5432}{parts.path}"


def dispose() -> None:
    """Close the pools of this process (tests, before forking)."""
    _replica.cache_clear()
    _engine.cache_clear()
