"""Time and the heartbeat of a lease, for real."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from aquascene.adapters import clock
from aquascene.errors import TransientError
from aquascene.release.ports import LostLease

log = logging.getLogger(__name__)


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        return clock.now()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def heartbeat(every: float) -> "Callable[[Callable[[], None]], Pulse]":
    """Make a pulse with a period in seconds: half of what a lease could bear is still in time."""
    return lambda beat: Pulse(beat, every)


class Pulse:
    """Calls `beat` from a thread of its own while a step takes long; ends when the lease is lost, and with the block."""

    def __init__(self, beat: Callable[[], None], every: float) -> None:
        self._beat, self._every, self._stop = beat, every, threading.Event()
        self._thread = threading.Thread(target=self._run, name="promotion-heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *problem: object) -> None:
        self._stop.set()
        self._thread.join(self._every)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._beat()
            except LostLease:
                return  # the engine knows by now, and stops before its next act
            except TransientError as exc:
                log.warning("heartbeat_failed error=%s", type(exc).__name__)


@contextmanager
def still(beat: Callable[[], None]) -> Iterator[None]:
    """No pulse: the engine renews by itself between its acts, which is enough where no act takes long."""
    yield
