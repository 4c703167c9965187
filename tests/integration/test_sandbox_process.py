"""The sandbox as a container has it: listening on every address, read under another name."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def ports(configured: Callable[..., Any], tmp_path: Path) -> Iterator[tuple[int, int]]:
    port, publication = free_port(), free_port()
    variables = {"SANDBOX__HOST": "0.0.0.0", "SANDBOX__PORT": str(port), "SANDBOX__PUBLICATION_PORT": str(publication)}
    process = subprocess.Popen([sys.executable, "-m", "aquascene.sandbox"], env={**os.environ, **variables})
    until = time.monotonic() + 60
    while not (answers(f"http://127.0.0.1:{port}/livez") and answers(f"http://127.0.0.1:{publication}/livez")):
        assert time.monotonic() < until
        time.sleep(0.05)
    yield port, publication
    process.send_signal(signal.SIGTERM)
    process.wait(10)


def test_both_servers_listen_where_they_are_told_and_links_follow_the_reader(ports: tuple[int, int]) -> None:
    port, publication = ports
    assert answers(f"http://127.0.0.2:{port}/livez")  # not the address of the default
    feed = httpx.get(f"http://127.0.0.2:{publication}/feed.xml", timeout=10, trust_env=False).text
    assert f"http://127.0.0.2:{publication}/articles/" in feed
    assert "http://127.0.0.1" not in feed
