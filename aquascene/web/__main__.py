"""`python -m aquascene.web`: serve the web application."""

import uvicorn

from aquascene.adapters import logs, settings
from aquascene.web.app import create_app


def main() -> None:
    """Serve until stopped; the access log is ours (no addresses)."""
    now = settings.current()
    logs.configure(now.log_level, now.log_format)
    uvicorn.run(create_app(now), host=now.web.host, port=now.web.port, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main()
