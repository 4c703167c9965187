"""A token bucket per API key, session or address, in process; health, metrics and the public site are not limited.

A request with a credential is counted against that credential. Credentials that turn out to be wrong (401) are
counted against the address too, so that guessing cannot escape by presenting a new key each time.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aquascene.adapters.settings_groups import WebSettings
from aquascene.web import measures
from aquascene.web.deps import COOKIE
from aquascene.web.middleware import send_problem

# Unsubscribing is left out on purpose: mail providers send one-click requests of many people from few addresses.
_LIMITED = ("/api/", "/desk", "/dashboard", "/subscribe", "/confirm", "/preferences")
_MOST_BUCKETS = 20_000


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


class RateLimit:
    """Answer 429 with Retry-After to those who ask too often."""

    def __init__(self, app: ASGIApp, options: WebSettings) -> None:
        self.app = app
        self.buckets = Buckets(options.requests_per_hour, options.burst_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_LIMITED):
            await self.app(scope, receive, send)
            return
        address = f"address:{(scope.get('client') or ('unknown', 0))[0]}"
        caller = _credential(Headers(scope=scope))
        wait = self.buckets.take(caller or address) or (self.buckets.wait(address) if caller else 0.0)
        if wait > 0:
            measures.limited.inc()
            await send_problem(scope, send, 429, "too many requests; wait and repeat", {"retry-after": str(int(wait) + 1)})
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401 and caller:
                self.buckets.take(address)
            await send(message)

        await self.app(scope, receive, watched)


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
