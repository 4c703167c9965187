"""The embedded Prefect server: `prefect server start` on SQLite, with a shorter wait for a locked database.

Measured with prefect 3.8.8 on 2 cores: in about one fresh demo of three, two connections of the server waited for
each other and the whole API stood still for exactly the 60 s of the busy timeout that Prefect sets by PRAGMA; no
setting reaches it. With 2 s the loser gives up, its client gets a 503 and tries again, as Prefect's clients do.
Remove when Prefect makes the value a setting, or when the embedded server runs on PostgreSQL.
"""

import runpy
import sys
from typing import Any

from prefect.server.database.configurations import AioSqliteConfiguration

_BUSY_MILLISECONDS = 2000
_original = AioSqliteConfiguration.setup_sqlite


def _with_short_wait(self: AioSqliteConfiguration, conn: Any, record: Any) -> None:
    """Set up a connection as Prefect does, then shorten its wait."""
    _original(self, conn, record)
    cursor = conn.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS};")
    cursor.close()


def main() -> None:
    """Run the server in this process until stopped."""
    AioSqliteConfiguration.setup_sqlite = _with_short_wait  # type: ignore[method-assign]
    sys.argv = ["prefect", "server", "start"]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
