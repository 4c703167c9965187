"""Questions about campaigns, chunks and deliveries; nothing here commits. Issues and delivery events have modules of their own."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, exists, func, insert, not_, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from aquascene.adapters.postgres.audience import condition
from aquascene.adapters.postgres.tables import (
    campaign,
    chunk,
    delivery,
    provider_event,
    send_bucket,
    subscriber,
    suppression,
)
from aquascene.audience import segments
from aquascene.delivery.chunks import Change, Proofs
from aquascene.delivery.finish import Counts
from aquascene.delivery.model import (
    Campaign,
    CampaignState,
    Chunk,
    ChunkState,
    DeliveryState,
    Issue,
    Member,
    Policy,
    SealedChunk,
)
from aquascene.delivery.ports import Wait
from aquascene.errors import NotFound
from aquascene.ids import CampaignId, IssueId

_POSTED_AT = chunk.c.evidence["posted_at"].astext
_FAILURES = func.coalesce(chunk.c.evidence["failures"].astext.cast(chunk.c.number.type), 0)

# --- campaigns ---------------------------------------------------------------------------------


def _campaign(row: Row[Any]) -> Campaign:
    return Campaign(
        id=CampaignId(row.id),
        issue_id=IssueId(row.issue_id),
        state=CampaignState(row.state),
        segment=segments.parse(row.segment),
        content_sha256=row.content_sha256,
        policy=Policy(row.policy),
        candidates=row.candidates,
        excluded=row.excluded,
        hold_reason=row.hold_reason,
        frozen_at=row.frozen_at,
        finished_at=row.finished_at,
    )


def get_campaign(db: Connection, campaign_id: UUID) -> Campaign:
    """Read a campaign; NotFound when there is none."""
    row = db.execute(select(campaign).where(campaign.c.id == campaign_id)).first()
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    return _campaign(row)


def campaign_of(db: Connection, issue_id: UUID) -> Campaign | None:
    """Find the campaign of an issue."""
    row = db.execute(select(campaign).where(campaign.c.issue_id == issue_id)).first()
    return _campaign(row) if row else None


def open_campaign(db: Connection, campaign_id: UUID, sent_issue: Issue, rule: segments.Node, policy: Policy, now: datetime) -> Campaign:
    """Make the one campaign of an issue, or read the one that is there."""
    values = {"id": campaign_id, "issue_id": sent_issue.id, "state": "planned", "segment": segments.to_data(rule), "policy": policy}
    row = upsert(campaign).values(**values, content_sha256=sent_issue.content_sha256, created_at=now)
    db.execute(row.on_conflict_do_nothing(index_elements=["issue_id"]))
    found = campaign_of(db, sent_issue.id)
    assert found is not None
    return found


def list_campaigns(db: Connection, before: UUID | None, limit: int) -> list[Campaign]:
    """List campaigns, newest first."""
    query = select(campaign).order_by(campaign.c.id.desc()).limit(limit)
    return [_campaign(row) for row in db.execute(query.where(campaign.c.id < before) if before else query)]


def unfinished_campaigns(db: Connection) -> list[UUID]:
    """Find campaigns on which work may go on: not those that wait for a person."""
    open_question = exists().where(chunk.c.campaign_id == campaign.c.id, chunk.c.state == ChunkState.UNKNOWN)
    going = or_(campaign.c.state.in_(["planned", "sending"]), and_(campaign.c.state == "sent_with_unknown", open_question))
    return [row.id for row in db.execute(select(campaign.c.id).where(going).order_by(campaign.c.id))]


def set_campaign_state(db: Connection, campaign_id: UUID, new: CampaignState, *old: CampaignState, hold_reason: str | None = None) -> bool:
    """Move a campaign if it is in one of the old states."""
    values = {"state": new, "hold_reason": hold_reason}
    return db.execute(update(campaign).where(campaign.c.id == campaign_id, campaign.c.state.in_(old)).values(**values)).rowcount == 1


def resume(db: Connection, campaign_id: UUID) -> bool:
    """Let a held or paused campaign go on; chunks that were held are planned again."""
    return resume_held(db, campaign_id) or set_campaign_state(db, campaign_id, CampaignState.SENDING, CampaignState.PAUSED)


def resume_held(db: Connection, campaign_id: UUID) -> bool:
    """Let a held campaign go on, with its held chunks; a paused one stays as it is."""
    going = set_campaign_state(db, campaign_id, CampaignState.SENDING, CampaignState.HELD)
    if going:
        db.execute(update(chunk).where(chunk.c.campaign_id == campaign_id, chunk.c.state == "held").values(state="planned"))
    return going


def finish(db: Connection, campaign_id: UUID, closing: CampaignState, now: datetime) -> None:
    """Close a campaign, or correct the closing of one whose unknowns were resolved."""
    closable = campaign.c.state.in_(["sending", "sent_with_unknown"])
    db.execute(update(campaign).where(campaign.c.id == campaign_id, closable, campaign.c.state != closing).values(state=closing, finished_at=now))


def freeze(db: Connection, campaign_id: UUID, size: int, now: datetime) -> Campaign:
    """Write down the audience once: active subscribers of the segment without the suppressed, numbered into chunks.

    One statement, so that chunks and deliveries agree. Repeating it changes nothing.
    """
    db.execute(text("SET LOCAL statement_timeout = '15min'"))
    row = db.execute(select(campaign).where(campaign.c.id == campaign_id).with_for_update()).first()
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    if row.frozen_at is not None:
        return _campaign(row)
    shut = exists().where(suppression.c.email_hmac == subscriber.c.email_hmac)
    everyone = and_(subscriber.c.state == "active", subscriber.c.email.is_not(None), condition(segments.parse(row.segment)))
    candidates = db.execute(select(func.count()).select_from(subscriber).where(everyone)).scalar_one()
    place = func.row_number().over(order_by=subscriber.c.id) - 1
    audience = select(subscriber.c.id, place.label("place")).where(everyone, not_(shut)).cte("audience")
    number = (func.div(audience.c.place, size) + 1).cast(chunk.c.number.type)
    sized = select(text("CAST(:campaign AS uuid)"), number, text("'planned'"), func.count()).select_from(audience).group_by(number)
    chunks = insert(chunk).from_select(["campaign_id", "number", "state", "size"], sized).returning(chunk.c.number).cte("chunks")
    rows = select(
        text("CAST(:campaign AS uuid)"), audience.c.id, func.gen_random_uuid(), number, (audience.c.place % size).cast(chunk.c.number.type), text("'planned'")
    )
    columns = ["campaign_id", "subscriber_id", "recipient_id", "chunk_number", "position", "state"]
    db.execute(insert(delivery).from_select(columns, rows).add_cte(chunks), {"campaign": campaign_id})
    planned = db.execute(select(func.count()).where(delivery.c.campaign_id == campaign_id)).scalar_one()
    values = {"candidates": candidates, "excluded": candidates - planned, "frozen_at": now, "state": "sending"}
    return _campaign(db.execute(update(campaign).where(campaign.c.id == campaign_id).values(**values).returning(campaign)).one())


def counts(db: Connection, campaign_id: UUID) -> Counts:
    """Count the deliveries of a campaign by state; `suppressed` holds those left out at the freeze, too."""
    found = get_campaign(db, campaign_id)
    query = select(delivery.c.state, func.count().label("n")).where(delivery.c.campaign_id == campaign_id).group_by(delivery.c.state)
    by_state = {row.state: row.n for row in db.execute(query)}
    by_state["suppressed"] = by_state.get("suppressed", 0) + found.excluded
    return Counts(candidates=found.candidates, **by_state)


def chunk_states(db: Connection, campaign_id: UUID) -> dict[str, int]:
    """Count the chunks of a campaign by state."""
    query = select(chunk.c.state, func.count().label("n")).where(chunk.c.campaign_id == campaign_id).group_by(chunk.c.state)
    return {row.state: row.n for row in db.execute(query)}


def export(db: Connection, campaign_id: UUID) -> Iterator[dict[str, Any]]:
    """Stream who got what: one row per delivery."""
    fields = (
        delivery.c.recipient_id,
        subscriber.c.public_id,
        subscriber.c.email,
        delivery.c.chunk_number,
        delivery.c.state,
        delivery.c.reason,
        delivery.c.last_event,
    )
    query = select(*fields, delivery.c.event_at).join(subscriber, subscriber.c.id == delivery.c.subscriber_id).where(delivery.c.campaign_id == campaign_id)
    for row in db.execute(query.order_by(delivery.c.chunk_number, delivery.c.position).execution_options(yield_per=1000)):
        yield dict(row._mapping)


# --- chunks: what a sender does ----------------------------------------------------------------


def claim_chunk(db: Connection, campaign_id: UUID, owner: str, now: datetime, lease: timedelta) -> Chunk | None:
    """Lease the next chunk that may be sent: planned, not accepted, or sealed by somebody who died before posting."""
    free = or_(chunk.c.lease_until_at.is_(None), chunk.c.lease_until_at < now)
    sendable = or_(chunk.c.state.in_(["planned", "not_accepted"]), and_(chunk.c.state == "sealed", _POSTED_AT.is_(None)))
    going = exists().where(campaign.c.id == campaign_id, campaign.c.state == "sending")
    next_one = select(chunk.c.number).where(chunk.c.campaign_id == campaign_id, sendable, free, chunk.c.not_before_at <= now, going)
    picked = next_one.order_by(chunk.c.number).limit(1).with_for_update(skip_locked=True).scalar_subquery()
    taken = update(chunk).where(chunk.c.campaign_id == campaign_id, chunk.c.number == picked).values(lease_owner=owner, lease_until_at=now + lease)
    row = db.execute(
        taken.returning(chunk.c.number, chunk.c.state, chunk.c.attempt, _FAILURES.label("failures"), chunk.c.request_key, chunk.c.request_sha256)
    ).first()
    return Chunk(CampaignId(campaign_id), row.number, ChunkState(row.state), row.attempt, row.failures, row.request_key, row.request_sha256) if row else None


def next_turn(db: Connection, campaign_id: UUID) -> Wait | None:
    """When the earliest chunk that nobody holds may be sent; None when there is none."""
    waiting = and_(chunk.c.campaign_id == campaign_id, chunk.c.state.in_(["planned", "not_accepted"]), chunk.c.lease_until_at.is_(None))
    going = exists().where(campaign.c.id == campaign_id, campaign.c.state == "sending")
    at = db.execute(select(func.min(chunk.c.not_before_at)).where(waiting, going)).scalar()
    return Wait(at) if at else None


def members(db: Connection, held: Chunk) -> list[Member]:
    """Mark those who left the audience as suppressed, and read who is planned, in order. Locks them against leaving meanwhile."""
    suppress_late(db, held)
    query = (
        select(delivery.c.recipient_id, subscriber.c.public_id, subscriber.c.email, subscriber.c.name)
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .where(delivery.c.campaign_id == held.campaign_id, delivery.c.chunk_number == held.number, delivery.c.state == "planned")
        .order_by(delivery.c.position)
    )
    return [Member(row.recipient_id, row.public_id, row.email, row.name) for row in db.execute(query)]


def suppress_late(db: Connection, held: Chunk) -> int:
    """Suppress planned deliveries to people who are no longer active, or whose address is suppressed; returns how many.

    The share lock makes a concurrent unsubscribe either visible here or wait until this transaction has ended.
    """
    mine = and_(delivery.c.campaign_id == held.campaign_id, delivery.c.chunk_number == held.number, delivery.c.state == "planned")
    shared = select(subscriber.c.id).where(subscriber.c.id.in_(select(delivery.c.subscriber_id).where(mine))).order_by(subscriber.c.id)
    db.execute(shared.with_for_update(read=True)).all()
    shut = exists().where(suppression.c.email_hmac == subscriber.c.email_hmac)
    gone = select(subscriber.c.id).where(or_(subscriber.c.state != "active", subscriber.c.email.is_(None), shut))
    left = update(delivery).where(mine, delivery.c.subscriber_id.in_(gone))
    return db.execute(left.values(state="suppressed", reason="left-before-seal")).rowcount


def lock_chunk(db: Connection, held: Chunk, owner: str) -> bool:
    """Lock a chunk if this worker still holds it and nobody moved it on."""
    same = and_(chunk.c.campaign_id == held.campaign_id, chunk.c.number == held.number, chunk.c.attempt == held.attempt, chunk.c.lease_owner == owner)
    unposted = or_(chunk.c.state != "sealed", _POSTED_AT.is_(None))
    sendable = chunk.c.state.in_(["planned", "not_accepted", "sealed"])
    return db.execute(select(chunk.c.number).where(same, sendable, unposted).with_for_update()).first() is not None


def seal(db: Connection, sealed: SealedChunk, now: datetime) -> None:
    """Fix the bytes of the next attempt; the mark of an earlier attempt goes."""
    values = {"state": "sealed", "attempt": sealed.attempt, "size": sealed.size, "request_sha256": sealed.sha256, "request_key": sealed.key, "sealed_at": now}
    db.execute(_update(sealed).values(**values, evidence=chunk.c.evidence.op("-")("posted_at"), unknown_since_at=None))


def mark_posted(db: Connection, sealed: SealedChunk, owner: str, now: datetime) -> bool:
    """Take the one right to post an attempt; False when it is taken, or the campaign was stopped."""
    going = exists().where(campaign.c.id == sealed.campaign_id, campaign.c.state == "sending")
    mine = and_(chunk.c.state == "sealed", chunk.c.attempt == sealed.attempt, chunk.c.lease_owner == owner, chunk.c.lease_until_at > now)
    marked = chunk.c.evidence.op("||")({"posted_at": now.isoformat()})
    return db.execute(_update(sealed).where(mine, _POSTED_AT.is_(None), going).values(evidence=marked)).rowcount == 1


def record(db: Connection, sealed: SealedChunk, change: Change, now: datetime) -> bool:
    """Record what became of a posted attempt; False when the chunk moved on (its lease ran out and proof came first)."""
    evidence = chunk.c.evidence.op("||")({"failures": change.failures, "reason": change.reason})
    values: dict[str, Any] = {"state": change.state, "http_status": change.status, "evidence": evidence, "lease_owner": None, "lease_until_at": None}
    if change.state is ChunkState.ACCEPTED:
        values |= {"accepted_at": now, "provider_message_id": change.message_id}
    if change.state is ChunkState.UNKNOWN:
        values["unknown_since_at"] = now
    if change.not_before_at is not None:
        values["not_before_at"] = change.not_before_at
    open_attempt = and_(chunk.c.attempt == sealed.attempt, chunk.c.state.in_(["sealed", "unknown"]))
    return db.execute(_update(sealed).where(open_attempt).values(**values)).rowcount == 1


def set_deliveries(db: Connection, sealed: SealedChunk | Chunk, old: DeliveryState, new: DeliveryState) -> int:
    """Move the deliveries of a chunk that are in one state to another."""
    mine = and_(delivery.c.campaign_id == sealed.campaign_id, delivery.c.chunk_number == sealed.number, delivery.c.state == old)
    return db.execute(update(delivery).where(mine).values(state=new)).rowcount


def reject(db: Connection, sealed: SealedChunk, indexes: Sequence[int], reason: str) -> None:
    """Reject the planned deliveries at these positions of the request (0 is the first of those that were in it)."""
    mine = and_(delivery.c.campaign_id == sealed.campaign_id, delivery.c.chunk_number == sealed.number, delivery.c.state == "planned")
    listed = [row.recipient_id for row in db.execute(select(delivery.c.recipient_id).where(mine).order_by(delivery.c.position))]
    named = [listed[index] for index in indexes if 0 <= index < len(listed)]
    db.execute(update(delivery).where(delivery.c.recipient_id.in_(named)).values(state="rejected", reason=reason))


def split(db: Connection, sealed: SealedChunk) -> int:
    """Move the second half of a chunk's planned deliveries to a new chunk; returns how many moved."""
    mine = and_(delivery.c.campaign_id == sealed.campaign_id, delivery.c.chunk_number == sealed.number, delivery.c.state == "planned")
    listed = [row.recipient_id for row in db.execute(select(delivery.c.recipient_id).where(mine).order_by(delivery.c.position))]
    moving = listed[(len(listed) + 1) // 2 :]
    if moving:
        db.execute(select(campaign.c.id).where(campaign.c.id == sealed.campaign_id).with_for_update())
        number = db.execute(select(func.max(chunk.c.number) + 1).where(chunk.c.campaign_id == sealed.campaign_id)).scalar_one()
        db.execute(insert(chunk).values(campaign_id=sealed.campaign_id, number=number, state="planned", size=len(moving)))
        db.execute(update(delivery).where(delivery.c.recipient_id.in_(moving)).values(chunk_number=number))
    db.execute(_update(sealed).values(size=len(listed) - len(moving)))
    return len(moving)


def close_empty(db: Connection, held: Chunk, owner: str) -> None:
    """Close a chunk in which nobody is left to be sent to."""
    mine = and_(chunk.c.attempt == held.attempt, chunk.c.lease_owner == owner, chunk.c.state.in_(["planned", "not_accepted", "sealed"]))
    db.execute(_update(held).where(mine).values(state="cancelled", lease_owner=None, lease_until_at=None))


def release(db: Connection, held: Chunk | SealedChunk, owner: str) -> None:
    """Give a lease on an unposted chunk back."""
    unposted = and_(chunk.c.lease_owner == owner, _POSTED_AT.is_(None))
    db.execute(_update(held).where(unposted).values(lease_owner=None, lease_until_at=None))


def release_chunks(db: Connection, run_ids: Sequence[UUID]) -> int:
    """Free the chunks that dead runs held; what they posted becomes unknown by `expire_leases`. Returns how many."""
    held = chunk.c.lease_owner.in_([str(run_id) for run_id in run_ids])
    return db.execute(update(chunk).where(held).values(lease_owner=None, lease_until_at=None)).rowcount


def expire_leases(db: Connection, campaign_id: UUID, now: datetime) -> int:
    """Call unknown what was marked as posted and then left without an answer; returns how many chunks."""
    abandoned = or_(chunk.c.lease_until_at.is_(None), chunk.c.lease_until_at < now)
    posted = and_(chunk.c.campaign_id == campaign_id, chunk.c.state == "sealed", _POSTED_AT.is_not(None))
    values = {"state": "unknown", "unknown_since_at": now, "lease_owner": None, "lease_until_at": None}
    numbers = [row.number for row in db.execute(update(chunk).where(posted, abandoned).values(**values).returning(chunk.c.number))]
    mine = and_(delivery.c.campaign_id == campaign_id, delivery.c.chunk_number.in_(numbers), delivery.c.state == "planned")
    db.execute(update(delivery).where(mine).values(state="unknown"))
    return len(numbers)


def _update(held: Chunk | SealedChunk) -> Any:
    return update(chunk).where(chunk.c.campaign_id == held.campaign_id, chunk.c.number == held.number)


# --- buckets -----------------------------------------------------------------------------------


def freeze_bucket(db: Connection, name: str, until: datetime) -> None:
    """Freeze a provider for all senders, never for a shorter time than it already is."""
    row = upsert(send_bucket).values(name=name, frozen_until_at=until)
    db.execute(row.on_conflict_do_update(index_elements=["name"], set_={"frozen_until_at": func.greatest(send_bucket.c.frozen_until_at, until)}))


def frozen_until(db: Connection, name: str, now: datetime) -> datetime | None:
    """Until when a provider is frozen; None when it is not."""
    return db.execute(select(send_bucket.c.frozen_until_at).where(send_bucket.c.name == name, send_bucket.c.frozen_until_at > now)).scalar()


# --- unknown chunks ----------------------------------------------------------------------------


def unknown_chunks(db: Connection, campaign_id: UUID) -> list[tuple[Chunk, Proofs]]:
    """Read the unknown chunks of a campaign with what the events prove."""
    named = and_(provider_event.c.campaign_id == chunk.c.campaign_id, provider_event.c.chunk_number == chunk.c.number)
    proven = exists().where(named, provider_event.c.attempt == chunk.c.attempt)
    later = chunk.alias("later")
    told = exists().where(provider_event.c.campaign_id == later.c.campaign_id, provider_event.c.chunk_number == later.c.number)
    healthy = select(func.count()).select_from(later).where(later.c.state == "accepted", later.c.sealed_at > chunk.c.sealed_at, told).scalar_subquery()
    query = select(chunk, proven.label("proven"), healthy.label("healthy")).where(chunk.c.campaign_id == campaign_id, chunk.c.state == "unknown")
    return [
        (
            Chunk(CampaignId(row.campaign_id), row.number, ChunkState.UNKNOWN, row.attempt, 0, row.request_key, row.request_sha256),
            Proofs(row.unknown_since_at, row.proven, None, row.healthy),
        )
        for row in db.execute(query.order_by(chunk.c.number))
    ]


def settle_chunk(db: Connection, held: Chunk, new: ChunkState, proof: str, now: datetime) -> bool:
    """Move an unknown chunk on by proof, and its unknown deliveries with it; False when it moved on already."""
    values: dict[str, Any] = {"state": new, "evidence": chunk.c.evidence.op("||")({"proof": proof})}
    values |= {"accepted_at": now} if new is ChunkState.ACCEPTED else {}
    moved = _update(held).where(chunk.c.state == "unknown", chunk.c.attempt == held.attempt)
    if db.execute(moved.values(**values)).rowcount != 1:
        return False
    if new is ChunkState.ACCEPTED:
        set_deliveries(db, held, DeliveryState.UNKNOWN, DeliveryState.ACCEPTED)
    if new is ChunkState.PLANNED:
        set_deliveries(db, held, DeliveryState.UNKNOWN, DeliveryState.PLANNED)
        set_campaign_state(db, held.campaign_id, CampaignState.SENDING, CampaignState.SENT_WITH_UNKNOWN)
    return True
