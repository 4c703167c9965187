"""What `aquascene up` tells its parts: where they listen, where they find each other, and where they may write."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aquascene.adapters import settings
from aquascene.adapters.local_state import LocalState
from aquascene.adapters.supervisor import Supervisor

Configure = Callable[..., settings.Settings]
EVERYWHERE = {"WEB__HOST": "0.0.0.0", "ORCHESTRATION__HOST": "0.0.0.0", "SANDBOX__HOST": "0.0.0.0"}


@pytest.fixture
def told(configured: Configure, tmp_path: Path) -> Callable[..., tuple[dict[str, str], Supervisor]]:
    """The environment of the parts under given settings."""

    def tell(**variables: str) -> tuple[dict[str, str], Supervisor]:
        supervisor = Supervisor(configured(**variables))
        state = LocalState(tmp_path / "home")
        state.prepare()
        return supervisor._environment(state), supervisor

    return tell


def test_parts_listen_where_they_are_told_and_find_each_other_on_loopback(told: Callable[..., Any]) -> None:
    environment, supervisor = told(**EVERYWHERE)
    assert {name: environment[name] for name in EVERYWHERE} == EVERYWHERE
    assert environment["PREFECT_SERVER_API_HOST"] == "0.0.0.0"
    assert all(address.startswith("http://127.0.0.1:") for address in supervisor.addresses.values())
    port = environment["ORCHESTRATION__PORT"]
    assert environment["PREFECT_API_URL"] == environment["PREFECT_SERVER_UI_API_URL"] == f"http://127.0.0.1:{port}/api"


def test_by_default_nothing_is_reached_from_outside(told: Callable[..., Any]) -> None:
    environment, _ = told()
    assert environment["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert not EVERYWHERE.keys() & environment.keys()


def test_the_browser_is_sent_where_the_operator_says(told: Callable[..., Any]) -> None:
    environment, _ = told(PREFECT_UI_URL="https://prefect.example/")
    assert environment["PREFECT_SERVER_UI_API_URL"] == "https://prefect.example/api"
    assert environment["PREFECT_API_URL"].startswith("http://127.0.0.1:")


def test_everything_is_written_under_home_and_the_temporary_folder(told: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    environment, _ = told()
    for name in ("HOME", "PREFECT_HOME", "PREFECT_SERVER_UI_STATIC_DIRECTORY", "AQUASCENE_HOME"):
        assert Path(environment[name]).is_relative_to(tmp_path / "home"), name
    assert Path(environment["TMPDIR"]).parent == Path("/tmp")
    Path(environment["TMPDIR"]).rmdir()
