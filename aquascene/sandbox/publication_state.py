"""What the sample publication remembers: its revision (kept in a file) and who asked for what (kept in memory)."""

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Revision:
    """How often the changing page was revised, and when last."""

    number: int
    revised_at: datetime | None


class Revisions:
    """The revision of the changing page, kept in one file so that a restart forgets nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def current(self) -> Revision:
        """Read the revision; a publication that was never revised is at 0."""
        if not self.path.exists():
            return Revision(0, None)
        loaded = json.loads(self.path.read_text(encoding="utf-8"))
        return Revision(int(loaded["revision"]), datetime.fromisoformat(loaded["revised_at"]))

    def bump(self, now: datetime) -> Revision:
        """Go to the next revision; the file is replaced in one step."""
        revision = Revision(self.current().number + 1, now.astimezone(UTC).replace(microsecond=0))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"revision": revision.number, "revised_at": str(revision.revised_at)}), encoding="utf-8")
        os.replace(fresh, self.path)
        return revision


@dataclass
class RequestLog:
    """Counts of requests, so that a test can prove that a reader was polite. Touched in the event loop only."""

    paths: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    user_agents: Counter[str] = field(default_factory=Counter)
    largest_concurrency: int = 0
    shortest_gap_seconds: float | None = None
    _under_way: int = 0
    _last_start: float | None = None

    def begin(self, path: str, user_agent: str) -> None:
        """Count a request that came in."""
        started = time.monotonic()
        if self._last_start is not None:
            gap = started - self._last_start
            self.shortest_gap_seconds = gap if self.shortest_gap_seconds is None else min(gap, self.shortest_gap_seconds)
        self._last_start = started
        self.paths[path] += 1
        self.user_agents[user_agent] += 1
        self._under_way += 1
        self.largest_concurrency = max(self.largest_concurrency, self._under_way)

    def answered(self, status: int) -> None:
        """Count the status of an answer."""
        self.statuses[str(status)] += 1

    def end(self) -> None:
        """Note that an answer was sent, or its reader went away."""
        self._under_way -= 1

    def reset(self) -> None:
        """Start counting anew; requests under way stay under way."""
        self.paths.clear()
        self.statuses.clear()
        self.user_agents.clear()
        self.largest_concurrency = self._under_way
        self.shortest_gap_seconds = self._last_start = None

    def as_json(self) -> dict[str, object]:
        """Show the counts."""
        return {
            "total": self.paths.total(),
            "paths": dict(sorted(self.paths.items())),
            "statuses": dict(sorted(self.statuses.items())),
            "user_agents": dict(sorted(self.user_agents.items())),
            "largest_concurrency": self.largest_concurrency,
            "shortest_gap_seconds": self.shortest_gap_seconds,
        }


class CountRequests:
    """Middleware that writes the request log; the controls and the liveness probe are not counted."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/_control/", "/livez")):
            await self.app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.log.answered(message["status"])
            await send(message)

        self.log.begin(scope["path"], dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1"))
        try:
            await self.app(scope, receive, noting)
        finally:
            self.log.end()
