"""Delivery events: kept once, applied as sets; whatever order and however often they come. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Text, and_, any_, case, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from aquascene.adapters.postgres import audience
from aquascene.adapters.postgres.bulk import recordset
from aquascene.adapters.postgres.tables import chunk, delivery, provider_event, subscriber
from aquascene.audience.consent import state_after
from aquascene.audience.model import Consent, SubscriberState, SuppressionReason
from aquascene.delivery.events import RANKS, STATES, SUPPRESSING_KINDS, Event, suppression_for

_LOCK = 4_207_340  # any number; one applier at a time, so that two of them cannot wait for each other's rows

_BATCH = 5_000


def keep(db: Connection, events: Sequence[Event], provider: str) -> int:
    """Insert events that are not there yet; returns how many were new."""
    names = ("event_id", "kind", "campaign_id", "chunk_number", "attempt", "recipient_id", "reason", "occurred_at")
    rows = [{name: _plain(getattr(each, name)) for name in names} for each in {each.event_id: each for each in events}.values()]
    given = recordset(provider_event, names, rows)
    kept = upsert(provider_event).from_select([*names, "provider"], select(*given.c, literal(provider, Text)))
    return len(db.execute(kept.on_conflict_do_nothing().returning(provider_event.c.event_id)).all()) if rows else 0


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int | str) else str(value)


def apply(db: Connection, now: datetime) -> int:
    """Bring what is known of deliveries, chunks and subscribers up to the events kept so far; returns how many were applied."""
    db.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    unapplied, applied = select(provider_event.c.event_id).where(provider_event.c.applied_at.is_(None)).limit(_BATCH), 0
    while fresh := list(db.execute(unapplied).scalars()):
        mine = provider_event.c.event_id == any_(literal(fresh, ARRAY(Text)))  # one parameter, however many events
        _raise_deliveries(db, mine)
        _prove_chunks(db, mine, now)
        _end_subscriptions(db, mine, now)
        db.execute(update(provider_event).where(mine).values(applied_at=now))
        applied += len(fresh)
    return applied


def _rank(column: Any) -> Any:
    return case(RANKS, value=column, else_=0)


def _raise_deliveries(db: Connection, mine: Any) -> None:
    """Raise each delivery to the highest event known of it; what is higher already stays."""
    best = (
        select(provider_event.c.recipient_id, provider_event.c.kind, provider_event.c.occurred_at, provider_event.c.reason)
        .where(mine, provider_event.c.recipient_id.is_not(None), provider_event.c.kind.in_(list(RANKS)))
        .distinct(provider_event.c.recipient_id)
        .order_by(provider_event.c.recipient_id, _rank(provider_event.c.kind).desc(), provider_event.c.occurred_at)
        .subquery()
    )
    higher = and_(delivery.c.recipient_id == best.c.recipient_id, _rank(best.c.kind) > _rank(delivery.c.last_event))
    state = case({kind: str(state) for kind, state in STATES.items()}, value=best.c.kind)
    told = {"state": state, "last_event": best.c.kind, "event_at": best.c.occurred_at, "reason": func.coalesce(best.c.reason, delivery.c.reason)}
    db.execute(update(delivery).where(higher).values(**told))


def _prove_chunks(db: Connection, mine: Any, now: datetime) -> None:
    """An event of an attempt proves that this attempt was accepted."""
    named = and_(provider_event.c.campaign_id == chunk.c.campaign_id, provider_event.c.chunk_number == chunk.c.number)
    proven = exists().where(mine, named, provider_event.c.attempt == chunk.c.attempt)
    evidence = chunk.c.evidence.op("||")({"proof": "event"})
    values = {"state": "accepted", "accepted_at": now, "evidence": evidence}
    moved = update(chunk).where(chunk.c.state.in_(["unknown", "abandoned"]), proven).values(**values)
    for row in db.execute(moved.returning(chunk.c.campaign_id, chunk.c.number)).all():
        same = and_(delivery.c.campaign_id == row.campaign_id, delivery.c.chunk_number == row.number, delivery.c.state == "unknown")
        db.execute(update(delivery).where(same).values(state="accepted"))


def _end_subscriptions(db: Connection, mine: Any, now: datetime) -> None:
    """Suppress whose mail bounced, who complained, and who unsubscribed at the provider."""
    ending = and_(mine, provider_event.c.kind.in_([*SUPPRESSING_KINDS, "dropped"]))
    fields = (provider_event.c.kind, provider_event.c.reason, provider_event.c.occurred_at, subscriber.c.id, subscriber.c.email_hmac, subscriber.c.state)
    # Two questions instead of one with OR: each of them has an index to go by. Confirmation mail names the person itself.
    of_issues = (
        select(*fields).join(delivery, delivery.c.recipient_id == provider_event.c.recipient_id).join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
    )
    of_system_mail = select(*fields).join(subscriber, subscriber.c.public_id == provider_event.c.recipient_id)
    rows = [row for query in (of_issues, of_system_mail) for row in db.execute(query.where(ending)).all()]
    for row in sorted(rows, key=lambda each: each.occurred_at):
        reason = suppression_for(row.kind, row.reason)
        if reason is not None and row.email_hmac is not None:
            _end(db, row.id, row.email_hmac, SubscriberState(row.state), reason, now)


def _end(db: Connection, subscriber_id: int, email_hmac: str, state: SubscriberState, reason: SuppressionReason, now: datetime) -> None:
    audience.suppress(db, email_hmac, reason, "provider", now)
    if state in {SubscriberState.ACTIVE, SubscriberState.PENDING, SubscriberState.UNSUBSCRIBED} and state is not state_after(reason):
        audience.set_state(db, subscriber_id, state_after(reason), now)
        audience.log_consent(db, [subscriber_id], Consent(str(reason), "provider", now))


def forget(db: Connection, before: datetime) -> int:
    """Delete applied events that came before a time."""
    return db.execute(delete(provider_event).where(provider_event.c.received_at < before, provider_event.c.applied_at.is_not(None))).rowcount


def leftover_requests(db: Connection) -> list[tuple[UUID, int, str]]:
    """Find stored requests of chunks whose end is known: their bytes hold addresses and may go."""
    over = chunk.c.state.in_(["accepted", "not_accepted", "planned", "held", "abandoned", "cancelled"])
    query = select(chunk.c.campaign_id, chunk.c.number, chunk.c.request_key).where(chunk.c.request_key.is_not(None), over)
    return [(row.campaign_id, row.number, row.request_key) for row in db.execute(query)]


def forget_request(db: Connection, campaign_id: UUID, number: int, key: str) -> None:
    """Record that the stored request of a chunk is gone."""
    same = and_(chunk.c.campaign_id == campaign_id, chunk.c.number == number, chunk.c.request_key == key)
    db.execute(update(chunk).where(same).values(request_key=None))
