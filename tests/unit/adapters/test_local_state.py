"""Local state: ports that stay, secrets that stay, one start at a time."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aquascene.adapters.local_state import LocalState, port_is_free, short_temporary
from aquascene.errors import ConfigError


@pytest.fixture
def state(tmp_path: Path) -> LocalState:
    made = LocalState(tmp_path / "home")
    made.prepare()
    return made


def busy() -> socket.socket:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    return held


def test_busy_port_is_replaced_and_the_choice_kept(state: LocalState) -> None:
    with busy() as held:
        taken = held.getsockname()[1]
        chosen = state.ports({"web": (taken, False)})["web"]
        assert chosen != taken
    assert state.ports({"web": (taken, False)})["web"] == chosen


def test_fixed_port_in_use_is_refused_with_what_to_do(state: LocalState) -> None:
    with busy() as held, pytest.raises(ConfigError, match=rf"port {held.getsockname()[1]} .* in use; .*WEB__PORT"):
        state.ports({"web": (held.getsockname()[1], True)})


def test_no_port_free_is_said(state: LocalState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aquascene.adapters.local_state.port_is_free", lambda port, host: False)
    with pytest.raises(ConfigError, match="every port from 8000 to 8049"):
        state.ports({"web": (8000, False)})


def test_secrets_are_made_once_and_private(state: LocalState) -> None:
    first = state.secret("jwt_secret")
    assert len(first) >= 32
    assert state.secret("jwt_secret") == first
    assert stat.S_IMODE((state.home / "secrets" / "jwt_secret").stat().st_mode) == 0o600
    assert state.webhook_key()[1] == state.webhook_key()[1]


def test_second_start_is_refused_until_the_first_is_gone(state: LocalState) -> None:
    state.take_lock()
    script = f"from pathlib import Path; from aquascene.adapters.local_state import LocalState; LocalState(Path({str(state.home)!r})).take_lock()"
    refused = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert f"already running from {state.home} (process {os.getpid()})" in refused.stderr


def test_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot write to .*AQUASCENE_HOME"):
        LocalState(tmp_path / "home").prepare()


def test_port_is_free_tells_both_cases() -> None:
    with busy() as held:
        port = held.getsockname()[1]
        assert not port_is_free(port)
    assert port_is_free(port)


def test_a_port_is_looked_for_where_it_will_be_listened_on(state: LocalState) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.2", 0))
        held.listen()
        port = held.getsockname()[1]
        assert port_is_free(port)
        assert not port_is_free(port, "0.0.0.0")
        with pytest.raises(ConfigError, match=rf"port {port} on 0.0.0.0 is in use"):
            state.ports({"web": (port, True)}, {"web": "0.0.0.0"})


@pytest.mark.parametrize(("given", "used"), [("/run/user/7", "/run/user/7"), ("", "/tmp"), ("relative", "/tmp"), ("/" + "x" * 60, "/tmp")])
def test_temporary_things_go_where_the_user_says_unless_that_is_too_long(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    monkeypatch.setenv("TMPDIR", given)
    assert short_temporary() == Path(used)


def test_runtime_folder_is_short_private_and_stays(state: LocalState) -> None:
    folder = state.runtime_folder()
    assert state.runtime_folder() == folder
    assert len(str(folder)) < 60
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()
