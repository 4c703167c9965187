"""A small client of the Docker command line for tests: every call is one `docker` command, and a failed one says what it said."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

# How our image runs everywhere: nothing may be written but /tmp and volumes, and there are no rights to lose.
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--user", "10001:10001", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
HEALTHCHECK = ("/opt/aquascene/venv/bin/python", "-I", "-S", "/opt/aquascene/bin/healthcheck.py")

Done = subprocess.CompletedProcess[str]


class EngineError(AssertionError):
    """A docker command failed where it should not have."""


@dataclass(frozen=True)
class Stopped:
    """How a container ended after SIGTERM."""

    exit_code: int
    seconds: float


@dataclass(frozen=True)
class Engine:
    """One Docker engine, by the program that speaks to it."""

    program: str = "docker"

    def call(self, *arguments: str, check: bool = True, timeout: float = 300, stdin: str | None = None, environment: dict[str, str] | None = None) -> Done:
        """Run one docker command; with `check` a failure is an EngineError that holds its last words."""
        variables = {**os.environ, **(environment or {})}
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=timeout, input=stdin, env=variables, check=False)
        if check and done.returncode != 0:
            raise EngineError(f"docker {' '.join(arguments)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
        return done

    def output(self, *arguments: str, timeout: float = 300) -> str:
        """The standard output of one docker command, without the white space around it."""
        return self.call(*arguments, timeout=timeout).stdout.strip()

    def inspect(self, name: str) -> dict[str, Any]:
        """Everything that the engine tells about a container, image, volume or network."""
        found: dict[str, Any] = json.loads(self.output("inspect", name))[0]
        return found

    def exists(self, image: str) -> bool:
        """Tell whether the engine has an image of that name."""
        return self.call("image", "inspect", image, check=False).returncode == 0

    def run(self, image: str, *command: str, options: tuple[str, ...] = HARDENED, timeout: float = 300) -> Done:
        """Run a container to its end and remove it; the caller judges the exit code."""
        return self.call("run", "--rm", *options, image, *command, check=False, timeout=timeout)

    @contextmanager
    def started(self, image: str, *command: str, options: tuple[str, ...] = HARDENED) -> Iterator["Container"]:
        """Start a container in the background; it is removed at the end, with its anonymous volumes."""
        container = Container(self, self.output("run", "--detach", *options, image, *command))
        try:
            yield container
        finally:
            self.call("rm", "--force", "--volumes", container.id, check=False)

    @contextmanager
    def volume(self) -> Iterator[str]:
        """Make a named volume for one test."""
        name = self.output("volume", "create", f"aquascene-test-{uuid4().hex[:12]}")
        try:
            yield name
        finally:
            self.call("volume", "rm", "--force", name, check=False)

    @contextmanager
    def network(self) -> Iterator[str]:
        """Make a bridge network for one test."""
        name = f"aquascene-test-{uuid4().hex[:12]}"
        self.call("network", "create", name)
        try:
            yield name
        finally:
            self.call("network", "rm", name, check=False)


@dataclass(frozen=True)
class Container:
    """A container that was started for a test."""

    engine: Engine
    id: str

    def logs(self) -> str:
        """Everything that it wrote, both streams."""
        done = self.engine.call("logs", self.id)
        return done.stdout + done.stderr

    def stdout(self) -> str:
        """What it wrote to its standard output."""
        return self.engine.call("logs", self.id).stdout

    def state(self) -> dict[str, Any]:
        """Status, exit code and health."""
        found: dict[str, Any] = self.engine.inspect(self.id)["State"]
        return found

    def health(self) -> str:
        """What its health check says: starting, healthy or unhealthy."""
        return str(self.state().get("Health", {}).get("Status", "none"))

    def exec(self, *command: str, timeout: float = 60) -> Done:
        """Run a command inside; the caller judges the exit code."""
        return self.engine.call("exec", self.id, *command, check=False, timeout=timeout)

    def url(self, port: int) -> str:
        """The address on this machine of a port that it published."""
        address = self.engine.output("port", self.id, str(port)).splitlines()[0]
        return f"http://{address.replace('0.0.0.0', '127.0.0.1')}"

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Wait until something is so; a container that ends before that has failed."""
        deadline = time.monotonic() + seconds
        while not condition():
            state = self.state()
            if not state["Running"]:
                raise EngineError(f"the container ended with {state['ExitCode']} before {what}:\n{self.logs()[-4000:]}")
            if time.monotonic() > deadline:
                raise EngineError(f"not {what} after {seconds:.0f} s:\n{self.logs()[-4000:]}")
            time.sleep(0.5)

    def wait_healthy(self, seconds: float = 180) -> None:
        """Wait until its health check passes."""
        self.wait(lambda: self.health() == "healthy", "healthy", seconds)

    def wait_for_line(self, part: str, seconds: float = 180) -> None:
        """Wait until it wrote a line with that part."""
        self.wait(lambda: part in self.logs(), f"a line with {part!r}", seconds)

    def stop(self, patience_seconds: int = 60) -> Stopped:
        """Send SIGTERM and wait; the engine kills it (exit code 137) when the patience ends."""
        began = time.monotonic()
        self.engine.call("stop", "--time", str(patience_seconds), self.id, timeout=patience_seconds + 60)
        return Stopped(int(self.state()["ExitCode"]), time.monotonic() - began)
