"""Connections: their TLS, their pools, and reading from a real streaming replica that lags, dies and comes back."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import make_url, text

from aquascene.adapters import settings
from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.adapters.postgres import db, migrate
from aquascene.errors import ConfigError, TransientError
from aquascene.web.app import create_app

Configure = Callable[..., settings.Settings]


class Standby:
    """A streaming replica of the test server, made by pg_basebackup, on the next port of the same socket folder."""

    PORT = 5433

    def __init__(self, primary: EmbeddedPostgres, folder: Path) -> None:
        self.primary, self.data = primary, folder / "standby"
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"{self.primary.url(database)}&port={self.PORT}"

    def make(self) -> None:
        password = (self.primary.place / "password").read_text().strip()
        source = f"host={self.primary.sockets} user=aquascene password={password}"
        self.primary._run("pg_basebackup", "-D", str(self.data), "-R", "-X", "stream", "--checkpoint=fast", "-d", source)

    def start(self) -> None:
        options = ["-k", str(self.primary.sockets), "-p", str(self.PORT), "-c", "listen_addresses=", "-c", "wal_retrieve_retry_interval=200ms"]
        command = [str(self.primary._bin("postgres")), "-D", str(self.data), *options, "-c", "max_connections=120"]
        log = open(self.data.parent / "standby.log", "ab")  # noqa: SIM115 - handed to the child
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **self.primary._identity())

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # at once, no farewell to anybody
            self.process.wait(10)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url("postgres"), autocommit=True) as there:
            cursor = there.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def standby(postgres: EmbeddedPostgres) -> Iterator[Standby]:
    made = Standby(postgres, postgres.place)
    made.make()
    made.start()
    yield made
    made.kill()
    shutil.rmtree(made.data, ignore_errors=True)


@pytest.fixture
def replicated(standby: Standby, database: str, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standby]:
    """A test database whose replica has it, and settings that name both; the replica is looked at for every read."""
    monkeypatch.setattr("aquascene.adapters.postgres.replica.CHECK_SECONDS", 0.0)
    monkeypatch.setattr("aquascene.adapters.postgres.replica.AGAIN_SECONDS", 0.0)
    configured(DATABASE_REPLICA_URL=standby.url(str(make_url(database).database)), DATABASE__REPLICA_MAX_LAG_SECONDS="0.5")
    eventually(reads_from_replica)
    yield standby
    if standby.process is None or standby.process.poll() is not None:
        standby.start()
    eventually(lambda: standby.rows("SELECT 1"))
    standby.rows("SELECT pg_wal_replay_resume()")


def eventually(check: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while True:
        with suppress(psycopg.OperationalError, TransientError):
            if found := check():
                return found
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def reads_from_replica() -> bool:
    with db.reading() as there:
        return bool(there.execute(text("SELECT pg_is_in_recovery()")).scalar_one())


def a_row_is_written() -> None:
    with db.transaction() as here:
        here.execute(text("CREATE TABLE IF NOT EXISTS scratch (at timestamptz DEFAULT now())"))
        here.execute(text("INSERT INTO scratch DEFAULT VALUES"))


def test_lists_are_read_from_the_replica_and_everything_else_from_the_primary(replicated: Standby) -> None:
    assert reads_from_replica()
    with db.transaction() as here:
        assert here.execute(text("SELECT pg_is_in_recovery()")).scalar_one() is False


def test_an_idle_primary_is_no_lag(replicated: Standby) -> None:
    a_row_is_written()
    eventually(reads_from_replica)
    time.sleep(1.0)  # twice what may lag, with nothing written
    assert all(reads_from_replica() for _ in range(3))


def test_a_replica_that_falls_behind_is_left_until_it_has_caught_up(replicated: Standby) -> None:
    replicated.rows("SELECT pg_wal_replay_pause()")
    a_row_is_written()
    time.sleep(0.8)
    assert not reads_from_replica()
    with db.reading() as there:
        assert there.execute(text("SELECT count(*) FROM scratch")).scalar_one() == 1
    replicated.rows("SELECT pg_wal_replay_resume()")
    eventually(reads_from_replica)


def test_a_killed_replica_costs_no_request(replicated: Standby, serve: Callable[[Any], str]) -> None:
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        assert "aquascene_replica_in_use 1.0" in client.get("/metrics").text
        replicated.kill()
        answers = [client.get("/metrics") for _ in range(5)]
        assert all("aquascene_database_up 1.0" in answer.text and "aquascene_pages 0.0" in answer.text for answer in answers)
        assert "aquascene_replica_in_use 0.0" in answers[-1].text
        assert not reads_from_replica()
        replicated.start()
        eventually(reads_from_replica)


def test_a_replica_that_dies_while_it_is_read_is_left_at_once(replicated: Standby, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aquascene.adapters.postgres.replica.AGAIN_SECONDS", 60.0)
    with pytest.raises(TransientError):
        _read_while(replicated.kill)
    replicated.start()
    eventually(lambda: replicated.rows("SELECT 1"))
    assert not reads_from_replica()


def _read_while(something_happens: Callable[[], None]) -> None:
    with db.reading() as there:
        something_happens()
        there.execute(text("SELECT 1"))


def test_a_replica_without_its_primary_is_still_read(replicated: Standby, configured: Configure) -> None:
    configured(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", DATABASE__CONNECT_TIMEOUT_SECONDS="1")
    assert reads_from_replica()
    with pytest.raises(TransientError), db.transaction() as here:
        here.execute(text("SELECT 1"))


def test_the_last_answer_about_the_replica_holds_for_a_while(replicated: Standby, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aquascene.adapters.postgres.replica.CHECK_SECONDS", 60.0)
    assert reads_from_replica()
    replicated.rows("SELECT pg_wal_replay_pause()")
    a_row_is_written()
    time.sleep(0.8)
    assert reads_from_replica()


def test_reading_cannot_write_on_the_primary_either(database: str) -> None:
    with pytest.raises(Exception, match="read-only transaction"), db.reading() as there:
        there.execute(text("CREATE TABLE scratch ()"))
    a_row_is_written()  # the connection went back to the pool as it was


def test_a_flow_run_has_a_pool_of_its_own_size(database: str, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(DATABASE__POOL_SIZE="7", SCALE__FLOW_RUN_POOL_SIZE="2")
    assert db.engine().pool.size() == 7  # type: ignore[attr-defined]
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "019a0000-0000-7000-8000-000000000000")
    assert db.engine().pool.size() == 2  # type: ignore[attr-defined]


def test_an_empty_pool_is_waited_for_and_then_said(database: str, configured: Configure) -> None:
    configured(DATABASE__POOL_SIZE="1", DATABASE__POOL_OVERFLOW="0", DATABASE__POOL_TIMEOUT_SECONDS="1")
    began = time.monotonic()
    with db.transaction(), pytest.raises(TransientError, match="no connection of the pool was free"), db.transaction():
        raise AssertionError("there was no connection to be had")
    assert 0.9 < time.monotonic() - began < 5


def test_an_old_connection_is_replaced(database: str, configured: Configure) -> None:
    options = configured(DATABASE__POOL_SIZE="1").database.model_copy(update={"pool_recycle_seconds": 0})
    engine, pids = db.make_engine(database, options), set()
    for _ in range(2):
        with engine.connect() as here:
            pids.add(here.execute(text("SELECT pg_backend_pid()")).scalar_one())
        time.sleep(0.05)
    engine.dispose()
    assert len(pids) == 2


# TLS. The wheel's PostgreSQL is built without it, so these speak to a server that does nothing but the handshake.


def a_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, subject, at = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
    made = made.not_valid_before(at - timedelta(hours=1)).not_valid_after(at + timedelta(hours=1)).add_extension(names, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate, private


@contextmanager
def tls_server(certificate: Path, private: Path) -> Iterator[tuple[int, list[str]]]:
    """A server that answers the request for TLS and then refuses everybody; tells what happened to each who came."""
    context, seen, stop = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[str](), threading.Event()
    context.load_cert_chain(certificate, private)
    context.set_alpn_protocols(["postgresql"])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def serve() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                client.settimeout(5)
                asked = client.recv(8)
                seen.append(_shake(client, context) if asked[4:] == b"\x04\xd2\x16\x2f" else "plain")
                client.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], seen
    stop.set()
    thread.join()
    listener.close()


def _shake(client: socket.socket, context: ssl.SSLContext) -> str:
    client.sendall(b"S")
    try:
        with context.wrap_socket(client, server_side=True) as secured:
            return "secured" if secured.recv(8) else "refused by the client"
    except (ssl.SSLError, OSError):
        return "refused by the client"


def attempts(url: str, configured: Configure, **variables: str) -> None:
    configured(DATABASE_URL=url, **variables)
    with pytest.raises(TransientError), db.transaction():
        raise AssertionError("that server lets nobody in")


def test_verify_full_trusts_its_authority_and_its_name_only(tmp_path: Path, configured: Configure) -> None:
    good, key = a_certificate(tmp_path, "localhost")
    other, _ = a_certificate(tmp_path, "elsewhere")
    with tls_server(good, key) as (port, seen):
        url = f"postgresql://user:password@localhost:{port}/name?hostaddr=127.0.0.1"
        strict = {"DATABASE__SSL_MODE": "verify-full"}
        attempts(url, configured, **strict, DATABASE__SSL_ROOT_CERT=str(good))
        attempts(url, configured, **strict, DATABASE__SSL_ROOT_CERT=str(other))
        attempts(url.replace("@localhost", "@database"), configured, **strict, DATABASE__SSL_ROOT_CERT=str(good))
        attempts(f"{url}&sslmode=disable", configured, **strict, DATABASE__SSL_ROOT_CERT=str(good))
        attempts(f"{url}&sslrootcert={other}", configured, **strict, DATABASE__SSL_ROOT_CERT=str(good))
    assert seen == ["secured", "refused by the client", "refused by the client", "plain", "refused by the client"]


def test_without_an_authority_of_its_own_the_machines_are_asked(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, key = a_certificate(tmp_path, "localhost")
    with tls_server(mine, key) as (port, seen):
        url = f"postgresql://user:password@localhost:{port}/name?hostaddr=127.0.0.1"
        attempts(url, configured, DATABASE__SSL_MODE="verify-full")
        monkeypatch.setenv("SSL_CERT_FILE", str(mine))
        db.dispose()
        attempts(url, configured)
    assert seen == ["refused by the client", "secured"]


def test_migrations_use_the_same_tls(tmp_path: Path, configured: Configure) -> None:
    mine, key = a_certificate(tmp_path, "localhost")
    other, _ = a_certificate(tmp_path, "elsewhere")
    configured(DATABASE__SSL_MODE="verify-full", DATABASE__SSL_ROOT_CERT=str(other))
    with tls_server(mine, key) as (port, seen), pytest.raises(ConfigError, match="certificate verify failed"):
        migrate.current(f"postgresql://user:password@localhost:{port}/name?hostaddr=127.0.0.1")
    assert seen == ["refused by the client"]


def test_a_unix_socket_has_no_tls(database: str, configured: Configure) -> None:
    configured(DATABASE__SSL_MODE="verify-full", DATABASE__SSL_ROOT_CERT=os.devnull)
    with db.transaction() as here:
        assert here.execute(text("SELECT 1")).scalar_one() == 1
    assert db.tls_arguments(database, settings.current().database) == {}
