"""Sending: the loop that every worker runs. Claim → seal → mark as posted → post once → record.

Where a crash strikes decides what the ledger says, and that is enough to go on:
before the seal the chunk is planned; between seal and mark it is provably not posted and the same bytes may go;
between mark and record it is unknown, and only proof moves it on. Two workers cannot both get the mark.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aquascene.delivery import chunks
from aquascene.delivery.model import Chunk, ChunkState, Letter, Member, Recipient, SealedChunk
from aquascene.delivery.ports import Ledger, Mailer, PostResult, SealedStore, SealResult, Wait

log = logging.getLogger(__name__)
_ROUNDS = 20  # times that a chunk is read anew because somebody left between reading and sealing


@dataclass(frozen=True)
class Sender:
    """One worker's tools; `address` turns a planned delivery into a recipient with links of their own."""

    ledger: Ledger
    mailer: Mailer
    store: SealedStore
    letter: Letter
    address: Callable[[Member], Recipient]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]

    def work(self, patience: timedelta) -> int:
        """Send until nothing is left, or the provider refuses for longer than `patience`; returns the number of posts."""
        posts, deadline = 0, self.now() + patience
        while True:
            chunk = self.ledger.claim()
            if chunk is None:
                return posts
            if isinstance(chunk, Wait):
                if chunk.until > deadline:
                    return posts
                self.sleep(max(0.05, (chunk.until - self.now()).total_seconds()))
            elif self._send(chunk):
                posts, deadline = posts + 1, self.now() + patience

    def _send(self, chunk: Chunk) -> bool:
        sealed = self._same_bytes(chunk) or self._seal(chunk)
        if sealed is None:
            return False
        if self.ledger.mark_posted(sealed) is not PostResult.GO:
            self.ledger.release(sealed)
            return False
        outcome = self.mailer.send(sealed)
        change = chunks.after(outcome, sealed.failures, self.now(), self.jitter())
        self.ledger.record(sealed, change)
        log.info("chunk_posted campaign_id=%s number=%d attempt=%d state=%s", sealed.campaign_id, sealed.number, sealed.attempt, change.state)
        if change.state is not ChunkState.UNKNOWN:
            self.store.delete(sealed.key)
        return change.state is ChunkState.ACCEPTED

    def _same_bytes(self, chunk: Chunk) -> SealedChunk | None:
        """Take up what a dead worker sealed and never posted, if its audience and so its bytes are still the same."""
        if chunk.state is not ChunkState.SEALED:
            return None
        members = self.ledger.members(chunk)
        again = self._sealed(chunk, chunk.attempt, self._compose(chunk, chunk.attempt, members), len(members)) if members else None
        return again if again and again.sha256 == chunk.request_sha256 else None

    def _seal(self, chunk: Chunk) -> SealedChunk | None:
        """Fix the bytes for everybody who is still in the audience; None when there is nobody or the lease is gone."""
        for _ in range(_ROUNDS):
            members = self.ledger.members(chunk)
            if not members:
                self.ledger.close_empty(chunk)
                return None
            sealed = self._sealed(chunk, chunk.attempt + 1, self._compose(chunk, chunk.attempt + 1, members), len(members))
            self.store.put(sealed.key, sealed.body, "application/json")
            result = self.ledger.seal(chunk, sealed)
            if result is SealResult.SEALED:
                if chunk.request_key and chunk.request_key != sealed.key:
                    self.store.delete(chunk.request_key)
                return sealed
            self.store.delete(sealed.key)
            if result is SealResult.LOST:
                return None
        self.ledger.release(chunk)
        return None

    def _compose(self, chunk: Chunk, attempt: int, members: Sequence[Member]) -> bytes:
        marks = {"c": str(chunk.campaign_id), "k": str(chunk.number), "a": str(attempt)}
        return self.mailer.compose(self.letter, [self.address(member) for member in members], marks)

    def _sealed(self, chunk: Chunk, attempt: int, body: bytes, size: int) -> SealedChunk:
        digest = hashlib.sha256(body).hexdigest()
        key = f"sealed/{chunk.campaign_id}/{chunk.number}-{attempt}-{digest[:16]}.json"
        return SealedChunk(chunk.campaign_id, chunk.number, attempt, body, digest, size, key, chunk.failures)
