"""Child processes of `aquascene up`: started with a mark in their environment, found by it, ended in order.

The mark makes a start after kill -9 safe: whatever an earlier start left running is found by it, orphans too.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from aquascene.errors import ConfigError

log = logging.getLogger(__name__)
MARK = "AQUASCENE_STARTED_BY"


@dataclass
class Child:
    """One started program and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


@dataclass
class Processes:
    """The children of one start."""

    mark: str
    logs: Path
    environment: dict[str, str]
    children: list[Child] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set, init=False)

    def start(self, name: str, *module: str) -> Child:
        """Start `python -m module...` with its output in logs/<name>.log, in a session of its own (Ctrl-C reaches us first)."""
        path = self.logs / f"{name}.log"
        with open(path, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self.environment, MARK: self.mark},
                start_new_session=True,
            )
        child = Child(name, process, path)
        self.children.append(child)
        return child

    def run(self, name: str, *module: str, timeout_seconds: float = 120) -> None:
        """Run a program to its end; ConfigError with its last words when it fails."""
        child = self.start(name, *module)
        try:
            code = child.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise ConfigError(f"{name} took longer than {timeout_seconds:.0f} s; its log is {child.log_file}") from None
        finally:
            self.children.remove(child)
        if code != 0:
            raise ConfigError(f"{name} failed (exit {code}); the end of {child.log_file}:\n{child.last_words()}")

    def wait_for(self, child: Child, url: str, timeout_seconds: float, accept: Callable[[httpx.Response], bool] = lambda answer: answer.is_success) -> None:
        """Wait until a child answers; ConfigError with its last words when it dies or takes too long."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if child.process.poll() is not None:
                raise ConfigError(f"{child.name} ended at its start; the end of {child.log_file}:\n{child.last_words()}")
            try:
                if accept(httpx.get(url, timeout=2, trust_env=False)):
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise ConfigError(f"{child.name} did not answer at {url} within {timeout_seconds:.0f} s; the end of {child.log_file}:\n{child.last_words()}")

    def dead(self) -> Child | None:
        """The first child that ended on its own."""
        return next((child for child in self.children if child.process.poll() is not None), None)

    def stop(self, patience_seconds: float = 7.0) -> None:
        """End all children, each with everything that it started: the youngest first, because it still talks to the others, then those at once."""
        for wave, share in ((self.children[-1:], 0.6), (self.children[:-1], 0.4)):
            _end([psutil.Process(child.process.pid) for child in wave if child.process.poll() is None], patience_seconds * share)
            for child in wave:
                child.process.poll()
        self.children.clear()
        end_marked(self.mark, 1.0)

    def reap(self, awaited: set[int]) -> int:
        """Take the status of orphans that ended, as process 1 of a container must; returns how many.

        What somebody here waits for is left to them: our children, those in `awaited`, and whatever ended since the last look.
        """
        ours = awaited | {child.process.pid for child in self.children}
        found = {process.pid for process in _zombies()} - ours
        known, self._seen = found & self._seen, found
        return sum(_reaped(pid) for pid in known)

    def memory_bytes(self) -> int:
        """Memory of everything with our mark and of this process: proportional set size where the system tells it."""
        return sum(_memory(process) for process in [*marked(self.mark), psutil.Process()])


def marked(mark: str) -> list[psutil.Process]:
    """Find every process that was started under this mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_marked(mark: str, patience_seconds: float = 5.0) -> int:
    """End what runs under this mark, orphans of a killed start included; returns how many."""
    leftovers = marked(mark)
    _end(leftovers, patience_seconds)
    return len(leftovers)


def _end(processes: list[psutil.Process], patience_seconds: float) -> None:
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=patience_seconds)
    for process in alive:
        log.warning("process_killed pid=%d", process.pid)
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=2)


def _zombies() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.uss)
    except (psutil.Error, OSError):
        return 0
