"""Questions about subscribers, consent and suppression. The only SQL of this stage; nothing here commits."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Text, and_, delete, exists, func, insert, literal, not_, or_, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from aquascene.adapters.postgres.bulk import recordset
from aquascene.adapters.postgres.tables import chunk, consent, delivery, subscriber, suppression, tombstone, used_token
from aquascene.audience.model import Address, Consent, PendingConfirmation, Profile, Standing, Subscriber, SubscriberState, SuppressionReason
from aquascene.audience.segments import All, Any_, Compare, Node, Not
from aquascene.errors import NotFound
from aquascene.ids import SubscriberId

_FIELDS = (
    subscriber.c.id,
    subscriber.c.public_id,
    subscriber.c.email,
    subscriber.c.name,
    subscriber.c.state,
    subscriber.c.locale,
    subscriber.c.time_zone,
    subscriber.c.attributes,
    subscriber.c.created_at,
    subscriber.c.confirmed_at,
)


def _subscriber(row: Row[Any]) -> Subscriber:
    values = dict(row._mapping)
    return Subscriber(**{**values, "id": SubscriberId(values["id"]), "state": SubscriberState(values["state"])})


# --- segments ----------------------------------------------------------------------------------


def condition(node: Node) -> ColumnElement[bool]:
    """Compile a segment to a condition with parameters over whitelisted columns."""
    match node:
        case All(parts):
            return and_(true(), *(condition(part) for part in parts))
        case Any_(parts):
            return or_(not_(true()), *(condition(part) for part in parts))
        case Not(part):
            return not_(func.coalesce(condition(part), not_(true())))
        case Compare():
            return _comparison(node)


def _comparison(node: Compare) -> ColumnElement[bool]:
    column = _column(node.field)
    match node.operator:
        case "is":
            return column == node.value
        case "is_not":
            return column.is_distinct_from(node.value)
        case "in":
            assert isinstance(node.value, tuple)
            return column.in_(node.value)
        case "before":
            return column < node.value
        case "after":
            return column > node.value
        case _:
            return column.is_not(None) if node.value else column.is_(None)


def _column(name: str) -> ColumnElement[Any]:
    prefix, _, key = name.partition(".")
    return subscriber.c.attributes[key].astext if prefix == "attributes" else subscriber.c[name]


# --- reading -----------------------------------------------------------------------------------


def standing(db: Connection, email_hmac: str) -> tuple[Subscriber | None, Standing]:
    """Find what is known of an address, locked against others who ask the same."""
    db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(email_hmac, 0))))
    row = db.execute(select(*_FIELDS).where(subscriber.c.email_hmac == email_hmac)).first()
    reason = db.execute(select(suppression.c.reason).where(suppression.c.email_hmac == email_hmac)).scalar()
    found = _subscriber(row) if row else None
    return found, Standing(found.state if found else None, SuppressionReason(reason) if reason else None)


def standings(db: Connection, hmacs: Sequence[str]) -> dict[str, Standing]:
    """The same for many addresses at once; strangers are missing."""
    people = {row.email_hmac: row.state for row in db.execute(select(subscriber.c.email_hmac, subscriber.c.state).where(subscriber.c.email_hmac.in_(hmacs)))}
    shut = {row.email_hmac: row.reason for row in db.execute(select(suppression.c.email_hmac, suppression.c.reason).where(suppression.c.email_hmac.in_(hmacs)))}
    return {
        key: Standing(SubscriberState(people[key]) if key in people else None, SuppressionReason(shut[key]) if key in shut else None) for key in people | shut
    }


def get(db: Connection, public_id: UUID) -> Subscriber:
    """Read one subscriber; NotFound when there is none."""
    row = db.execute(select(*_FIELDS).where(subscriber.c.public_id == public_id)).first()
    if row is None:
        raise NotFound(f"there is no subscriber {public_id}")
    return _subscriber(row)


def lock(db: Connection, public_id: UUID) -> tuple[Subscriber, Standing, str | None]:
    """Read one subscriber for a change, with the suppression of their address and its hash."""
    row = db.execute(select(*_FIELDS, subscriber.c.email_hmac).where(subscriber.c.public_id == public_id).with_for_update()).first()
    if row is None:
        raise NotFound(f"there is no subscriber {public_id}")
    values = dict(row._mapping)
    key = values.pop("email_hmac")
    reason = db.execute(select(suppression.c.reason).where(suppression.c.email_hmac == key)).scalar()
    found = Subscriber(**{**values, "state": SubscriberState(values["state"])})
    return found, Standing(found.state, SuppressionReason(reason) if reason else None), key


def page(db: Connection, after: int, limit: int, state: SubscriberState | None = None, email: str | None = None) -> list[Subscriber]:
    """List subscribers by id after a cursor; erased ones only when asked for."""
    shown = subscriber.c.state == state if state else subscriber.c.state != SubscriberState.ERASED
    query = select(*_FIELDS).where(subscriber.c.id > after, shown).order_by(subscriber.c.id).limit(limit)
    if email is not None:
        query = query.where(subscriber.c.email_normalised == email)
    return [_subscriber(row) for row in db.execute(query)]


def everyone(db: Connection) -> Iterator[tuple[Subscriber, str | None]]:
    """Stream all subscribers with the reason for which their address is suppressed: the export."""
    query = select(*_FIELDS, suppression.c.reason).outerjoin(suppression, suppression.c.email_hmac == subscriber.c.email_hmac)
    shown = query.where(subscriber.c.state != SubscriberState.ERASED).order_by(subscriber.c.id).execution_options(yield_per=1000)
    for row in db.execute(shown):
        values = dict(row._mapping)
        reason = values.pop("reason")
        yield Subscriber(**{**values, "state": SubscriberState(values["state"])}), reason


def consents(db: Connection, subscriber_id: int) -> list[Consent]:
    """Read the consent log of a subscriber, oldest first."""
    query = select(consent).where(consent.c.subscriber_id == subscriber_id).order_by(consent.c.id)
    return [Consent(row.event, row.source, row.at, row.text_version, row.evidence) for row in db.execute(query)]


def deliveries_of(db: Connection, subscriber_id: int) -> list[dict[str, Any]]:
    """Read what was sent to a subscriber, for their export."""
    query = select(delivery.c.campaign_id, delivery.c.state, delivery.c.last_event, delivery.c.event_at).where(delivery.c.subscriber_id == subscriber_id)
    return [dict(row._mapping) for row in db.execute(query.order_by(delivery.c.campaign_id))]


def counts(db: Connection) -> dict[str, int]:
    """Count subscribers by state, and suppressed addresses."""
    by_state = {row.state: row.n for row in db.execute(select(subscriber.c.state, func.count().label("n")).group_by(subscriber.c.state))}
    return {state: by_state.get(state, 0) for state in SubscriberState} | {
        "suppressed_addresses": db.execute(select(func.count(suppression.c.email_hmac))).scalar_one()
    }


def segment_size(db: Connection, rule: Node) -> int:
    """Count the active subscribers of a segment."""
    return db.execute(select(func.count()).select_from(subscriber).where(subscriber.c.state == SubscriberState.ACTIVE, condition(rule))).scalar_one()


# --- changing ----------------------------------------------------------------------------------


def add(db: Connection, public_id: UUID, address: Address, email_hmac: str, profile: Profile, state: SubscriberState, now: datetime) -> SubscriberId:
    """Insert a subscriber."""
    values = {
        "public_id": public_id,
        "email": address.email,
        "email_normalised": address.normalised,
        "email_hmac": email_hmac,
        "name": profile.name,
        "locale": profile.locale,
        "time_zone": profile.time_zone,
        "attributes": profile.attributes,
        "state": state,
        "created_at": now,
        "confirmed_at": now if state is SubscriberState.ACTIVE else None,
        "updated_at": now,
    }
    return SubscriberId(db.execute(insert(subscriber).values(**values).returning(subscriber.c.id)).scalar_one())


def add_many(db: Connection, rows: list[dict[str, Any]], now: datetime) -> list[int]:
    """Insert many active subscribers at once and return the ids of those that were new."""
    if not rows:
        return []
    names = ("public_id", "email", "email_normalised", "email_hmac", "name", "locale", "time_zone", "attributes")
    given = recordset(subscriber, names, [{**row, "public_id": str(row["public_id"])} for row in rows])
    fixed = (literal("active", Text), *(literal(now, subscriber.c.created_at.type) for _ in range(3)))
    made = upsert(subscriber).from_select([*names, "state", "created_at", "confirmed_at", "updated_at"], select(*given.c, *fixed))
    return list(db.execute(made.on_conflict_do_nothing(index_elements=["email_normalised"]).returning(subscriber.c.id)).scalars())


def set_state(db: Connection, subscriber_id: int, state: SubscriberState, now: datetime) -> None:
    """Move a subscriber to a state."""
    confirmed = {"confirmed_at": now} if state is SubscriberState.ACTIVE else {}
    db.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(state=state, updated_at=now, **confirmed))


def set_profile(db: Connection, subscriber_id: int, profile: Profile, now: datetime) -> None:
    """Replace what a subscriber says about themselves; attributes merge."""
    values = {"name": profile.name, "locale": profile.locale, "time_zone": profile.time_zone, "updated_at": now}
    merged = subscriber.c.attributes.op("||")(profile.attributes) if profile.attributes else subscriber.c.attributes
    db.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(**values, attributes=merged))


def set_profile_by_hmac(db: Connection, email_hmac: str, profile: Profile, now: datetime) -> None:
    """Take over what an import says about somebody; empty fields change nothing."""
    given = {"name": profile.name} if profile.name else {}
    given |= {"locale": profile.locale} if profile.locale != "en" else {}
    given |= {"time_zone": profile.time_zone} if profile.time_zone != "UTC" else {}
    merged = subscriber.c.attributes.op("||")(profile.attributes) if profile.attributes else subscriber.c.attributes
    db.execute(update(subscriber).where(subscriber.c.email_hmac == email_hmac).values(**given, attributes=merged, updated_at=now))


def log_consent(db: Connection, subscriber_ids: Sequence[int], entry: Consent) -> None:
    """Append the same entry to the consent log of one or many subscribers."""
    if subscriber_ids:
        whose = func.unnest(literal([int(each) for each in subscriber_ids], ARRAY(BigInteger))).column_valued()
        said = (literal(entry.event, Text), literal(entry.source, Text), literal(entry.text_version, Text), literal(entry.evidence, JSONB))
        names = ["subscriber_id", "event", "source", "text_version", "evidence", "at"]
        db.execute(insert(consent).from_select(names, select(whose, *said, literal(entry.at, consent.c.at.type))))


def suppress(db: Connection, email_hmac: str, reason: SuppressionReason, source: str, now: datetime) -> None:
    """Suppress an address; an earlier reason stays, except that a stronger one than `unsubscribed` replaces that."""
    row = upsert(suppression).values(email_hmac=email_hmac, reason=reason, source=source, created_at=now)
    weaker = suppression.c.reason.in_([SuppressionReason.UNSUBSCRIBED])
    db.execute(row.on_conflict_do_update(index_elements=["email_hmac"], set_={"reason": row.excluded.reason, "source": row.excluded.source}, where=weaker))


def lift(db: Connection, email_hmac: str) -> None:
    """Take a suppression away; only a fresh confirmation by its owner may do that (see audience.consent)."""
    db.execute(delete(suppression).where(suppression.c.email_hmac == email_hmac))


def use_token(db: Connection, fingerprint: str, purpose: str, now: datetime, expires_at: datetime) -> bool:
    """Use a single-use token; False when it was used before."""
    row = upsert(used_token).values(token_sha256=fingerprint, purpose=purpose, used_at=now, expires_at=expires_at)
    return db.execute(row.on_conflict_do_nothing().returning(used_token.c.token_sha256)).first() is not None


def erase(db: Connection, subscriber_id: int, email_hmac: str | None, reason: str, now: datetime) -> None:
    """Forget a person: only the keyed hash and counted, nameless rows stay. Idempotent."""
    gone: dict[str, Any] = {"email": None, "email_normalised": None, "email_hmac": None, "name": "", "locale": "en", "time_zone": "UTC", "attributes": {}}
    db.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(**gone, state=SubscriberState.ERASED, updated_at=now))
    db.execute(update(consent).where(consent.c.subscriber_id == subscriber_id).values(evidence={}))
    if email_hmac is not None:
        suppress(db, email_hmac, SuppressionReason.ERASED, "erasure", now)
        mark = upsert(tombstone).values(kind="subscriber", key_hmac=email_hmac, reason=reason, created_at=now)
        db.execute(mark.on_conflict_do_update(index_elements=["kind", "key_hmac"], set_={"created_at": now}))


def sealed_keys_of(db: Connection, subscriber_id: int) -> list[str]:
    """Name the stored requests that hold this person's address: they go with the person."""
    held = select(chunk.c.request_key).join(delivery, and_(delivery.c.campaign_id == chunk.c.campaign_id, delivery.c.chunk_number == chunk.c.number))
    return [row.request_key for row in db.execute(held.where(delivery.c.subscriber_id == subscriber_id, chunk.c.request_key.is_not(None)))]


# --- confirmations and retention ---------------------------------------------------------------


def last_event(db: Connection, subscriber_id: int, event: str) -> datetime | None:
    """When an event was last logged for a subscriber."""
    return db.execute(select(func.max(consent.c.at)).where(consent.c.subscriber_id == subscriber_id, consent.c.event == event)).scalar()


def awaiting_confirmation_mail(db: Connection, before: datetime, limit: int) -> list[PendingConfirmation]:
    """Find those whose latest request (made before a time) got no confirmation mail yet."""
    asked = (
        select(consent.c.subscriber_id, func.max(consent.c.at).label("at")).where(consent.c.event == "requested").group_by(consent.c.subscriber_id).subquery()
    )
    answered = exists().where(consent.c.subscriber_id == asked.c.subscriber_id, consent.c.event == "confirmation-sent", consent.c.at >= asked.c.at)
    query = select(subscriber.c.id, subscriber.c.public_id, subscriber.c.email, asked.c.at).join(asked, asked.c.subscriber_id == subscriber.c.id)
    waiting = query.where(subscriber.c.state.in_(["pending", "unsubscribed"]), subscriber.c.email.is_not(None), asked.c.at < before, not_(answered))
    return [PendingConfirmation(SubscriberId(row.id), row.public_id, row.email, row.at) for row in db.execute(waiting.order_by(asked.c.at).limit(limit))]


def unconfirmed(db: Connection, before: datetime, limit: int) -> list[UUID]:
    """Find pending subscribers who asked before a time and never confirmed."""
    latest = select(func.max(consent.c.at)).where(consent.c.subscriber_id == subscriber.c.id, consent.c.event == "requested").scalar_subquery()
    query = select(subscriber.c.public_id).where(subscriber.c.state == "pending", func.coalesce(latest, subscriber.c.created_at) < before)
    return [row.public_id for row in db.execute(query.order_by(subscriber.c.id).limit(limit))]


def forget_unconfirmed(db: Connection, subscriber_id: int, now: datetime) -> None:
    """Erase somebody who never confirmed, without suppressing the address: they never were on the list."""
    erase(db, subscriber_id, None, "unconfirmed", now)


def forget_expired_tokens(db: Connection, now: datetime) -> int:
    """Delete used tokens that would be refused as expired anyway."""
    return db.execute(delete(used_token).where(used_token.c.expires_at < now)).rowcount


def replay_tombstones(db: Connection) -> list[UUID]:
    """Find people whom a restore brought back although they were erased."""
    same = and_(tombstone.c.kind == "subscriber", tombstone.c.key_hmac == subscriber.c.email_hmac)
    query = select(subscriber.c.public_id).join(tombstone, same).where(subscriber.c.created_at < tombstone.c.created_at)
    return [row.public_id for row in db.execute(query)]
