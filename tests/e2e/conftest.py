"""The whole product as a user starts it: `aquascene demo` in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.adapters.processes import MARK

_CLEAN = (
    "PREFECT",
    "OPENAI",
    "ANTHROPIC",
    "SENDGRID",
    "DATABASE",
    "OBJECT_STORE",
    "WEB__",
    "SANDBOX",
    "FETCH__",
    "JWT",
    "AQUASCENE",
    "ENVIRONMENT",
    "PUBLISHING",
)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A user's environment with nothing of ours in it but the home folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CLEAN)}
    return {**kept, **ports(home), "AQUASCENE_HOME": str(home), **more}


def ports(home: Path) -> dict[str, str]:
    """Ports of a home's own: tests beside these take 8000 to 8999 (Prefect's harness) and what the system gives out (from 32768)."""
    first = 20_000 + zlib.crc32(str(home).encode()) % 3_000 * 4
    names = ("WEB__PORT", "ORCHESTRATION__PORT", "SANDBOX__PORT", "SANDBOX__PUBLICATION_PORT")
    return {name: str(first + offset) for offset, name in enumerate(names)}


@dataclass
class Demo:
    """A demo that is up: its summary, its home, its process."""

    home: Path
    summary: dict[str, Any]
    process: subprocess.Popen[str]

    @property
    def web(self) -> str:
        return str(self.summary["links"]["site"]).rstrip("/")

    @property
    def prefect_api(self) -> str:
        return str(self.summary["links"]["pipeline run"]).split("/runs/")[0] + "/api"

    @property
    def sandbox(self) -> str:
        return str(self.summary["links"]["inbox"]).removesuffix("/inbox")

    @property
    def database_url(self) -> str:
        return EmbeddedPostgres(self.home).url()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as db:
            cursor = db.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def child_environment(self) -> dict[str, str]:
        """The environment that the demo's own web process has: what a programmer beside it would set."""
        for process in psutil.process_iter():
            try:
                found = process.environ()
                if found.get("AQUASCENE_HOME") == str(self.home) and "aquascene.web" in process.cmdline():
                    return found
            except (psutil.Error, OSError):
                continue
        raise AssertionError("the demo's web process is not running")


def run_demo(home: Path, *arguments: str, timeout: float = 400, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `aquascene demo` to its end."""
    command = [sys.executable, "-m", "aquascene.cli.main", "demo", "--json", *arguments]
    return subprocess.run(command, env=environment(home, **more), capture_output=True, text=True, timeout=timeout, check=False)


def kill_everything(home: Path, process: subprocess.Popen[str]) -> int:
    """SIGKILL the command and every process that it started, directly or not; returns how many."""
    process.send_signal(signal.SIGKILL)
    killed = 1
    for _ in range(3):  # a runner that dies second may have started another child meanwhile
        for other in psutil.process_iter():
            try:
                ours = other.environ().get("AQUASCENE_HOME") == str(home) and MARK in other.environ()
                if ours or (other.name() == "postgres" and str(EmbeddedPostgres(home).data) in " ".join(other.cmdline())):
                    other.kill()
                    killed += 1
            except (psutil.Error, OSError):
                continue
    process.wait(20)
    return killed


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo that ran its main job and stays up for the session."""
    home = tmp_path_factory.mktemp("demo") / "home"
    log = open(home.parent / "stderr.log", "w+")  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-m", "aquascene.cli.main", "demo", "--json", "--keep"], env=environment(home), stdout=subprocess.PIPE, stderr=log, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.rstrip("\n") == "}":
            break
    if not lines:
        log.seek(0)
        raise AssertionError(f"the demo printed no summary: {log.read()}")
    yield Demo(home, json.loads("".join(lines)), process)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert not [p for p in psutil.process_iter() if _started_by(p, home)], "Ctrl-C left children behind"


def _started_by(process: psutil.Process, home: Path) -> bool:
    try:
        return process.pid != os.getpid() and MARK in process.environ() and process.environ().get("AQUASCENE_HOME") == str(home)
    except (psutil.Error, OSError):
        return False


def eventually(check: Any, seconds: float = 60) -> Any:
    """Call until it returns something true; the last answer fails the test."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)
    return answer


def api(demo: Demo, key: str) -> httpx.Client:
    """A client of the web application with an API key."""
    return httpx.Client(base_url=demo.web, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False)
