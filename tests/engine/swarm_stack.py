"""The Swarm stack as a test sees it, and readers who ask it for pages all the time."""

import os
import socket
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.engine.docker_engine import Container, Done, Engine

ROOT = Path(__file__).resolve().parents[2]
OVERRIDE = ROOT / "tests" / "engine" / "swarm" / "override.yaml"
LABELS = ("database", "replica", "edge", "observability")


@dataclass(frozen=True)
class SwarmStack:
    """One deployment of docker/stack.yaml, as docker/deploy_stack.sh makes it."""

    engine: Engine
    name: str
    port: int
    variables: dict[str, str]

    @property
    def url(self) -> str:
        """Where the router listens on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def deploy(self, image: str, patience_seconds: int = 400) -> Done:
        """Deploy an image; the script's exit code says how it went."""
        variables = {**os.environ, **self.variables, "AQUASCENE_IMAGE": image, "PATIENCE_SECONDS": str(patience_seconds)}
        command = ["sh", str(ROOT / "docker" / "deploy_stack.sh"), self.name]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=patience_seconds * 3, check=False)

    def service(self, name: str) -> dict[str, Any]:
        """What the engine tells about a service."""
        return self.engine.inspect(f"{self.name}_{name}")

    def image(self, name: str) -> str:
        """The image that a service runs."""
        return str(self.service(name)["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])

    def container(self, name: str) -> Container:
        """One running container of a service."""
        label = f"label=com.docker.swarm.service.name={self.name}_{name}"
        return Container(self.engine, self.engine.output("ps", "--quiet", "--filter", label).split()[0])

    def explain(self) -> str:
        """What the tasks say, for the message of a failed test."""
        lines = self.engine.output("stack", "ps", "--no-trunc", "--format", "{{.Name}} {{.Image}} {{.CurrentState}} {{.Error}}", self.name)
        logs = [self.engine.call("service", "logs", "--tail", "15", f"{self.name}_{name}", check=False) for name in ("migrate", "web")]
        return "\n".join([lines, *(done.stdout + done.stderr for done in logs)])[-6000:]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Readers:
    """Four readers, two of whom keep their connection and two who make a new one for every page."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Readers":
        self._threads = [threading.Thread(target=self._read, args=(number % 2 == 0,), daemon=True) for number in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(3)
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _read(self, keep: bool) -> None:
        client = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
        while not self._stop.is_set():
            try:
                answer = client.get("/version")
                self.answers[str(answer.status_code)] += 1
                if answer.status_code != 200:
                    self.failures.append(f"{time.strftime('%H:%M:%S')} {answer.status_code} {answer.text[:80]}")
            except httpx.HTTPError as exc:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {exc!r}")
            if not keep:
                client.close()
                client = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
            time.sleep(0.05)
        client.close()
