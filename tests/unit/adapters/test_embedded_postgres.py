"""Embedded PostgreSQL: starts, survives kill -9, keeps its data, says what is wrong."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aquascene.adapters import embedded_postgres
from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.errors import ConfigError


@pytest.fixture
def embed() -> Iterator[Callable[[Path], EmbeddedPostgres]]:
    """Make servers that are stopped and whose data are removed afterwards."""
    made: list[EmbeddedPostgres] = []

    def make(home: Path) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home))
        return made[-1]

    yield make
    for server in made:
        server.stop()
        shutil.rmtree(server.place, ignore_errors=True)


def test_data_survive_kill_minus_nine_and_the_next_start_is_at_once(tmp_path: Path, embed: Callable[[Path], EmbeddedPostgres]) -> None:
    server = embed(tmp_path)
    url = server.start()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE kept (x int)")
        db.execute("INSERT INTO kept VALUES (1)")
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    again = embed(tmp_path)
    assert again.start() == url
    with psycopg.connect(url) as db:
        assert db.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    assert again.memory_bytes() > 0


def test_leftover_server_is_ended_by_the_next_start(tmp_path: Path, embed: Callable[[Path], EmbeddedPostgres]) -> None:
    first = embed(tmp_path)
    first.start()
    embed(tmp_path).start()
    assert first.process is not None
    assert first.process.wait(10) is not None


def test_socket_path_stays_short_and_private(tmp_path: Path, embed: Callable[[Path], EmbeddedPostgres]) -> None:
    deep = tmp_path / ("x" * 120)
    server = embed(deep)
    assert len(str(server.sockets)) < 80
    server.start()
    assert server.sockets.stat().st_mode & 0o077 == 0


def test_place_that_cannot_be_made_is_said(tmp_path: Path, embed: Callable[[Path], EmbeddedPostgres]) -> None:
    server = embed(tmp_path)
    server.place.parent.mkdir(parents=True, exist_ok=True)
    server.place.write_text("a file is in the way")
    with pytest.raises(ConfigError, match="cannot set up the embedded PostgreSQL"):
        server.start()
    server.place.unlink()


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whose number stands in no /etc/passwd, as containers have them."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(embedded_postgres.pwd, "getpwuid", unknown)
    monkeypatch.setattr(EmbeddedPostgres, "account", None)


def test_a_user_without_a_name_is_told_what_to_do(tmp_path: Path, embed: Callable[[Path], EmbeddedPostgres], nameless: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(embedded_postgres, "_NAMERS", ())
    with pytest.raises(ConfigError, match=r"has no entry in /etc/passwd.*libnss-wrapper.*DATABASE_URL"):
        embed(tmp_path).start()


def test_a_user_without_a_name_gets_one_where_the_library_is(
    tmp_path: Path, embed: Callable[[Path], EmbeddedPostgres], nameless: None, monkeypatch: Any
) -> None:
    monkeypatch.setattr(embedded_postgres, "_NAMERS", ("bin/env",))
    server = embed(tmp_path)
    server.place.mkdir()
    named = server._named_environment()
    assert named["LD_PRELOAD"] == "/usr/bin/env"
    assert Path(named["NSS_WRAPPER_PASSWD"]).read_text().startswith(f"aquascene:x:{os.geteuid()}:{os.getegid()}:")


def test_the_way_to_a_server_stays_when_the_temporary_folder_changes(
    tmp_path: Path, embed: Callable[[Path], EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = embed(tmp_path)
    url = server.start()
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    assert server.url() == url
    psycopg.connect(server.url()).close()
