"""The image's health check: what "healthy" means depends on the role that the entry point started.

Standard library only, run with `-I -S`, so that it takes some hundredths of a second. Exit 0 is healthy, 1 is not.
"""

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

SECONDS = 4


def role() -> str:
    """Read what the entry point wrote; a container that runs anything else has no health of its own."""
    try:
        return (Path(os.environ.get("TMPDIR", "/tmp")) / "aquascene-role").read_text(encoding="utf-8").strip()  # noqa: S108 - the container's own
    except OSError:
        return "none"


def address(name: str) -> str | None:
    """The address that tells how a role is; None where a role answers no requests."""
    web, prefect = os.environ.get("WEB__PORT", "8000"), os.environ.get("PREFECT_SERVER_API_PORT", "4200")
    worker, sandbox = os.environ.get("PREFECT_WORKER_WEBSERVER_PORT", "8080"), os.environ.get("SANDBOX__PORT", "8100")
    return {
        "web": f"http://127.0.0.1:{web}/readyz",
        "demo": f"http://127.0.0.1:{web}/readyz",
        "prefect-server": f"http://127.0.0.1:{prefect}/api/health",
        "worker": f"http://127.0.0.1:{worker}/health",
        "sandbox": f"http://127.0.0.1:{sandbox}/livez",
    }.get(name)


def main() -> int:
    """Ask the role's address; say in one line what is wrong."""
    url = address(role())
    if url is None:
        return 0
    try:
        # No proxy: the variables of the machine's own are for the outside.
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=SECONDS).close()
    except (OSError, urllib.error.URLError) as exc:
        print(f"{url}: {exc}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
