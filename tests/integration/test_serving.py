"""The web process as a balancer sees it: it starts, says when it is ready, drains, stops, and loses no request."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from aquascene.adapters import settings
from aquascene.web.app import create_app

Configure = Callable[..., settings.Settings]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Web:
    """`python -m aquascene.web` on a port of its own."""

    def __init__(self, *arguments: str, folder: Path | None = None, **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {**os.environ, "WEB__PORT": str(self.port), "LOG_LEVEL": "INFO", **variables}
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would stop the process
        command = [sys.executable, "-m", "aquascene.web", *arguments]
        self.process = subprocess.Popen(command, env=environment, cwd=folder, stdout=self._log, stderr=self._log)

    def status(self, path: str, **options: Any) -> int:
        try:
            return httpx.get(self.url + path, timeout=5, trust_env=False, **options).status_code
        except httpx.HTTPError:
            return 0

    def wait_for(self, path: str, status: int, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while (found := self.status(path)) != status:
            assert time.monotonic() < until, f"{path} answers {found}: {self.words()}"
            time.sleep(0.05)

    def words(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(*arguments: str, folder: Path | None = None, **variables: str) -> Iterator[Web]:
    web = Web(*arguments, folder=folder, **variables)
    try:
        web.wait_for("/livez", 200)
        yield web
    finally:
        web.stop()


class Balancer:
    """What stands in front of two processes: it asks each whether it is ready, five times a second, and sends requests to those that are."""

    def __init__(self, *backends: Web) -> None:
        self.ready = set(backends)
        self.backends, self.stop = backends, threading.Event()
        self.failures: list[str] = []
        self.served: dict[int, int] = {web.port: 0 for web in backends}
        self.threads = [threading.Thread(target=self._check), *[threading.Thread(target=self._ask) for _ in range(4)]]

    def __enter__(self) -> "Balancer":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _check(self) -> None:
        while not self.stop.wait(0.2):
            self.ready = {web for web in self.backends if web.status("/readyz") == 200}

    def _ask(self) -> None:
        clients = {web: httpx.Client(base_url=web.url, timeout=10, trust_env=False) for web in self.backends}  # keeps its connections
        while not self.stop.is_set():
            for web in sorted(self.ready, key=lambda one: self.served[one.port]):
                try:
                    answer = clients[web].get("/livez")
                    self.served[web.port] += 1
                    if answer.status_code != 200:
                        self.failures.append(f"{answer.status_code}")
                except httpx.HTTPError as exc:
                    self.failures.append(f"{type(exc).__name__}: {exc}")


def test_a_process_that_stops_under_load_loses_no_request(database: str) -> None:
    with serving(WEB__DRAIN_SECONDS="1.5") as old, serving() as new, Balancer(old, new) as balancer:
        time.sleep(1)
        old.process.send_signal(signal.SIGTERM)
        old.wait_for("/readyz", 503, 2)
        assert httpx.get(f"{old.url}/readyz", timeout=5).json()["status"] == "draining"
        draining = httpx.get(f"{old.url}/livez", timeout=5)
        assert (draining.status_code, draining.headers["connection"]) == (200, "close")
        began = time.monotonic()
        assert old.process.wait(10) == 0
        assert time.monotonic() - began > 0.5
        time.sleep(0.5)
    assert balancer.failures == []
    assert min(balancer.served.values()) > 20


def test_a_request_that_is_under_way_is_finished(database: str) -> None:
    with serving(WEB__DRAIN_SECONDS="0.3") as web, socket.create_connection(("127.0.0.1", web.port)) as slow:
        slow.sendall(b"POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 38\r\n\r\n")
        slow.sendall(b'{"api_key": "aq_')
        time.sleep(0.3)
        web.process.send_signal(signal.SIGTERM)
        web.wait_for("/livez", 0)  # it takes no new connections any more
        slow.sendall(b'123456789_0123456789"}')
        assert b"401 Unauthorized" in slow.recv(4096)
        assert web.process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once(database: str, number: signal.Signals) -> None:
    with serving(WEB__DRAIN_SECONDS="60") as web:
        web.process.send_signal(signal.SIGTERM)
        web.wait_for("/readyz", 503, 5)
        began = time.monotonic()
        web.process.send_signal(number)
        assert web.process.wait(20) == 0
        assert time.monotonic() - began < 10


def test_ctrl_c_does_not_drain(database: str) -> None:
    with serving(WEB__DRAIN_SECONDS="60") as web:
        began = time.monotonic()
        web.process.send_signal(signal.SIGINT)
        assert web.process.wait(20) == 0
        assert time.monotonic() - began < 10


def test_metrics_have_a_port_of_their_own_and_leave_the_main_one(database: str) -> None:
    port = free_port()
    with serving(WEB__METRICS_PORT=str(port), WEB__DRAIN_SECONDS="1", GIT_SHA="c0ffee") as web:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        assert "aquascene_database_up 1.0" in text
        assert 'aquascene_build_info{environment="demo",git_sha="c0ffee",version="' in text
        assert "process_resident_memory_bytes" in text
        assert web.status("/metrics") == 404
        assert "/metrics" not in httpx.get(f"{web.url}/openapi.json", timeout=5).json()["paths"]
        web.process.send_signal(signal.SIGTERM)
        web.wait_for("/readyz", 503, 2)
        assert 'route="/readyz",status="503"' in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text  # to the end
        assert web.process.wait(20) == 0


def test_a_metrics_port_in_use_ends_the_start(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        web = Web(WEB__METRICS_PORT=str(held.getsockname()[1]))
        assert web.process.wait(30) != 0
        assert "address already in use" in web.words().lower()


def test_startup_is_told_once_and_readiness_always(database: str, configured: Configure, serve: Callable[[Any], str]) -> None:
    configured(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", DATABASE__CONNECT_TIMEOUT_SECONDS="1")
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        assert (client.get("/startupz").status_code, client.get("/startupz").json()["status"]) == (503, "starting")
        configured(DATABASE_URL=database)
        assert client.get("/startupz").status_code == 200
        configured(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
        assert (client.get("/startupz").status_code, client.get("/readyz").status_code, client.get("/livez").status_code) == (200, 503, 200)


def test_a_database_without_a_schema_is_not_ready(database: str, serve: Callable[[Any], str]) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("DELETE FROM alembic_version")
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        assert (client.get("/readyz").status_code, client.get("/startupz").status_code) == (503, 503)


def test_a_prefect_that_hangs_does_not_hold_readiness_up(database: str, configured: Configure, serve: Callable[[Any], str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configured(PREFECT_API_URL=f"http://127.0.0.1:{silent.getsockname()[1]}/api")
        with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
            began = time.monotonic()
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["prefect"]) == (200, "unreachable")
            assert time.monotonic() - began < 10


def test_the_version_names_image_and_commit(database: str, configured: Configure, serve: Callable[[Any], str]) -> None:
    digest = f"sha256:{'ab' * 32}"
    configured(IMAGE=f"registry.example/aquascene@{digest}", GIT_SHA="c0ffee")
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        told = client.get("/version").json()
    assert (told["image"], told["image_digest"], told["git_sha"]) == (f"registry.example/aquascene@{digest}", digest, "c0ffee")
    assert {"version", "environment", "schema_expected"} <= told.keys()


@pytest.mark.parametrize(("trusted", "statuses"), [("127.0.0.1", [200, 200, 429, 200]), ("192.0.2.1", [200, 200, 429, 429])])
def test_limits_see_the_clients_address_behind_a_proxy_that_is_trusted(database: str, trusted: str, statuses: list[int]) -> None:
    limits = {"WEB__BURST_SIZE": "2", "WEB__REQUESTS_PER_HOUR": "10"}
    with serving(WEB__FORWARDED_ALLOW_IPS=trusted, **limits) as web:
        found = [web.status("/subscribe", headers={"X-Forwarded-For": address}) for address in ["198.51.100.1"] * 3 + ["198.51.100.2"]]
    assert found == statuses


def test_a_client_cannot_choose_its_address_by_a_longer_header(database: str) -> None:
    with serving(WEB__BURST_SIZE="1", WEB__REQUESTS_PER_HOUR="10") as web:
        found = [web.status("/subscribe", headers={"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.1"}) for n in range(3)]
    assert found == [200, 429, 429]


def test_code_that_changes_is_served_anew(database: str, tmp_path: Path) -> None:
    """Works on a copy of the package, because it changes a file of it."""
    copy = tmp_path / "checkout"
    root = Path(__file__).resolve().parents[2]
    copy.mkdir()
    for name in ("aquascene", "config", "migrations"):
        subprocess.run(["cp", "-r", str(root / name), str(copy / name)], check=True)
    with serving("--reload", folder=copy, PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1") as web:
        changed = copy / "aquascene" / "web" / "versions.py"
        changed.write_text('def version() -> str:\n    return "changed"\n')
        until = time.monotonic() + 60
        while True:
            # It may go away between two requests: that is what is waited for.
            with suppress(httpx.HTTPError):
                if httpx.get(f"{web.url}/version", timeout=5).json()["version"] == "changed":
                    break
            assert time.monotonic() < until
            time.sleep(0.1)
        web.process.send_signal(signal.SIGTERM)
        web.process.wait(10)
        assert web.status("/livez") == 0
