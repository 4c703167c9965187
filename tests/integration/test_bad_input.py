"""Bad input to the command: one message that says what, where and what to do, exit 2, and nothing left running."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from aquascene.adapters.local_state import LocalState
from aquascene.adapters.processes import MARK
from tests.e2e.conftest import environment


def demo(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aquascene.cli.main", "demo"]
    done = subprocess.run(command, env=environment(home, **variables), capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    assert not _left_running(home)
    return done


def _left_running(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and MARK in process.environ() and process.environ().get("AQUASCENE_HOME") == str(home):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"DATABASE_URL": "mysql://localhost/x"}, "DATABASE_URL must look like postgresql://"),
        ({"DATABASE_URL": "postgresql://u:hidden-password@127.0.0.1:1/x"}, "cannot reach the database at 127.0.0.1:1/x"),
        ({"ENVIRONMENT": "prod"}, "is one of development, staging, production, demo"),
        ({"WEB__PORT": "eighty"}, "web.port"),
        ({"CONFIG_FILE": "/no/such.yaml"}, "cannot read /no/such.yaml"),
    ],
    ids=["not-postgresql", "unreachable-database", "unknown-environment", "no-number", "missing-file"],
)
def test_wrong_settings_are_refused(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    done = demo(tmp_path / "home", **variables)
    assert done.returncode == 2
    assert says in done.stderr
    assert "hidden-password" not in done.stderr + done.stdout


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("web: {port: 1")
    done = demo(tmp_path / "home", CONFIG_FILE=str(tmp_path / "mine.yaml"))
    assert done.returncode == 2
    assert "mine.yaml is not valid YAML" in done.stderr


def test_fixed_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        done = demo(tmp_path / "home", WEB__PORT=str(held.getsockname()[1]))
    assert done.returncode == 2
    assert "WEB__PORT" in done.stderr


def test_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file is in the way")
    done = demo(tmp_path / "home")
    assert done.returncode == 2
    assert "AQUASCENE_HOME" in done.stderr


def test_start_that_fails_half_way_is_finished_by_the_next(tmp_path: Path) -> None:
    home = tmp_path / "home"
    held = demo(home, DATABASE_URL="postgresql://u@127.0.0.1:1/x")  # fails after the state folder and the ports were made
    assert held.returncode == 2
    state = LocalState(home)
    state.prepare()
    state.take_lock()  # raises while an earlier start still holds it
