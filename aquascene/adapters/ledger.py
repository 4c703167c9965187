"""The ledger of one campaign for one worker: each call is one short transaction over `postgres.delivery`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aquascene.adapters.postgres import delivery as store
from aquascene.adapters.postgres.db import transaction
from aquascene.delivery import chunks
from aquascene.delivery.chunks import Change, Rules
from aquascene.delivery.finish import Counts, closing_state
from aquascene.delivery.model import CampaignState, Chunk, ChunkState, DeliveryState, Member, SealedChunk
from aquascene.delivery.ports import Mailer, PostResult, SealResult, Wait
from aquascene.ids import CampaignId

_AFTER = {ChunkState.ACCEPTED: DeliveryState.ACCEPTED, ChunkState.UNKNOWN: DeliveryState.UNKNOWN}


@dataclass(frozen=True)
class PostgresLedger:
    """Serves `delivery.ports.Ledger`; `owner` is the run's id, `bucket` the provider's name."""

    campaign_id: CampaignId
    owner: str
    bucket: str
    lease: timedelta
    now: Callable[[], datetime]

    def claim(self) -> Chunk | Wait | None:
        with transaction() as db:
            now = self.now()
            frozen = store.frozen_until(db, self.bucket, now)
            if frozen is None and (found := store.claim_chunk(db, self.campaign_id, self.owner, now, self.lease)):
                return found
            turn = store.next_turn(db, self.campaign_id)
            return Wait(max(turn.until, frozen)) if turn and frozen else turn

    def members(self, chunk: Chunk) -> list[Member]:
        with transaction() as db:
            return store.members(db, chunk) if store.lock_chunk(db, chunk, self.owner) else []

    def seal(self, chunk: Chunk, sealed: SealedChunk) -> SealResult:
        with transaction() as db:
            if not store.lock_chunk(db, chunk, self.owner):
                return SealResult.LOST
            if store.suppress_late(db, chunk):
                return SealResult.AGAIN
            store.seal(db, sealed, self.now())
            return SealResult.SEALED

    def mark_posted(self, sealed: SealedChunk) -> PostResult:
        with transaction() as db:
            now = self.now()
            if store.frozen_until(db, self.bucket, now) is not None:
                return PostResult.FROZEN
            return PostResult.GO if store.mark_posted(db, sealed, self.owner, now) else PostResult.LOST

    def record(self, sealed: SealedChunk, change: Change) -> None:
        with transaction() as db:
            if not store.record(db, sealed, change, self.now()):
                return
            if change.state in _AFTER:
                store.set_deliveries(db, sealed, DeliveryState.PLANNED, _AFTER[change.state])
            if change.rejected:
                store.reject(db, sealed, change.rejected, change.reason)
            if change.split and store.split(db, sealed) == 0:  # one person alone is too large
                store.reject(db, sealed, [0], change.reason)
            if change.freeze_until is not None:
                store.freeze_bucket(db, self.bucket, change.freeze_until)
            if change.hold_reason is not None:
                store.set_campaign_state(db, self.campaign_id, CampaignState.HELD, CampaignState.SENDING, hold_reason=change.hold_reason)

    def close_empty(self, chunk: Chunk) -> None:
        with transaction() as db:
            store.close_empty(db, chunk, self.owner)

    def release(self, chunk: Chunk | SealedChunk) -> None:
        with transaction() as db:
            store.release(db, chunk, self.owner)


def reconcile(campaign_id: CampaignId, mailer: Mailer, rules: Rules, now: datetime, ask: bool = True) -> int:
    """Call unknown what was left without an answer, and move on whatever can be proven; returns how many chunks moved.

    `ask=False` looks at the events alone: SendGrid's message search takes six questions a minute.
    """
    with transaction() as db:
        store.expire_leases(db, campaign_id, now)
        waiting = store.unknown_chunks(db, campaign_id)
    moved = 0
    for chunk, proofs in waiting:
        found = mailer.lookup(campaign_id, chunk.number, chunk.attempt) if ask and not proofs.events else None
        known = chunks.Proofs(proofs.unknown_since, proofs.events, found, proofs.later_chunks_proven)
        new = chunks.resolve(known, rules, now)
        if new is not ChunkState.UNKNOWN:
            chunks.check(ChunkState.UNKNOWN, new)
            proof = "event" if known.events else "lookup" if found is not None else "policy"
            with transaction() as db:
                moved += store.settle_chunk(db, chunk, new, proof, now)
    return moved


def close(campaign_id: CampaignId, now: datetime) -> tuple[CampaignState, Counts]:
    """Close a campaign if its count equation allows it; returns its state and the counts."""
    with transaction() as db:
        counts = store.counts(db, campaign_id)
        closing = closing_state(counts)
        if closing is not None:
            store.finish(db, campaign_id, closing, now)
        return store.get_campaign(db, campaign_id).state, counts
