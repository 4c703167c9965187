"""Fixtures shared by all tests: a real PostgreSQL, real settings, a real Prefect server, real sockets."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import uvicorn

from aquascene.adapters import settings
from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.adapters.postgres import db, migrate

# Tests of the linters need .venv-tools; `make lint-deploy` makes it and names their folder.
collect_ignore = ["linters"]


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of tests that are about migrations themselves; scripts/new_schema_plugin.py leaves them out."""
    config.addinivalue_line("markers", "own_schema: needs the schema of this very checkout")


# Tests never read what the developer has set.
for name in [name for name in os.environ if name.startswith(("PREFECT_", "OPENAI_", "ANTHROPIC_", "SENDGRID_", "DATABASE_", "OBJECT_STORE_"))]:
    del os.environ[name]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One embedded PostgreSQL for the session, with a migrated template database."""
    # A root start drops to another user, who cannot pass pytest's private folders: the server moves itself then.
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), options=("-c", "fsync=off", "-c", "max_connections=120"))
    server.start()
    migrate.upgrade(server.url())
    yield server
    server.stop()
    shutil.rmtree(server.place, ignore_errors=True)


@pytest.fixture
def database(postgres: EmbeddedPostgres, configured: Callable[..., settings.Settings]) -> Iterator[str]:
    """A fresh, migrated database; the process's settings point to it. Yields its URL."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "aquascene"')
    configured(DATABASE_URL=postgres.url(name))
    yield postgres.url(name)
    db.dispose()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., settings.Settings]]:
    """Set environment variables and read the settings anew: `configured(FETCH__MAX_REDIRECTS="2")`."""

    def configure(**variables: str) -> settings.Settings:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        settings.reset()
        return settings.current()

    configure(
        ENVIRONMENT="demo", AQUASCENE_HOME=str(tmp_path / "home"), JWT_SECRET="a-secret-for-tests-that-is-long-enough", SECRETS_DIR=str(tmp_path / "none")
    )
    yield configure
    monkeypatch.undo()
    settings.reset()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free loopback port; yields its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server under test did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serve ASGI applications for one test: `url = serve(app)`."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda app: stack.enter_context(serving(app))


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """One real Prefect server for the session; flows called in tests talk to it. Yields its API URL."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_LOGGING_EXTRA_LOGGERS, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    # With a heartbeat every sync flow sleeps up to a second at its end.
    quick = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_EXTRA_LOGGERS: ["aquascene", "flows", "tasks"]}
    with prefect_test_harness(server_startup_timeout=120), temporary_settings(quick):
        yield str(PREFECT_API_URL.value())
