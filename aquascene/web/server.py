"""How the application is served: metrics on a port of their own where the settings ask for it, and a stop that loses no request.

Who balances the load learns that a process goes away a moment after it was told to go. So the process says "not ready"
first and goes on serving for `web.drain_seconds`; then it takes no more connections and finishes what is under way.
"""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.supervisors import ChangeReload

import aquascene
from aquascene.adapters import logs, settings
from aquascene.adapters.settings import Settings
from aquascene.web.app import create_app
from aquascene.web.metrics import metrics_app

log = logging.getLogger(__name__)

FINISH_SECONDS = 5  # for requests that are under way when the drain is over
KEEP_ALIVE_SECONDS = 120  # longer than routers keep an idle connection, or they send a request on one that was just closed


def server_config(app: ASGIApp, now: Settings, port: int) -> uvicorn.Config:
    """Say how to serve; the access log is ours (no addresses)."""
    return uvicorn.Config(
        app,
        host=now.web.host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        forwarded_allow_ips=now.web.forwarded_allow_ips,
    )


class DrainingServer(uvicorn.Server):
    """The main server: the first SIGTERM begins the drain, Ctrl-C ends without one, and whoever repeats it is obeyed at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._state: Any = app.state
        self._drain_seconds = drain_seconds
        self._stop_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; none is raised again at the end, so that a finished stop is exit code 0."""
        if self._state.draining:
            self.should_exit = self.force_exit = True
            self.config.timeout_graceful_shutdown = 0
            return
        self._state.draining = True
        self._stop_at = time.monotonic() + (self._drain_seconds if sig == signal.SIGTERM else 0)

    async def on_tick(self, counter: int) -> bool:
        """Go on until the drain is over."""
        if time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)


class BesideServer(uvicorn.Server):
    """A second server of the process: it ends when the main one has."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the main server."""
        yield


def run(sockets: list[socket.socket] | None = None) -> None:
    """Serve until stopped; a reloader calls this in a child, with sockets that it does not have."""
    now = settings.current()
    logs.configure(now.log_level, now.log_format, sys.stdout)
    asyncio.run(serve(now))


def run_reloading() -> None:
    """Serve in a child that is replaced when a Python file of the product changes (development)."""
    watched = uvicorn.Config("aquascene.web.app:create_app", reload=True, reload_dirs=[str(Path(aquascene.__file__).parent)], log_config=None)
    ChangeReload(watched, target=run, sockets=[]).run()


async def serve(now: Settings) -> None:
    """Serve until stopped."""
    app = create_app(now)
    main = DrainingServer(server_config(app, now, now.web.port), app, now.web.drain_seconds)
    beside = BesideServer(server_config(metrics_app(), now, now.web.metrics_port)) if now.web.metrics_port else None
    tasks = [asyncio.create_task(server.serve()) for server in (main, beside) if server]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for server in (main, beside):
        if server:
            server.should_exit = True
    await asyncio.gather(*tasks)
    log.info("web_stopped requests=%d", main.server_state.total_requests)
