"""Whether a read replica is near enough to the primary to be read from.

It is asked where the primary's log stood a moment ago: a replica that has replayed that far is current, however long
the primary has been idle; one that has not is as old as the last transaction that it replayed. A broken stream shows
in the same way, because the primary moves on without it.
"""

import logging
import threading
import time
from collections.abc import Callable
from decimal import Decimal

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = logging.getLogger(__name__)

CHECK_SECONDS = 3.0
AGAIN_SECONDS = 15.0  # after a failure: an unreachable replica costs one request its connect time-out
_CATCH_UP_SECONDS = 0.2

_PRIMARY = text("SELECT pg_current_wal_lsn()::text")
# A connection to a read service may end at a primary, which is not in recovery.
_REPLICA = text(
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END >= CAST(:target AS pg_lsn), "
    "extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
)


class Replica:
    """One replica beside its primary; safe to use from many threads, of which one at a time looks."""

    def __init__(self, primary: Engine, replica: Engine, max_lag_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.engine = replica
        self._primary, self._max_lag, self._clock = primary, max_lag_seconds, clock
        self._lock = threading.Lock()
        self._good, self._look_at = False, float("-inf")

    def usable(self) -> bool:
        """Tell whether the replica answers and is near enough; looked up once in a few seconds, by one thread, while others take the last answer."""
        if self._clock() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._set(*self._look())
            finally:
                self._lock.release()
        return self._good

    def distrust(self, why: str) -> None:
        """Leave the replica until the next look: it failed while it was read from."""
        self._set(False, why)

    def _set(self, good: bool, why: str) -> None:
        if self._good != good:
            log.log(logging.INFO if good else logging.WARNING, "replica_%s why=%s", "in_use" if good else "left", "_".join(why.split()))
        self._good = good
        self._look_at = self._clock() + (CHECK_SECONDS if good else AGAIN_SECONDS)

    def _look(self) -> tuple[bool, str]:
        try:
            with self.engine.connect() as replica:
                lag = self._lag(replica)
        except (DBAPIError, PoolTimeout) as exc:
            return False, f"unreachable:{type(getattr(exc, 'orig', exc)).__name__}"
        if lag is None:
            return False, "replayed_nothing"
        return lag <= self._max_lag, f"lag_{lag:.1f}s"

    def _lag(self, replica: Connection) -> float | None:
        """Seconds behind; None where the replica has not replayed any transaction yet."""
        target = self._position()
        until = time.monotonic() + _CATCH_UP_SECONDS
        while True:
            level, age = replica.execute(_REPLICA, {"target": target}).tuples().one()
            replica.rollback()
            if level or time.monotonic() > until:
                return 0.0 if level else _seconds(age)
            time.sleep(0.02)  # what is on its way needs a moment

    def _position(self) -> str:
        """Where the primary's log stands; its beginning when the primary is away, for then an old list beats none."""
        try:
            with self._primary.connect() as primary:
                return str(primary.execute(_PRIMARY).scalar_one())
        except (DBAPIError, PoolTimeout):
            return "0/0"


def _seconds(age: Decimal | None) -> float | None:
    return None if age is None else float(age)
