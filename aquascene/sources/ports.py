"""What this stage needs of the world; adapters serve these, later stages may use them too."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aquascene.sources.model import Answer, RobotsRecord, Validators


@dataclass(frozen=True)
class ObjectStat:
    """What is known of a stored object without reading it."""

    key: str
    size_bytes: int
    content_type: str
    modified_at: datetime


class ObjectStore(Protocol):
    """Bytes under keys; content-addressed keys never change their bytes, pointers are the only thing that moves."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store bytes under a key, whole or not at all; the same key again is harmless."""

    def get(self, key: str) -> bytes:
        """Read the bytes of a key; NotFound when there are none."""

    def stat(self, key: str) -> ObjectStat | None:
        """Describe an object; None when there is none."""

    def list(self, prefix: str) -> Iterator[str]:
        """Name the keys that start with a prefix, in order."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is harmless."""

    def copy(self, src: str, dst: str) -> None:
        """Copy an object; NotFound when there is none."""

    def swap_pointer(self, name: str, new: str, expected: str | None) -> None:
        """Set a pointer if it still has the expected value (None: not set yet); Conflict when it moved on."""

    def read_pointer(self, name: str) -> str | None:
        """Read a pointer; None when it was never set."""


class Fetcher(Protocol):
    """One request to one URL: no redirect is followed, nothing is retried, failures are answers."""

    def get(self, url: str, validators: Validators, timeout_seconds: float) -> Answer:
        """Ask for a URL within a total time; never raises for what the other side does."""


class Hosts(Protocol):
    """Politeness across workers: one row per host."""

    def take_turn(self, host: str, longest_wait_seconds: float) -> bool:
        """Wait until this host may be asked and hold it; False when that is too far away. One holder at a time."""

    def end_turn(self, host: str, pause_seconds: float) -> None:
        """Give the host back; nobody asks it for the length of the pause."""

    def robots(self, host: str) -> RobotsRecord | None:
        """Read what is known of the host's robots.txt."""

    def keep_robots(self, host: str, record: RobotsRecord) -> None:
        """Keep what the host said about robots."""
