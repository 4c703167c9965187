"""Child processes: what a start began, its orphans included, is found by the mark and ended."""

import os
import signal
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from aquascene.adapters.processes import Processes, end_marked, marked
from aquascene.errors import ConfigError


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(uuid4().hex, tmp_path, {**os.environ, "PYTHONPATH": str(tmp_path)})


def module(tmp_path: Path, name: str, body: str) -> str:
    (tmp_path / f"{name}.py").write_text(body)
    return name


def test_orphans_of_a_killed_start_are_found_and_ended(tmp_path: Path, processes: Processes) -> None:
    spawn = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True); time.sleep(60)"
    parent = processes.start("parent", module(tmp_path, "parent_of_one", spawn))
    deadline = time.monotonic() + 10
    while len(marked(processes.mark)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.process.send_signal(signal.SIGKILL)
    parent.process.wait(5)
    assert len(marked(processes.mark)) == 1
    assert end_marked(processes.mark) == 1
    assert marked(processes.mark) == []


def test_stop_ends_a_child_that_ignores_terminate(tmp_path: Path, processes: Processes) -> None:
    child = processes.start(
        "stubborn",
        module(tmp_path, "stubborn_child", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"),
    )
    while "up" not in child.log_file.read_text():
        time.sleep(0.05)
    processes.stop(patience_seconds=0.5)
    assert not psutil.pid_exists(child.process.pid)


def test_child_that_dies_at_its_start_is_reported_with_its_last_words(tmp_path: Path, processes: Processes) -> None:
    child = processes.start("broken", module(tmp_path, "broken_child", "raise SystemExit('no disk left')"))
    with pytest.raises(ConfigError, match="no disk left"):
        processes.wait_for(child, "http://127.0.0.1:9/", 10)
    assert processes.dead() is child


def test_program_that_fails_is_reported(tmp_path: Path, processes: Processes) -> None:
    with pytest.raises(ConfigError, match=r"failed \(exit 3\)"):
        processes.run("failing", module(tmp_path, "failing_child", "raise SystemExit(3)"))


def test_memory_counts_children(tmp_path: Path, processes: Processes) -> None:
    processes.start("sleeper", module(tmp_path, "sleeping_child", "import time; time.sleep(60)"))
    assert processes.memory_bytes() > 5_000_000
    processes.stop()
