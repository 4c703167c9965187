"""Redis: one client from `redis_url` or from Sentinels, and token buckets that all processes share.

Redis is a convenience here. Whoever uses it can do without it, so nothing waits long and nothing is retried for long.
"""

import asyncio
import hashlib
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from aquascene.adapters.settings import Settings
from aquascene.errors import ConfigError

UNAVAILABLE = (RedisError, OSError, TimeoutError)

# A bucket is nothing but its key's time to live: how long until it is full again, in milliseconds, by the server's clock.
# A key that expired, or was evicted, is a full bucket. One token costs ARGV[1], the bucket holds ARGV[2].
_TAKE = """
local owed = math.max(0, redis.call('PTTL', KEYS[1]))
local wait = owed + tonumber(ARGV[1]) - tonumber(ARGV[2])
if wait > 0 then return math.ceil(wait) end
if ARGV[3] == 'take' then redis.call('SET', KEYS[1], '1', 'PX', math.ceil(owed + tonumber(ARGV[1]))) end
return 0
"""


def open_redis(now: Settings) -> Redis | None:
    """Build the client of the settings; None where no Redis is configured. It connects on first use."""
    url = now.redis_url.get_secret_value() if now.redis_url else ""
    if not url:
        return None
    options: dict[str, Any] = {
        "max_connections": now.redis.pool_size,
        "socket_timeout": now.redis.timeout_seconds,
        "socket_connect_timeout": now.redis.timeout_seconds,
        "retry": Retry(NoBackoff(), 1),  # once and at once: a pooled connection may have died unnoticed
        "client_name": "aquascene",
    }
    try:
        if now.redis.sentinel_hosts:
            return _by_sentinels(url, now.redis.sentinel_hosts, now.redis.sentinel_name, options)
        return Redis(connection_pool=ConnectionPool.from_url(url, **options))
    except ValueError as exc:
        raise ConfigError(f"REDIS_URL must look like redis://:password@host:6379/0 (rediss:// for TLS): {exc}; correct it") from None


def _by_sentinels(url: str, hosts: list[str], name: str, options: dict[str, Any]) -> Redis:
    """Ask Sentinels for the master at every new connection; the URL gives user, password, database and TLS only."""
    given: dict[str, Any] = {key: value for key, value in parse_url(url).items() if key not in {"host", "port"}}
    if given.pop("connection_class", None) is SSLConnection:
        given["ssl"] = True
    quick = {key: options[key] for key in ("socket_timeout", "socket_connect_timeout", "retry")}
    places = [_place(host) for host in hosts]
    sentinels = Sentinel(places, sentinel_kwargs={**quick, "ssl": bool(given.get("ssl"))}, **{**options, **given})  # type: ignore[no-untyped-call]
    master: Redis = sentinels.master_for(name)
    return master


def _place(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":")
    return name.strip("[]"), int(port)


class SharedBuckets:
    """Token buckets that all web processes share; raises one of UNAVAILABLE when Redis does not answer in time."""

    def __init__(self, client: Redis, per_hour: int, burst: int, timeout_seconds: float, at_once: int) -> None:
        self._client = client
        self._script = client.register_script(_TAKE)
        self._cost_ms, self._room_ms = 3_600_000 / per_hour, burst * 3_600_000 / per_hour
        self._timeout_seconds = timeout_seconds
        self._turns = asyncio.Semaphore(at_once)

    async def ask(self, name: str, *, take: bool) -> float:
        """Take a token, or only look: 0 when it is there, else the seconds until it will be."""
        key = f"aquascene:rate:{hashlib.sha256(name.encode()).hexdigest()[:32]}"  # an address is nobody's business in Redis
        async with asyncio.timeout(self._timeout_seconds), self._turns:
            wait = await self._script(keys=[key], args=[self._cost_ms, self._room_ms, "take" if take else "look"])
        return float(wait) / 1000

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
