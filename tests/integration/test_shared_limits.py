"""Rate limits in Redis: shared by processes, atomic, forgotten in time, and done without when Redis does not answer."""

import asyncio
import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from aquascene.adapters import settings
from aquascene.adapters.redis import SharedBuckets, open_redis
from aquascene.errors import ConfigError
from aquascene.web.app import create_app
from tests.resp_server import RespServer, resp_server

Configure = Callable[..., settings.Settings]
SERVERS = ["wire", *(["redis-server"] if shutil.which("redis-server") else [])]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=SERVERS)
def redis_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A Redis with a password: one over the wire that tests bring along, and the true one where the machine has it."""
    if request.param == "wire":
        with resp_server(RespServer(password="s3cret")) as server:
            yield f"redis://:s3cret@127.0.0.1:{server.port}/2"
        return
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", "s3cret", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not answers(port):
        time.sleep(0.05)
    yield f"redis://:s3cret@127.0.0.1:{port}/2"
    process.terminate()
    process.wait(10)


def buckets(now: settings.Settings, per_hour: int, burst: int) -> SharedBuckets:
    client = open_redis(now)
    assert client is not None
    return SharedBuckets(client, per_hour, burst, timeout_seconds=2, at_once=4)


async def _taken(now: settings.Settings, names: list[str], per_hour: int = 36_000, burst: int = 3) -> list[float]:
    shared = buckets(now, per_hour, burst)
    found = list(await asyncio.gather(*[shared.ask(name, take=True) for name in names]))
    await shared.close()
    return found


def test_a_bucket_holds_its_burst_and_fills_at_its_rate(redis_url: str, configured: Configure) -> None:
    now = configured(REDIS_URL=redis_url)

    async def story() -> None:
        shared = buckets(now, per_hour=36_000, burst=2)
        assert [await shared.ask("a", take=True) for _ in range(2)] == [0.0, 0.0]
        assert await shared.ask("b", take=False) == 0.0
        wait = await shared.ask("a", take=False)
        assert 0.05 < wait <= 0.1
        assert 0.0 < await shared.ask("a", take=True) <= 0.1  # looking took nothing, and neither did a refusal
        await asyncio.sleep(0.12)
        assert await shared.ask("a", take=True) == 0.0
        await asyncio.sleep(0.25)
        assert [await shared.ask("a", take=True) > 0 for _ in range(3)] == [False, False, True]
        await shared.close()

    asyncio.run(story())


def test_many_at_once_get_no_more_than_the_burst(redis_url: str, configured: Configure) -> None:
    now = configured(REDIS_URL=redis_url)
    with ThreadPoolExecutor(4) as pool:
        waits = [wait for found in pool.map(lambda _: asyncio.run(_taken(now, ["same"] * 10, per_hour=60, burst=7)), range(4)) for wait in found]
    assert waits.count(0.0) == 7


def test_two_processes_share_a_limit(redis_url: str, database: str, configured: Configure, serve: Callable[[Any], str]) -> None:
    configured(REDIS_URL=redis_url, WEB__BURST_SIZE="4", WEB__REQUESTS_PER_HOUR="10")
    statuses = []
    for url in [serve(create_app()), serve(create_app())] * 4:
        statuses.append(httpx.get(f"{url}/subscribe", timeout=20).status_code)
    assert statuses == [200] * 4 + [429] * 4
    refused = httpx.get(f"{url}/subscribe", timeout=20)
    assert 200 < int(refused.headers["retry-after"]) <= 361


def test_no_address_is_written_into_redis_and_nothing_stays(redis_url: str, configured: Configure) -> None:
    now = configured(REDIS_URL=redis_url)

    async def story() -> tuple[list[bytes], list[int]]:
        client = open_redis(now)
        assert client is not None
        await SharedBuckets(client, 36_000, 3, 2, 4).ask("address:192.0.2.7", take=True)
        keys = await client.keys("*")
        left = [await client.pttl(key) for key in keys]
        await client.aclose()
        return keys, left

    keys, left = asyncio.run(story())
    assert len(keys) == 1
    assert b"192.0.2.7" not in keys[0]
    assert 0 < left[0] <= 100


class Web:
    """The web application with a Redis that a test can take away."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self) -> tuple[int, float]:
        began = time.monotonic()
        status = httpx.get(f"{self.url}/subscribe", timeout=20).status_code
        return status, time.monotonic() - began

    def counted_apart(self) -> float:
        lines = httpx.get(f"{self.url}/metrics", timeout=20).text.splitlines()
        return float(next(line for line in lines if line.startswith("aquascene_http_rate_limit_in_process_total")).split()[1])


@pytest.fixture
def web(database: str, configured: Configure, serve: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Web]:
    def start(**variables: str) -> Web:
        monkeypatch.setattr("aquascene.web.ratelimit._REDIS_AGAIN_SECONDS", 0.5)
        configured(**{"WEB__BURST_SIZE": "3", "WEB__REQUESTS_PER_HOUR": "10", "REDIS__TIMEOUT_SECONDS": "0.3", **variables})
        return Web(serve(create_app()))

    return start


def test_without_redis_requests_are_limited_in_process_and_told_once(web: Callable[..., Web], caplog: pytest.LogCaptureFixture) -> None:
    started = web(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    before = started.counted_apart()
    with caplog.at_level(logging.WARNING, logger="aquascene.web.ratelimit"):
        found = [started.get() for _ in range(5)]
        time.sleep(0.6)  # and once more it is looked for
        assert started.get()[0] == 429
    assert [status for status, _ in found] == [200, 200, 200, 429, 429]
    assert started.counted_apart() - before == 6
    assert [record.getMessage() for record in caplog.records] == ["redis_unreachable error=ConnectionError rate_limits=in_process"]


def test_a_redis_that_hangs_costs_one_request_its_timeout_and_is_found_again(web: Callable[..., Web]) -> None:
    with resp_server(RespServer()) as server:
        started = web(REDIS_URL=f"redis://127.0.0.1:{server.port}/0", WEB__BURST_SIZE="50")
        assert started.get()[0] == 200
        server.answering = False
        before = started.counted_apart()
        found = [started.get() for _ in range(4)]
        assert [status for status, _ in found] == [200] * 4
        assert sum(took > 0.25 for _, took in found) <= 1
        assert max(took for _, took in found) < 2
        assert started.counted_apart() - before == 4
        server.answering = True
        time.sleep(0.6)
        assert started.get()[0] == 200
        assert started.counted_apart() - before == 4


def test_a_wrong_password_is_a_redis_that_does_not_answer(web: Callable[..., Web]) -> None:
    with resp_server(RespServer(password="other")) as server:
        assert web(REDIS_URL=f"redis://:wrong@127.0.0.1:{server.port}/0").get()[0] == 200


def test_sentinels_name_the_master_and_the_next_one_after_a_failover(web: Callable[..., Web]) -> None:
    with resp_server(RespServer(password="s3cret")) as first, resp_server(RespServer(password="s3cret")) as second:
        masters = {"watched": first.port}
        with resp_server(RespServer(masters=masters)) as sentinel:
            hosts = f'["127.0.0.1:{free_port()}", "127.0.0.1:{sentinel.port}"]'
            started = web(REDIS_URL="redis://:s3cret@ignored:1/5", REDIS__SENTINEL_HOSTS=hosts, REDIS__SENTINEL_NAME="watched", REDIS__TIMEOUT_SECONDS="1")
            before = started.counted_apart()
            assert [started.get()[0] for _ in range(4)] == [200, 200, 200, 429]
            assert (first.databases, second.databases, started.counted_apart() - before) == ({"5"}, set(), 0)
            first.answering, masters["watched"] = False, second.port
            assert started.get()[0] == 200  # in process, whose bucket is full
            time.sleep(0.6)
            apart = started.counted_apart()
            assert [started.get()[0] for _ in range(4)] == [200, 200, 200, 429]  # the new master's bucket is full too
            assert (second.databases, started.counted_apart()) == ({"5"}, apart)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"REDIS_URL": "http://cache:6379"}, "REDIS_URL must look like redis://"),
        ({"REDIS_URL": "redis://cache:6379", "REDIS__SENTINEL_HOSTS": '["sentinel"]'}, "not host:port"),
    ],
)
def test_an_address_that_is_none_is_said_at_the_start(configured: Configure, variables: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        create_app(configured(**variables))
