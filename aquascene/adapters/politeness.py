"""The Hosts port over PostgreSQL: workers on several machines take turns at a host by its row."""

import time
from datetime import timedelta
from uuid import UUID

from aquascene.adapters.postgres import sources as queries
from aquascene.adapters.postgres.db import transaction
from aquascene.sources.model import RobotsRecord

_LOOK_AGAIN_SECONDS = 0.1


class PostgresHosts:
    """Turns at hosts for one run; the lease outlives the longest request, and ends with the run's row claims when the run dies."""

    def __init__(self, run_id: UUID, lease: timedelta) -> None:
        self._run_id = run_id
        self._lease = lease

    def take_turn(self, host: str, longest_wait_seconds: float) -> bool:
        """Wait until this host may be asked and hold it; False when that is too far away."""
        deadline = time.monotonic() + longest_wait_seconds
        while True:
            with transaction() as db:
                if queries.take_turn(db, host, self._run_id, self._lease):
                    return True
                wait = queries.seconds_until_turn(db, host)
            if time.monotonic() + wait > deadline:
                return False
            time.sleep(wait or _LOOK_AGAIN_SECONDS)

    def end_turn(self, host: str, pause_seconds: float) -> None:
        """Give the host back."""
        with transaction() as db:
            queries.end_turn(db, host, self._run_id, timedelta(seconds=pause_seconds))

    def robots(self, host: str) -> RobotsRecord | None:
        """Read what is known of the host's robots.txt."""
        with transaction() as db:
            return queries.robots(db, host)

    def keep_robots(self, host: str, record: RobotsRecord) -> None:
        """Keep what the host said about robots."""
        with transaction() as db:
            queries.keep_robots(db, host, record)
