"""A token bucket per API key, session or address; health, metrics and the public site are not limited.

The buckets are in Redis, where every process sees them; in this process where no Redis is configured, and while it does
not answer: a limit that is counted apart for a while is better than a request that fails.

A request with a credential is counted against that credential. Credentials that turn out to be wrong (401) are
counted against the address too, so that guessing cannot escape by presenting a new key each time.
"""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aquascene.adapters.redis import UNAVAILABLE, SharedBuckets, open_redis
from aquascene.adapters.settings import Settings
from aquascene.web import measures
from aquascene.web.deps import COOKIE
from aquascene.web.middleware import send_problem

log = logging.getLogger(__name__)

# Unsubscribing is left out on purpose: mail providers send one-click requests of many people from few addresses.
_LIMITED = ("/api/", "/desk", "/dashboard", "/subscribe", "/confirm", "/preferences")
_MOST_BUCKETS = 20_000
_REDIS_AGAIN_SECONDS = 5.0
_SAY_AGAIN_SECONDS = 60.0


class Buckets:
    """Token buckets by name; the least used ones are forgotten first, and a forgotten bucket is a full one."""

    def __init__(self, per_hour: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = per_hour / 3600, float(burst), clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, tokens: float = 1.0) -> float:
        """Take tokens; returns 0 when they were there, else the seconds until they will be (and takes none)."""
        with self._lock:
            now = self.clock()
            level, at = self._levels.pop(name, (self.burst, now))
            level = min(self.burst, level + (now - at) * self.rate)
            wait = 0.0 if level >= tokens else (tokens - level) / self.rate
            self._levels[name] = (level - tokens if wait == 0.0 else level, now)
            while len(self._levels) > _MOST_BUCKETS:
                self._levels.popitem(last=False)
            return wait

    def wait(self, name: str) -> float:
        """Tell how long until one token is there, without taking it."""
        with self._lock:
            now = self.clock()
            level, at = self._levels.get(name, (self.burst, now))
            return max(0.0, (1.0 - min(self.burst, level + (now - at) * self.rate)) / self.rate)


class Limits:
    """Buckets in Redis where it is configured and answers, else in this process; asking never fails."""

    def __init__(self, local: Buckets, shared: SharedBuckets | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._local, self._shared, self._clock = local, shared, clock
        self._redis_at, self._say_at = float("-inf"), float("-inf")

    async def take(self, name: str) -> float:
        """Take a token; 0 when it was there, else the seconds until it will be."""
        return await self._ask(name, take=True)

    async def wait(self, name: str) -> float:
        """Tell how long until a token is there, without taking it."""
        return await self._ask(name, take=False)

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            await self._shared.close()

    async def _ask(self, name: str, *, take: bool) -> float:
        if self._shared is not None and self._clock() >= self._redis_at:
            try:
                return await self._shared.ask(name, take=take)
            except UNAVAILABLE as exc:
                self._without_redis(exc)
        if self._shared is not None:
            measures.limited_apart.inc()
        return self._local.take(name) if take else self._local.wait(name)

    def _without_redis(self, why: BaseException) -> None:
        """Leave Redis alone for a moment, lest every request waits for it; say so once a minute."""
        now = self._clock()
        self._redis_at = now + _REDIS_AGAIN_SECONDS
        if now >= self._say_at:
            self._say_at = now + _SAY_AGAIN_SECONDS
            log.warning("redis_unreachable error=%s rate_limits=in_process", type(why).__name__)


def limits(options: Settings) -> Limits:
    """Build the limits of the settings."""
    web, client = options.web, open_redis(options)
    local = Buckets(web.requests_per_hour, web.burst_size)
    if client is None:
        return Limits(local)
    return Limits(local, SharedBuckets(client, web.requests_per_hour, web.burst_size, options.redis.timeout_seconds, options.redis.pool_size))


class RateLimit:
    """Answer 429 with Retry-After to those who ask too often."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_LIMITED):
            await self.app(scope, receive, self._closing(send) if scope["type"] == "lifespan" else send)
            return
        address = f"address:{(scope.get('client') or ('unknown', 0))[0]}"
        caller = _credential(Headers(scope=scope))
        wait = await self.limits.take(caller or address) or (await self.limits.wait(address) if caller else 0.0)
        if wait > 0:
            measures.limited.inc()
            await send_problem(scope, send, 429, "too many requests; wait and repeat", {"retry-after": str(int(wait) + 1)})
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401 and caller:
                await self.limits.take(address)
            await send(message)

        await self.app(scope, receive, watched)

    def _closing(self, send: Send) -> Send:
        async def closed(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await self.limits.close()
            await send(message)

        return closed


def _credential(headers: Headers) -> str | None:
    """Name the caller by the hash of what it presents; None for the anonymous."""
    presented = headers.get("authorization")
    if presented is None:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            morsel = None
        presented = morsel.value if morsel else None
    return "credential:" + hashlib.sha256(presented.encode()).hexdigest()[:32] if presented else None
