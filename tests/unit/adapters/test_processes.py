"""Child processes: what a start began, its orphans included, is found by the mark and ended."""

import os
import signal
import subprocess
import sys
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


def test_stop_ends_the_youngest_first_and_the_rest_at_once(tmp_path: Path, processes: Processes) -> None:
    # Each needs most of its share of the patience; one after the other they would need three times as much.
    body = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit())); print('up', flush=True); time.sleep(60)"
    children = [processes.start(f"slow{n}", module(tmp_path, f"slow_child_{n}", body)) for n in range(4)]
    until = time.monotonic() + 20
    while not all("up" in child.log_file.read_text() for child in children) and time.monotonic() < until:
        time.sleep(0.05)
    began = time.monotonic()
    processes.stop()
    assert time.monotonic() - began < 4
    assert all(child.process.returncode == 0 for child in children)


_REAPING = """
import ctypes, os, subprocess, sys, time
from pathlib import Path
import psutil
from aquascene.adapters.processes import Processes
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans come to us, as they come to process 1
processes = Processes("mark", Path(sys.argv[1]), dict(os.environ))
orphan = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', ''])"
subprocess.run([sys.executable, "-c", orphan], check=True)
ours = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
time.sleep(2)
zombies = lambda: [one.pid for one in psutil.Process().children() if one.status() == psutil.STATUS_ZOMBIE]
before = len(zombies())
looks = [processes.reap({ours.pid}), processes.reap({ours.pid})]
print(before, looks, zombies() == [ours.pid], ours.wait())
"""


def test_orphans_that_ended_are_reaped_and_nobody_loses_an_exit_code(tmp_path: Path) -> None:
    script = tmp_path / "reaping.py"
    script.write_text(_REAPING)
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout == "2 [0, 1] True 7\n", done.stderr
