"""What sending needs of the world: a mail provider, the ledger of deliveries, and a place for sealed bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from aquascene.delivery.chunks import Change
from aquascene.delivery.model import Chunk, Letter, Member, Outcome, Recipient, SealedChunk


class Mailer(Protocol):
    """A mail provider."""

    @property
    def name(self) -> str:
        """Name the provider: the bucket that a rate limit freezes."""

    def compose(self, letter: Letter, recipients: Sequence[Recipient], marks: dict[str, str]) -> bytes:
        """Build the request body; the same arguments give the same bytes. Touches nothing."""

    def send(self, chunk: SealedChunk) -> Outcome:
        """Post sealed bytes once, without retries; every failure is an outcome, never an exception."""

    def lookup(self, campaign_id: object, number: int, attempt: int) -> bool | None:
        """Ask the provider whether it accepted an attempt; None when it cannot say."""


class SealResult(StrEnum):
    """What came of trying to seal."""

    SEALED = "sealed"
    AGAIN = "again"  # somebody left the audience since the recipients were read
    LOST = "lost"  # another worker holds the chunk now


class PostResult(StrEnum):
    """Whether this worker, and only this worker, may post an attempt now."""

    GO = "go"
    FROZEN = "frozen"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be sent before this time."""

    until: datetime


class Ledger(Protocol):
    """The truth about one campaign's chunks; each method is one committed transaction."""

    def claim(self) -> Chunk | Wait | None:
        """Lease the next chunk; None when there is nothing left that this worker could do."""

    def members(self, chunk: Chunk) -> list[Member]:
        """Mark who left the audience, and read who is still planned, in order."""

    def seal(self, chunk: Chunk, sealed: SealedChunk) -> SealResult:
        """Fix bytes and attempt, unless somebody left the audience meanwhile."""

    def mark_posted(self, sealed: SealedChunk) -> PostResult:
        """Record that the request is about to leave: from here on a crash leaves it unknown."""

    def record(self, sealed: SealedChunk, change: Change) -> None:
        """Record what became of an attempt."""

    def close_empty(self, chunk: Chunk) -> None:
        """Close a chunk in which nobody is left."""

    def release(self, chunk: Chunk | SealedChunk) -> None:
        """Give a lease back."""


class SealedStore(Protocol):
    """The part of the object store that sending uses: what was sealed stays readable until its end is known."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store bytes under a key."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is harmless."""
