"""The Prefect server that a command works on: waiting for it, and refusing one that is older than this client."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import NoReturn

import httpx
from packaging.version import Version
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from aquascene.errors import AquasceneError, ConfigError, PermanentError, TransientError


def api_url() -> str:
    """Give the address of the server; an embedded one is never started on the way."""
    url = PREFECT_API_URL.value()
    if not url:
        raise ConfigError("set PREFECT_API_URL to the address of the Prefect API, ending in /api")
    return str(url)


@contextmanager
def connected(wait_seconds: float) -> Iterator[SyncPrefectClient]:
    """Open a client once the server answers; what goes wrong on the way ends as one of the product's errors."""
    url = api_url()
    try:
        with get_client(sync_client=True) as client:
            _wait(client, wait_seconds, url)
            check_version(client)
            yield client
    except PrefectHTTPStatusError as exc:
        _refused(exc)
    except httpx.HTTPError as exc:
        raise TransientError(f"Prefect does not answer at {url} ({type(exc).__name__}); check that its server runs and PREFECT_API_URL is right") from exc


def _wait(client: SyncPrefectClient, seconds: float, url: str) -> None:
    until = time.monotonic() + seconds
    while (problem := client.api_healthcheck()) is not None:
        if time.monotonic() >= until:
            raise TransientError(f"Prefect does not answer at {url} ({type(problem).__name__}); check that its server runs and PREFECT_API_URL is right")
        time.sleep(1)


def check_version(client: SyncPrefectClient) -> str:
    """Refuse a server that is older than this client: new clients ask for what an old server does not know."""
    server, own = str(client.api_version()), version("prefect")
    if Version(server) < Version(own):
        raise ConfigError(f"the Prefect server is {server}, this client {own}: upgrade the server first, clients and workers after it")
    return server


def _refused(exc: PrefectHTTPStatusError) -> NoReturn:
    what = f"Prefect answered {exc.response.status_code} to {exc.request.method} {exc.request.url.path}"
    error: type[AquasceneError] = TransientError if exc.response.status_code >= 500 else PermanentError
    hint = ": check PREFECT_API_AUTH_STRING" if exc.response.status_code in {401, 403} else f": {exc.response.text[:300]}"
    raise error(what + hint) from exc
