"""`python -m aquascene.sandbox`: serve the stand-ins and the sample publication, two ports of one process."""

import asyncio
import sys

import uvicorn
from starlette.types import ASGIApp

from aquascene.adapters import logs, settings
from aquascene.sandbox import app, publication


def _server(application: ASGIApp, host: str, port: int) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(application, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=2))


async def _serve(*servers: uvicorn.Server) -> None:
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)


def main() -> None:
    """Serve both until stopped; when one stops, the other does."""
    now = settings.current()
    logs.configure(now.log_level, now.log_format, sys.stdout)
    host, port, publication_port = now.sandbox.host, now.sandbox.port, now.sandbox.publication_port
    asyncio.run(_serve(_server(app.create_app(), host, port), _server(publication.create_app(), host, publication_port)))


if __name__ == "__main__":
    main()
